//! Scores of a moment: into the log, the records and the best models.

use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use super::keeper::{Keeper, Moment, States, failed, no_thread};
use super::{defined, stated};
use crate::backend::{Backend, FreeModel, Member};
use crate::error::Result;
use crate::metrics::{Scorer, Scores};
use crate::model::Dims;
use crate::run::{Best, LogRow, Scored, append_log};
use crate::scoring::score_models;
use crate::stats::quantile;
use crate::train::observer::{Evaluation, Progress};

/// An evaluation brings a checkpoint along unless the last one is younger than this.
const CHECKPOINT_APART: Duration = Duration::from_secs(1);

/// A copy of a member, waiting for its scores.
struct Waiting {
    index: usize,
    dims: Dims,
    P: usize,
    theta: Vec<f32>,
    /// Mean loss of the epoch before.
    loss: f32,
}

/// [`Evaluation`] without where training stands by now.
pub(super) struct Evaluated {
    epoch: u32,
    loss: f32,
    best: Option<(String, Scores)>,
    median_dstsp: f64,
    members: Vec<LogRow>,
}

impl Evaluated {
    pub fn with(self, progress: Progress) -> Evaluation {
        Evaluation {
            progress,
            epoch: self.epoch,
            loss: self.loss,
            best: self.best,
            median_dstsp: self.median_dstsp,
            members: self.members,
        }
    }
}

fn score(waiting: Vec<Waiting>, backend: &dyn Backend, scorer: &Scorer) -> Result<Vec<(Waiting, Scores)>> {
    let model = |w| {
        let Waiting { dims, P, theta, .. }: &Waiting = w;
        (*dims, FreeModel { theta, P: *P })
    };
    let models: Vec<_> = waiting.iter().map(model).collect();
    let scores = score_models(&models, backend, scorer)?;
    Ok(waiting.into_iter().zip(scores).collect())
}

/// With scores that are known, by the members' places in the study.
fn pair(waiting: Vec<Waiting>, known: &[Option<Scores>]) -> Vec<(Waiting, Scores)> {
    let pairs = waiting.into_iter().filter_map(|model| {
        let scores = known[model.index]?;
        Some((model, scores))
    });
    pairs.collect()
}

impl Keeper<'_> {
    /// Waits for the states of a moment; scores them where that is asked for, which a checkpoint is written beside.
    pub(super) fn keep(&mut self, mut moment: Moment) -> Result<Option<Evaluated>> {
        let kept = matches!(moment.states, States::Kept);
        let known = match &mut moment.states {
            States::Polished(_, scores) => scores.take(),
            _ => None,
        };
        let scored = moment.scored;
        self.advance(moment)?;
        if !scored {
            return self.write_checkpoint().map(|()| None);
        }
        let last = self.last_checkpoint;
        let recent = last.is_some_and(|last| last.elapsed() < CHECKPOINT_APART);
        let waiting = self.waiting();
        let (backend, scorer) = (Arc::clone(&self.backend), Arc::clone(&self.task.scorer));
        let scored = std::thread::scope(|scope| {
            let scoring = Builder::new()
                .name("scoring".into())
                .spawn_scoped(scope, || match known {
                    Some(known) => Ok(pair(waiting, &known)),
                    None => score(waiting, backend.as_ref(), &scorer),
                })
                .map_err(no_thread)?;
            let written = if kept || recent {
                Ok(())
            } else {
                self.write_checkpoint()
            };
            let scored = scoring.join().map_err(|_| failed())?;
            written.and(scored)
        })?;
        self.unscored = false;
        self.take_scores(scored).map(Some)
    }

    /// Copies of the members that have not stopped.
    fn waiting(&self) -> Vec<Waiting> {
        let members = self.members.iter().zip(&self.task.study.candidates);
        members
            .enumerate()
            .filter(|(_, (member, _))| member.stopped_at.is_none())
            .map(|(index, (member, candidate))| Waiting {
                index,
                dims: candidate.shape.dims,
                P: candidate.settings.P,
                theta: member.theta.clone(),
                loss: member.loss,
            })
            .collect()
    }

    /// Takes in the scores of the records: log, best models.
    fn take_scores(&mut self, scored: Vec<(Waiting, Scores)>) -> Result<Evaluated> {
        let epoch = self.epochs_done;
        let rows: Vec<LogRow> = scored
            .iter()
            .map(|(model, scores)| self.log_row(epoch, model, scores))
            .collect();
        self.log_bytes = append_log(&self.folder.log(), self.log_bytes, &rows)?;

        let losses: Vec<f64> = scored.iter().map(|(model, _)| f64::from(model.loss)).collect();
        let mut improved = Vec::new();
        let mut best_now: Option<(usize, Scores)> = None;
        let mut all: Vec<f64> = Vec::with_capacity(scored.len());
        for (model, scores) in scored {
            all.push(scores.dstsp);
            if best_now.as_ref().is_none_or(|(_, best)| scores.better(best)) {
                best_now = Some((model.index, scores));
            }
            let member = &mut self.members[model.index];
            member.last = Some(Scored { epoch, scores });
            if member
                .best
                .as_ref()
                .is_none_or(|best| scores.better(&best.scores))
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
        Ok(Evaluated {
            epoch,
            loss: quantile(&losses, 0.5) as f32,
            best: best_now.map(|(i, scores)| (self.task.study.candidates[i].id.clone(), scores)),
            median_dstsp: quantile(&all, 0.5),
            members: rows,
        })
    }

    fn log_row(&self, epoch: u32, model: &Waiting, scores: &Scores) -> LogRow {
        let candidate = &self.task.study.candidates[model.index];
        let settings = self.task.settings;
        let member = Member::from(&candidate.settings);
        let training = epoch <= settings.epochs;
        LogRow {
            epoch,
            member: candidate.id.clone(),
            loss: defined(f64::from(model.loss)).filter(|_| training),
            lr: training.then(|| member.learning_rate(epoch - 1, settings.epochs)),
            D_stsp: defined(scores.dstsp),
            D_H: defined(scores.dh),
            PE: defined(scores.pe),
            roughness: stated(scores.roughness),
            saturated: Some(scores.saturated),
            verdict: Some(scores.verdict),
        }
    }
}
