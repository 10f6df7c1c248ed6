//! How good a reconstruction is: D_stsp (state-space divergence), D_H (power spectra), PE(n) (short-term
//! prediction), and the noise floor beside them.
//!
//! D_stsp and D_H compare the data with a free run of the same length whose row 0 is the first observation itself
//! (so is row 0 of the data: every model gets that row for nothing). PE predicts from every point of the data. Where
//! data are missing, both sides miss them: D_stsp compares the rows that are complete in the data, D_H spectra of
//! columns with the same gaps filled in the same way, and PE predicts from complete rows only.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod dstsp_bins;
mod dstsp_gmm;
mod gaps;
mod hellinger;
mod noise_floor;
mod prediction_error;
mod spectra;
mod trajectories;

use ndarray::{Array2, ArrayView2, CowArray, Ix2, s};
use rayon::join;

use crate::config::Settings;
use crate::dataset::{Dataset, Trial};
use crate::error::{Error, Result};
use crate::model::{Dims, FreeRun};
pub use dstsp_bins::{BinnedDivergence, Histogram};
pub use dstsp_gmm::{Mixture, MixtureDivergence};
pub use gaps::{Gaps, interpolated};
use gaps::{at_rows, complete_rows_of};
pub use hellinger::{Amplitudes, SpectrumPlan, hellinger, smooth};
pub use noise_floor::{NoiseFloor, noise_floor};
pub use prediction_error::{PredictionData, PredictionError};
pub use spectra::Spectra;

/// Most dimensions that D_stsp bins; above, it compares Gaussian mixtures.
pub const MAX_BINNED: usize = 10;
/// Largest smoothing of spectra, in frequency bins.
const MAX_SMOOTHING: f64 = 1e5;

/// Settings of the metrics; those of [`Settings`] by default.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreSettings {
    /// Bins per dimension of D_stsp (N ≤ 10).
    pub bins: usize,
    /// σ² of the Gaussians of D_stsp (N > 10).
    pub gmm_variance: f64,
    /// Standard deviation of the spectra's smoothing, in frequency bins.
    pub smoothing: f64,
    /// n of PE(n).
    pub pe_steps: usize,
    /// Decides the Monte Carlo points of D_stsp (N > 10).
    pub seed: u32,
}

impl From<&Settings> for ScoreSettings {
    fn from(settings: &Settings) -> Self {
        Self {
            bins: settings.bins,
            gmm_variance: settings.gmm_variance,
            smoothing: settings.smoothing,
            pe_steps: settings.pe_steps,
            seed: 0,
        }
    }
}

impl Default for ScoreSettings {
    fn default() -> Self {
        Self::from(&Settings::default())
    }
}

impl ScoreSettings {
    fn validate(&self) -> Result<()> {
        let refuse = |message: String| Err(Error::input(message));
        if self.bins == 0 {
            return refuse("the number of bins must be at least 1".into());
        }
        if !(self.gmm_variance > 0.0 && self.gmm_variance.is_finite()) {
            return refuse(format!("the GMM variance {} is not positive", self.gmm_variance));
        }
        if !(0.0..=MAX_SMOOTHING).contains(&self.smoothing) {
            return refuse(format!(
                "the smoothing {} is outside 0..={MAX_SMOOTHING}",
                self.smoothing
            ));
        }
        if self.pe_steps == 0 {
            return refuse("the prediction error needs at least 1 step".into());
        }
        Ok(())
    }
}

/// Which estimate of D_stsp the number of dimensions calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DstspKind {
    Bins,
    Gmm,
}

impl DstspKind {
    /// Bins up to N = 10.
    pub fn of(N: usize) -> Self {
        if N <= MAX_BINNED { Self::Bins } else { Self::Gmm }
    }

    /// `bins` or `GMM`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Bins => "bins",
            Self::Gmm => "GMM",
        }
    }
}

/// How good one model is. Small is good; NaN means undefined.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Scores {
    /// KL(data ‖ free run) in nats. NaN where no finite row of the free run falls in the data's range (bins), or
    /// none is finite (GMM).
    pub dstsp: f64,
    /// Of the Monte Carlo estimate; `None` for bins.
    pub dstsp_standard_error: Option<f64>,
    /// In [0, 1]; 1 for a column of the free run that is constant or not finite throughout.
    pub dh: f64,
    /// Mean squared error, not finite where a prediction overflows f32; NaN where no complete row has an observation n
    /// steps later, and for trajectories without a model.
    pub pe: f64,
    /// Complete data rows behind D_stsp (at most 10,000 for GMM).
    pub points_dstsp: usize,
    /// Rows of the free run that were compared with them: finite, and in range for bins.
    pub points_inside: usize,
    /// Rows of the trials behind D_H, interpolated ones included.
    pub points_dh: usize,
    /// Pairs of rows behind PE.
    pub pairs_pe: usize,
}

/// The data's side of D_stsp.
#[derive(Clone, Debug)]
enum StateSpace {
    Bins(Histogram),
    Gmm(Mixture),
}

impl StateSpace {
    fn new(kind: DstspKind, data: &[ArrayView2<'_, f64>], settings: &ScoreSettings) -> Result<Self> {
        Ok(match kind {
            DstspKind::Bins => Self::Bins(Histogram::new(data, settings.bins)?),
            DstspKind::Gmm => Self::Gmm(Mixture::new(data, settings.gmm_variance, settings.seed)),
        })
    }

    fn rows(&self) -> usize {
        match self {
            Self::Bins(histogram) => histogram.rows(),
            Self::Gmm(mixture) => mixture.rows(),
        }
    }

    /// Value, standard error and rows used of `generated`.
    fn divergence<V: Copy + Into<f64>>(&self, generated: &[ArrayView2<'_, V>]) -> (f64, Option<f64>, usize) {
        match self {
            Self::Bins(histogram) => {
                let divergence = histogram.divergence(generated);
                (divergence.value, None, divergence.inside)
            }
            Self::Gmm(mixture) => {
                let divergence = mixture.divergence(generated);
                (
                    divergence.value,
                    Some(divergence.standard_error),
                    divergence.components,
                )
            }
        }
    }
}

/// Everything about the data that scores need, made once and shared by threads.
///
/// Rows of a trial before its start ([`Trial::start`](crate::dataset::Trial::start)) are left out of it, so that its
/// free run starts from a complete observation where there is one. D_stsp pools the complete rows of all trials; D_H is
/// the mean over trials weighted by length, gaps interpolated linearly in data and free run; PE uses all pairs that
/// exist.
pub struct Scorer {
    kind: DstspKind,
    settings: ScoreSettings,
    /// Observations from the start of each trial on.
    trials: Vec<Array2<f64>>,
    /// Rows of each trial before its start.
    starts: Vec<usize>,
    /// Complete rows of each trial, `None` where all are.
    complete: Vec<Option<Vec<usize>>>,
    free_runs: Vec<FreeRun>,
    states: StateSpace,
    spectra: Spectra,
    prediction: PredictionData,
}

impl Scorer {
    /// # Errors
    /// When a setting makes no sense, there are no rows, or the bins cannot be numbered in 64 bits.
    pub fn new(dataset: &Dataset, settings: ScoreSettings) -> Result<Self> {
        settings.validate()?;
        let trials: Vec<(ArrayView2<'_, f64>, ArrayView2<'_, f64>)> = dataset
            .trials
            .iter()
            .map(|trial| {
                let first = trial.start();
                (trial.x.slice(s![first.., ..]), trial.s.slice(s![first.., ..]))
            })
            .collect();
        if let Some(trial) = dataset.trials.iter().find(|trial| trial.x.is_empty()) {
            return Err(Error::input(format!("{} has no rows to score", trial.name)));
        }
        if trials.is_empty() {
            return Err(Error::input("there are no data to score"));
        }
        let observations: Vec<_> = trials.iter().map(|(x, _)| *x).collect();
        let kind = DstspKind::of(dataset.N);
        let spectra = Spectra::new(&observations, settings.smoothing);
        let prediction = PredictionData::new(&trials, settings.pe_steps);
        warn_of_gaps(dataset, &spectra, &prediction);
        Ok(Self {
            kind,
            states: StateSpace::new(kind, &observations, &settings)?,
            spectra,
            prediction,
            starts: dataset.trials.iter().map(Trial::start).collect(),
            complete: observations.iter().map(complete_rows_of).collect(),
            free_runs: trials.iter().map(|(x, s)| free_run(x, s)).collect(),
            trials: observations.iter().map(|x| x.to_owned()).collect(),
            settings,
        })
    }

    pub fn dstsp_kind(&self) -> DstspKind {
        self.kind
    }

    pub fn settings(&self) -> &ScoreSettings {
        &self.settings
    }

    /// The free runs that [`Scorer::score`] expects, one per trial of the dataset, in its order.
    pub fn free_runs(&self) -> &[FreeRun] {
        &self.free_runs
    }

    /// Scores one model by its free runs (`[steps + 1, N]`, one for each of [`Scorer::free_runs`]) and its packed
    /// parameters. Panics unless there are as many runs, rows and columns as asked for.
    pub fn score(&self, generated: &[Array2<f32>], dims: Dims, theta: &[f32], P: usize) -> Scores {
        let shapes = generated.iter().map(|run| run.dim());
        assert!(
            shapes.eq(self.trials.iter().map(|x| x.dim())),
            "free runs have the shapes of the trials"
        );
        let runs: Vec<_> = generated.iter().map(|run| run.view()).collect();
        let data: Vec<_> = self.trials.iter().map(|x| x.view()).collect();
        let states: Vec<_> = runs
            .iter()
            .zip(&self.complete)
            .map(|(run, complete)| at_rows(*run, complete.as_deref(), run.nrows()))
            .collect();
        let (scores, prediction) = join(
            || self.compare(&states, &data, &runs, &self.spectra),
            || self.prediction.score(dims, theta, P),
        );
        Scores {
            pe: prediction.mse,
            pairs_pe: prediction.pairs,
            ..scores
        }
    }

    /// All scores but PE. `states` are the generated rows that D_stsp counts; `runs` lie beside `data`, trial by trial and
    /// row by row, and `spectra` are those of `data`.
    fn compare<V: Copy + Into<f64> + Sync>(
        &self,
        states: &[CowArray<'_, V, Ix2>],
        _data: &[ArrayView2<'_, f64>],
        runs: &[ArrayView2<'_, V>],
        spectra: &Spectra,
    ) -> Scores {
        let states: Vec<_> = states.iter().map(|x| x.view()).collect();
        let ((dstsp, dstsp_standard_error, points_inside), dh) =
            join(|| self.states.divergence(&states), || spectra.distance(runs));
        Scores {
            dstsp,
            dstsp_standard_error,
            dh,
            pe: f64::NAN,
            points_dstsp: self.states.rows(),
            points_inside,
            points_dh: spectra.rows(),
            pairs_pe: 0,
        }
    }

    /// See [`noise_floor`].
    pub fn noise_floor(&self) -> Result<NoiseFloor> {
        let trials: Vec<_> = self.trials.iter().map(|x| x.view()).collect();
        noise_floor(&trials, &self.settings)
    }
}

/// Says which scores the gaps of the data leave undefined, in part or at all.
fn warn_of_gaps(dataset: &Dataset, spectra: &Spectra, prediction: &PredictionData) {
    for (n, &trials) in spectra
        .sparse()
        .iter()
        .enumerate()
        .filter(|(_, trials)| **trials > 0)
    {
        let place = if dataset.trials.len() == 1 {
            String::new()
        } else {
            format!(" in {trials} of {} trials", dataset.trials.len())
        };
        log::warn!(
            "D_H leaves out {}{place}: too little of it was observed (4 values and one row in ten are needed)",
            dataset.label(n)
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
