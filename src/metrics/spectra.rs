//! D_H over the columns and trials of a dataset.

use std::collections::BTreeMap;

use ndarray::ArrayView2;
use rayon::prelude::*;
use realfft::RealFftPlanner;

use super::{Amplitudes, Gaps, SpectrumPlan, hellinger};

/// Trials with fewer rows, and columns with fewer values, have no spectrum to speak of.
const MIN_ROWS: usize = 4;
/// Columns with more rows than this to a value have none either: what interpolation makes of them looks alike whatever
/// the system. (Of another stretch of the Lorenz attractor and of noise with its correlation time, D_H is 0.05 and
/// 0.18; with every tenth value left at random 0.05 and 0.08, with every twentieth 0.04 and 0.03.)
const MAX_ROWS_PER_VALUE: usize = 10;

/// The data's side of D_H: plans and spectra of every trial.
pub struct Spectra {
    trials: Vec<Option<TrialSpectra>>,
    sparse: Vec<usize>,
}

struct TrialSpectra {
    plan: SpectrumPlan,
    /// `None` where a column has no spectrum: constant, or observed too rarely.
    columns: Vec<Option<ColumnSpectrum>>,
}

struct ColumnSpectrum {
    gaps: Gaps,
    amplitudes: Amplitudes,
}

impl Spectra {
    /// Spectra of trials `[T_r, N]`. Missing values (NaN) are interpolated linearly, at the ends continued by the
    /// nearest observation. Trials of fewer than 4 rows, or without a column that varies, are left out, and so is a
    /// column of a trial in which fewer than 4 values, or than one in ten rows, were observed.
    pub fn new(trials: &[ArrayView2<'_, f64>], smoothing: f64) -> Self {
        let mut planner = RealFftPlanner::new();
        let mut plans = BTreeMap::new();
        let mut sparse = vec![0; trials.first().map_or(0, |x| x.ncols())];
        let spectra = |x: &ArrayView2<'_, f64>| {
            if x.nrows() < MIN_ROWS {
                return None;
            }
            let plan = plans
                .entry(x.nrows())
                .or_insert_with(|| SpectrumPlan::new(&mut planner, x.nrows(), smoothing))
                .clone();
            let columns = x.columns().into_iter().zip(&mut sparse);
            let columns: Vec<_> = columns
                .map(|(column, sparse)| {
                    let gaps = Gaps::of(column.iter().copied());
                    if is_sparse(column.len(), gaps.missing()) {
                        *sparse += 1;
                        return None;
                    }
                    let mut values = column.to_vec();
                    gaps.fill(&mut values);
                    let amplitudes = plan.amplitudes(values)?;
                    Some(ColumnSpectrum { gaps, amplitudes })
                })
                .collect();
            columns
                .iter()
                .any(Option::is_some)
                .then_some(TrialSpectra { plan, columns })
        };
        Self {
            trials: trials.iter().map(spectra).collect(),
            sparse,
        }
    }

    /// In how many trials (of 4 rows or more) each column is left out because too little of it was observed.
    pub fn sparse(&self) -> &[usize] {
        &self.sparse
    }

    /// Rows of the trials that have a spectrum.
    pub fn rows(&self) -> usize {
        self.trials
            .iter()
            .flatten()
            .map(|trial| trial.plan.length())
            .sum()
    }

    /// `Σ_r T_r · mean_n D_H(data, generated) / Σ_r T_r`, over the columns whose data have a spectrum; 1 where the
    /// generated column has none (constant, or not finite throughout). `generated` has the shapes of the trials; its
    /// values where the data have none are interpolated like the data's, because interpolation changes a spectrum.
    /// NaN where no trial has a spectrum.
    pub fn distance<V: Copy + Into<f64> + Sync>(&self, generated: &[ArrayView2<'_, V>]) -> f64 {
        let pairs: Vec<_> = self
            .trials
            .iter()
            .zip(generated)
            .filter_map(|(trial, x)| trial.as_ref().map(|trial| (trial, x)))
            .flat_map(|(trial, x)| {
                let columns = trial.columns.iter().zip(x.columns());
                let weight = trial.plan.length() as f64 / trial.columns.iter().flatten().count() as f64;
                columns.filter_map(move |(data, x)| data.as_ref().map(|data| (&trial.plan, weight, data, x)))
            })
            .collect();
        let distances: Vec<f64> = pairs
            .par_iter()
            .map(|(plan, weight, data, x)| {
                let mut values: Vec<f64> = x.iter().map(|&v| v.into()).collect();
                data.gaps.fill(&mut values);
                let generated = plan.amplitudes(values);
                weight * generated.map_or(1.0, |generated| hellinger(&data.amplitudes, &generated))
            })
            .collect();
        distances.iter().sum::<f64>() / self.rows() as f64
    }
}

/// Whether too little of a column of `rows` rows was observed to have a spectrum.
pub(super) fn is_sparse(rows: usize, missing: usize) -> bool {
    let observed = rows - missing;
    observed < MIN_ROWS || observed * MAX_ROWS_PER_VALUE < rows
}
