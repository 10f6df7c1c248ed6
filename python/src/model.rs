//! A trained model and its free runs.

use std::path::PathBuf;

use alrnn_gpu::backend::{self, FreeModel, FreeRun};
use alrnn_gpu::config::Settings;
use alrnn_gpu::dataset::Dataset;
use alrnn_gpu::error::Result;
use alrnn_gpu::model::{self, Bounds, Scaling};
use ndarray::{Array2, ArrayView2, s};
use numpy::{IntoPyArray, PyArray1, PyArray2, ToPyArray};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::compute::{detached, start_threads};
use crate::data::Trials;
use crate::error::exception;
use crate::settings::settings;

/// Free runs that are computed together to predict.
const TOGETHER: usize = 4096;

/// The bytes of a model file, and what messages call it.
type Content<'py> = (Bound<'py, PyBytes>, &'static str);

#[pyclass(frozen, module = "alrnn_gpu._native", from_py_object)]
#[derive(Clone)]
pub struct Model(pub model::Model);

#[pymethods]
impl Model {
    /// Reads a model file.
    #[staticmethod]
    fn load(path: PathBuf) -> PyResult<Self> {
        model::Model::load(path).map(Self).map_err(|e| exception(&e))
    }

    /// The model in the bytes of a model file; `name` is what messages call it.
    #[staticmethod]
    fn from_bytes(bytes: &[u8], name: &str) -> PyResult<Self> {
        let model = model::Model::from_bytes(bytes, name);
        model.map(Self).map_err(|e| exception(&e))
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.to_bytes())
    }

    fn save(&self, path: PathBuf) -> PyResult<()> {
        self.0.save(path).map_err(|e| exception(&e))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Content<'py>)> {
        let read = py.get_type::<Self>().getattr("from_bytes")?;
        Ok((read, (self.to_bytes(py), "the pickled model")))
    }

    #[getter]
    fn A<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.0.theta.A.to_pyarray(py)
    }

    #[getter]
    fn W<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<f64>> {
        self.0.theta.W.to_pyarray(py)
    }

    #[getter]
    fn h<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.0.theta.h.to_pyarray(py)
    }

    #[getter]
    fn L<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<f64>> {
        self.0.theta.L.to_pyarray(py)
    }

    #[getter]
    fn C<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<f64>> {
        self.0.theta.C.to_pyarray(py)
    }

    #[getter]
    fn P(&self) -> usize {
        self.0.P
    }

    #[getter]
    fn M(&self) -> usize {
        self.0.theta.dims().M
    }

    #[getter]
    fn N(&self) -> usize {
        self.0.theta.dims().N
    }

    #[getter]
    fn K(&self) -> usize {
        self.0.theta.dims().K
    }

    #[getter]
    fn mean<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<f64>>> {
        self.0.scaling.as_ref().map(|s| s.mean.to_pyarray(py))
    }

    #[getter]
    fn scale<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<f64>>> {
        self.0.scaling.as_ref().map(|s| s.scale.to_pyarray(py))
    }

    #[getter]
    fn dt(&self) -> Option<f64> {
        self.0.dt
    }

    #[getter]
    fn columns(&self) -> Option<Vec<String>> {
        self.0.columns.clone()
    }

    #[getter]
    fn input_columns(&self) -> Option<Vec<String>> {
        self.0.input_columns.clone()
    }

    /// The free run from a row of the first trial: observations `[steps + 1, N]` in the data's units, or latent states
    /// `[steps + 1, M]` in the model's.
    fn generate<'py>(
        &self,
        py: Python<'py>,
        trials: Trials<'_>,
        start: Option<usize>,
        steps: Option<usize>,
        latent: bool,
        device: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let (device, trials) = (settings(device)?, trials.owned());
        let states = detached(py, || {
            let data = trials.for_model(&self.0)?;
            self.free_run(&data, start, steps, latent, &device)
        })?;
        Ok(states.into_pyarray(py))
    }

    /// The observation `steps` rows after each row, `[T, N]` for every trial, in the data's units; NaN where a row is
    /// not complete, or inputs end before.
    fn predict<'py>(
        &self,
        py: Python<'py>,
        trials: Trials<'_>,
        steps: usize,
        device: &Bound<'py, PyDict>,
    ) -> PyResult<Vec<Bound<'py, PyArray2<f64>>>> {
        let (device, trials) = (settings(device)?, trials.owned());
        let predicted = detached(py, || {
            self.predictions(&trials.for_model(&self.0)?, steps, &device)
        })?;
        Ok(predicted.into_iter().map(|x| x.into_pyarray(py)).collect())
    }
}

impl Model {
    fn free_run(
        &self,
        data: &Dataset,
        start: Option<usize>,
        steps: Option<usize>,
        latent: bool,
        device: &Settings,
    ) -> Result<Array2<f64>> {
        let run = data.free_run(data.start_row(start)?, steps)?;
        let states = self.run(&[run], latent, device)?.remove(0).mapv(f64::from);
        let bounds = Bounds::around(data.trials.iter().flat_map(|trial| &trial.x));
        if let Some(step) = states.outer_iter().position(|row| !bounds.hold(row)) {
            log::warn!(target: "alrnn_gpu", "the free run leaves every bound at step {step}");
        }
        Ok(match latent {
            true => states,
            false => Scaling::restored(self.0.scaling.as_ref(), states),
        })
    }

    fn predictions(&self, data: &Dataset, steps: usize, device: &Settings) -> Result<Vec<Array2<f64>>> {
        data.trials
            .iter()
            .map(|trial| {
                let rows = trial.x.nrows();
                let last = if data.K > 0 {
                    rows.saturating_sub(steps)
                } else {
                    rows
                };
                let complete = |&t: &usize| trial.x.row(t).iter().all(|v| !v.is_nan());
                let starts: Vec<usize> = (0..last).filter(complete).collect();
                let mut predicted = Array2::from_elem(trial.x.dim(), f64::NAN);
                for some in starts.chunks(TOGETHER) {
                    let runs: Vec<FreeRun> = some
                        .iter()
                        .map(|&t| run_from(trial.x.view(), trial.s.view(), t, steps))
                        .collect();
                    for (&t, run) in some.iter().zip(self.run(&runs, false, device)?) {
                        predicted.row_mut(t).assign(&run.row(steps).mapv(f64::from));
                    }
                }
                Ok(Scaling::restored(self.0.scaling.as_ref(), predicted))
            })
            .collect()
    }

    fn run(&self, runs: &[FreeRun], latent: bool, device: &Settings) -> Result<Vec<Array2<f32>>> {
        start_threads(device.threads)?;
        let theta = self.0.theta.pack();
        let free = FreeModel {
            theta: &theta,
            P: self.0.P,
        };
        let backend = backend::open(device.backend, device.device.as_deref())?;
        let mut models = backend.free_run(self.0.theta.dims(), &[free], runs, latent)?;
        Ok(models.remove(0))
    }
}

/// `steps` steps from row `t`, with the inputs of the rows that follow.
fn run_from(x: ArrayView2<'_, f64>, inputs: ArrayView2<'_, f64>, t: usize, steps: usize) -> FreeRun {
    FreeRun {
        x0: x.row(t).iter().map(|&v| v as f32).collect(),
        s: match inputs.ncols() {
            0 => Array2::zeros((0, 0)),
            _ => inputs.slice(s![t..=t + steps, ..]).mapv(|v| v as f32),
        },
        steps,
    }
}
