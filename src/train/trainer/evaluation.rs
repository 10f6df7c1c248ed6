//! Scoring: a copy of the members is scored on other threads while training goes on; its results are taken in at the
//! next pause.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::{Trainer, defined, median, stated};
use crate::backend::{FreeModel, learning_rate};
use crate::config::Hyperparameters;
use crate::error::{Error, Result};
use crate::metrics::{Scores, Standing};
use crate::model::Dims;
use crate::run::{Best, LogRow, Scored, append_log};
use crate::scoring::score_models;
use crate::train::observer::{Evaluation, Observer};

/// A copy of a member, waiting for its scores.
pub(super) struct Waiting {
    index: usize,
    dims: Dims,
    P: usize,
    theta: Vec<f32>,
    /// Mean loss of the epoch before.
    loss: f32,
}

/// An evaluation under way beside training.
pub(super) struct Scoring {
    epoch: u32,
    worker: JoinHandle<Result<Vec<(Waiting, Scores)>>>,
}

impl Trainer<'_> {
    pub(super) fn start_scoring(&mut self) -> Result<()> {
        let members = self.members.iter().zip(&self.task.study.candidates);
        let waiting: Vec<Waiting> = members
            .enumerate()
            .filter(|(_, (member, _))| member.stopped_at.is_none())
            .map(|(index, (member, candidate))| Waiting {
                index,
                dims: candidate.shape.dims,
                P: candidate.settings.P,
                theta: member.theta.clone(),
                loss: member.loss,
            })
            .collect();
        let backend = Arc::clone(&self.backend);
        let scorer = Arc::clone(&self.task.scorer);
        let score = move || {
            let models: Vec<_> = waiting
                .iter()
                .map(|w| {
                    (
                        w.dims,
                        FreeModel {
                            theta: &w.theta,
                            P: w.P,
                        },
                    )
                })
                .collect();
            let scores = score_models(&models, backend.as_ref(), &scorer)?;
            Ok(waiting.into_iter().zip(scores).collect())
        };
        let worker = std::thread::Builder::new()
            .name("scoring".into())
            .spawn(score)
            .map_err(|error| Error::runtime(format!("cannot start a thread for scoring: {error}")))?;
        self.scoring = Some(Scoring {
            epoch: self.epochs_done,
            worker,
        });
        Ok(())
    }

    /// Waits for the scores under way: log, best models, report to the observer.
    pub(super) fn finish_scoring(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let Some(Scoring { epoch, worker }) = self.scoring.take() else {
            return Ok(());
        };
        let scored = worker
            .join()
            .map_err(|_| Error::runtime("scoring failed unexpectedly; this is a bug"))??;
        let rows: Vec<LogRow> = scored
            .iter()
            .map(|(model, scores)| self.log_row(epoch, model, scores))
            .collect();
        self.log_bytes = append_log(&self.folder.log(), self.log_bytes, &rows)?;

        let mut losses: Vec<f32> = scored.iter().map(|(model, _)| model.loss).collect();
        let mut improved = Vec::new();
        let mut best_now: Option<(usize, Scores)> = None;
        let mut all: Vec<f64> = Vec::with_capacity(scored.len());
        for (model, scores) in scored {
            all.push(scores.dstsp);
            if best_now.as_ref().is_none_or(|(_, best)| better(&scores, best)) {
                best_now = Some((model.index, scores));
            }
            let member = &mut self.members[model.index];
            member.last = Some(Scored { epoch, scores });
            if member
                .best
                .as_ref()
                .is_none_or(|best| better(&scores, &best.scores))
            {
                member.best = Some(Best {
                    epoch,
                    scores,
                    theta: model.theta,
                });
                improved.push(model.index);
            }
        }
        self.write_best(&improved)?;
        observer.evaluation(&Evaluation {
            progress: self.progress(),
            epoch,
            loss: median(&mut losses, f32::total_cmp).unwrap_or(f32::NAN),
            best: best_now.map(|(i, scores)| (self.task.study.candidates[i].id.clone(), scores)),
            median_dstsp: median(&mut all, f64::total_cmp).unwrap_or(f64::NAN),
            members: rows,
        });
        Ok(())
    }

    fn log_row(&self, epoch: u32, model: &Waiting, scores: &Scores) -> LogRow {
        let candidate = &self.task.study.candidates[model.index];
        let settings = self.task.settings;
        let rate = |h: &Hyperparameters| learning_rate(h.start_lr, h.end_lr, epoch - 1, settings.epochs);
        let training = epoch <= settings.epochs;
        LogRow {
            epoch,
            member: candidate.id.clone(),
            loss: defined(f64::from(model.loss)).filter(|_| training),
            lr: training.then(|| rate(&candidate.settings)),
            D_stsp: defined(scores.dstsp),
            D_H: defined(scores.dh),
            PE: defined(scores.pe),
            roughness: stated(scores.roughness),
            saturated: Some(scores.saturated),
            verdict: Some(scores.verdict),
        }
    }
}

fn better(a: &Scores, b: &Scores) -> bool {
    Standing::from(a).better(&Standing::from(b))
}
