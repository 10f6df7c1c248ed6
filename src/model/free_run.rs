use ndarray::Array2;

use super::Dims;

/// One model to run freely: packed parameters (see [`Theta::pack`](crate::model::Theta::pack)) and `P`.
#[derive(Clone, Copy, Debug)]
pub struct FreeModel<'a> {
    pub theta: &'a [f32],
    pub P: usize,
}

impl FreeModel<'_> {
    /// Unit `i` of `z_0 = [x_0 ; L x_0]`, missing (NaN) entries of `x0`, `[N]`, taken as 0.
    pub fn initial_unit(&self, dims: Dims, x0: &[f32], i: usize) -> f32 {
        let known = |x: f32| if x.is_nan() { 0.0 } else { x };
        match i.checked_sub(dims.N) {
            None => known(x0[i]),
            Some(row) => {
                let L = &self.theta[dims.range_L()][row * dims.N..(row + 1) * dims.N];
                L.iter().zip(x0).map(|(l, &x)| l * known(x)).sum()
            }
        }
    }
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

/// What a free run has left when it has run away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds(f64);

impl Bounds {
    /// 1e8 times the largest of the values that a run starts from or is compared with (at least of 1): far enough to say
    /// that it does not come back, whatever the units.
    pub fn around<'a>(values: impl IntoIterator<Item = &'a f64>) -> Self {
        let finite = values.into_iter().filter(|v| v.is_finite());
        Self(1e8 * finite.fold(1.0f64, |m, v| m.max(v.abs())))
    }

    /// Whether a state lies within; one that is not finite does not.
    pub fn hold<'a>(&self, state: impl IntoIterator<Item = &'a f64>) -> bool {
        state.into_iter().all(|v| v.abs() <= self.0)
    }
}
