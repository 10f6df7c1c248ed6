//! How good a reconstruction is: D_stsp (state-space divergence), D_H (power spectra), PE(n) (short-term
//! prediction), roughness, the noise floor beside them, and the rule by which the better of two is told.
//!
//! D_stsp and D_H compare the data with a free run of the same length whose row 0 is the first observation itself
//! (so is row 0 of the data: every model gets that row for nothing). PE predicts from every point of the data. Where
//! data are missing, both sides miss them: D_stsp compares the rows that are complete in the data, D_H spectra of
//! columns with the same gaps filled in the same way, and PE predicts from complete rows only.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod columns;
mod divergence;
mod dstsp_bins;
mod dstsp_gmm;
mod gaps;
mod hellinger;
mod noise_floor;
mod prediction_error;
mod roughness;
mod settings;
mod spectra;
mod standing;
mod state_space;
mod trajectories;
mod verdict;

use ndarray::{Array2, ArrayView2, CowArray, Ix2, s};
use rayon::join;

use crate::dataset::{Dataset, Trial};
use crate::error::{Error, Result};
use crate::model::FreeRun;
pub(crate) use columns::only;
use columns::{varying, views};
pub use divergence::Divergence;
pub use dstsp_bins::Histogram;
pub use dstsp_gmm::Mixture;
pub use gaps::{Gaps, interpolated};
use gaps::{at_rows, complete_rows_of};
pub use hellinger::{Amplitudes, SpectrumPlan, hellinger, smooth};
pub use noise_floor::{NoiseFloor, noise_floor, success_threshold};
pub use prediction_error::PredictionData;
pub(crate) use roughness::data_roughness;
pub use roughness::roughness;
pub use settings::ScoreSettings;
pub use spectra::Spectra;
pub use standing::{ROUGHNESS_BOUND, Standing};
pub use state_space::DstspKind;
use state_space::{StateDistribution, count_complete};
use verdict::Judge;
pub use verdict::Verdict;

/// How good one model is. Small is good; NaN means undefined.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Scores {
    /// KL(data ‖ free run) in nats. NaN where no finite row of the free run falls in the data's range (bins), or
    /// none is finite (GMM).
    pub dstsp: f64,
    /// Of the Monte Carlo estimate; `None` for bins.
    pub dstsp_standard_error: Option<f64>,
    /// D_stsp is within a tenth of what a run scores that shares nothing with the data (bins: no bin; GMM: it stays at
    /// the mean), or above: it cannot tell this run from such a one.
    pub saturated: bool,
    /// In [0, 1]; 1 for a column of the free run that is constant or not finite throughout.
    pub dh: f64,
    /// Mean squared error, not finite where a prediction overflows f32; NaN where no complete row has an observation n
    /// steps later, and for trajectories without a model.
    pub pe: f64,
    /// Mean |second difference| over that of the data, in the column where it is furthest from 1, which is as smooth as
    /// the data.
    pub roughness: f64,
    /// Of the run beside the longest trial.
    pub verdict: Verdict,
    /// Complete data rows behind D_stsp (at most 10,000 for GMM).
    pub points_dstsp: usize,
    /// Rows of the free run that were compared with them: finite, and in range for bins.
    pub points_inside: usize,
    /// Rows of the trials behind D_H, interpolated ones included.
    pub points_dh: usize,
    /// Pairs of rows behind PE.
    pub pairs_pe: usize,
}

/// Everything about the data that scores need, made once and shared by threads.
///
/// Rows of a trial before its start ([`Trial::start`](crate::dataset::Trial::start)) are left out of it, so that its
/// free run starts from a complete observation where there is one. D_stsp pools the complete rows of all trials; D_H is
/// the mean over trials weighted by length, gaps interpolated linearly in data and free run; PE uses all pairs that
/// exist. Columns without spread are left out of all but PE.
pub struct Scorer {
    kind: DstspKind,
    settings: ScoreSettings,
    /// Observations from the start of each trial on, of the columns that vary.
    trials: Vec<Array2<f64>>,
    /// Rows of each trial before its start.
    starts: Vec<usize>,
    /// Complete rows of each trial, `None` where all are.
    complete: Vec<Option<Vec<usize>>>,
    /// Columns that vary; D_stsp, D_H and roughness see no others.
    columns: Vec<usize>,
    /// Names of the others.
    constant: Vec<String>,
    free_runs: Vec<FreeRun>,
    states: StateDistribution,
    spectra: Spectra,
    prediction: PredictionData,
    /// Of the longest trial, and which one that is.
    judge: (usize, Judge),
}

impl Scorer {
    /// Warns of columns without spread.
    ///
    /// # Errors
    /// When a setting makes no sense, there are no rows, no column varies, or the bins cannot be numbered in 64 bits.
    pub fn new(dataset: &Dataset, settings: ScoreSettings) -> Result<Self> {
        settings.validate()?;
        let trials = observed_parts(dataset)?;
        let observations: Vec<_> = trials.iter().map(|(x, _)| *x).collect();
        let columns = varying(&observations)?;
        let constant = constant_columns(dataset, &columns);
        let varying: Vec<_> = observations.iter().map(|x| only(*x, &columns)).collect();
        let seen = views(&varying);
        let longest = (0..seen.len())
            .max_by_key(|&r| seen[r].nrows())
            .expect("there are trials");
        let kind = DstspKind::of(&settings, columns.len(), count_complete(&seen));
        let spectra = Spectra::new(&seen, settings.smoothing);
        let prediction = PredictionData::new(&trials, settings.pe_steps);
        warn_of_gaps(dataset, &columns, &spectra, &prediction);
        Ok(Self {
            kind,
            states: StateDistribution::new(kind, &seen, &settings)?,
            spectra,
            prediction,
            starts: dataset.trials.iter().map(Trial::start).collect(),
            complete: seen.iter().map(complete_rows_of).collect(),
            free_runs: trials.iter().map(|(x, s)| free_run(x, s)).collect(),
            trials: seen.iter().map(|x| x.to_owned()).collect(),
            judge: (longest, Judge::new(&seen[longest])),
            columns,
            constant,
            settings,
        })
    }

    pub fn dstsp_kind(&self) -> DstspKind {
        self.kind
    }

    /// Columns that vary, counted from 0.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Names of the columns without spread, which are left out of all scores but PE.
    pub fn constant_columns(&self) -> &[String] {
        &self.constant
    }

    pub fn settings(&self) -> &ScoreSettings {
        &self.settings
    }

    /// The free runs that [`Scorer::score`] expects, one per trial of the dataset, in its order.
    pub fn free_runs(&self) -> &[FreeRun] {
        &self.free_runs
    }

    /// The predictions of which [`Scorer::score`] takes the error.
    pub fn predictions(&self) -> &PredictionData {
        &self.prediction
    }

    /// Scores one model by its free runs (`[steps + 1, N]`, one for each of [`Scorer::free_runs`]) and the mean squared
    /// error `pe` of [`Scorer::predictions`]. Panics unless there are as many runs, rows and columns as asked for.
    pub fn score(&self, generated: &[Array2<f32>], pe: f64) -> Scores {
        let shapes = generated.iter().map(|run| run.dim());
        let expected = self.free_runs.iter().map(|run| (run.steps + 1, run.x0.len()));
        assert!(shapes.eq(expected), "free runs have the shapes of the trials");
        let runs = generated.iter().map(|run| only(run.view(), &self.columns));
        let runs: Vec<_> = runs.collect();
        let runs = views(&runs);
        let pairs = runs.iter().zip(&self.complete);
        let states: Vec<_> = pairs
            .map(|(run, complete)| at_rows(*run, complete.as_deref(), run.nrows()))
            .collect();
        Scores {
            pe,
            pairs_pe: self.prediction.pairs(),
            ..self.compare(&states, &views(&self.trials), &runs, &self.spectra)
        }
    }

    /// All scores but PE; every array has the columns that vary. `states` are the generated rows that D_stsp counts; `runs`
    /// lie beside `data`, trial by trial and row by row, and `spectra` are those of `data`.
    fn compare<V: Copy + Into<f64> + Sync>(
        &self,
        states: &[CowArray<'_, V, Ix2>],
        data: &[ArrayView2<'_, f64>],
        runs: &[ArrayView2<'_, V>],
        spectra: &Spectra,
    ) -> Scores {
        let (divergence, (roughness, dh)) = join(
            || self.states.divergence(&views(states)),
            || join(|| roughness(data, runs), || spectra.distance(runs)),
        );
        let (longest, judge) = &self.judge;
        Scores {
            dstsp: divergence.value,
            dstsp_standard_error: divergence.standard_error,
            saturated: divergence.saturated,
            dh,
            pe: f64::NAN,
            roughness,
            verdict: judge.verdict(&runs[*longest], roughness),
            points_dstsp: self.states.rows(),
            points_inside: divergence.rows,
            points_dh: spectra.rows(),
            pairs_pe: 0,
        }
    }

    /// See [`noise_floor`].
    pub fn noise_floor(&self) -> Result<NoiseFloor> {
        noise_floor(&views(&self.trials), &self.settings)
    }
}

/// Observations and inputs of each trial from its start on.
fn observed_parts(dataset: &Dataset) -> Result<Vec<(ArrayView2<'_, f64>, ArrayView2<'_, f64>)>> {
    if let Some(trial) = dataset.trials.iter().find(|trial| trial.x.is_empty()) {
        return Err(Error::input(format!("{} has no rows to score", trial.name)));
    }
    if dataset.trials.is_empty() {
        return Err(Error::input("there are no data to score"));
    }
    let parts = dataset.trials.iter().map(|trial| {
        let first = trial.start();
        (trial.x.slice(s![first.., ..]), trial.s.slice(s![first.., ..]))
    });
    Ok(parts.collect())
}

/// Labels of the columns that are not among those that vary; warns of them.
fn constant_columns(dataset: &Dataset, varying: &[usize]) -> Vec<String> {
    let constant: Vec<String> = (0..dataset.N)
        .filter(|n| !varying.contains(n))
        .map(|n| dataset.label(n))
        .collect();
    if !constant.is_empty() {
        log::warn!(
            "{} {} constant and can tell nothing about a model: left out of D_stsp, D_H and roughness",
            constant.join(", "),
            if constant.len() == 1 { "is" } else { "are" }
        );
    }
    constant
}

/// Says which scores the gaps of the data leave undefined, in part or at all.
fn warn_of_gaps(dataset: &Dataset, columns: &[usize], spectra: &Spectra, prediction: &PredictionData) {
    let trials = spectra.sparse().iter().enumerate();
    for (n, &trials) in trials.filter(|(_, trials)| **trials > 0) {
        let place = if dataset.trials.len() == 1 {
            String::new()
        } else {
            format!(" in {trials} of {} trials", dataset.trials.len())
        };
        log::warn!(
            "D_H leaves out {}{place}: too little of it was observed (4 values and one row in ten are needed)",
            dataset.label(columns[n])
        );
    }
    if dataset.missing() > 0 && prediction.pairs() == 0 {
        log::warn!(
            "PE({}) is undefined: no complete row has an observation {} steps later",
            prediction.steps(),
            prediction.steps()
        );
    }
}

/// As long as the trial: row 0 is the observation it starts from.
fn free_run(x: &ArrayView2<'_, f64>, s: &ArrayView2<'_, f64>) -> FreeRun {
    FreeRun {
        x0: x.row(0).iter().map(|&v| v as f32).collect(),
        s: if s.ncols() == 0 {
            Array2::zeros((0, 0))
        } else {
            s.mapv(|v| v as f32)
        },
        steps: x.nrows() - 1,
    }
}

/// The finite rows of blocks `[_, N]`, one after another.
fn complete_rows<V: Copy + Into<f64>>(blocks: &[ArrayView2<'_, V>]) -> Vec<f64> {
    let mut rows = Vec::with_capacity(blocks.iter().map(|block| block.len()).sum());
    for row in blocks.iter().flat_map(|block| block.rows()) {
        let kept = rows.len();
        rows.extend(row.iter().map(|&v| v.into()));
        if rows[kept..].iter().any(|v: &f64| !v.is_finite()) {
            rows.truncate(kept);
        }
    }
    rows
}
