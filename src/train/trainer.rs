use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::backend::{
    Backend, Ensemble, EnsembleState, EpochResult, MemberState, TrainingData, learning_rate,
};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::metrics::{Scorer, Scores};
use crate::model::{Model, Scaling, Theta, init};
use crate::run::{
    Best, Checkpoint, LogRow, MemberRecord, MemberRow, RunFolder, append_log, cut_log, write_members,
};
use crate::study::Study;
use crate::train::scoring::{Scorable, Scoring};
use crate::train::{Ending, Evaluation, Observer, Progress};

/// Training pauses for a checkpoint when the last one is older than this.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);
/// An evaluation brings a checkpoint along unless the last one is younger than this.
const CHECKPOINT_APART: Duration = Duration::from_secs(1);

/// What a run is made of.
pub struct TrainerInput<'a> {
    pub settings: &'a Settings,
    pub study: &'a Study,
    /// Training data by window length `T`.
    pub training: BTreeMap<usize, Arc<TrainingData>>,
    /// How the data were standardised, kept in the models.
    pub scaling: Option<Scaling>,
    pub scorer: Arc<Scorer>,
    pub backend: Arc<dyn Backend>,
    pub folder: &'a RunFolder,
    /// Identity of everything that decides the result's bits; a checkpoint of another one is refused.
    pub fingerprint: String,
}

/// Trains a study into its run folder.
pub struct Trainer<'a> {
    input: TrainerInput<'a>,
    ensembles: Vec<Box<dyn Ensemble>>,
    /// In the study's order.
    members: Vec<MemberRecord>,
    epochs_done: u32,
    log_bytes: u64,
    scoring: Option<Scoring>,
    member_steps: u64,
    started: Instant,
    last_checkpoint: Option<Instant>,
}

impl<'a> Trainer<'a> {
    /// Prepares all ensembles, from the checkpoint where there is one.
    pub fn new(input: TrainerInput<'a>, checkpoint: Option<Checkpoint>) -> Result<Self> {
        let mut trainer = Self {
            ensembles: Vec::new(),
            members: Vec::new(),
            epochs_done: 0,
            log_bytes: 0,
            scoring: None,
            member_steps: 0,
            started: Instant::now(),
            last_checkpoint: None,
            input,
        };
        match checkpoint {
            None => trainer.members = trainer.initial_members(),
            Some(checkpoint) => trainer.restore(checkpoint)?,
        }
        trainer.make_ensembles()?;
        Ok(trainer)
    }

    pub fn epochs_done(&self) -> u32 {
        self.epochs_done
    }

    fn initial_members(&self) -> Vec<MemberRecord> {
        self.input
            .study
            .candidates
            .par_iter()
            .map(|candidate| {
                let state = MemberState::new(&init(candidate.shape.dims, candidate.member.seed));
                MemberRecord {
                    theta: state.theta,
                    m: state.m,
                    v: state.v,
                    stopped_at: None,
                    best: None,
                    loss: f32::NAN,
                }
            })
            .collect()
    }

    fn restore(&mut self, checkpoint: Checkpoint) -> Result<()> {
        let path = self.input.folder.checkpoint();
        if checkpoint.fingerprint != self.input.fingerprint {
            return Err(Error::input(format!(
                "the checkpoint {} belongs to other settings or other data",
                path.display()
            ))
            .with_hint("resume with the settings and data of the run's config.toml"));
        }
        let lengths = self
            .input
            .study
            .candidates
            .iter()
            .map(|c| c.shape.dims.n_params());
        if !checkpoint.members.iter().map(|m| m.theta.len()).eq(lengths) {
            return Err(Error::input(format!(
                "the checkpoint {} has models of another shape",
                path.display()
            )));
        }
        self.members = checkpoint.members;
        self.epochs_done = checkpoint.epochs_done;
        self.log_bytes = cut_log(&self.input.folder.log(), checkpoint.log_bytes)?;
        // The best models on disk may be of a later moment than the checkpoint, or lost.
        self.write_best(&(0..self.members.len()).collect::<Vec<_>>())?;
        if checkpoint.unscored {
            self.start_scoring()?;
        }
        Ok(())
    }

    fn make_ensembles(&mut self) -> Result<()> {
        let input = &self.input;
        for (group, (shape, indices)) in input.study.groups.iter().enumerate() {
            let state = EnsembleState {
                step: self.epochs_done * input.settings.batches_per_epoch,
                members: indices.iter().map(|&i| member_state(&self.members[i])).collect(),
            };
            let plan = input.study.plan(group, input.settings);
            let training = Arc::clone(&input.training[&shape.T]);
            self.ensembles
                .push(input.backend.ensemble(plan, training, &state)?);
        }
        Ok(())
    }

    /// Trains to the end, until `stop` is set (the current epoch is finished), or until no member is left.
    pub fn run(&mut self, stop: &AtomicBool, observer: &mut dyn Observer) -> Result<Ending> {
        let settings = self.input.settings;
        self.started = Instant::now();
        while self.epochs_done < settings.epochs && self.alive() > 0 && !stop.load(Ordering::Relaxed) {
            self.ensembles
                .par_iter_mut()
                .try_for_each(|ensemble| ensemble.train_epoch())?;
            self.epochs_done += 1;
            let evaluate =
                self.epochs_done.is_multiple_of(settings.eval_every) || self.epochs_done == settings.epochs;
            let pause = evaluate
                || stop.load(Ordering::Relaxed)
                || self.last_checkpoint.unwrap_or(self.started).elapsed() > CHECKPOINT_EVERY;
            self.take_results(pause, observer)?;
            if pause || self.alive() == 0 {
                self.read_states()?;
                self.finish_scoring(observer)?;
                if evaluate {
                    self.start_scoring()?;
                }
                let recent = self
                    .last_checkpoint
                    .is_some_and(|last| last.elapsed() < CHECKPOINT_APART);
                if !evaluate || !recent {
                    self.write_checkpoint(evaluate)?;
                }
            }
            observer.epoch(&self.progress());
        }
        self.finish_scoring(observer)?;
        self.write_checkpoint(false)?;
        self.write_last()?;
        Ok(if self.alive() == 0 {
            Ending::AllDiverged
        } else if self.epochs_done < settings.epochs {
            Ending::Interrupted {
                epochs_done: self.epochs_done,
            }
        } else {
            Ending::Finished
        })
    }

    fn alive(&self) -> usize {
        self.members
            .iter()
            .filter(|member| member.stopped_at.is_none())
            .count()
    }

    fn progress(&self) -> Progress {
        let mut losses: Vec<f32> = self
            .members
            .iter()
            .filter(|m| m.stopped_at.is_none())
            .map(|m| m.loss)
            .collect();
        Progress {
            epoch: self.epochs_done,
            epochs: self.input.settings.epochs,
            loss: median(&mut losses, f32::total_cmp).unwrap_or(f32::NAN),
            alive: self.alive(),
            members: self.members.len(),
            member_steps: self.member_steps,
            elapsed: self.started.elapsed(),
        }
    }

    /// Takes in the results of finished epochs (of all epochs with `wait`).
    fn take_results(&mut self, wait: bool, observer: &mut dyn Observer) -> Result<()> {
        for (ensemble, (_, indices)) in self.ensembles.iter_mut().zip(&self.input.study.groups) {
            for result in ensemble.results(wait)? {
                self.member_steps += absorb(&result, indices, &mut self.members, &self.input, observer);
            }
        }
        Ok(())
    }

    /// Copies the devices' states into `members`.
    fn read_states(&mut self) -> Result<()> {
        for (ensemble, (_, indices)) in self.ensembles.iter_mut().zip(&self.input.study.groups) {
            for (state, &i) in ensemble.state()?.members.into_iter().zip(indices) {
                let member = &mut self.members[i];
                member.theta = state.theta;
                member.m = state.m;
                member.v = state.v;
                member.stopped_at = state.stopped_at;
            }
        }
        Ok(())
    }

    fn start_scoring(&mut self) -> Result<()> {
        let models = self
            .members
            .iter()
            .zip(&self.input.study.candidates)
            .enumerate()
            .filter(|(_, (member, _))| member.stopped_at.is_none())
            .map(|(index, (member, candidate))| Scorable {
                index,
                dims: candidate.shape.dims,
                P: candidate.member.P,
                theta: member.theta.clone(),
                loss: member.loss,
            })
            .collect();
        let backend = Arc::clone(&self.input.backend);
        let scorer = Arc::clone(&self.input.scorer);
        self.scoring = Some(Scoring::start(self.epochs_done, models, backend, scorer)?);
        Ok(())
    }

    /// Waits for the scores under way: log, best models, report to the observer.
    fn finish_scoring(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let Some(scoring) = self.scoring.take() else {
            return Ok(());
        };
        let epoch = scoring.epoch;
        let scored = scoring.finish()?;
        let rows: Vec<LogRow> = scored
            .iter()
            .map(|(model, scores)| self.log_row(epoch, model, scores))
            .collect();
        self.log_bytes = append_log(&self.input.folder.log(), self.log_bytes, &rows)?;

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
            best: best_now.map(|(i, scores)| (self.input.study.candidates[i].id.clone(), scores)),
            median_dstsp: median(&mut all, f64::total_cmp).unwrap_or(f64::NAN),
        });
        Ok(())
    }

    fn log_row(&self, epoch: u32, model: &Scorable, scores: &Scores) -> LogRow {
        let candidate = &self.input.study.candidates[model.index];
        let settings = self.input.settings;
        LogRow {
            epoch,
            member: candidate.id.clone(),
            loss: defined(f64::from(model.loss)),
            lr: learning_rate(
                candidate.member.start_lr,
                candidate.member.end_lr,
                epoch - 1,
                settings.epochs,
            ),
            D_stsp: defined(scores.dstsp),
            D_H: defined(scores.dh),
            PE: defined(scores.pe),
        }
    }

    fn write_best(&self, indices: &[usize]) -> Result<()> {
        let (input, members) = (&self.input, &self.members);
        indices.par_iter().try_for_each(|&i| match &members[i].best {
            Some(best) => {
                let path = input.folder.best(&input.study.candidates[i].id);
                model(input, i, &best.theta).save(&path)
            }
            None => Ok(()),
        })
    }

    fn write_last(&self) -> Result<()> {
        let input = &self.input;
        self.members.par_iter().enumerate().try_for_each(|(i, member)| {
            let path = input.folder.last(&input.study.candidates[i].id);
            model(input, i, &member.theta).save(&path)
        })
    }

    fn write_checkpoint(&mut self, unscored: bool) -> Result<()> {
        self.write_members()?;
        let checkpoint = Checkpoint {
            fingerprint: self.input.fingerprint.clone(),
            epochs_done: self.epochs_done,
            unscored,
            log_bytes: self.log_bytes,
            members: std::mem::take(&mut self.members),
        };
        let saved = checkpoint.save(&self.input.folder.checkpoint());
        self.members = checkpoint.members;
        self.last_checkpoint = Some(Instant::now());
        saved
    }

    fn write_members(&self) -> Result<()> {
        write_members(&self.input.folder.members(), &self.member_rows())
    }

    /// The rows of `members.csv` as things stand.
    pub fn member_rows(&self) -> Vec<MemberRow> {
        let settings = self.input.settings;
        let optimizer = clap::ValueEnum::to_possible_value(&settings.optimizer)
            .map_or_else(String::new, |value| value.get_name().to_owned());
        self.members
            .iter()
            .zip(&self.input.study.candidates)
            .map(|(record, candidate)| {
                let (shape, member) = (candidate.shape, &candidate.member);
                let best = record.best.as_ref();
                MemberRow {
                    id: candidate.id.clone(),
                    seed: member.seed,
                    M: shape.dims.M,
                    P: member.P,
                    tau: member.tau,
                    alpha: member.alpha,
                    T: shape.T,
                    batch_size: shape.S,
                    noise: member.noise,
                    start_lr: member.start_lr,
                    end_lr: member.end_lr,
                    optimizer: optimizer.clone(),
                    clip: member.clip,
                    lambda_lat: member.lambda_lat,
                    lambda_obs: member.lambda_obs,
                    status: if record.stopped_at.is_some() {
                        "diverged"
                    } else {
                        "ok"
                    }
                    .to_owned(),
                    stopped_epoch: record.stopped_at.map(|step| epoch_of(step, settings)),
                    best_epoch: best.map(|b| b.epoch),
                    D_stsp: best.and_then(|b| defined(b.scores.dstsp)),
                    D_H: best.and_then(|b| defined(b.scores.dh)),
                    PE: best.and_then(|b| defined(b.scores.pe)),
                    points_D_stsp: best.map(|b| b.scores.points_dstsp),
                    points_D_H: best.map(|b| b.scores.points_dh),
                    pairs_PE: best.map(|b| b.scores.pairs_pe),
                }
            })
            .collect()
    }
}

/// The model file of the study's member `index` with these parameters.
fn model(input: &TrainerInput<'_>, index: usize, theta: &[f32]) -> Model {
    let candidate = &input.study.candidates[index];
    Model {
        theta: Theta::unpack(candidate.shape.dims, theta),
        P: candidate.member.P,
        scaling: input.scaling.clone(),
        dt: input.settings.dt,
    }
}

/// Takes one epoch's results into the members' records; returns how many optimiser steps were made in it.
fn absorb(
    result: &EpochResult,
    indices: &[usize],
    members: &mut [MemberRecord],
    input: &TrainerInput<'_>,
    observer: &mut dyn Observer,
) -> u64 {
    let steps = u64::from(input.settings.batches_per_epoch);
    let mut made = 0;
    for ((&i, &loss), &stopped_at) in indices.iter().zip(&result.loss).zip(&result.stopped_at) {
        let member = &mut members[i];
        match (member.stopped_at, stopped_at) {
            (None, None) => {
                member.loss = loss;
                made += steps;
            }
            (None, Some(step)) => {
                member.loss = f32::NAN;
                member.stopped_at = stopped_at;
                made += u64::from(step - 1) % steps;
                observer.diverged(&input.study.candidates[i].id, epoch_of(step, input.settings));
            }
            (Some(_), _) => {}
        }
    }
    made
}

/// The epoch, counted from 1, that optimiser step `step` (counted from 1) belongs to.
fn epoch_of(step: u32, settings: &Settings) -> u32 {
    (step - 1) / settings.batches_per_epoch + 1
}

fn member_state(record: &MemberRecord) -> MemberState {
    MemberState {
        theta: record.theta.clone(),
        m: record.m.clone(),
        v: record.v.clone(),
        stopped_at: record.stopped_at,
    }
}

/// Lower D_stsp is better; any value is better than none.
fn better(a: &Scores, b: &Scores) -> bool {
    a.dstsp < b.dstsp || (b.dstsp.is_nan() && !a.dstsp.is_nan())
}

/// `None` where a number is not defined: an empty cell.
fn defined(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn median<V: Copy>(values: &mut [V], order: impl Fn(&V, &V) -> std::cmp::Ordering) -> Option<V> {
    values.sort_by(order);
    values.get(values.len().saturating_sub(1) / 2).copied()
}
