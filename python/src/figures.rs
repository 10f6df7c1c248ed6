//! Pictures as SVG documents.

use std::path::PathBuf;

use alrnn_gpu::report::plot::Figure;
use alrnn_gpu::report::{self, Look, ReportOptions};
use pyo3::prelude::*;

use crate::compute::detached;
use crate::data::Trials;
use crate::model::Model;

/// `(caption, SVG)` of each.
pub type Pictures = Vec<(String, String)>;

pub fn pictures(figures: Vec<Figure>) -> Pictures {
    figures
        .into_iter()
        .map(|figure| (figure.caption.clone(), figure.svg(Look::File)))
        .collect()
}

/// A model's free run beside the data it starts from, if there are any.
#[pyfunction]
pub fn model_figures(
    py: Python<'_>,
    model: Model,
    trials: Option<Trials<'_>>,
    smoothing: f64,
    steps: usize,
) -> PyResult<Pictures> {
    let trials = trials.map(|trials| trials.owned());
    let options = ReportOptions {
        steps,
        ..ReportOptions::default()
    };
    detached(py, || {
        let data = trials.map(|trials| trials.for_model(&model.0)).transpose()?;
        report::model_figures(&model.0, data.as_ref(), smoothing, &options).map(pictures)
    })
}

/// Scores of a run folder's members over training, and by what they differ in.
#[pyfunction]
pub fn run_figures(py: Python<'_>, path: PathBuf) -> PyResult<Pictures> {
    detached(py, || {
        report::run_figures(&path, &ReportOptions::default()).map(pictures)
    })
}
