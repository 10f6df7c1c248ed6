use std::sync::Arc;
use std::thread::JoinHandle;

use rayon::prelude::*;

use crate::backend::{Backend, FreeModel};
use crate::error::{Error, Result};
use crate::metrics::{Scorer, Scores};
use crate::model::Dims;

/// Observations of free runs held in memory at a time while scoring.
const TRAJECTORY_BUDGET: usize = 64 << 20;

/// A model waiting for its scores.
pub(super) struct Scorable {
    pub index: usize,
    pub dims: Dims,
    pub P: usize,
    pub theta: Vec<f32>,
    /// Mean loss of the epoch before.
    pub loss: f32,
}

/// Scores of one evaluation, computed beside training.
pub(super) struct Scoring {
    pub epoch: u32,
    worker: JoinHandle<Result<Vec<(Scorable, Scores)>>>,
}

impl Scoring {
    pub fn start(
        epoch: u32,
        models: Vec<Scorable>,
        backend: Arc<dyn Backend>,
        scorer: Arc<Scorer>,
    ) -> Result<Self> {
        let worker = std::thread::Builder::new()
            .name("scoring".into())
            .spawn(move || score_all(models, backend.as_ref(), &scorer))
            .map_err(|error| Error::runtime(format!("cannot start a thread for scoring: {error}")))?;
        Ok(Self { epoch, worker })
    }

    pub fn finish(self) -> Result<Vec<(Scorable, Scores)>> {
        self.worker
            .join()
            .unwrap_or_else(|_| Err(Error::runtime("scoring failed unexpectedly; this is a bug")))
    }
}

/// Free runs and metrics of all models, in their order, as many at a time as the budget holds.
fn score_all(
    models: Vec<Scorable>,
    backend: &dyn Backend,
    scorer: &Scorer,
) -> Result<Vec<(Scorable, Scores)>> {
    let steps: usize = scorer.free_runs().iter().map(|run| run.steps + 1).sum();
    let mut scored = Vec::with_capacity(models.len());
    let mut rest = models.into_iter().peekable();
    while let Some(first) = rest.next() {
        let dims = first.dims;
        let most = (TRAJECTORY_BUDGET / (4 * steps * dims.N).max(1)).max(1);
        let mut chunk = vec![first];
        while chunk.len() < most
            && let Some(next) = rest.next_if(|model| model.dims == dims)
        {
            chunk.push(next);
        }
        let free: Vec<FreeModel<'_>> = chunk
            .iter()
            .map(|model| FreeModel {
                theta: &model.theta,
                P: model.P,
            })
            .collect();
        let runs = backend.free_run(dims, &free, scorer.free_runs(), false)?;
        let scores: Vec<Scores> = chunk
            .par_iter()
            .zip(&runs)
            .map(|(model, generated)| scorer.score(generated, dims, &model.theta, model.P))
            .collect();
        scored.extend(chunk.into_iter().zip(scores));
    }
    Ok(scored)
}
