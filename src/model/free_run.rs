#![allow(non_snake_case, reason = "the paper's symbols")]

use ndarray::Array2;

/// One model to run freely: packed parameters (see [`Theta::pack`](crate::model::Theta::pack)) and `P`.
#[derive(Clone, Copy, Debug)]
pub struct FreeModel<'a> {
    pub theta: &'a [f32],
    pub P: usize,
}

/// Where a free run starts and what drives it.
#[derive(Clone, Debug, PartialEq)]
pub struct FreeRun {
    /// `[N]`, the first observation; NaN where it is missing (taken as 0).
    pub x0: Vec<f32>,
    /// Row `t` drives the step to `z_t` (row 0 is never used); `[steps + 1, K]`, or `[0, 0]` for `K = 0`.
    pub s: Array2<f32>,
    /// Number of steps after the initial state.
    pub steps: usize,
}
