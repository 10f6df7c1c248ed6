//! Observations as the user has them: trials of rows, with inputs, gaps and units.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod advice;
mod checks;
mod clock;
mod columns;
mod for_model;
mod hold_out;
mod load;
mod precision;
mod standardize;
mod start;
mod training;
mod trajectories;
mod windows;

use ndarray::Array2;

use crate::error::Result;
use crate::model::Scaling;

pub use for_model::{check_columns, load_for};
pub use hold_out::Part;
pub use load::{LoadRequest, from_arrays, load};
pub use precision::range;
pub use standardize::{column_scaling, deviation, standardize};
pub use training::{MISSING, TrainingData, is_missing};
pub use trajectories::load_trajectories;
pub use windows::SkippedTrial;

/// One uninterrupted recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// What messages call it: the path, with key or number where a file holds several.
    pub name: String,
    /// Observations `[T_total, N]`, in the model's units (standardised if asked), NaN where missing.
    pub x: Array2<f64>,
    /// External inputs `[T_total, K]`; `[T_total, 0]` without.
    pub s: Array2<f64>,
}

impl Trial {
    /// The row that free runs start from: the first in which everything was observed, if it lies in the first half of
    /// the trial, else the first in which anything was (what is missing there starts at 0, in the model's units), else 0.
    ///
    /// A start that is not the system's state handicaps every model, and a perfect one most. Waiting for a complete row
    /// costs the scores little: D_stsp and PE compare complete rows only.
    pub fn start(&self) -> usize {
        let mut rows = self.x.rows().into_iter();
        let complete = rows.position(|row| row.iter().all(|v| !v.is_nan()));
        let observed = || {
            let mut rows = self.x.rows().into_iter();
            rows.position(|row| row.iter().any(|v| !v.is_nan()))
        };
        complete
            .filter(|&t| 2 * t < self.x.nrows())
            .or_else(observed)
            .unwrap_or(0)
    }
}

/// All trials of a study: equal `N` and `K`, any lengths.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    pub trials: Vec<Trial>,
    pub N: usize,
    pub K: usize,
    /// How the columns were standardised, if they were.
    pub scaling: Option<Scaling>,
    /// Names of the columns: the model's where the data are read for one, else those of a header.
    pub columns: Option<Vec<String>>,
    /// Names of the external inputs, likewise.
    pub input_columns: Option<Vec<String>>,
    /// Place of every column in the first file, counted from 1: columns may be left out and reordered.
    pub places: Vec<usize>,
    /// BLAKE3 of the parsed values (shape and bits of all trials, data and inputs, before standardisation), hex.
    pub hash: String,
}

impl Dataset {
    /// Rows of all trials together.
    pub fn rows(&self) -> usize {
        self.trials.iter().map(|t| t.x.nrows()).sum()
    }

    /// Values that were not observed, over all trials.
    pub fn missing(&self) -> usize {
        self.trials
            .iter()
            .map(|t| t.x.iter().filter(|v| v.is_nan()).count())
            .sum()
    }

    /// [`column_scaling`] of all trials.
    ///
    /// # Errors
    /// Likewise: where a column is constant.
    pub fn column_scaling(&self) -> Result<Scaling> {
        let observations: Vec<_> = self.trials.iter().map(|trial| trial.x.view()).collect();
        column_scaling(&observations, |j| self.label(j))
    }

    /// Standard deviations of the columns over all trials, in the units that the data were read in; 1 for a column without
    /// spread.
    pub fn deviations(&self) -> Vec<f64> {
        let of = |j: usize| {
            let values = self.trials.iter().flat_map(|trial| trial.x.column(j));
            let unit = self.scaling.as_ref().map_or(1.0, |scaling| scaling.scale[j]);
            unit * deviation(values.copied())
        };
        (0..self.N).map(of).collect()
    }

    /// What messages call column `j`: `column 2 (flat) of c.csv`, by its place in the file.
    pub fn label(&self, j: usize) -> String {
        let first = self.trials.first().map_or("the data", |t| t.name.as_str());
        let place = self.places.get(j).copied().unwrap_or(j + 1);
        columns::label(self.columns.as_deref(), j, place, first, self.trials.len())
    }
}
