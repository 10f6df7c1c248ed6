//! The training loop: all ensembles of a study advance epoch by epoch; every so often their members are scored
//! and the run folder is brought up to date.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod trainer;

use std::time::Duration;

use crate::metrics::Scores;

pub use trainer::{Trainer, TrainerInput};

/// What the loop tells whoever watches.
pub trait Observer {
    /// After every epoch.
    fn epoch(&mut self, progress: &Progress);
    /// After every scoring.
    fn evaluation(&mut self, evaluation: &Evaluation);
    /// A member has stopped because it diverged; once per member.
    fn diverged(&mut self, id: &str, epoch: u32);
}

/// Where training stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Epochs completed, of how many.
    pub epoch: u32,
    pub epochs: u32,
    /// Median over the members still training of the last epoch's mean loss.
    pub loss: f32,
    /// Members still training, of how many.
    pub alive: usize,
    pub members: usize,
    /// Optimiser steps of all members since this process began to train, and the time they took (everything
    /// included: scoring, checkpoints).
    pub member_steps: u64,
    pub elapsed: Duration,
}

impl Progress {
    /// Member-steps per second.
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
    /// Median D_stsp of all members scored.
    pub median_dstsp: f64,
}

/// How training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Finished,
    /// The caller asked to stop; the checkpoint is written.
    Interrupted {
        epochs_done: u32,
    },
    /// No member was left.
    AllDiverged,
}
