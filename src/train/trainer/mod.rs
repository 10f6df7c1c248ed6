mod evaluation;
mod files;
mod polishing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::backend::{Backend, Ensemble, EnsembleStart, EnsembleState, EpochResult, MemberState};
use crate::config::Settings;
use crate::error::Result;
use crate::model::{Shape, init};
use crate::run::{Checkpoint, MemberRecord, RunFolder};
use crate::train::observer::{Ending, Observer, Progress};
use crate::train::task::Task;
use evaluation::Scoring;

/// Training pauses for a checkpoint when the last one is older than this.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);
/// An evaluation brings a checkpoint along unless the last one is younger than this.
const CHECKPOINT_APART: Duration = Duration::from_secs(1);

/// Trains a study into its run folder.
pub struct Trainer<'a> {
    task: &'a Task<'a>,
    backend: Arc<dyn Backend>,
    folder: &'a RunFolder,
    /// Identity of everything that decides the result's bits, for the checkpoint.
    fingerprint: String,
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
    /// Prepares all members, from the checkpoint where there is one (of this study: its fingerprint is this one).
    pub fn new(
        task: &'a Task<'a>,
        backend: Arc<dyn Backend>,
        folder: &'a RunFolder,
        fingerprint: String,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Self> {
        let mut trainer = Self {
            task,
            backend,
            folder,
            fingerprint,
            ensembles: Vec::new(),
            members: Vec::new(),
            epochs_done: 0,
            log_bytes: 0,
            scoring: None,
            member_steps: 0,
            started: Instant::now(),
            last_checkpoint: None,
        };
        match checkpoint {
            None => trainer.members = trainer.initial_members(),
            Some(checkpoint) => trainer.restore(checkpoint)?,
        }
        Ok(trainer)
    }

    pub fn epochs_done(&self) -> u32 {
        self.epochs_done
    }

    fn initial_members(&self) -> Vec<MemberRecord> {
        self.task
            .study
            .candidates
            .par_iter()
            .map(|candidate| {
                let state = MemberState::new(&init(candidate.shape.dims, candidate.settings.seed));
                MemberRecord {
                    theta: state.theta,
                    m: state.m,
                    v: state.v,
                    stopped_at: None,
                    best: None,
                    last: None,
                    loss: f32::NAN,
                    polished: None,
                }
            })
            .collect()
    }

    fn make_ensembles(&mut self) -> Result<()> {
        let Task {
            settings,
            study,
            windows,
            ..
        } = self.task;
        let start = |(group, (shape, indices)): (usize, &(Shape, Vec<usize>))| EnsembleStart {
            plan: study.plan(group, settings),
            data: Arc::clone(&windows[&shape.T]),
            state: EnsembleState {
                step: self.epochs_done * settings.batches_per_epoch,
                members: indices.iter().map(|&i| member_state(&self.members[i])).collect(),
            },
        };
        let starts = study.groups.iter().enumerate().map(start).collect();
        self.ensembles = self.backend.ensembles(starts)?;
        Ok(())
    }

    /// Trains to the end, until `stop` is set (the current epoch is finished), or until no member is left.
    pub fn run(&mut self, stop: &AtomicBool, observer: &mut dyn Observer) -> Result<Ending> {
        let settings = self.task.settings;
        self.started = Instant::now();
        // Looked at once an epoch: what ends the loop has also brought its states here.
        let mut stopping = stop.load(Ordering::Relaxed);
        if self.epochs_done < settings.epochs {
            self.make_ensembles()?;
        }
        while self.epochs_done < settings.epochs && self.alive() > 0 && !stopping {
            self.ensembles
                .par_iter_mut()
                .try_for_each(|ensemble| ensemble.train_epoch())?;
            self.epochs_done += 1;
            stopping = stop.load(Ordering::Relaxed);
            let pause = stopping || self.is_scored() || self.is_checkpoint_due();
            self.take_results(pause, observer)?;
            if pause || self.alive() == 0 {
                self.read_states()?;
                self.keep(observer)?;
            }
            observer.epoch(&self.progress());
        }
        self.ensembles.clear();
        if self.alive() > 0 && !stopping {
            self.polish(stop, observer)?;
        }
        self.finish_scoring(observer)?;
        self.write_checkpoint(false)?;
        self.write_last()?;
        Ok(if self.alive() == 0 {
            Ending::AllDiverged
        } else if self.epochs_done < settings.length() {
            Ending::Interrupted
        } else {
            Ending::Finished
        })
    }

    /// Whether the present states are to be scored.
    fn is_scored(&self) -> bool {
        let settings = self.task.settings;
        self.epochs_done.is_multiple_of(settings.eval_every)
            || self.epochs_done == settings.epochs
            || self.epochs_done == settings.length()
    }

    fn is_checkpoint_due(&self) -> bool {
        self.last_checkpoint.unwrap_or(self.started).elapsed() > CHECKPOINT_EVERY
    }

    /// A pause: takes in the scores under way, starts those of the present states where it is time, writes a checkpoint.
    fn keep(&mut self, observer: &mut dyn Observer) -> Result<()> {
        self.finish_scoring(observer)?;
        let evaluate = self.is_scored();
        if evaluate {
            self.start_scoring()?;
        }
        let recent = self
            .last_checkpoint
            .is_some_and(|last| last.elapsed() < CHECKPOINT_APART);
        if !evaluate || !recent {
            self.write_checkpoint(evaluate)?;
        }
        Ok(())
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
            epochs: self.task.settings.length(),
            training: self.task.settings.epochs,
            loss: median(&mut losses, f32::total_cmp).unwrap_or(f32::NAN),
            alive: self.alive(),
            members: self.members.len(),
            member_steps: self.member_steps,
            elapsed: self.started.elapsed(),
        }
    }

    /// Takes in the results of finished epochs (of all epochs with `wait`).
    fn take_results(&mut self, wait: bool, observer: &mut dyn Observer) -> Result<()> {
        for (ensemble, (_, indices)) in self.ensembles.iter_mut().zip(&self.task.study.groups) {
            for result in ensemble.results(wait)? {
                self.member_steps += absorb(&result, indices, &mut self.members, self.task, observer);
            }
        }
        Ok(())
    }

    /// Copies the devices' states into `members`.
    fn read_states(&mut self) -> Result<()> {
        for (ensemble, (_, indices)) in self.ensembles.iter_mut().zip(&self.task.study.groups) {
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
}

/// Takes one epoch's results into the members' records; returns how many optimiser steps were made in it.
fn absorb(
    result: &EpochResult,
    indices: &[usize],
    members: &mut [MemberRecord],
    task: &Task<'_>,
    observer: &mut dyn Observer,
) -> u64 {
    let steps = u64::from(task.settings.batches_per_epoch);
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
                observer.diverged(&task.study.candidates[i].id, epoch_of(step, task.settings));
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

/// `None` where a number is not defined: an empty cell.
fn defined(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// `None` where a number has no meaning; infinity has one.
fn stated(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}

fn median<V: Copy>(values: &mut [V], order: impl Fn(&V, &V) -> std::cmp::Ordering) -> Option<V> {
    values.sort_by(order);
    values.get(values.len().saturating_sub(1) / 2).copied()
}
