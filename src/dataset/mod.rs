//! Observations as the user has them: trials of rows, with inputs, gaps and units.
#![allow(non_snake_case, reason = "the paper's symbols")]

use ndarray::Array2;

use crate::model::Scaling;

/// One uninterrupted recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// What messages call it: file name, with key or index where a file holds several.
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
