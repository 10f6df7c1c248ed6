//! PE(n): mean squared error of the n-step prediction from every point of the data.

use ndarray::ArrayView2;

use crate::dataset::TrainingData;

/// Which predictions a prediction error is the mean of; [`crate::backend::prediction_error`] makes them:
///
/// `PE(n) = Σ m ∘ (F^n(z_t)[:N] − x_{t+n})² / Σ m` over every row `t` of every trial that has a row `t + n`,
/// where `z_t = [x_t ; L x_t]`, `F` is driven by the trial's own inputs and not forced, and `m` says which entries of
/// the target were observed. Rows `t` of which an entry is missing predict nothing: with 0 in its place an exact
/// model would err.
#[derive(Clone, Debug)]
pub struct PredictionData {
    /// Rows of all trials; `starts` are the rows `t` with something to predict.
    rows: TrainingData,
    steps: usize,
}

impl PredictionData {
    /// `trials` are pairs of observations `[T_r, N]` (NaN where missing) and inputs `[T_r, K]`; `steps` is n.
    pub fn new(trials: &[(ArrayView2<'_, f64>, ArrayView2<'_, f64>)], steps: usize) -> Self {
        let mut rows = TrainingData::without_starts(trials);
        let observed = |v: &f64| !v.is_nan();
        let mut first = 0;
        for (x, _) in trials {
            let starts = 0..x.nrows().saturating_sub(steps);
            let usable =
                starts.filter(|&t| x.row(t).iter().all(observed) && x.row(t + steps).iter().any(observed));
            let number = |t| u32::try_from(first + t).expect("fewer than 2³² rows fit memory");
            rows.starts.extend(usable.map(number));
            first += x.nrows();
        }
        Self { rows, steps }
    }

    /// All rows, and those that predictions start from.
    pub fn rows(&self) -> &TrainingData {
        &self.rows
    }

    /// n.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Pairs of rows of which the start was observed completely and the target at all.
    pub fn pairs(&self) -> usize {
        self.rows.starts.len()
    }
}
