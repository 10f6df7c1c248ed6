use ndarray::ArrayView2;

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

impl TrainingData {
    /// The rows of trials, pairs of observations `[T_r, N]` (NaN where missing) and inputs `[T_r, K]`, without starts.
    pub(crate) fn without_starts(trials: &[(ArrayView2<'_, f64>, ArrayView2<'_, f64>)]) -> Self {
        let (N, K) = trials.first().map_or((0, 0), |(x, s)| (x.ncols(), s.ncols()));
        let rows: usize = trials.iter().map(|(x, _)| x.nrows()).sum();
        let mut data = Self {
            N,
            K,
            x: Vec::with_capacity(rows * N),
            s: Vec::with_capacity(rows * K),
            starts: Vec::new(),
            has_missing: trials.iter().any(|(x, _)| x.iter().any(|v| v.is_nan())),
        };
        for (x, s) in trials {
            data.x
                .extend(x.iter().map(|&v| if v.is_nan() { MISSING } else { v as f32 }));
            data.s.extend(s.iter().map(|&v| v as f32));
        }
        data
    }
}
