//! D_H over the columns and trials of a dataset.

use std::collections::BTreeMap;

use ndarray::ArrayView2;
use rayon::prelude::*;
use realfft::RealFftPlanner;

use super::{Amplitudes, SpectrumPlan, hellinger};

/// Trials with fewer rows have no spectrum to speak of.
const MIN_ROWS: usize = 4;

/// The data's side of D_H: plans and spectra of every trial.
pub struct Spectra {
    trials: Vec<Option<TrialSpectra>>,
}

struct TrialSpectra {
    plan: SpectrumPlan,
    /// `None` where a column has no spectrum: constant, or observed nowhere.
    columns: Vec<Option<Amplitudes>>,
}

impl Spectra {
    /// Spectra of trials `[T_r, N]`. Missing values (NaN) are interpolated linearly, at the ends continued by the
    /// nearest observation. Trials of fewer than 4 rows, or without a column that varies, are left out.
    pub fn new(trials: &[ArrayView2<'_, f64>], smoothing: f64) -> Self {
        let mut planner = RealFftPlanner::new();
        let mut plans = BTreeMap::new();
        let spectra = |x: &ArrayView2<'_, f64>| {
            if x.nrows() < MIN_ROWS {
                return None;
            }
            let plan = plans
                .entry(x.nrows())
                .or_insert_with(|| SpectrumPlan::new(&mut planner, x.nrows(), smoothing))
                .clone();
            let columns: Vec<_> = x
                .columns()
                .into_iter()
                .map(|column| plan.amplitudes(interpolated(column.to_vec())))
                .collect();
            columns
                .iter()
                .any(Option::is_some)
                .then_some(TrialSpectra { plan, columns })
        };
        Self {
            trials: trials.iter().map(spectra).collect(),
        }
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
    /// generated column has none (constant, or not finite throughout). `generated` has the shapes of the trials.
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
                let generated = plan.amplitudes(x.iter().map(|&v| v.into()).collect());
                weight * generated.map_or(1.0, |generated| hellinger(data, &generated))
            })
            .collect();
        distances.iter().sum::<f64>() / self.rows() as f64
    }
}

/// The values with gaps (NaN) filled by linear interpolation, at the ends by the nearest value.
pub fn interpolated(mut values: Vec<f64>) -> Vec<f64> {
    let mut last: Option<usize> = None;
    for i in 0..values.len() {
        if values[i].is_nan() {
            continue;
        }
        let gap = last.map_or(0, |last| last + 1)..i;
        let (from, to) = (last.map_or(values[i], |last| values[last]), values[i]);
        let width = gap.len() as f64 + 1.0;
        for (k, value) in values[gap].iter_mut().enumerate() {
            *value = from + (to - from) * (k as f64 + 1.0) / width;
        }
        last = Some(i);
    }
    if let Some(last) = last {
        let end = values[last];
        values[last + 1..].fill(end);
    }
    values
}
