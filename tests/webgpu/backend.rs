//! A backend whose device is a page in the browser: what every backend is held to holds there too.

use std::sync::Arc;

use alrnn_gpu::backend::gpu::export::{GradientTask, free_run, member_states, training};
use alrnn_gpu::backend::{
    Backend, Device, Ensemble, EnsembleState, EpochResult, Form, FreeModel, FreeRun, Gradient, Member, Plan,
    TrainingData, Windows,
};
use alrnn_gpu::error::{Error, Result};
use alrnn_gpu::model::{Dims, Shape, Theta};
use ndarray::{Array2, s};
use serde_json::{Value, json};

use crate::browser::{Browser, bytes};

pub struct InBrowser {
    browser: Arc<Browser>,
    device: Device,
}

impl InBrowser {
    pub fn new(browser: &Arc<Browser>) -> Self {
        Self {
            browser: Arc::clone(browser),
            device: Device {
                backend: "browser",
                name: "Chromium".into(),
            },
        }
    }
}

impl Backend for InBrowser {
    fn device(&self) -> &Device {
        &self.device
    }

    fn ensemble(
        &self,
        plan: Plan,
        data: Arc<TrainingData>,
        state: &EnsembleState,
    ) -> Result<Box<dyn Ensemble>> {
        training(&plan, &data, state)?;
        Ok(Box::new(EnsembleThere {
            browser: Arc::clone(&self.browser),
            plan,
            data,
            state: state.clone(),
            wanted: 0,
            results: Vec::new(),
        }))
    }

    fn gradient(
        &self,
        shape: Shape,
        member: &Member,
        form: Form,
        theta: &Theta,
        windows: &Windows,
    ) -> Result<Gradient> {
        let task = GradientTask::new(shape, member, form, theta, windows)?;
        let answer = self.browser.ask(&json!({ "kind": "gradient", "task": task }));
        let read = [0, 1, 2].map(|i| bytes(&answer["read"][i]));
        task.decode(theta, windows, read.each_ref().map(|bytes| &bytes[..]))
    }

    fn free_run(
        &self,
        dims: Dims,
        models: &[FreeModel<'_>],
        runs: &[FreeRun],
        latent: bool,
    ) -> Result<Vec<Vec<Array2<f32>>>> {
        let one = |model: &FreeModel<'_>, run: &FreeRun| {
            let program = free_run(dims, *model, run)?;
            let answer = self
                .browser
                .ask(&json!({ "kind": "freeRun", "program": program }));
            let mut rows: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes(&answer["out"]));
            rows.truncate((run.steps + 1) * dims.M);
            let rows = Array2::from_shape_vec((run.steps + 1, dims.M), rows).expect("all rows");
            let width = if latent { dims.M } else { dims.N };
            Ok(rows.slice_move(s![.., ..width]))
        };
        let of_model = |model| runs.iter().map(|run| one(model, run)).collect();
        models.iter().map(of_model).collect()
    }
}

/// Trains where it is asked for what came of it.
struct EnsembleThere {
    browser: Arc<Browser>,
    plan: Plan,
    data: Arc<TrainingData>,
    state: EnsembleState,
    /// Epochs that are to be trained.
    wanted: u32,
    results: Vec<EpochResult>,
}

impl EnsembleThere {
    fn catch_up(&mut self) -> Result<()> {
        if self.wanted == 0 {
            return Ok(());
        }
        let training = training(&self.plan, &self.data, &self.state)?;
        let job = json!({ "kind": "train", "training": training, "epochs": self.wanted });
        let answer = self.browser.ask(&job);
        let first = self.state.step / self.plan.batches_per_epoch;
        for (epoch, members) in (first..).zip(answer["results"].as_array().expect("a list")) {
            self.results.push(result(epoch, members));
        }
        for chunk in answer["chunks"].as_array().expect("a list") {
            let members: Vec<usize> = serde_json::from_value(chunk["members"].clone()).expect("numbers");
            let [theta, moments, status] = [0, 1, 2].map(|i| bytes(&chunk["read"][i]));
            let states = member_states(members.len(), &theta, &moments, &status)?;
            for (e, state) in members.into_iter().zip(states) {
                self.state.members[e] = state;
            }
        }
        self.state.step += self.wanted * self.plan.batches_per_epoch;
        self.wanted = 0;
        Ok(())
    }
}

/// What the host tells of an epoch; JSON has `null` for NaN.
fn result(epoch: u32, members: &Value) -> EpochResult {
    let members = members.as_array().expect("a list");
    let stopped_at = |m: &Value| m["stoppedAt"].as_u64().filter(|&step| step > 0);
    EpochResult {
        epoch,
        loss: members
            .iter()
            .map(|m| m["loss"].as_f64().map_or(f32::NAN, |loss| loss as f32))
            .collect(),
        stopped_at: members
            .iter()
            .map(|m| stopped_at(m).map(|step| step as u32))
            .collect(),
    }
}

impl Ensemble for EnsembleThere {
    fn train_epoch(&mut self) -> Result<()> {
        self.wanted += 1;
        Ok(())
    }

    fn results(&mut self, _wait: bool) -> Result<Vec<EpochResult>> {
        self.catch_up()?;
        Ok(std::mem::take(&mut self.results))
    }

    fn state(&mut self) -> Result<EnsembleState> {
        self.catch_up()?;
        Ok(self.state.clone())
    }

    fn windows(&mut self, _member: usize, _step: u32) -> Result<Windows> {
        Err(Error::runtime("nobody reads windows out of a browser"))
    }
}
