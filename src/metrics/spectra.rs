//! D_H over the columns and trials of a dataset.

use std::collections::BTreeMap;
use std::sync::Arc;

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

/// The data's side of D_H: the spectra of the columns of every trial that have one, trial by trial.
pub struct Spectra {
    columns: Vec<ColumnSpectrum>,
    rows: usize,
    sparse: Vec<usize>,
}

struct ColumnSpectrum {
    /// Which trial, and which of its columns.
    place: (usize, usize),
    plan: Arc<SpectrumPlan>,
    gaps: Gaps,
    amplitudes: Amplitudes,
    /// In the mean over columns and trials: the rows of the trial over its columns that have a spectrum.
    weight: f64,
}

impl Spectra {
    /// Spectra of trials `[T_r, N]`. Missing values (NaN) are interpolated linearly, at the ends continued by the
    /// nearest observation. Trials of fewer than 4 rows, or without a column that varies, are left out, and so is a
    /// column of a trial in which fewer than 4 values, or than one in ten rows, were observed.
    pub fn new(trials: &[ArrayView2<'_, f64>], smoothing: f64) -> Self {
        let mut planner = RealFftPlanner::new();
        let mut plans = BTreeMap::new();
        let mut spectra = Self {
            columns: Vec::new(),
            rows: 0,
            sparse: vec![0; trials.first().map_or(0, |x| x.ncols())],
        };
        for (r, x) in trials.iter().enumerate().filter(|(_, x)| x.nrows() >= MIN_ROWS) {
            let rows = x.nrows();
            let plan = plans
                .entry(rows)
                .or_insert_with(|| Arc::new(SpectrumPlan::new(&mut planner, rows, smoothing)));
            let before = spectra.columns.len();
            for (n, column) in x.columns().into_iter().enumerate() {
                let gaps = Gaps::of(column.iter().copied());
                if is_sparse(rows, gaps.missing()) {
                    spectra.sparse[n] += 1;
                    continue;
                }
                let mut values = column.to_vec();
                gaps.fill(&mut values);
                spectra
                    .columns
                    .extend(plan.amplitudes(values).map(|amplitudes| ColumnSpectrum {
                        place: (r, n),
                        plan: plan.clone(),
                        gaps,
                        amplitudes,
                        weight: f64::NAN,
                    }));
            }
            let found = &mut spectra.columns[before..];
            let weight = rows as f64 / found.len() as f64;
            found.iter_mut().for_each(|column| column.weight = weight);
            spectra.rows += if found.is_empty() { 0 } else { rows };
        }
        spectra
    }

    /// In how many trials (of 4 rows or more) each column is left out because too little of it was observed.
    pub fn sparse(&self) -> &[usize] {
        &self.sparse
    }

    /// Rows of the trials that have a spectrum.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// `Σ_r T_r · mean_n D_H(data, generated) / Σ_r T_r`, over the columns whose data have a spectrum; 1 where the
    /// generated column has none (constant, or not finite throughout). `generated` has the shapes of the trials; its
    /// values where the data have none are interpolated like the data's, because interpolation changes a spectrum.
    /// NaN where no trial has a spectrum.
    pub fn distance<V: Copy + Into<f64> + Sync>(&self, generated: &[ArrayView2<'_, V>]) -> f64 {
        let distances: Vec<f64> = self
            .columns
            .par_iter()
            .map(|data| {
                let (r, n) = data.place;
                let mut values: Vec<f64> = generated[r].column(n).iter().map(|&v| v.into()).collect();
                data.gaps.fill(&mut values);
                let generated = data.plan.amplitudes(values);
                data.weight * generated.map_or(1.0, |generated| hellinger(&data.amplitudes, &generated))
            })
            .collect();
        distances.iter().sum::<f64>() / self.rows as f64
    }
}

/// Whether too little of a column of `rows` rows was observed to have a spectrum.
pub(super) fn is_sparse(rows: usize, missing: usize) -> bool {
    let observed = rows - missing;
    observed < MIN_ROWS || observed * MAX_ROWS_PER_VALUE < rows
}
