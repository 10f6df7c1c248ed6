//! What either estimate of D_stsp says of a run.

/// A D_stsp of more than this share of what a run scores that shares nothing with the data says nothing.
const SATURATED: f64 = 0.9;

/// D_stsp of one run: KL(data ‖ generated), by either estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Divergence {
    /// In nats; NaN where no row of the run was compared, or the data have no complete row.
    pub value: f64,
    /// Of the Monte Carlo mean; `None` for bins.
    pub standard_error: Option<f64>,
    /// Rows of the run that were compared: those in the range of the bins, or the components of the mixture.
    pub rows: usize,
    /// The value says no more than that of a run that shares nothing with the data.
    pub saturated: bool,
}

impl Divergence {
    /// `ceiling` is what a run scores that shares nothing with the data.
    pub(super) fn below(ceiling: f64, value: f64, standard_error: Option<f64>, rows: usize) -> Self {
        Self {
            value,
            standard_error,
            rows,
            saturated: value > SATURATED * ceiling,
        }
    }
}
