//! What training says of itself.

use std::time::Duration;

use crate::metrics::Scores;
use crate::run::{LogRow, Record, RunFolder};
use crate::study::Study;

/// What training tells whoever watches; `()` does not listen.
pub trait Observer {
    /// Nothing was refused, the folder is there, the first epoch is next.
    fn started(&mut self, _start: &Start<'_>) {}
    /// After every epoch.
    fn epoch(&mut self, _progress: &Progress) {}
    /// After every scoring.
    fn evaluation(&mut self, _evaluation: &Evaluation) {}
    /// After every model of which is known how many ReLUs it comes down to.
    fn reduced(&mut self, _done: usize, _models: usize) {}
    /// After every epoch in which reduced models are retrained, before their run folder is there.
    fn retrained(&mut self, _epoch: u32, _epochs: u32) {}
    /// A member has stopped because it diverged; once per member.
    fn diverged(&mut self, _id: &str, _epoch: u32) {}
}

impl Observer for () {}

/// What training begins with.
pub struct Start<'a> {
    pub study: &'a Study,
    pub record: &'a Record,
    pub folder: &'a RunFolder,
    pub epochs: u32,
    /// Epochs that a run which is continued has behind it.
    pub epochs_done: u32,
}

/// Where training stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Epochs and generations of polishing completed, of how many.
    pub epoch: u32,
    pub epochs: u32,
    /// How many of them are epochs of training.
    pub training: u32,
    /// Median over the members still training of the last epoch's mean loss.
    pub loss: f32,
    /// Members, those that have diverged included.
    pub members: usize,
    /// Optimiser steps of all members since this process began to train, or generations since it began to polish, and the
    /// time they took (everything included: scoring, checkpoints).
    pub member_steps: u64,
    pub elapsed: Duration,
}

impl Progress {
    /// Whether members are being polished.
    pub fn polishing(&self) -> bool {
        self.epoch > self.training
    }

    /// Member-steps (or members' generations) per second.
    pub fn rate(&self) -> f64 {
        self.member_steps as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// The scores of one evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    pub progress: Progress,
    /// Epochs completed when the scored states were taken.
    pub epoch: u32,
    /// Median over the members scored of the mean loss in the epoch before.
    pub loss: f32,
    /// The best member of this evaluation (see [`crate::metrics::Standing`]).
    pub best: Option<(String, Scores)>,
    /// Median of the D_stsp of the members scored, of those that have one.
    pub median_dstsp: f64,
    /// All members scored, as in `log.csv`.
    pub members: Vec<LogRow>,
}

/// How training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Finished,
    /// The caller asked to stop; the checkpoint is written.
    Interrupted,
    /// No member was left.
    AllDiverged,
}
