//! Observations as the user has them: trials of rows, with inputs, gaps and units.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod checks;
mod load;
mod standardize;
mod training;
mod windows;

use ndarray::Array2;

use crate::model::Scaling;

pub use load::{LoadRequest, load};
pub use standardize::{column_scaling, standardize};
pub use training::{MISSING, TrainingData, is_missing};
pub use windows::{SkipReason, SkippedTrial};

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

/// All trials of a study: equal `N` and `K`, any lengths.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    pub trials: Vec<Trial>,
    pub N: usize,
    pub K: usize,
    /// How the columns were standardised, if they were.
    pub scaling: Option<Scaling>,
    /// Column names of a CSV header.
    pub columns: Option<Vec<String>>,
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
}
