//! Pictures of a whole run: training curves, and comparisons by the settings that vary.
#![allow(non_snake_case, reason = "the paper's symbols")]

use rayon::prelude::*;

use super::ReportOptions;
use super::folder::{MemberRecord, Run};
use super::observed::{Observed, free_run, regions_visited};
use super::pictures::{
    Curve, Curves, Groups, Success, metric_by_setting, regions_by_setting, success_by_setting,
    training_curves,
};
use super::plot::{Figure, Key};
use super::theme::{COLORS, color_class};
use super::thin::evenly;
use super::ticks::{count, number};
use crate::error::Result;
use crate::metrics::success_threshold;
use crate::model::Model;

/// Settings compared at most.
const SETTINGS: usize = 3;
/// Members whose regions are counted at most.
const COUNTED: usize = 200;

/// Loss and metrics over the epochs, coloured by the first setting that varies.
pub fn curves_figure(run: &Run) -> Result<Option<Figure>> {
    if run.curves.is_empty() {
        return Ok(None);
    }
    let mut keys = Vec::new();
    let mut members: Vec<Curve> = run.curves.clone();
    if let Some(&setting) = run.varied().first() {
        let groups = run.groups(setting);
        if groups.len() <= COLORS {
            for (k, (value, group)) in groups.iter().enumerate() {
                keys.push(Key::new(color_class(k), format!("{setting} = {value}")));
                for curve in members
                    .iter_mut()
                    .filter(|c| group.iter().any(|m| m.id() == c.id))
                {
                    curve.class = color_class(k);
                }
            }
        }
    }
    let input = Curves {
        members: &members,
        best: run.best().map(MemberRecord::id),
        floor: run.noise_floor(),
        keys,
    };
    training_curves("training", &input).map(Some)
}

/// What counts as a successful reconstruction in this run.
#[derive(Clone, Debug)]
pub struct Threshold {
    pub value: f64,
    pub rule: String,
}

impl Threshold {
    /// The noise floor of D_stsp times a factor, within what a run scores that knows nothing (see
    /// [`success_threshold`]).
    ///
    /// # Errors
    /// The sentence that says why there is none.
    pub fn of(run: &Run, factor: f64) -> std::result::Result<Self, String> {
        let floor = run.noise_floor().0;
        let Some(resting) = run.resting() else {
            return Err(
                "No success rate: this run folder does not say what a model scores that knows nothing (an \
                        earlier version made it)."
                    .into(),
            );
        };
        let Some(value) = success_threshold(floor, resting, factor) else {
            return Err(format!(
                "No success rate: the noise floor cannot be told from these data. Their halves score {} against each \
                 other, and a run that stays in one place scores {}: the record drifts, is too short, or has too many \
                 bins for its length.",
                number(floor, 3),
                number(resting, 3)
            ));
        };
        let place = format!(
            "{}, what a run scores that stays in one place",
            number(resting, 3)
        );
        let asked = format!(
            "{} times the noise floor of {}",
            number(factor, 3),
            number(floor, 3)
        );
        let bound = if value > factor * floor {
            format!("a fiftieth of {place}, because {asked} is less")
        } else if value == factor * floor {
            asked
        } else if value > floor {
            format!("half of {place}, because {asked} is more")
        } else {
            format!("the noise floor, because {asked} is more than half of {place}")
        };
        Ok(Self {
            value,
            rule: format!(
                "Success: best D_stsp below {}, that is {bound}, and a free run not more than twice as rough as the \
                 data; a member that diverged or has no score is none.",
                number(value, 3)
            ),
        })
    }

    pub fn met_by(&self, member: &MemberRecord) -> bool {
        member.standing().succeeds(self.value)
    }
}

/// Comparison pictures of a study (three members or more).
pub fn study_figures(run: &Run, observed: &Observed, options: &ReportOptions) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    if run.members.len() < 3 {
        return Ok(figures);
    }
    let threshold = Threshold::of(run, options.success_factor).ok();
    let varied: Vec<&str> = run.varied().into_iter().take(SETTINGS).collect();
    if varied.is_empty() {
        let all = vec![("all members".to_string(), run.members.iter().collect())];
        by_setting(run, "", &all, threshold.as_ref(), &mut figures)?;
    }
    for &setting in &varied {
        by_setting(
            run,
            setting,
            &run.groups(setting),
            threshold.as_ref(),
            &mut figures,
        )?;
    }
    if let Some(&first) = varied.first() {
        figures.extend(regions_figure(run, observed, first, options)?);
    }
    Ok(figures)
}

fn by_setting(
    run: &Run,
    setting: &str,
    groups: &[(String, Vec<&MemberRecord>)],
    threshold: Option<&Threshold>,
    figures: &mut Vec<Figure>,
) -> Result<()> {
    let names: Vec<String> = groups.iter().map(|(name, _)| name.clone()).collect();
    let group = |column: &str| Groups {
        setting: setting.into(),
        names: names.clone(),
        values: groups
            .iter()
            .map(|(_, m)| m.iter().map(|m| m.number(column)).collect())
            .collect(),
    };
    let file = |what: &str| {
        if setting.is_empty() {
            format!("{what}-members")
        } else {
            format!("{what}-by-{setting}")
        }
    };
    let title = |what: &str| {
        if setting.is_empty() {
            what.to_string()
        } else {
            format!("{what} by {setting}")
        }
    };
    let floor = run.noise_floor();
    for (column, what, floor) in [
        ("D_stsp", "State space divergence D_stsp", floor.0),
        ("D_H", "Hellinger distance D_H", floor.1),
    ] {
        let values = group(column);
        if values.values.iter().flatten().any(|v| v.is_finite()) {
            figures.push(metric_by_setting(
                &file(column),
                &title(what),
                column,
                &values,
                floor,
            )?);
        }
    }
    if let Some(threshold) = threshold {
        let counts = groups
            .iter()
            .map(|(_, m)| (m.iter().filter(|m| threshold.met_by(m)).count(), m.len()))
            .collect();
        let success = Success {
            setting: setting.into(),
            names,
            counts,
            rule: threshold.rule.clone(),
        };
        figures.push(success_by_setting(&file("success"), &success)?);
    }
    Ok(())
}

/// Regions that the free run of each member visits.
fn regions_figure(
    run: &Run,
    observed: &Observed,
    setting: &str,
    options: &ReportOptions,
) -> Result<Option<Figure>> {
    let counted: Vec<&MemberRecord> = evenly(run.members.len(), COUNTED)
        .into_iter()
        .map(|i| &run.members[i])
        .collect();
    let visited: Vec<f64> = counted
        .par_iter()
        .map(|member| {
            let Ok(model) = Model::load(run.model_path(member.id())) else {
                return f64::NAN;
            };
            let free = free_run(&model, observed.dataset(), options.steps);
            if free.states.nrows() < free.asked {
                f64::NAN
            } else {
                regions_visited(&free.states, model.P) as f64
            }
        })
        .collect();
    if visited.iter().all(|v| v.is_nan()) {
        return Ok(None);
    }
    let groups = run.groups(setting);
    let values = groups
        .iter()
        .map(|(value, _)| {
            counted
                .iter()
                .zip(&visited)
                .filter(|(m, _)| m.text(setting) == value)
                .map(|(_, v)| *v)
                .collect()
        })
        .collect();
    let groups = Groups {
        setting: setting.into(),
        names: groups.iter().map(|(name, _)| name.clone()).collect(),
        values,
    };
    let mut figure = regions_by_setting(&format!("regions-by-{setting}"), &groups)?;
    figure.caption += &format!(
        " Distinct regions along a free run of {} steps.",
        count(options.steps)
    );
    if counted.len() < run.members.len() {
        figure.caption += &format!(
            " {} of {} members, evenly chosen.",
            counted.len(),
            run.members.len()
        );
    }
    Ok(Some(figure))
}
