//! The yardstick: the model's formulas in f64 as plain loops, one file a kernel. Slow, and meant to be read.

mod adjoint;
mod curvature;
#[cfg(test)]
mod curves;
mod forward;
mod free_run;
mod sample;
mod update;

use std::sync::Arc;

use ndarray::{Array2, s};

use crate::backend::{
    Backend, Device, Ensemble, EnsembleState, EpochResult, Form, FreeModel, FreeRun, Gradient, Member,
    MemberState, Plan, TrainingData, Windows, check,
};
use crate::error::Result;
use crate::model::{Dims, Shape, Theta};
pub use curvature::curvature;
use update::{Moments, regularisation};

/// The f64 backend. It computes the plain form whatever [`Form`] is asked for.
pub struct ReferenceBackend {
    device: Device,
}

impl ReferenceBackend {
    pub fn new() -> Self {
        Self {
            device: Device {
                backend: "reference",
                name: "plain loops in f64, 1 thread".to_string(),
            },
        }
    }
}

impl Default for ReferenceBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl Backend for ReferenceBackend {
    fn device(&self) -> &Device {
        &self.device
    }

    fn ensemble(
        &self,
        plan: Plan,
        data: Arc<TrainingData>,
        state: &EnsembleState,
    ) -> Result<Box<dyn Ensemble>> {
        check::plan(&plan, &data, state)?;
        Ok(Box::new(ReferenceEnsemble {
            members: members(plan.shape.dims, state),
            plan,
            data,
            step: state.step,
            finished: Vec::new(),
        }))
    }

    fn gradient(
        &self,
        shape: Shape,
        member: &Member,
        _form: Form,
        theta: &Theta,
        windows: &Windows,
    ) -> Result<Gradient> {
        check::windows(shape, member, theta, windows)?;
        Ok(gradient(member, theta, windows))
    }

    fn free_run(
        &self,
        dims: Dims,
        models: &[FreeModel<'_>],
        runs: &[FreeRun],
        latent: bool,
    ) -> Result<Vec<Vec<Array2<f32>>>> {
        check::free_run(dims, models, runs)?;
        let columns = if latent { dims.M } else { dims.N };
        let one = |model: &FreeModel<'_>, run| {
            let theta = Theta::unpack(dims, model.theta);
            free_run::free_run(&theta, model.P, run, columns)
        };
        Ok(models
            .iter()
            .map(|model| runs.iter().map(|run| one(model, run)).collect())
            .collect())
    }
}

/// Loss, gradient and states of one batch.
fn gradient(member: &Member, theta: &Theta, windows: &Windows) -> Gradient {
    let states = forward::forward(member, theta, windows);
    let (mut grad, _) = adjoint::adjoint(member, theta, windows, &states);
    let reg = regularisation(member, theta, &mut grad);
    Gradient {
        mse: states.mse,
        reg,
        theta: grad,
        z: states.z.slice(s![.., 1.., ..]).to_owned(),
    }
}

struct MemberF64 {
    theta: Theta,
    moments: Moments,
    stopped_at: Option<u32>,
}

fn members(dims: Dims, state: &EnsembleState) -> Vec<MemberF64> {
    let member = |member: &MemberState| MemberF64 {
        theta: Theta::unpack(dims, &member.theta),
        moments: Moments {
            m: Theta::unpack(dims, &member.m),
            v: Theta::unpack(dims, &member.v),
        },
        stopped_at: member.stopped_at,
    };
    state.members.iter().map(member).collect()
}

struct ReferenceEnsemble {
    plan: Plan,
    data: Arc<TrainingData>,
    step: u32,
    members: Vec<MemberF64>,
    finished: Vec<EpochResult>,
}

impl Ensemble for ReferenceEnsemble {
    fn train_epoch(&mut self) -> Result<()> {
        let batches = self.plan.batches_per_epoch;
        let epoch = self.step / batches;
        let mut loss = vec![f32::NAN; self.members.len()];
        for (e, state) in self.members.iter_mut().enumerate() {
            let member = &self.plan.members[e];
            let lr = member.learning_rate(epoch, self.plan.epochs);
            let noise = member.noise_in(epoch, self.plan.epochs);
            let mut sum = 0.0;
            for step in self.step..self.step + batches {
                if state.stopped_at.is_some() {
                    break;
                }
                let windows = sample::sample(self.plan.shape, member, noise, &self.data, step);
                let gradient = gradient(member, &state.theta, &windows);
                sum += gradient.mse + gradient.reg;
                let coefficients = self.plan.optimizer.coefficients(step + 1);
                if !update::update(
                    member,
                    lr,
                    coefficients,
                    &gradient,
                    &mut state.theta,
                    &mut state.moments,
                ) {
                    state.stopped_at = Some(step + 1);
                }
            }
            if state.stopped_at.is_none() {
                loss[e] = (sum / f64::from(batches)) as f32;
            }
        }
        self.step += batches;
        self.finished.push(EpochResult {
            epoch,
            loss,
            stopped_at: self.members.iter().map(|member| member.stopped_at).collect(),
        });
        Ok(())
    }

    fn results(&mut self, _wait: bool) -> Result<Vec<EpochResult>> {
        Ok(std::mem::take(&mut self.finished))
    }

    fn state(&mut self) -> Result<EnsembleState> {
        let members = self
            .members
            .iter()
            .map(|member| MemberState {
                theta: member.theta.pack(),
                m: member.moments.m.pack(),
                v: member.moments.v.pack(),
                stopped_at: member.stopped_at,
            })
            .collect();
        Ok(EnsembleState {
            step: self.step,
            members,
        })
    }

    fn windows(&mut self, member: usize, step: u32) -> Result<Windows> {
        let (plan, member) = (&self.plan, &self.plan.members[member]);
        let noise = member.noise_in(step / plan.batches_per_epoch, plan.epochs);
        Ok(sample::sample(plan.shape, member, noise, &self.data, step))
    }
}
