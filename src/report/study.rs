//! A run as its report shows it: members by the settings that vary, training curves, what counts as a success.
#![allow(non_snake_case, reason = "the field's symbols")]

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rayon::prelude::*;

use super::ReportOptions;
use super::beside::Beside;
use super::pictures::{
    Curve, Curves, Groups, Success, metric_by_setting, regions_by_setting, success_by_setting,
    training_curves,
};
use super::plot::{Figure, Key};
use super::theme::{COLORS, color_class};
use super::thin::evenly;
use crate::analysis::Code;
use crate::config::Hyperparameters;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::metrics::success_threshold;
use crate::model::Model;
use crate::run::{MemberRow, Run};
use crate::text::{typeset, typeset_count};

/// Settings compared at most.
const COMPARED: usize = 3;
/// Members whose regions are counted at most.
const COUNTED: usize = 200;

/// A row of `members.csv`, and its cells as texts.
#[derive(Debug)]
pub struct ReportedMember {
    pub row: MemberRow,
    cells: HashMap<String, String>,
}

impl ReportedMember {
    /// A cell's text, empty where there is none.
    pub fn text(&self, column: &str) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }
}

/// A run and its members, at least one.
#[derive(Debug)]
pub struct ReportedRun {
    pub run: Run,
    pub members: Vec<ReportedMember>,
}

impl ReportedRun {
    /// # Errors
    /// When the folder cannot be read, or no member has been trained yet.
    pub fn read(root: &Path) -> Result<Self> {
        let run = Run::read(root)?;
        let reported = |row: MemberRow| ReportedMember {
            cells: row.cells(),
            row,
        };
        let members: Vec<ReportedMember> = run.members()?.into_iter().map(reported).collect();
        if members.is_empty() {
            return Err(Error::input(format!(
                "{} lists no members yet",
                run.folder.members().display()
            )));
        }
        Ok(Self { run, members })
    }

    /// `D_stsp (bins)`: the score with the estimate that was used, where that was recorded.
    pub fn d_stsp(&self) -> String {
        match self.run.record.dstsp {
            Some(kind) => format!("D_stsp ({})", kind.label()),
            None => "D_stsp".into(),
        }
    }

    /// D_stsp of all members, NaN where there is none.
    pub fn divergences(&self) -> Vec<f64> {
        let all = self.members.iter().map(|m| m.row.standing().dstsp);
        all.collect()
    }

    /// Settings that differ between members, in a fixed order.
    pub fn varied(&self) -> Vec<&'static str> {
        let differs = |name: &&str| {
            let first = self.members[0].text(name);
            self.members.iter().any(|m| m.text(name) != first)
        };
        Hyperparameters::COMPARED.into_iter().filter(differs).collect()
    }

    /// Settings that all members share, with their value.
    pub fn shared(&self) -> Vec<(&'static str, &str)> {
        let varied = self.varied();
        let names = Hyperparameters::COMPARED.into_iter();
        let shared = names.filter(|name| !varied.contains(name));
        let values = shared.map(|name| (name, self.members[0].text(name)));
        values.filter(|(_, value)| !value.is_empty()).collect()
    }

    /// Values of a setting in order (numbers by size), and the members that have each.
    pub fn groups(&self, setting: &str) -> Vec<(&str, Vec<&ReportedMember>)> {
        let mut groups: Vec<(&str, Vec<&ReportedMember>)> = Vec::new();
        for member in &self.members {
            let value = member.text(setting);
            match groups.iter_mut().find(|(name, _)| *name == value) {
                Some((_, members)) => members.push(member),
                None => groups.push((value, vec![member])),
            }
        }
        let size = |name: &str| name.parse::<f64>().unwrap_or(f64::NEG_INFINITY);
        groups.sort_by(|a, b| size(a.0).total_cmp(&size(b.0)).then_with(|| a.0.cmp(b.0)));
        groups
    }

    /// The log by member, in the order of the members.
    fn curves(&self) -> Result<Vec<Curve>> {
        let mut by_id: HashMap<String, Curve> = HashMap::new();
        let defined = |value: Option<f64>| value.unwrap_or(f64::NAN);
        for row in self.run.log()? {
            let curve = by_id.entry(row.member).or_default();
            curve.epoch.push(row.epoch.into());
            curve.loss.push(defined(row.loss));
            curve.d_stsp.push(defined(row.D_stsp));
            curve.d_h.push(defined(row.D_H));
        }
        let curves = self.members.iter().filter_map(|member| {
            Some(Curve {
                id: member.row.id.clone(),
                class: "c0".into(),
                ..by_id.remove(&member.row.id)?
            })
        });
        Ok(curves.collect())
    }
}

/// Loss and metrics over the epochs, coloured by the first setting that varies; `best` is the best member's id.
pub fn curves_figure(study: &ReportedRun, best: Option<&str>) -> Result<Option<Figure>> {
    let mut members = study.curves()?;
    if members.is_empty() {
        return Ok(None);
    }
    let mut keys = Vec::new();
    if let Some(&setting) = study.varied().first() {
        let groups = study.groups(setting);
        if groups.len() <= COLORS {
            for (k, (value, group)) in groups.iter().enumerate() {
                keys.push(Key::new(color_class(k), format!("{setting} = {value}")));
                let ids: HashSet<&str> = group.iter().map(|m| m.row.id.as_str()).collect();
                for curve in members.iter_mut().filter(|c| ids.contains(c.id.as_str())) {
                    curve.class = color_class(k);
                }
            }
        }
    }
    let floor = study.run.record.noise_floor;
    let input = Curves {
        members: &members,
        best,
        floor: (floor.D_stsp, floor.D_H),
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
    pub fn of(run: &Run, factor: f64) -> Result<Self, String> {
        let floor = run.record.noise_floor.D_stsp;
        let Some(resting) = run.record.noise_floor.D_stsp_resting else {
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
                typeset(floor, 3),
                typeset(resting, 3)
            ));
        };
        let [shown, factor_shown, floor_shown] = [resting, factor, floor].map(|v| typeset(v, 3));
        let place = format!("{shown}, what a run scores that stays in one place");
        let asked = format!("{factor_shown} times the noise floor of {floor_shown}");
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
                typeset(value, 3)
            ),
        })
    }

    /// How many of these members succeed.
    pub fn met_by<'a>(&self, members: impl IntoIterator<Item = &'a ReportedMember>) -> usize {
        let succeeds = |m: &&ReportedMember| m.row.standing().succeeds(self.value);
        members.into_iter().filter(succeeds).count()
    }
}

/// Comparison pictures of a study (three members or more).
pub fn study_figures(
    study: &ReportedRun,
    data: Option<&Dataset>,
    options: &ReportOptions,
) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    if study.members.len() < 3 {
        return Ok(figures);
    }
    let threshold = Threshold::of(&study.run, options.success_factor).ok();
    let varied: Vec<&str> = study.varied().into_iter().take(COMPARED).collect();
    if varied.is_empty() {
        let all = vec![("all members", study.members.iter().collect())];
        by_setting(study, "", &all, threshold.as_ref(), &mut figures)?;
    }
    for &setting in &varied {
        let groups = study.groups(setting);
        by_setting(study, setting, &groups, threshold.as_ref(), &mut figures)?;
    }
    if let Some(&first) = varied.first() {
        figures.extend(regions_figure(study, data, first, options)?);
    }
    Ok(figures)
}

fn by_setting(
    study: &ReportedRun,
    setting: &str,
    groups: &[(&str, Vec<&ReportedMember>)],
    threshold: Option<&Threshold>,
    figures: &mut Vec<Figure>,
) -> Result<()> {
    let names: Vec<String> = groups.iter().map(|(name, _)| name.to_string()).collect();
    let (file_end, title_end) = match setting {
        "" => ("-members".to_owned(), String::new()),
        _ => (format!("-by-{setting}"), format!(" by {setting}")),
    };
    let floor = study.run.record.noise_floor;
    for (column, what, floor) in [
        ("D_stsp", "State space divergence D_stsp", floor.D_stsp),
        ("D_H", "Hellinger distance D_H", floor.D_H),
    ] {
        let score = |member: &&ReportedMember| match (column, member.row.standing()) {
            ("D_stsp", standing) => standing.dstsp,
            (_, standing) => standing.dh,
        };
        let scores = groups
            .iter()
            .map(|(_, members)| members.iter().map(score).collect());
        let values = Groups {
            setting: setting.into(),
            names: names.clone(),
            values: scores.collect(),
        };
        if values.values.iter().flatten().any(|v| v.is_finite()) {
            let (file, title) = (format!("{column}{file_end}"), format!("{what}{title_end}"));
            figures.push(metric_by_setting(
                &file,
                &title,
                column,
                &values,
                (floor, "noise floor"),
            )?);
        }
    }
    if let Some(threshold) = threshold {
        let count = |members: &Vec<&ReportedMember>| threshold.met_by(members.iter().copied());
        let counts = groups.iter().map(|(_, members)| (count(members), members.len()));
        let success = Success {
            setting: setting.into(),
            names,
            counts: counts.collect(),
            rule: threshold.rule.clone(),
        };
        figures.push(success_by_setting(&format!("success{file_end}"), &success)?);
    }
    Ok(())
}

/// Regions that the free run of each member visits.
fn regions_figure(
    study: &ReportedRun,
    data: Option<&Dataset>,
    setting: &str,
    options: &ReportOptions,
) -> Result<Option<Figure>> {
    let members = &study.members;
    let counted = evenly(members.len(), COUNTED);
    let regions = |&i: &usize| {
        let id = members[i].row.id.as_str();
        let model = Model::load(study.run.folder.best(id));
        let visited = model.map_or(f64::NAN, |model| regions_visited(&model, data, options.steps));
        (id, visited)
    };
    let visited: HashMap<&str, f64> = counted.par_iter().map(regions).collect();
    if visited.values().all(|v| v.is_nan()) {
        return Ok(None);
    }
    let groups = study.groups(setting);
    let values = groups.iter().map(|(_, group)| {
        let ids = group.iter().map(|m| m.row.id.as_str());
        ids.filter_map(|id| visited.get(id).copied()).collect()
    });
    let groups = Groups {
        setting: setting.into(),
        values: values.collect(),
        names: groups.iter().map(|(name, _)| name.to_string()).collect(),
    };
    let mut figure = regions_by_setting(&format!("regions-by-{setting}"), &groups)?;
    figure.caption += &format!(
        " Distinct regions along a free run of {} steps.",
        typeset_count(options.steps)
    );
    if counted.len() < members.len() {
        figure.caption += &format!(" {} of {} members, evenly chosen.", counted.len(), members.len());
    }
    Ok(Some(figure))
}

/// Number of linear regions along a free run; NaN where it runs away.
fn regions_visited(model: &Model, data: Option<&Dataset>, steps: usize) -> f64 {
    let run = Beside::of(model, data, steps);
    if run.escaped().is_some() {
        return f64::NAN;
    }
    let first = run.states.ncols() - model.P;
    let states = run.states.rows().into_iter();
    let codes: HashSet<Code> = states.map(|z| Code::of(&z.to_vec()[first..])).collect();
    codes.len() as f64
}
