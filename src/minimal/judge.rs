use std::collections::BTreeMap;
use std::path::PathBuf;

use rayon::prelude::*;

use super::certificate::{Certificate, Found, Size};
use crate::analysis::{Agreement, AnalysisInput, Attractor, Reading, SharedPoint, has_all, shared_points};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::metrics::{Verdict, success_threshold};
use crate::model::Model;
use crate::run::{MemberRow, Run};
use crate::stats::{quantile, signed_rank_below_zero, wilson};
use crate::train::Data;

/// How far from the best median towards what a resting run scores a model still reconstructs.
const MARGIN: f64 = 0.1;
/// Of one success alone it cannot be said that it was no accident.
const REPEATED: usize = 2;

/// A member of the study, at its last state.
#[derive(Clone, Debug)]
pub struct JudgedModel {
    pub row: MemberRow,
    pub file: PathBuf,
    /// Missing for one that diverged.
    pub reading: Option<Reading>,
}

impl JudgedModel {
    fn P(&self) -> usize {
        self.row.settings.P
    }

    pub(super) fn dstsp(&self) -> f64 {
        self.row.last_D_stsp.unwrap_or(f64::INFINITY)
    }

    fn is_alive(&self) -> bool {
        self.row.verdict == Some(Verdict::Alive)
    }
}

/// Judges the models of a study.
pub struct Judge {
    scale: Vec<f64>,
    rows: usize,
    held_out: Option<usize>,
    floor: Option<f64>,
    resting: f64,
    best_P: usize,
    best_median: f64,
    fixed_points: Vec<SharedPoint>,
    chaotic: bool,
    models: Vec<JudgedModel>,
}

impl Judge {
    /// Reads the models of a finished study of several `P` beside the data that it was trained on.
    ///
    /// # Errors
    /// When anything but `P` and the seed varies, no model has a score, or the data do not tell models apart.
    pub fn new(run: &Run, data: &Data) -> Result<Self> {
        let rows = run.members()?;
        refuse_other_axes(&rows)?;
        let scale = data.training.deviations();
        let models = read(run, rows, &data.training)?;
        let floor = run.record.noise_floor;
        let resting = floor.D_stsp_resting.unwrap_or(f64::NAN);
        let medians = by_size(&models)
            .into_iter()
            .map(|(P, models)| (P, median(&models)));
        let best = medians.min_by(|a, b| a.1.total_cmp(&b.1));
        let Some((best_P, best_median)) = best.filter(|(_, median)| *median < resting) else {
            return Err(Error::runtime(
                "no number of ReLUs does better than a free run that stays in one place, so nothing can be told of them",
            )
            .with_hint("train longer, or look at the data's noise floor (a record that drifts, or is too short)"));
        };
        let judge = Self {
            rows: data.training.rows(),
            held_out: data.test.as_ref().map(Dataset::rows),
            fixed_points: Vec::new(),
            chaotic: false,
            scale,
            floor: success_threshold(floor.D_stsp, resting, 1.0).map(|_| floor.D_stsp),
            resting,
            best_P,
            best_median,
            models,
        };
        let good = judge.good();
        let chaotic = good
            .iter()
            .filter(|reading| reading.attractor == Attractor::Chaotic);
        let chaotic = 2 * chaotic.count() > good.len();
        let fixed_points = shared_points(&good, &judge.scale);
        Ok(Self {
            chaotic,
            fixed_points,
            ..judge
        })
    }

    /// Readings of the models of the best `P` that reconstruct.
    fn good(&self) -> Vec<&Reading> {
        let good = self
            .models
            .iter()
            .filter(|model| model.P() == self.best_P && self.reconstructs(model));
        good.filter_map(|model| model.reading.as_ref()).collect()
    }

    fn threshold(&self) -> f64 {
        self.best_median + MARGIN * (self.resting - self.best_median)
    }

    /// Models of the largest `P` that succeed.
    pub fn parents(&self) -> Vec<&JudgedModel> {
        let succeed = |model: &&JudgedModel| self.succeeds(model);
        let largest = self.models.iter().filter(succeed).map(JudgedModel::P).max();
        let all = self.models.iter().filter(succeed);
        all.filter(|model| Some(model.P()) == largest).collect()
    }

    fn reconstructs(&self, model: &JudgedModel) -> bool {
        model.dstsp() <= self.threshold() && model.is_alive()
    }

    fn holds_fixed_points(&self, model: &JudgedModel) -> bool {
        let holds = |reading: &Reading| has_all(&self.fixed_points, reading, &self.scale);
        model.reading.as_ref().is_some_and(holds)
    }

    fn succeeds(&self, model: &JudgedModel) -> bool {
        self.reconstructs(model) && self.holds_fixed_points(model)
    }

    /// Adds models that were made in another way (see [`super::retrain()`]); they are read beside the same data.
    ///
    /// # Errors
    /// As [`Judge::new`].
    pub fn read(&self, run: &Run, data: &Data) -> Result<Vec<JudgedModel>> {
        read(run, run.members()?, &data.training)
    }

    /// The models of one `P`, counted.
    pub fn size(&self, models: &[&JudgedModel]) -> Size {
        let count = |what: &dyn Fn(&JudgedModel) -> bool| models.iter().filter(|model| what(model)).count();
        let scores: Vec<f64> = models.iter().map(|model| model.dstsp()).collect();
        let succeed = count(&|model| self.succeeds(model));
        let (low, high) = wilson(succeed, models.len());
        Size {
            P: models.first().map_or(0, |model| model.P()),
            models: models.len(),
            alive: count(&JudgedModel::is_alive),
            median: median(models),
            quartiles: [0.25, 0.75].map(|q| quantile(&scores, q)),
            reconstruct: count(&|model| self.reconstructs(model)),
            hold_fixed_points: count(&|model| self.holds_fixed_points(model)),
            succeed,
            scores,
            interval: [low, high],
            worse: self.worse(models),
        }
    }

    /// See [`Size::worse`].
    fn worse(&self, models: &[&JudgedModel]) -> Option<f64> {
        let margin = self.threshold() - self.best_median;
        if models.iter().all(|model| model.P() == self.best_P) {
            return None;
        }
        let pair = |model: &&JudgedModel| {
            let seed = model.row.settings.seed;
            let same = |other: &&JudgedModel| other.P() == self.best_P && other.row.settings.seed == seed;
            let other = self.models.iter().find(same)?.dstsp();
            // Two that diverged are as good as each other.
            Some(if model.dstsp() == other {
                -margin
            } else {
                model.dstsp() - other - margin
            })
        };
        Some(signed_rank_below_zero(
            &models.iter().filter_map(pair).collect::<Vec<_>>(),
        ))
    }

    /// What these models say of the number of ReLUs that suffices, where two of them succeed.
    pub fn found(&self, models: &[&JudgedModel], reduced: bool) -> Option<Found> {
        let mut good: Vec<&&JudgedModel> = models.iter().filter(|model| self.succeeds(model)).collect();
        good.sort_by(|a, b| a.dstsp().total_cmp(&b.dstsp()));
        if good.len() < REPEATED {
            return None;
        }
        let readings = good
            .iter()
            .filter_map(|model| Some((model.row.id.clone(), model.reading.clone()?)));
        let best = good[0];
        Some(Found {
            P: best.P(),
            model: best.row.id.clone(),
            D_stsp: best.dstsp(),
            D_H: best.row.last_D_H.unwrap_or(f64::NAN),
            file: best.file.display().to_string(),
            reduced,
            succeed: good.len(),
            models: models.len(),
            agreement: Agreement::of(&readings.collect::<Vec<_>>(), &self.scale),
        })
    }

    /// Everything together, of the models as they were trained.
    pub fn certificate(&self) -> Certificate {
        let sizes = by_size(&self.models);
        Certificate {
            rows: self.rows,
            held_out: self.held_out,
            best_P: self.best_P,
            best_median: self.best_median,
            floor: self.floor,
            resting: self.resting,
            threshold: self.threshold(),
            sizes: sizes.values().map(|models| self.size(models)).collect(),
            fixed_points: self.fixed_points.clone(),
            chaotic: self.chaotic,
            bound: bound(self.fixed_points.len(), self.chaotic),
            found: sizes.values().find_map(|models| self.found(models, false)),
            reduced: None,
        }
    }
}

/// ReLUs that so many isolated fixed points need, each in a region of its own; one that chaos needs.
fn bound(fixed_points: usize, chaotic: bool) -> usize {
    let regions = fixed_points.max(1).next_power_of_two().trailing_zeros() as usize;
    regions.max(usize::from(chaotic))
}

fn by_size(models: &[JudgedModel]) -> BTreeMap<usize, Vec<&JudgedModel>> {
    let mut sizes: BTreeMap<usize, Vec<&JudgedModel>> = BTreeMap::new();
    for model in models {
        sizes.entry(model.P()).or_default().push(model);
    }
    sizes
}

fn median(models: &[&JudgedModel]) -> f64 {
    quantile(&models.iter().map(|model| model.dstsp()).collect::<Vec<_>>(), 0.5)
}

fn refuse_other_axes(rows: &[MemberRow]) -> Result<()> {
    let shape = |row: &MemberRow| crate::config::Hyperparameters {
        P: 0,
        seed: 0,
        ..row.settings.clone()
    };
    match rows.first() {
        Some(first) if rows.iter().all(|row| shape(row) == shape(first)) => Ok(()),
        Some(_) => Err(
            Error::input("members of this run differ in more than P and the seed")
                .with_hint("give every other setting one value"),
        ),
        None => Err(Error::input("this run lists no members yet")),
    }
}

/// The last states of a run's members.
fn read(run: &Run, rows: Vec<MemberRow>, data: &Dataset) -> Result<Vec<JudgedModel>> {
    let judged = |row: MemberRow| {
        let file = run.folder.last(&row.id);
        let reading = match row.diverged() {
            true => None,
            false => Some(Reading::of(&AnalysisInput::of_model(
                &Model::load(&file)?,
                Some(data),
            ))?),
        };
        Ok(JudgedModel { row, file, reading })
    };
    rows.into_par_iter().map(judged).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_points_and_chaos_bound_the_number_of_relus() {
        let bounds: Vec<usize> = [0, 1, 2, 3, 4, 5, 8, 9].map(|q| bound(q, false)).to_vec();
        assert_eq!(bounds, [0, 0, 1, 2, 2, 3, 3, 4]);
        assert_eq!((bound(1, true), bound(3, true)), (1, 2));
    }
}
