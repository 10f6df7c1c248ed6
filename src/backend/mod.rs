//! What the trainer knows of a device: train these members, give me a gradient, run freely.
//!
//! Three implementations: [`mod@reference`] (f64, plain loops: what the others are held to), [`cpu`] (f32, fast),
//! [`gpu`] (WGSL kernels). All draw the same windows and noise (see [`crate::rng`]) and none keeps state that
//! [`EnsembleState`] does not hold, so a run resumes from its state and step number alone.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod blocked;
pub(crate) mod check;
pub mod cpu;
pub mod golden;
pub mod gpu;
mod open;
mod optimizer;
pub mod reference;
mod rollout;
mod statistics;

use std::sync::Arc;

use ndarray::{Array2, Array3, s};
use rayon::prelude::*;

use crate::config::Hyperparameters;
pub use crate::config::{Form, Optimizer};
pub use crate::dataset::{MISSING, TrainingData, is_missing};
use crate::error::{Error, Result};
use crate::model::{Dims, Shape, Theta};
pub use crate::model::{FreeModel, FreeRun};
pub use cpu::prediction_error;
pub use open::{open, open_checked, refuse_wrong_results};
use optimizer::decayed;
pub use optimizer::{BETA1, BETA2, EPSILON, StepCoefficients};
pub use reference::curvature;
pub use rollout::{Rollout, Tangent};
pub use statistics::{ColumnStatistics, DataStatistics, RunStatistics, Runs};

/// One member of an ensemble: everything that may differ between models of one shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub seed: u32,
    /// Number of ReLU units (the last `P` of `M`).
    pub P: usize,
    /// Teacher-forcing interval; `tau ≥ T` never forces.
    pub tau: usize,
    /// Forcing strength, 1 = replace.
    pub alpha: f64,
    /// Standard deviation of the observation noise in the first epoch, and what it falls to (`None`: it does not).
    pub noise: f64,
    pub noise_end: Option<f64>,
    /// Observations that states are forced to (rows 0, τ, 2τ, … < T of a window) are divided by this, so that the model
    /// learns to expand by so much about 0 on the way to the next: what forecasts that shrink towards the mean, as the least
    /// squared error has them, lose. (Ensemble forecasts are inflated likewise: Anderson & Anderson, Monthly Weather Review 127,
    /// 1999.) 1 for nothing.
    pub inflation: f64,
    pub start_lr: f64,
    pub end_lr: f64,
    pub lambda_lat: f64,
    pub lambda_obs: f64,
    /// Largest global gradient norm, `None` for no clipping.
    pub clip: Option<f64>,
}

impl From<&Hyperparameters> for Member {
    fn from(point: &Hyperparameters) -> Self {
        Self {
            seed: point.seed,
            P: point.P,
            tau: point.tau,
            alpha: point.alpha,
            noise: point.noise,
            noise_end: point.noise_end,
            inflation: point.inflation,
            start_lr: point.start_lr,
            end_lr: point.end_lr,
            lambda_lat: point.lambda_lat,
            lambda_obs: point.lambda_obs,
            clip: point.clip,
        }
    }
}

/// Forced at every step and to observations as they are, and nothing else: no ReLU units, no regularisation, and nothing learnt.
impl Default for Member {
    fn default() -> Self {
        Self {
            seed: 0,
            P: 0,
            tau: 1,
            alpha: 1.0,
            noise: 0.0,
            noise_end: None,
            inflation: 1.0,
            start_lr: 0.0,
            end_lr: 0.0,
            lambda_lat: 0.0,
            lambda_obs: 0.0,
            clip: None,
        }
    }
}

impl Member {
    /// Learning rate of an epoch, counted from 0.
    pub fn learning_rate(&self, epoch: u32, epochs: u32) -> f64 {
        decayed(self.start_lr, self.end_lr, epoch, epochs)
    }

    /// Standard deviation of the noise in an epoch, counted from 0.
    pub fn noise_in(&self, epoch: u32, epochs: u32) -> f64 {
        decayed(self.noise, self.last_noise(), epoch, epochs)
    }

    /// What the noise falls to.
    pub fn last_noise(&self) -> f64 {
        self.noise_end.unwrap_or(self.noise)
    }
}

/// An ensemble to train: members of one shape and the schedule they share.
#[derive(Clone, Debug)]
pub struct Plan {
    pub shape: Shape,
    pub members: Vec<Member>,
    pub optimizer: Optimizer,
    pub epochs: u32,
    pub batches_per_epoch: u32,
    pub form: Form,
}

/// The state of one member between two optimiser steps. Lengths: `dims.n_params()`.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberState {
    pub theta: Vec<f32>,
    /// First and second moment estimates of the optimiser.
    pub m: Vec<f32>,
    pub v: Vec<f32>,
    /// Optimiser step (counted from 1) whose loss, gradient or update was not finite. The member stands still
    /// from there with the parameters it had before that step.
    pub stopped_at: Option<u32>,
}

impl MemberState {
    /// A member before its first step.
    pub fn new(theta: &Theta) -> Self {
        let theta = theta.pack();
        Self {
            m: vec![0.0; theta.len()],
            v: vec![0.0; theta.len()],
            theta,
            stopped_at: None,
        }
    }
}

/// State of an ensemble after `step` optimiser steps.
#[derive(Clone, Debug, PartialEq)]
pub struct EnsembleState {
    pub step: u32,
    pub members: Vec<MemberState>,
}

/// What an ensemble begins with.
#[derive(Clone, Debug)]
pub struct EnsembleStart {
    pub plan: Plan,
    pub data: Arc<TrainingData>,
    pub state: EnsembleState,
}

/// What one epoch left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochResult {
    /// Epochs count from 0.
    pub epoch: u32,
    /// `[E]` mean over the epoch's steps of loss = mse + regularisation; NaN for a member that stopped in it or before.
    pub loss: Vec<f32>,
    /// `[E]` as [`MemberState::stopped_at`].
    pub stopped_at: Vec<Option<u32>>,
}

/// A state on its way from the device: waits for it and reads it, in whatever thread.
pub type Snapshot = Box<dyn FnOnce() -> Result<EnsembleState> + Send>;

/// A batch of windows given explicitly.
#[derive(Clone, Debug, PartialEq)]
pub struct Windows {
    /// `[S, T+1, N]`, NaN where nothing was observed.
    pub x: Array3<f64>,
    /// `[S, T+1, K]`.
    pub s: Array3<f64>,
}

/// Loss and gradient of one batch of windows.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradient {
    pub mse: f64,
    pub reg: f64,
    /// Gradient of `mse + reg`.
    pub theta: Theta,
    /// Unforced states `z_1 … z_T`, `[S, T, M]`.
    pub z: Array3<f64>,
}

/// How the loss of a member bends with its parameters, as two small matrices (see
/// [`crate::polish`]): means over batches.
#[derive(Clone, Debug, PartialEq)]
pub struct Curvature {
    /// `⟨v vᵀ⟩` of `v = [φ(z̃_t); 1; s_{t+1}]`, `[M + 1 + K, M + 1 + K]`.
    pub inputs: Array2<f64>,
    /// `⟨λ λᵀ⟩` of the adjoints `λ_{t+1}`, `[M, M]`.
    pub adjoints: Array2<f64>,
    /// Gradient of each batch's mean squared error.
    pub gradients: Vec<Theta>,
}

/// The device a backend runs on, for messages, `config.toml` and reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// `cpu` or `gpu` (`reference` in tests).
    pub backend: &'static str,
    /// For example `AMD EPYC, AVX-512, 2 threads` or `NVIDIA H100 (Vulkan, driver 570.1)`.
    pub name: String,
}

/// Time of a kernel in one optimiser step of a whole ensemble.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KernelTime {
    /// File name under `shaders/`.
    pub kernel: &'static str,
    pub seconds: f64,
}

/// Bytes of main memory that an ensemble takes beside its members' parameters and moments, at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// For what is tabulated of every step of an epoch.
    pub steps: u64,
    /// For trajectories and gradients.
    pub scratch: u64,
}

/// A device that trains AL-RNNs.
pub trait Backend: Send + Sync {
    fn device(&self) -> &Device;

    /// An epoch of each of these ensembles, which are this device's: side by side, on rayon's threads.
    fn train_epoch(&self, ensembles: &mut [Box<dyn Ensemble>]) -> Result<()> {
        ensembles.par_iter_mut().try_for_each(|one| one.train_epoch())
    }

    /// What [`Backend::ensemble`] will take; it cannot refuse what main memory does not hold.
    fn demand(&self, _plan: &Plan) -> Demand {
        Demand::default()
    }

    /// Prepares an ensemble at `state`. Memory for everything an epoch needs is taken here.
    ///
    /// # Errors
    /// When the device cannot hold the ensemble even member by member.
    fn ensemble(
        &self,
        plan: Plan,
        data: Arc<TrainingData>,
        state: &EnsembleState,
    ) -> Result<Box<dyn Ensemble>>;

    /// Prepares the ensembles of a study, which share what memory they can and may train in different threads.
    ///
    /// # Errors
    /// As [`Backend::ensemble`].
    fn ensembles(&self, study: Vec<EnsembleStart>) -> Result<Vec<Box<dyn Ensemble>>> {
        let each = study.into_iter();
        each.map(|start| self.ensemble(start.plan, start.data, &start.state))
            .collect()
    }

    /// Time of each kernel in a step of this ensemble, averaged over `steps` steps (at most an epoch).
    ///
    /// # Errors
    /// On a backend that has no kernels to time one by one.
    fn profile(
        &self,
        _plan: Plan,
        _data: Arc<TrainingData>,
        _state: &EnsembleState,
        _steps: u32,
    ) -> Result<Vec<KernelTime>> {
        Err(Error::input(format!(
            "{} has no kernels to time one by one",
            self.device().name
        ))
        .with_hint("profile a GPU (--backend gpu); `cargo bench` times the CPU"))
    }

    /// Loss and gradient of one member at `theta` for the given windows (`form` as in [`Plan`]; noise, learning
    /// rates, clipping and seed of the member are not used).
    fn gradient(
        &self,
        shape: Shape,
        member: &Member,
        form: Form,
        theta: &Theta,
        windows: &Windows,
    ) -> Result<Gradient>;

    /// Free runs of every model from every start: `result[model][run]` is `[steps + 1, M]` latent states from
    /// `z_0 = [x_0 ; L x_0]` on where `latent`, else `[steps + 1, N]`, their observed part.
    fn free_run(
        &self,
        dims: Dims,
        models: &[FreeModel<'_>],
        runs: &[FreeRun],
        latent: bool,
    ) -> Result<Vec<Vec<Array2<f32>>>>;

    /// Long-term statistics of free runs, without inputs, by a backend that computes them where the runs are, in their order; `None`
    /// where it does not, or not for data like these: then [`Backend::rollouts`] has the runs.
    ///
    /// # Errors
    /// When a model or a start has not these sizes, or the device fails.
    fn statistics(
        &self,
        _dims: Dims,
        _runs: Runs<'_>,
        _data: &DataStatistics,
    ) -> Result<Option<Vec<RunStatistics>>> {
        Ok(None)
    }

    /// Free runs of every model from one start, each with the growth of a tangent vector along its first steps. (Not the
    /// same bits as [`Backend::free_run`]'s: here the models are what goes side by side.)
    ///
    /// # Errors
    /// As [`Backend::free_run`].
    fn rollouts(
        &self,
        dims: Dims,
        models: &[FreeModel<'_>],
        run: &FreeRun,
        tangent: Tangent,
    ) -> Result<Vec<Rollout>> {
        let states = self.free_run(dims, models, std::slice::from_ref(run), true)?;
        let pairs = models.par_iter().zip(&states);
        Ok(pairs
            .map(|(model, states)| {
                let theta = Theta::unpack(dims, model.theta);
                Rollout {
                    x: states[0].slice(s![.., ..dims.N]).to_owned(),
                    growth: rollout::growth(&theta, model.P, states[0].view(), tangent),
                }
            })
            .collect())
    }
}

/// An ensemble on a device.
pub trait Ensemble: Send {
    /// Runs (or enqueues) the next `plan.batches_per_epoch` optimiser steps, those of epoch
    /// `step / batches_per_epoch`, for every member that has not stopped.
    fn train_epoch(&mut self) -> Result<()>;

    /// Results of epochs that are finished, oldest first, each reported once; with `wait`, of all enqueued ones.
    fn results(&mut self, wait: bool) -> Result<Vec<EpochResult>>;

    /// Waits for what is enqueued and reads the state back.
    fn state(&mut self) -> Result<EnsembleState>;

    /// The state after what is enqueued, as a copy that the device makes on its way: training may go on at once.
    fn snapshot(&mut self) -> Result<Snapshot> {
        let state = self.state()?;
        Ok(Box::new(|| Ok(state)))
    }

    /// The windows (noise added) that this member's optimiser step `step` (counted from 0) sees.
    fn windows(&mut self, member: usize, step: u32) -> Result<Windows>;
}
