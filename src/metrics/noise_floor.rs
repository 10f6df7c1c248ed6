//! Noise floor: what a perfect model would score, since no two stretches of one system are the same; and the score
//! that a model has to stay below to count as a success.

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut1, Zip, s};

use super::columns::{only, varying, views};
use super::spectra::is_sparse;
use super::state_space::{StateDistribution, count_complete};
use super::{DstspKind, ScoreSettings, Spectra, interpolated};
use crate::error::Result;

/// A floor above this share of what a run scores that never moves is no floor.
const TOLD: f64 = 2.0 / 3.0;
/// No D_stsp above this share of it, and above the floor, is a success.
const HIGHEST: f64 = 0.5;
/// A D_stsp below this share of it is a success even where the floor is lower: floors that low are luck.
const LOWEST: f64 = 0.02;

/// D_stsp and D_H between the two halves of the data.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct NoiseFloor {
    /// KL(first half ‖ second half) in nats, NaN where undefined.
    pub dstsp: f64,
    /// Of the Monte Carlo estimate; `None` for bins.
    pub dstsp_standard_error: Option<f64>,
    /// D_stsp, against the first half, of a run that stays in one place, the best one there is: what a model scores that
    /// knows nothing.
    pub dstsp_resting: f64,
    pub dh: f64,
    /// Rows of one half, all trials together.
    pub rows: usize,
}

/// The D_stsp below which a model succeeds: `factor` times the noise `floor`, but at least a fiftieth and at most half of
/// `resting`, the score of a run that stays in one place (or the floor itself, where that is more than half).
///
/// `None` where the floor is not clearly below `resting` (more than two thirds of it, or undefined): halves that differ
/// so much are those of a record that drifts, is short beside its own time scales, or whose bins are too many to be
/// filled. What a perfect model would score cannot be told from them. (Trends with a season score 0.7 to 1 of `resting`,
/// random walks 1 to 5; another stretch of the same system less than 0.6, down to 3,000 rows of a 20-dimensional one.)
pub fn success_threshold(floor: f64, resting: f64, factor: f64) -> Option<f64> {
    let told = resting > 0.0 && floor <= TOLD * resting;
    told.then(|| (factor * floor).clamp(LOWEST * resting, floor.max(HIGHEST * resting)))
}

/// The second half of every trial scored against its first half as a free run is scored against the data: first
/// halves pooled against second halves for D_stsp, trial by trial for D_H. Of an odd number of rows the middle one
/// belongs to neither, so that both halves have the same frequencies. For D_H both halves get the gaps of either, as a
/// free run gets those of the data.
///
/// `trials` are observations `[T_r, N]`, NaN where missing. PE has no such floor: a perfect model predicts a
/// noise-free system exactly. D_stsp is estimated as for the whole data, whose rows decide between bins and mixture.
///
/// # Errors
/// When no column varies, or the bins cannot be numbered in 64 bits.
pub fn noise_floor(trials: &[ArrayView2<'_, f64>], settings: &ScoreSettings) -> Result<NoiseFloor> {
    let columns = varying(trials)?;
    let seen: Vec<_> = trials.iter().map(|x| only(*x, &columns)).collect();
    let trials = views(&seen);
    let kind = DstspKind::of(settings, columns.len(), count_complete(&trials));
    let half = |x: &ArrayView2<'_, f64>| x.nrows() / 2;
    let first: Vec<_> = trials.iter().map(|x| x.slice_move(s![..half(x), ..])).collect();
    let second: Vec<_> = trials
        .iter()
        .map(|x| x.slice_move(s![x.nrows() - half(x).., ..]))
        .collect();
    let masked: Vec<_> = first.iter().zip(&second).map(with_same_gaps).collect();
    let (early, late): (Vec<_>, Vec<_>) = masked.iter().map(|(x, y)| (x.view(), y.view())).unzip();
    let states = StateDistribution::new(kind, &first, settings)?;
    let divergence = states.divergence(&second);
    Ok(NoiseFloor {
        dstsp: divergence.value,
        dstsp_standard_error: divergence.standard_error,
        dstsp_resting: states.resting(),
        dh: Spectra::new(&early, settings.smoothing).distance(&late),
        rows: first.iter().map(|x| x.nrows()).sum(),
    })
}

/// Both halves of a trial with the gaps of either, as a free run has the gaps of its data. In a column where that
/// would leave less than half of the values (the halves are sampled in turn, or at random and rarely) each half keeps
/// its own gaps, filled: they are as many in both, or nearly. A column that has no spectrum in either half has no floor.
fn with_same_gaps(
    (first, second): (&ArrayView2<'_, f64>, &ArrayView2<'_, f64>),
) -> (Array2<f64>, Array2<f64>) {
    let (mut first, mut second) = (first.to_owned(), second.to_owned());
    for (mut a, mut b) in first.columns_mut().into_iter().zip(second.columns_mut()) {
        let missing = |values: &ArrayViewMut1<'_, f64>| values.iter().filter(|v| v.is_nan()).count();
        let most = missing(&a).max(missing(&b));
        if most == 0 {
            continue;
        }
        let rows = a.len();
        let both = a.iter().zip(&b).filter(|(a, b)| !(*a + *b).is_nan()).count();
        if is_sparse(rows, most) || 2 * both >= rows - most {
            Zip::from(&mut a).and(&mut b).for_each(|a, b| {
                if (*a + *b).is_nan() {
                    (*a, *b) = (f64::NAN, f64::NAN);
                }
            });
        } else {
            for half in [&mut a, &mut b] {
                let values = interpolated(half.to_vec());
                half.assign(&ArrayView1::from(&values));
            }
        }
    }
    (first, second)
}
