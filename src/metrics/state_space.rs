//! D_stsp by whichever estimate the data call for, and what it says of a run that knows nothing.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::dstsp_bins::SMOOTHING;
use super::{Divergence, Histogram, Mixture, ScoreSettings, complete_rows};
use crate::config::DstspChoice;
use crate::error::Result;

/// Most dimensions that the authors' rule bins.
const MAX_BINNED: usize = 10;
/// Bins are trusted where the pseudo-counts of all of them are at most this share of the rows.
const SMOOTHING_SHARE: f64 = 0.01;

/// Which estimate of D_stsp was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DstspKind {
    Bins,
    Gmm,
}

impl DstspKind {
    /// For `rows` complete rows of `N` columns that vary: with `auto`, bins where their smoothing stays far below the
    /// rows (`1e-5 · binsᴺ ≤ 1 %` of them), so that counts decide and not the pseudo-counts of empty bins; with
    /// `bins`, the authors' rule (bins up to N = 10).
    pub fn of(settings: &ScoreSettings, N: usize, rows: usize) -> Self {
        let binned = match settings.dstsp {
            DstspChoice::Auto => {
                SMOOTHING * (settings.bins as f64).powf(N as f64) <= SMOOTHING_SHARE * rows as f64
            }
            DstspChoice::Bins => N <= MAX_BINNED,
            DstspChoice::Gmm => false,
        };
        if binned { Self::Bins } else { Self::Gmm }
    }

    /// `bins` or `GMM`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Bins => "bins",
            Self::Gmm => "GMM",
        }
    }
}

/// The data's side of D_stsp.
#[derive(Clone, Debug)]
pub(super) enum StateDistribution {
    Bins(Histogram),
    Gmm(Mixture),
}

impl StateDistribution {
    pub fn new(kind: DstspKind, data: &[ArrayView2<'_, f64>], settings: &ScoreSettings) -> Result<Self> {
        Ok(match kind {
            DstspKind::Bins => Self::Bins(Histogram::new(data, settings.bins)?),
            DstspKind::Gmm => Self::Gmm(Mixture::new(data, settings.gmm_variance, settings.seed)),
        })
    }

    pub fn rows(&self) -> usize {
        match self {
            Self::Bins(histogram) => histogram.rows(),
            Self::Gmm(mixture) => mixture.rows(),
        }
    }

    pub fn divergence<V: Copy + Into<f64>>(&self, generated: &[ArrayView2<'_, V>]) -> Divergence {
        match self {
            Self::Bins(histogram) => histogram.divergence(generated),
            Self::Gmm(mixture) => mixture.divergence(generated),
        }
    }

    /// What a run scores that knows nothing but one place: the lowest D_stsp of a run that never moves.
    pub fn resting(&self) -> f64 {
        match self {
            Self::Bins(histogram) => histogram.resting(),
            Self::Gmm(mixture) => mixture.resting(),
        }
    }
}

/// Complete rows of blocks `[_, N]`.
pub(super) fn count_complete(data: &[ArrayView2<'_, f64>]) -> usize {
    let N = data.first().map_or(0, |block| block.ncols());
    complete_rows(data).len() / N.max(1)
}
