//! NumPy arrays to data sets.

use alrnn_gpu::dataset::{Dataset, LoadRequest, Trial, check_columns, from_arrays};
use alrnn_gpu::error::Result;
use ndarray::Array2;
use numpy::PyReadonlyArray2;
use pyo3::prelude::*;

/// Numbers in either precision and any order in memory.
#[derive(FromPyObject)]
enum Numbers<'py> {
    Double(PyReadonlyArray2<'py, f64>),
    Single(PyReadonlyArray2<'py, f32>),
}

impl Numbers<'_> {
    /// A copy, rows one after another: a data set owns its values.
    fn owned(&self) -> Array2<f64> {
        match self {
            Self::Double(x) => x.as_array().as_standard_layout().into_owned(),
            Self::Single(x) => x.as_array().as_standard_layout().mapv(f64::from),
        }
    }
}

/// What Python hands over: `_data.Trials`.
#[derive(FromPyObject)]
pub struct Trials<'py> {
    /// Observations `[T, N]` of every trial.
    x: Vec<Numbers<'py>>,
    /// External inputs `[T, K]` of every trial, or none at all.
    s: Vec<Numbers<'py>>,
    columns: Option<Vec<String>>,
    input_columns: Option<Vec<String>>,
    allow_missing: bool,
    /// What messages call them.
    name: String,
}

/// Trials that the library owns.
pub struct Owned {
    name: String,
    trials: Vec<Trial>,
    request: LoadRequest,
}

impl Trials<'_> {
    pub fn owned(&self) -> Owned {
        let name = |r: usize| match self.x.len() {
            1 => self.name.clone(),
            _ => format!("{}[{r}]", self.name),
        };
        let trials = self.x.iter().enumerate().map(|(r, x)| {
            let x = x.owned();
            let none = || Array2::zeros((x.nrows(), 0));
            let s = self.s.get(r).map_or_else(none, Numbers::owned);
            Trial { name: name(r), x, s }
        });
        Owned {
            name: self.name.clone(),
            trials: trials.collect(),
            request: LoadRequest {
                columns: self.columns.clone(),
                input_columns: self.input_columns.clone(),
                allow_missing: self.allow_missing,
                ..LoadRequest::default()
            },
        }
    }
}

impl Owned {
    /// Data as they are.
    ///
    /// # Errors
    /// When they are no recording.
    pub fn unscaled(self) -> Result<Dataset> {
        from_arrays(self.trials, &self.request)
    }

    /// Data to train on.
    ///
    /// # Errors
    /// When they are no recording.
    pub fn training(self, standardize: bool) -> Result<Dataset> {
        let request = LoadRequest {
            standardize,
            ..self.request
        };
        let data = from_arrays(self.trials, &request)?;
        data.warn_of_clocks();
        data.warn_of_offsets();
        Ok(data)
    }

    /// Data in the units and of the sizes that a model has.
    ///
    /// # Errors
    /// When they are no recording, or their columns or inputs are as many as others.
    pub fn for_model(self, model: &alrnn_gpu::model::Model) -> Result<Dataset> {
        let dims = model.theta.dims();
        self.like(model.scaling.clone(), dims.N, dims.K)
    }

    /// Held-out data, in the units of the training data.
    ///
    /// # Errors
    /// As [`Self::for_model`].
    pub fn held_out(self, training: &Dataset) -> Result<Dataset> {
        self.like(training.scaling.clone(), training.N, training.K)
    }

    fn like(self, scaling: Option<alrnn_gpu::model::Scaling>, N: usize, K: usize) -> Result<Dataset> {
        // Before they are scaled: a scaling has as many columns as the model.
        let request = LoadRequest {
            scaling: scaling.filter(|_| self.trials.iter().all(|trial| trial.x.ncols() == N)),
            width: Some(N),
            ..self.request
        };
        let data = from_arrays(self.trials, &request)?;
        check_columns(&self.name, &data, N, K)?;
        Ok(data)
    }
}
