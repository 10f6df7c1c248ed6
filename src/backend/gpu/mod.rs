//! The WGSL kernels under `shaders/` and their host: any adapter that wgpu reaches.
//!
//! [`shader`] makes WGSL of a shader file and constants, [`layout`] decides how a shape is laid out over threads in the
//! plain and the almost-linear form, `memory` sizes and fills buffers, [`schedule`] says what runs in a step;
//! [`statistics`] runs and looks at the candidates of polishing, [`device`] compiles and caches pipelines. [`export`] writes all of it down for a host that is a browser.

pub mod device;
pub mod export;
pub mod layout;
pub mod memory;
pub mod schedule;
pub mod shader;
pub mod statistics;

mod adapters;
mod ensemble;
mod free_run;
mod gradient;

use std::sync::Arc;

use ndarray::Array2;

use crate::backend::{
    Backend, DataStatistics, Demand, Device, Ensemble, EnsembleStart, EnsembleState, Form, FreeModel,
    FreeRun, Gradient, KernelTime, Member, Plan, RunStatistics, Runs, TrainingData, Windows, check,
};
use crate::error::Result;
use crate::model::{Dims, Shape, Theta};
pub use adapters::{AdapterDescription, adapters, hardware_available};
pub use device::Gpu;
use ensemble::GpuEnsemble;
use memory::allocation::default_budget;
use memory::buffers::UNIFORM_STRIDE;
use parking_lot::Mutex;
use statistics::Workspace;

/// Which adapter to open and how to use it.
#[derive(Clone, Debug, Default)]
pub struct GpuOptions {
    /// Number of the adapter or part of its name (`--device`); the best hardware one by default.
    pub adapter: Option<String>,
    /// Whether a software rasteriser will do where no adapter is named.
    pub allow_software: bool,
    /// Bytes of scratch memory that a study may take, in training and as much in polishing; by the kind of the device by default.
    pub memory: Option<u64>,
    /// How long a submission should run at most, in seconds; 0.3 by default.
    pub submission_seconds: Option<f64>,
    /// Steps in a block of the almost-linear form at most; what costs least by default.
    pub block_length: Option<usize>,
}

/// An open GPU.
#[derive(Debug)]
pub struct GpuBackend {
    gpu: Arc<Gpu>,
    device: Device,
    options: GpuOptions,
    /// Of the last [`Backend::statistics`].
    workspace: Mutex<Option<Workspace>>,
}

impl GpuBackend {
    /// # Errors
    /// When there is no such adapter, or it cannot be opened.
    pub fn new(options: &GpuOptions) -> Result<Self> {
        Ok(Self::with_gpu(Gpu::open(options)?, options))
    }

    /// A backend on an open device; the limits of the options apply.
    pub fn with_gpu(gpu: Gpu, options: &GpuOptions) -> Self {
        let device = Device {
            backend: "gpu",
            name: gpu.description(),
        };
        Self {
            gpu: Arc::new(gpu),
            device,
            options: options.clone(),
            workspace: Mutex::default(),
        }
    }
}

impl GpuBackend {
    fn checked(&self, plan: Plan, data: Arc<TrainingData>, state: &EnsembleState) -> Result<GpuEnsemble> {
        check::plan(&plan, &data, state)?;
        self.one(plan, data, state.clone())
    }

    fn one(&self, plan: Plan, data: Arc<TrainingData>, state: EnsembleState) -> Result<GpuEnsemble> {
        let study = vec![EnsembleStart { plan, data, state }];
        let made = GpuEnsemble::of_study(&self.gpu, study, &self.options)?.pop();
        Ok(made.expect("an ensemble for each start"))
    }
}

impl Backend for GpuBackend {
    fn device(&self) -> &Device {
        &self.device
    }

    /// Epochs are only enqueued, after waiting where enough is: one thread does, and others would wait where they could work.
    fn train_epoch(&self, ensembles: &mut [Box<dyn Ensemble>]) -> Result<()> {
        ensembles.iter_mut().try_for_each(|one| one.train_epoch())
    }

    fn demand(&self, plan: &Plan) -> Demand {
        Demand {
            steps: UNIFORM_STRIDE * (u64::from(plan.batches_per_epoch) + 1),
            scratch: 0,
        }
    }

    fn ensemble(
        &self,
        plan: Plan,
        data: Arc<TrainingData>,
        state: &EnsembleState,
    ) -> Result<Box<dyn Ensemble>> {
        Ok(Box::new(self.checked(plan, data, state)?))
    }

    fn ensembles(&self, study: Vec<EnsembleStart>) -> Result<Vec<Box<dyn Ensemble>>> {
        study
            .iter()
            .try_for_each(|start| check::plan(&start.plan, &start.data, &start.state))?;
        let ensembles = GpuEnsemble::of_study(&self.gpu, study, &self.options)?.into_iter();
        Ok(ensembles
            .map(|one| -> Box<dyn Ensemble> { Box::new(one) })
            .collect())
    }

    fn profile(
        &self,
        plan: Plan,
        data: Arc<TrainingData>,
        state: &EnsembleState,
        steps: u32,
    ) -> Result<Vec<KernelTime>> {
        self.checked(plan, data, state)?.profile(steps)
    }

    fn gradient(
        &self,
        shape: Shape,
        member: &Member,
        form: Form,
        theta: &Theta,
        windows: &Windows,
    ) -> Result<Gradient> {
        let EnsembleStart { plan, data, state } = gradient::alone(shape, member, form, theta, windows)?;
        self.one(plan, data, state)?.gradient(theta, windows)
    }

    fn free_run(
        &self,
        dims: Dims,
        models: &[FreeModel<'_>],
        runs: &[FreeRun],
        latent: bool,
    ) -> Result<Vec<Vec<Array2<f32>>>> {
        check::free_run(dims, models, runs)?;
        free_run::free_run(&self.gpu, dims, models, runs, latent)
    }

    fn statistics(
        &self,
        dims: Dims,
        runs: Runs<'_>,
        data: &DataStatistics,
    ) -> Result<Option<Vec<RunStatistics>>> {
        check::runs(dims, runs.starts)?;
        let budget = self.options.memory.unwrap_or_else(|| default_budget(&self.gpu));
        statistics::statistics(&self.gpu, &mut self.workspace.lock(), dims, runs, data, budget)
    }
}
