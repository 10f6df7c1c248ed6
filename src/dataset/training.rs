#![allow(non_snake_case, reason = "the paper's symbols")]

/// Stands for a missing observation in a backend's f32 data: a finite number no observation reaches, because
/// shaders may assume that NaN does not occur. [`is_missing`] is the test.
pub const MISSING: f32 = 1e38;

/// Whether an entry of [`TrainingData::x`] (or of a window with noise) is a missing observation.
pub fn is_missing(x: f32) -> bool {
    x >= 0.5 * MISSING
}

/// Observations as every backend reads them: all trials' rows one after another.
#[derive(Clone, Debug)]
pub struct TrainingData {
    pub N: usize,
    /// External inputs per row, 0 for none.
    pub K: usize,
    /// `[rows, N]`, row-major, [`MISSING`] where nothing was observed.
    pub x: Vec<f32>,
    /// `[rows, K]`, row-major.
    pub s: Vec<f32>,
    /// Rows at which a window of `T + 1` rows may start: it stays within its trial and has a target to predict.
    pub starts: Vec<u32>,
    pub has_missing: bool,
}
