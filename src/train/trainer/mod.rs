//! Training of a study: epoch by epoch on the device, while the [`keeper`] scores and keeps, moment by moment, what came
//! of it.

mod desk;
mod evaluation;
mod files;
mod keeper;
mod polishing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::backend::{Backend, Ensemble, EnsembleStart, EnsembleState, EpochResult, MemberState};
use crate::config::Settings;
use crate::error::Result;
use crate::model::Shape;
use crate::run::{Checkpoint, MemberRecord, MemberRow, RunFolder};
use crate::stats::quantile;
use crate::train::observer::{Ending, Observer, Progress};
use crate::train::task::Task;
use desk::{Desk, beside};
use keeper::{Health, Keeper, Moment, States};

/// What comes of training is kept, if it was not for this long.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);

/// Trains a study into its run folder.
pub struct Trainer<'a> {
    keeper: Keeper<'a>,
    training: Training<'a>,
}

/// Training as it goes: ahead of what is kept of it.
struct Training<'a> {
    task: &'a Task<'a>,
    backend: Arc<dyn Backend>,
    ensembles: Vec<Box<dyn Ensemble>>,
    /// Epochs that each ensemble has reported the results of; empty where nothing is trained on a device.
    reported: Vec<u32>,
    /// By the results that came so far, in the study's order.
    health: Vec<Health>,
    /// Moments whose results have not all come, oldest first.
    incomplete: VecDeque<Moment>,
    epochs_done: u32,
    member_steps: u64,
    started: Instant,
    last_moment: Instant,
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
        let keeper = Keeper::new(task, Arc::clone(&backend), folder, fingerprint, checkpoint)?;
        let now = Instant::now();
        let training = Training {
            task,
            backend,
            ensembles: Vec::new(),
            reported: Vec::new(),
            health: keeper.members.iter().map(Health::from).collect(),
            incomplete: VecDeque::new(),
            epochs_done: keeper.epochs_done,
            member_steps: 0,
            started: now,
            last_moment: now,
        };
        Ok(Self { keeper, training })
    }

    pub fn epochs_done(&self) -> u32 {
        self.training.epochs_done
    }

    /// The rows of `members.csv` as things stand.
    pub fn member_rows(&self) -> Vec<MemberRow> {
        self.keeper.member_rows()
    }

    /// Trains to the end, until `stop` is set (the current epoch is finished), or until no member is left.
    pub fn run(&mut self, stop: &AtomicBool, observer: &mut dyn Observer) -> Result<Ending> {
        let Self { keeper, training } = self;
        let settings = training.task.settings;
        training.started = Instant::now();
        training.last_moment = training.started;
        if training.epochs_done < settings.epochs {
            training.make_ensembles(&keeper.members)?;
        }
        let unscored = keeper.unscored.then_some(States::Kept);
        let stopping = beside(keeper, |desk| {
            if let Some(states) = unscored {
                training.hand_in(desk, true, states, observer)?;
            }
            training.train(desk, stop, observer)
        })?;
        if settings.restore_best && keeper.epochs_done == settings.epochs {
            keeper.restore_best();
        }
        if training.active() > 0 && !stopping && training.task.objective.is_some() {
            let mut states: Vec<_> = (keeper.members.iter())
                .map(|member| (member.theta.clone(), member.polished.clone()))
                .collect();
            beside(keeper, |desk| training.polish(&mut states, desk, stop, observer))?;
        }
        keeper.write_checkpoint()?;
        keeper.write_last()?;
        Ok(if training.active() == 0 {
            Ending::AllDiverged
        } else if training.epochs_done < settings.length() {
            Ending::Interrupted
        } else {
            Ending::Finished
        })
    }
}

impl Training<'_> {
    fn make_ensembles(&mut self, members: &[MemberRecord]) -> Result<()> {
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
                members: indices.iter().map(|&i| member_state(&members[i])).collect(),
            },
        };
        let starts = study.groups.iter().enumerate().map(start).collect();
        self.ensembles = self.backend.ensembles(starts)?;
        self.reported = vec![self.epochs_done; self.ensembles.len()];
        Ok(())
    }

    /// Trains all epochs; tells whether it was stopped.
    fn train(&mut self, desk: &mut Desk, stop: &AtomicBool, observer: &mut dyn Observer) -> Result<bool> {
        let epochs = self.task.settings.epochs;
        // Looked at once an epoch: what ends the loop has also handed in its states.
        let mut stopping = stop.load(Ordering::Relaxed);
        while self.epochs_done < epochs && self.active() > 0 && !stopping {
            self.backend.train_epoch(&mut self.ensembles)?;
            self.epochs_done += 1;
            stopping = stop.load(Ordering::Relaxed);
            let kept = stopping || self.is_scored() || self.is_checkpoint_due();
            if kept {
                self.hand_in_states(desk, observer)?;
            }
            self.take_results(stopping || self.epochs_done == epochs, desk, observer)?;
            if self.active() == 0 && !kept {
                self.take_results(true, desk, observer)?;
                self.hand_in_states(desk, observer)?;
            }
            while let Some(kept) = desk.take(false)? {
                self.report(kept, observer);
            }
            observer.epoch(&self.progress());
        }
        self.take_results(true, desk, observer)?;
        self.ensembles.clear();
        self.reported.clear();
        self.finish(desk, observer)?;
        Ok(stopping)
    }

    /// Whether the present states are to be scored.
    fn is_scored(&self) -> bool {
        let settings = self.task.settings;
        self.epochs_done.is_multiple_of(settings.eval_every)
            || self.epochs_done == settings.epochs
            || self.epochs_done == settings.length()
    }

    fn is_checkpoint_due(&self) -> bool {
        self.last_moment.elapsed() > CHECKPOINT_EVERY
    }

    /// Hands in the states after what is enqueued.
    fn hand_in_states(&mut self, desk: &mut Desk, observer: &mut dyn Observer) -> Result<()> {
        let snapshots = self.ensembles.iter_mut().map(|ensemble| ensemble.snapshot());
        let states = States::OnTheirWay(snapshots.collect::<Result<_>>()?);
        self.hand_in(desk, self.is_scored(), states, observer)
    }

    /// Hands in the present moment, after waiting where too many are under way.
    fn hand_in(
        &mut self,
        desk: &mut Desk,
        scored: bool,
        states: States,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        while desk.is_full(self.incomplete.len()) {
            match desk.take(true)? {
                Some(kept) => self.report(kept, observer),
                None => self.take_results(true, desk, observer)?,
            }
        }
        self.incomplete.push_back(Moment {
            epoch: self.epochs_done,
            scored,
            health: self.health.clone(),
            states,
        });
        self.last_moment = Instant::now();
        self.hand_on(desk)
    }

    /// Hands on the moments whose results have come.
    fn hand_on(&mut self, desk: &mut Desk) -> Result<()> {
        let reported = self.reported.iter().min().copied().unwrap_or(u32::MAX);
        let complete = self
            .incomplete
            .iter()
            .take_while(|moment| moment.epoch <= reported);
        let complete = complete.count();
        self.incomplete
            .drain(..complete)
            .try_for_each(|moment| desk.hand_in(moment))
    }

    /// Waits for all that is being kept.
    fn finish(&mut self, desk: &mut Desk, observer: &mut dyn Observer) -> Result<()> {
        while let Some(kept) = desk.take(true)? {
            self.report(kept, observer);
        }
        Ok(())
    }

    fn report(&self, kept: Option<evaluation::Evaluated>, observer: &mut dyn Observer) {
        if let Some(evaluated) = kept {
            observer.evaluation(&evaluated.with(self.progress()));
        }
    }

    fn active(&self) -> usize {
        let health = self.health.iter();
        health.filter(|member| member.stopped_at.is_none()).count()
    }

    fn progress(&self) -> Progress {
        let active = self.health.iter().filter(|m| m.stopped_at.is_none());
        let losses: Vec<f64> = active.map(|m| f64::from(m.loss)).collect();
        Progress {
            epoch: self.epochs_done,
            epochs: self.task.settings.length(),
            training: self.task.settings.epochs,
            loss: quantile(&losses, 0.5) as f32,
            members: self.health.len(),
            member_steps: self.member_steps,
            elapsed: self.started.elapsed(),
        }
    }

    /// Takes in the results of finished epochs (of all epochs with `wait`), and hands on what waited for them.
    fn take_results(&mut self, wait: bool, desk: &mut Desk, observer: &mut dyn Observer) -> Result<()> {
        let groups = self.task.study.groups.iter().zip(&mut self.reported);
        for (ensemble, ((_, indices), reported)) in self.ensembles.iter_mut().zip(groups) {
            for result in ensemble.results(wait)? {
                self.member_steps += absorb(&result, indices, &mut self.health, self.task, observer);
                *reported = result.epoch + 1;
                let moments = self.incomplete.iter_mut();
                for moment in moments.filter(|moment| moment.epoch >= *reported) {
                    indices.iter().for_each(|&i| moment.health[i] = self.health[i]);
                }
            }
        }
        self.hand_on(desk)
    }
}

/// Takes one epoch's results into the members' health; returns how many optimiser steps were made in it.
fn absorb(
    result: &EpochResult,
    indices: &[usize],
    health: &mut [Health],
    task: &Task<'_>,
    observer: &mut dyn Observer,
) -> u64 {
    let steps = u64::from(task.settings.batches_per_epoch);
    let mut made = 0;
    for ((&i, &loss), &stopped_at) in indices.iter().zip(&result.loss).zip(&result.stopped_at) {
        let member = &mut health[i];
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
