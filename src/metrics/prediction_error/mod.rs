//! PE(n): mean squared error of the n-step prediction from every point of the data.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod form;
mod kernel;

use std::ops::Range;

use ndarray::ArrayView2;
use pulp::Arch;
use rayon::prelude::*;

use crate::model::{Dims, Theta};
use form::Form;

/// Predictions that one task makes: enough to be worth a task, few enough to spread over cores.
const TASK: usize = 4096;
/// f32 values that one group of the widest vectors reads past its start.
const PADDING: usize = kernel::UNROLL * 16;

/// What a prediction error needs of the data: f32 columns of all trials, one after another.
#[derive(Clone, Debug)]
pub struct PredictionData {
    N: usize,
    K: usize,
    steps: usize,
    /// `N` columns of observations, missing ones 0, padded.
    x: Vec<Vec<f32>>,
    /// `K` columns of inputs, padded.
    s: Vec<Vec<f32>>,
    /// Rows that predictions start from, at most [`TASK`] a range.
    tasks: Vec<Range<usize>>,
    /// Where values are missing: for each column and start, whether the start is complete and the target there.
    usable: Option<Vec<Vec<bool>>>,
    entries: usize,
    pairs: usize,
}

/// Mean squared error and what it is the mean of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PredictionError {
    /// NaN without a pair; not finite where a prediction overflows f32.
    pub mse: f64,
    /// Pairs of rows of which the start was observed completely and the target at all.
    pub pairs: usize,
}

impl PredictionData {
    /// `trials` are pairs of observations `[T_r, N]` (NaN where missing) and inputs `[T_r, K]`; `steps` is n.
    pub fn new(trials: &[(ArrayView2<'_, f64>, ArrayView2<'_, f64>)], steps: usize) -> Self {
        let N = trials.first().map_or(0, |(x, _)| x.ncols());
        let K = trials.first().map_or(0, |(_, s)| s.ncols());
        let rows: usize = trials.iter().map(|(x, _)| x.nrows()).sum();
        // A prediction ends within its trial, so no more than the longest is read past a start.
        let longest = trials.iter().map(|(x, _)| x.nrows()).max().unwrap_or(0);
        let column = |select: &dyn Fn(usize) -> Vec<f64>, n| {
            let mut values: Vec<f32> = select(n)
                .into_iter()
                .map(|v| if v.is_nan() { 0.0 } else { v as f32 })
                .collect();
            values.resize(rows + steps.min(longest) + PADDING, 0.0);
            values
        };
        let observations = |n| trials.iter().flat_map(|(x, _)| x.column(n).to_vec()).collect();
        let inputs = |k| trials.iter().flat_map(|(_, s)| s.column(k).to_vec()).collect();
        let mut data = Self {
            N,
            K,
            steps,
            x: (0..N).map(|n| column(&observations, n)).collect(),
            s: (0..K).map(|k| column(&inputs, k)).collect(),
            tasks: Vec::new(),
            usable: None,
            entries: 0,
            pairs: 0,
        };
        let mut first = 0;
        for (x, _) in trials {
            let last = first + x.nrows().saturating_sub(steps);
            let starts = (first..last).step_by(TASK);
            data.tasks
                .extend(starts.map(|start| start..last.min(start + TASK)));
            first += x.nrows();
        }
        data.pairs = data.tasks.iter().map(Range::len).sum();
        data.entries = data.pairs * N;
        if trials.iter().any(|(x, _)| x.iter().any(|v| v.is_nan())) {
            data.mark_usable(trials);
        }
        data
    }

    /// Leaves out starts of which an entry is missing, and targets that are.
    fn mark_usable(&mut self, trials: &[(ArrayView2<'_, f64>, ArrayView2<'_, f64>)]) {
        let rows: Vec<_> = trials.iter().flat_map(|(x, _)| x.rows()).collect();
        let mut usable = vec![vec![false; rows.len()]; self.N];
        (self.pairs, self.entries) = (0, 0);
        for start in self.tasks.iter().cloned().flatten() {
            if rows[start].iter().any(|v| v.is_nan()) {
                continue;
            }
            let target = rows[start + self.steps].iter();
            let mut observed = 0;
            for (usable, value) in usable.iter_mut().zip(target) {
                usable[start] = !value.is_nan();
                observed += usize::from(usable[start]);
            }
            self.entries += observed;
            self.pairs += usize::from(observed > 0);
        }
        self.usable = Some(usable);
    }

    /// n.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// See [`PredictionError::pairs`].
    pub fn pairs(&self) -> usize {
        self.pairs
    }

    /// `PE(n) = Σ m ∘ (F^n(z_t)[:N] − x_{t+n})² / Σ m` over every row `t` of every trial that has a row `t + n`,
    /// where `z_t = [x_t ; L x_t]`, `F` is driven by the trial's own inputs and not forced, and `m` says which entries of
    /// the target were observed. Rows `t` of which an entry is missing predict nothing: with 0 in its place an exact
    /// model would err.
    ///
    /// `theta` is packed (see [`Theta::pack`]). Predictions are f32; relative accuracy is about 1e-4 or better
    /// unless the model itself amplifies rounding within n steps. Panics unless sizes agree.
    pub fn score(&self, dims: Dims, theta: &[f32], P: usize) -> PredictionError {
        assert_eq!(
            (dims.N, dims.K),
            (self.N, self.K),
            "model and data differ in N or K"
        );
        if self.entries == 0 {
            return PredictionError {
                mse: f64::NAN,
                pairs: 0,
            };
        }
        let form = Form::cheapest(&Theta::unpack(dims, theta), P, self.steps);
        PredictionError {
            mse: self.sum_of_squares(&form) / self.entries as f64,
            pairs: self.pairs,
        }
    }

    fn sum_of_squares(&self, form: &Form) -> f64 {
        // Collected in order, so the sum does not depend on how tasks were spread.
        let sums: Vec<f64> = self
            .tasks
            .par_iter()
            .map(|starts| {
                let (data, starts) = (self, starts.clone());
                Arch::new().dispatch(kernel::Task { form, data, starts })
            })
            .collect();
        sums.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::model::init;
    use crate::rng::{Stream, normals};

    #[test]
    fn more_steps_than_rows_leave_nothing_to_predict() {
        let (x, s) = (Array2::ones((150, 2)), Array2::zeros((150, 0)));
        for steps in [150, 1 << 40, usize::MAX] {
            let data = PredictionData::new(&[(x.view(), s.view())], steps);
            let dims = Dims { M: 4, N: 2, K: 0 };
            let error = data.score(dims, &init(dims, 1).pack(), 1);
            assert!(error.mse.is_nan() && error.pairs == 0, "{steps}: {error:?}");
        }
    }

    #[test]
    fn every_block_length_predicts_the_same() {
        let dims = Dims { M: 9, N: 2, K: 1 };
        let mut theta = init(dims, 3);
        theta.W *= 15.0;
        theta.h.fill(0.1);
        let draws = |count, seed| normals(seed, Stream::System).take(count).map(f64::from).collect();
        let x = Array2::from_shape_vec((150, 2), draws(300, 1)).expect("150 x 2");
        let s = Array2::from_shape_vec((150, 1), draws(150, 2)).expect("150 x 1");
        for steps in [1, 7, 20] {
            let data = PredictionData::new(&[(x.view(), s.view())], steps);
            for P in [0, 1, 4, 9] {
                let expected = data.sum_of_squares(&Form::plain(&theta, P, steps));
                assert!(expected.is_finite() && expected > 0.0);
                for k in 1..=steps {
                    let form = Form::blocked(&theta, P, steps, k).expect("small coefficients");
                    let actual = data.sum_of_squares(&form);
                    assert!(
                        (actual - expected).abs() <= 1e-5 * expected,
                        "P {P}, {steps} steps in blocks of {k}: {actual:e}, plain {expected:e}"
                    );
                }
            }
        }
    }
}
