//! Noise floor: what a perfect model would score, since no two stretches of one system are the same.
#![allow(non_snake_case, reason = "the paper's symbols")]

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut1, Zip, s};

use super::spectra::is_sparse;
use super::{DstspKind, ScoreSettings, Spectra, StateSpace, interpolated};
use crate::error::Result;

/// D_stsp and D_H between the two halves of the data.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct NoiseFloor {
    /// KL(first half ‖ second half) in nats, NaN where undefined.
    pub dstsp: f64,
    /// Of the Monte Carlo estimate; `None` for bins.
    pub dstsp_standard_error: Option<f64>,
    pub dh: f64,
    /// Rows of one half, all trials together.
    pub rows: usize,
}

/// The second half of every trial scored against its first half as a free run is scored against the data: first
/// halves pooled against second halves for D_stsp, trial by trial for D_H. Of an odd number of rows the middle one
/// belongs to neither, so that both halves have the same frequencies. For D_H both halves get the gaps of either, as a
/// free run gets those of the data.
///
/// `trials` are observations `[T_r, N]`, NaN where missing. PE has no such floor: a perfect model predicts a
/// noise-free system exactly.
pub fn noise_floor(trials: &[ArrayView2<'_, f64>], settings: &ScoreSettings) -> Result<NoiseFloor> {
    let half = |x: &ArrayView2<'_, f64>| x.nrows() / 2;
    let first: Vec<_> = trials.iter().map(|x| x.slice_move(s![..half(x), ..])).collect();
    let second: Vec<_> = trials
        .iter()
        .map(|x| x.slice_move(s![x.nrows() - half(x).., ..]))
        .collect();
    let N = trials.first().map_or(0, |x| x.ncols());
    let masked: Vec<_> = first.iter().zip(&second).map(with_same_gaps).collect();
    let (early, late): (Vec<_>, Vec<_>) = masked.iter().map(|(x, y)| (x.view(), y.view())).unzip();
    let states = StateSpace::new(DstspKind::of(N), &first, settings)?;
    let (dstsp, dstsp_standard_error, _) = states.divergence(&second);
    Ok(NoiseFloor {
        dstsp,
        dstsp_standard_error,
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
