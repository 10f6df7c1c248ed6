//! The data a run was trained on, and free runs of its models beside them.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::collections::HashSet;

use ndarray::{Array1, Array2, s};

use super::folder::Run;
use crate::dataset::{Dataset, LoadRequest, Trial, load};
use crate::model::Model;

/// A trajectory is cut where it passes this many times the size of its data.
const RUNAWAY: f64 = 100.0;

/// Data of a run, or the sentence that says why there are none.
#[derive(Debug)]
pub enum Observed {
    Loaded(Dataset),
    Missing(String),
}

impl Observed {
    /// Reads the files that the run's configuration names, in the units of `model`.
    pub fn of(run: &Run, model: Option<&Model>) -> Self {
        let request = LoadRequest {
            data: run.files("data"),
            inputs: run.files("inputs"),
            drop: run.files("drop"),
            drop_if_there: false,
            allow_missing: run.flag("allow-missing"),
            standardize: run.flag("standardize"),
            scaling: model.and_then(|m| m.scaling.clone()),
            columns: model.and_then(|m| m.columns.clone()),
            input_columns: model.and_then(|m| m.input_columns.clone()),
        };
        if request.data.is_empty() {
            return Self::Missing("config.toml names no data file".into());
        }
        match load(&request) {
            Err(error) => Self::Missing(error.to_string()),
            Ok(data) => {
                let hash = run.record_text("data.hash");
                if !hash.is_empty() && hash != data.hash {
                    return Self::Missing(format!(
                        "{} has changed since training (another hash)",
                        run.files("data").join(", ")
                    ));
                }
                if let Some(model) = model
                    && (data.N, data.K) != (model.theta.dims().N, model.theta.dims().K)
                {
                    return Self::Missing("the data have other dimensions than the model".into());
                }
                Self::Loaded(data)
            }
        }
    }

    pub fn dataset(&self) -> Option<&Dataset> {
        match self {
            Self::Loaded(data) => Some(data),
            Self::Missing(_) => None,
        }
    }

    pub fn problem(&self) -> Option<&str> {
        match self {
            Self::Loaded(_) => None,
            Self::Missing(why) => Some(why),
        }
    }
}

/// Free run of a model beside the data it starts from.
#[derive(Clone, Debug)]
pub struct FreeRun {
    /// First trial from its start on, `[rows, N]`, in the model's units.
    pub data: Option<Array2<f64>>,
    /// `[rows, M]`, shorter where the run leaves all bounds.
    pub states: Array2<f64>,
    /// Rows asked for.
    pub asked: usize,
}

/// Rows of a free run of at most `steps`: no more than the first trial has from where it starts.
pub fn rows(data: Option<&Dataset>, steps: usize) -> usize {
    let trial = data.and_then(|d| d.trials.first());
    trial.map_or(steps, |t| steps.min(t.x.nrows() - t.start())).max(1)
}

/// Runs `model` from the start of the first trial ([`Trial::start`]; from 0 without data) with its inputs for as many rows
/// as the trial has from there on, at most `rows`.
pub fn free_run(model: &Model, data: Option<&Dataset>, rows: usize) -> FreeRun {
    let N = model.theta.dims().N;
    let trial = data.and_then(|d| d.trials.first());
    let start = trial.map_or(0, Trial::start);
    let rows = self::rows(data, rows);
    let x0 = trial.map_or_else(|| vec![0.0; N], |t| t.x.row(start).to_vec());
    let largest = trial.map_or(1.0, |t| {
        t.x.iter()
            .filter(|v| v.is_finite())
            .fold(1.0, |m: f64, v| m.max(v.abs()))
    });
    let mut z: Array1<f64> = model.theta.initial_state(&x0);
    let mut states = Vec::with_capacity(rows * z.len());
    for t in 0..rows {
        if t > 0 {
            let input = match trial {
                Some(trial) if model.theta.dims().K > 0 => trial.s.row(start + t).to_vec(),
                _ => vec![0.0; model.theta.dims().K],
            };
            z = model.theta.step(model.P, &z, &input);
        }
        if !z.iter().take(N).all(|v| v.abs() <= RUNAWAY * largest) {
            break;
        }
        states.extend(z.iter());
    }
    let kept = states.len() / z.len();
    FreeRun {
        data: trial.map(|t| t.x.slice(s![start..start + rows, ..]).to_owned()),
        states: Array2::from_shape_vec((kept, z.len()), states)
            .unwrap_or_else(|_| Array2::zeros((0, z.len()))),
        asked: rows,
    }
}

/// Number of linear regions that the states visit: distinct sign patterns of the last `P` units.
pub fn regions_visited(states: &Array2<f64>, P: usize) -> usize {
    let first = states.ncols() - P.min(states.ncols());
    let codes: HashSet<Vec<bool>> = states
        .rows()
        .into_iter()
        .map(|z| z.iter().skip(first).map(|&v| v > 0.0).collect())
        .collect();
    codes.len()
}
