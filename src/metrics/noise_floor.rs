//! Noise floor: what a perfect model would score, since no two stretches of one system are the same.
#![allow(non_snake_case, reason = "the paper's symbols")]

use ndarray::{Array1, Array2, ArrayView2, s};

use super::spectra::interpolated;
use super::{DstspKind, ScoreSettings, Spectra, StateSpace};
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
/// belongs to neither, so that both halves have the same frequencies.
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
    // Only data have gaps, so a free run is never interpolated; this half is.
    let filled: Vec<_> = second.iter().map(filled).collect();
    let filled: Vec<_> = filled.iter().map(|x| x.view()).collect();
    let states = StateSpace::new(DstspKind::of(N), &first, settings)?;
    let (dstsp, dstsp_standard_error, _) = states.divergence(&second);
    Ok(NoiseFloor {
        dstsp,
        dstsp_standard_error,
        dh: Spectra::new(&first, settings.smoothing).distance(&filled),
        rows: first.iter().map(|x| x.nrows()).sum(),
    })
}

fn filled(x: &ArrayView2<'_, f64>) -> Array2<f64> {
    let mut filled = x.to_owned();
    for mut column in filled.columns_mut() {
        let values = Array1::from_vec(interpolated(column.to_vec()));
        column.assign(&values);
    }
    filled
}
