//! Scores of models on data.

use alrnn_gpu::backend::{self, FreeModel};
use alrnn_gpu::metrics::{NoiseFloor, ScoreSettings, Scorer, Scores};
use alrnn_gpu::scoring::score_models;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::Serialize;

use crate::compute::{detached, start_threads};
use crate::data::Trials;
use crate::model::Model;
use crate::settings::{dictionary, settings};

#[derive(Serialize)]
struct Scored {
    models: Vec<Scores>,
    noise_floor: NoiseFloor,
    dstsp: &'static str,
    constant_columns: Vec<String>,
}

/// The scores of models of one unit of measurement on these data, in their order, and the noise floor beside them.
#[pyfunction]
pub fn score<'py>(
    py: Python<'py>,
    models: Vec<Model>,
    trials: Trials<'_>,
    given: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let (settings, trials) = (settings(given)?, trials.owned());
    let scored = detached(py, || {
        start_threads(settings.threads)?;
        let data = match models.first() {
            Some(model) => trials.for_model(&model.0)?,
            None => trials.training(settings.standardize)?,
        };
        let scorer = Scorer::new(&data, ScoreSettings::from(&settings))?;
        let thetas: Vec<Vec<f32>> = models.iter().map(|model| model.0.theta.pack()).collect();
        let free: Vec<_> = models
            .iter()
            .zip(&thetas)
            .map(|(model, theta)| {
                let free = FreeModel { theta, P: model.0.P };
                (model.0.theta.dims(), free)
            })
            .collect();
        let backend = backend::open(settings.backend, settings.device.as_deref())?;
        Ok(Scored {
            models: score_models(&free, backend.as_ref(), &scorer)?,
            noise_floor: scorer.noise_floor()?,
            dstsp: scorer.dstsp_kind().label(),
            constant_columns: scorer.constant_columns().to_vec(),
        })
    })?;
    dictionary(py, &scored)
}
