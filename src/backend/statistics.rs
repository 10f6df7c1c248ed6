//! Long-term statistics of free runs, for a backend that computes them where the runs are, so that only a few numbers come
//! back.

use ndarray::Array2;

use crate::backend::Tangent;
use crate::model::FreeModel;

/// The data's side, and what runs are looked at through.
#[derive(Clone, Debug)]
pub struct DataStatistics {
    /// The observed columns that are compared, in order.
    pub columns: Vec<usize>,
    /// Directions along which rows are binned, `[axes, N]`: unit vectors of columns, or principal components.
    pub axes: Array2<f32>,
    /// Bins per axis.
    pub bins: usize,
    /// Low end and bins per unit of every axis.
    pub ranges: Vec<[f32; 2]>,
    /// How often the data visit each bin that they visit, by its number (the last axis counts fastest), and what is added to the
    /// visits of every bin.
    pub visits: Vec<(u64, u32)>,
    pub pseudo_count: f64,
    /// Weights of a segment of the averaged spectra, a power of two from 16 to 2,048 of them.
    pub window: Vec<f32>,
    /// Square roots of the data's power, normalised to sum 1, `[segment/2 + 1]` for every compared column; 0 where the data
    /// have no spectrum.
    pub amplitudes: Vec<Vec<f32>>,
}

/// Free runs to be looked at, each of a model from a start of its own.
#[derive(Clone, Copy, Debug)]
pub struct Runs<'a> {
    /// Models and observations `x_0`, `[N]` (NaN where missing, taken as 0).
    pub starts: &'a [(FreeModel<'a>, &'a [f32])],
    pub steps: usize,
    pub tangent: Tangent,
}

/// What is seen of a run of `steps + 1` rows.
#[derive(Clone, Debug, PartialEq)]
pub struct RunStatistics {
    /// `Σ_b (c_b + a) ln((c_b + a)/(g_b + a))` over all bins, `c` and `g` being the visits of the data and of the run, `a` the
    /// pseudo-count.
    pub terms: f64,
    /// Rows of the run in the range of the bins.
    pub inside: usize,
    /// Mean growth of the tangent vector, see [`crate::backend::Rollout::growth`].
    pub growth: f64,
    /// Of every compared column.
    pub columns: Vec<ColumnStatistics>,
}

/// What is seen of one column of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColumnStatistics {
    /// Hellinger distance of the averaged spectrum from the data's; 1 where the run has none.
    pub distance: f64,
    /// Mean |second difference|; not finite where a value is not.
    pub bend: f64,
}
