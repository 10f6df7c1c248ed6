//! The analysis of a model.

use std::path::PathBuf;

use alrnn_gpu::analysis::{self, AnalysisInput, AnalysisSettings};
use alrnn_gpu::dataset::Dataset;
use alrnn_gpu::error::{Error, Result};
use alrnn_gpu::model::Scaling;
use alrnn_gpu::report::analysis_figures;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::compute::detached;
use crate::data::Trials;
use crate::error::exception;
use crate::figures::{Pictures, pictures};
use crate::model::Model;
use crate::settings::analysis_settings;

#[pyclass(frozen, module = "alrnn_gpu._native")]
pub struct Analysis {
    found: analysis::Analysis,
    scaling: Option<Scaling>,
    columns: Vec<String>,
}

#[pymethods]
impl Analysis {
    /// Reads a model; `trials` are encoded by its regions, `start` is the first observation `[N]` of the free run in the
    /// data's units, `constant` the external input `[K]` of the map.
    #[new]
    fn new(
        py: Python<'_>,
        model: Model,
        trials: Option<Trials<'_>>,
        start: Option<Vec<f64>>,
        constant: Option<Vec<f64>>,
        given: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let trials = trials.map(|trials| trials.owned());
        let mut settings = analysis_settings(given)?;
        settings.dt = settings.dt.or(model.0.dt);
        let found = detached(py, || {
            let data = trials.map(|trials| trials.for_model(&model.0)).transpose()?;
            analyze(&model.0, data.as_ref(), start, constant.as_deref(), &settings)
        })?;
        Ok(Self {
            found,
            columns: model.0.columns.clone().unwrap_or_default(),
            scaling: model.0.scaling,
        })
    }

    /// Everything but the long arrays.
    fn json(&self) -> PyResult<String> {
        self.found.to_json().map_err(|e| exception(&e))
    }

    /// The arrays, as the bytes of an `.npz`.
    fn npz<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.found.npz_bytes()?))
    }

    /// The tables as text.
    fn summary(&self) -> String {
        self.found.summary()
    }

    /// Writes `analysis.json`, `analysis.npz` and `transitions.dot`.
    fn write(&self, folder: PathBuf) -> PyResult<()> {
        let made = std::fs::create_dir_all(&folder);
        let written = made
            .map_err(|e| Error::io("make the folder", &folder, e))
            .and_then(|()| self.found.write(&folder));
        written.map_err(|e| exception(&e))
    }

    fn figures(&self, py: Python<'_>) -> PyResult<Pictures> {
        detached(py, || {
            analysis_figures(&self.found, self.scaling.as_ref(), &self.columns).map(pictures)
        })
    }
}

fn analyze(
    model: &alrnn_gpu::model::Model,
    data: Option<&Dataset>,
    start: Option<Vec<f64>>,
    constant: Option<&[f64]>,
    settings: &AnalysisSettings,
) -> Result<analysis::Analysis> {
    let start = start.map(|x0| in_units_of(model.scaling.as_ref(), x0));
    let input = AnalysisInput {
        input: constant,
        start: start.as_deref().filter(|_| data.is_none()),
        ..AnalysisInput::of_model(model, data)
    };
    analysis::analyze(&input, settings)
}

/// An observation in the model's units.
fn in_units_of(scaling: Option<&Scaling>, x0: Vec<f64>) -> Vec<f64> {
    let Some(Scaling { mean, scale }) = scaling else {
        return x0;
    };
    let columns = x0.iter().zip(mean).zip(scale);
    columns.map(|((x, mean), scale)| (x - mean) / scale).collect()
}
