//! What is kept of a study as it trains: the members' records, scored and brought to the run folder moment by moment, in the
//! order in which the moments were. Training goes on beside it.

use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;

use crate::backend::{Backend, MemberState, Snapshot};
use crate::error::{Error, Result};
use crate::metrics::Scores;
use crate::model::init;
use crate::polish::Polished;
use crate::run::{Checkpoint, MemberRecord, RunFolder, Scored, cut_log};
use crate::train::task::Task;

/// How a member fares as far as its epochs' results tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Health {
    /// Mean loss of the last epoch.
    pub loss: f32,
    pub stopped_at: Option<u32>,
}

impl From<&MemberRecord> for Health {
    fn from(record: &MemberRecord) -> Self {
        Self {
            loss: record.loss,
            stopped_at: record.stopped_at,
        }
    }
}

/// The parameters of a member that is polished, and how far that is.
pub(super) type Polishing = (Vec<f32>, Option<Polished>);

/// Where the states of a moment are.
pub(super) enum States {
    /// In the records: a moment that was kept before it was scored.
    Kept,
    /// On their way from the device, ensemble by ensemble.
    OnTheirWay(Vec<Snapshot>),
    /// In the study's order; with the scores of those that have not stopped, where they are known.
    Polished(Vec<Polishing>, Option<Vec<Option<Scores>>>),
}

/// The study at the end of an epoch or generation.
pub(super) struct Moment {
    /// Epochs and generations completed.
    pub epoch: u32,
    /// Whether the states are to be scored.
    pub scored: bool,
    /// In the study's order.
    pub health: Vec<Health>,
    pub states: States,
}

/// See the module.
pub(super) struct Keeper<'a> {
    pub task: &'a Task<'a>,
    pub backend: Arc<dyn Backend>,
    pub folder: &'a RunFolder,
    /// Identity of everything that decides the result's bits, for the checkpoint.
    fingerprint: String,
    /// In the study's order.
    pub members: Vec<MemberRecord>,
    /// Epochs and generations that the records have behind them.
    pub epochs_done: u32,
    /// These are due to be scored.
    pub unscored: bool,
    pub log_bytes: u64,
    pub last_checkpoint: Option<Instant>,
}

impl<'a> Keeper<'a> {
    /// All members at their start, or as the checkpoint has them.
    pub fn new(
        task: &'a Task<'a>,
        backend: Arc<dyn Backend>,
        folder: &'a RunFolder,
        fingerprint: String,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Self> {
        let mut keeper = Self {
            task,
            backend,
            folder,
            fingerprint,
            members: Vec::new(),
            epochs_done: 0,
            unscored: false,
            log_bytes: 0,
            last_checkpoint: None,
        };
        match checkpoint {
            None => keeper.members = initial_members(task),
            Some(checkpoint) => keeper.restore(checkpoint)?,
        }
        Ok(keeper)
    }

    /// Takes up training where the checkpoint left it.
    fn restore(&mut self, checkpoint: Checkpoint) -> Result<()> {
        self.members = checkpoint.members;
        self.epochs_done = checkpoint.epochs_done;
        self.unscored = checkpoint.unscored;
        self.log_bytes = cut_log(&self.folder.log(), checkpoint.log_bytes)?;
        // The best models on disk may be of a later moment than the checkpoint, or lost.
        self.write_best(&(0..self.members.len()).collect::<Vec<_>>())
    }

    /// Waits for the states of a moment, and is at that moment from then on.
    pub fn advance(&mut self, moment: Moment) -> Result<()> {
        self.take_in(moment.states)?;
        for (member, health) in self.members.iter_mut().zip(&moment.health) {
            member.loss = health.loss;
            member.stopped_at = health.stopped_at;
        }
        self.epochs_done = moment.epoch;
        self.unscored = moment.scored;
        Ok(())
    }

    fn take_in(&mut self, states: States) -> Result<()> {
        match states {
            States::Kept => {}
            States::OnTheirWay(snapshots) => {
                for (snapshot, (_, indices)) in snapshots.into_iter().zip(&self.task.study.groups) {
                    for (state, &i) in snapshot()?.members.into_iter().zip(indices) {
                        let member = &mut self.members[i];
                        (member.theta, member.m, member.v) = (state.theta, state.m, state.v);
                    }
                }
            }
            States::Polished(states, _) => {
                for (member, (theta, polished)) in self.members.iter_mut().zip(states) {
                    (member.theta, member.polished) = (theta, polished);
                }
            }
        }
        Ok(())
    }

    /// Members that have not diverged are as they were when they scored best.
    pub fn restore_best(&mut self) {
        let training = self
            .members
            .iter_mut()
            .filter(|member| member.stopped_at.is_none());
        for member in training {
            if let Some(best) = &member.best {
                member.theta.clone_from(&best.theta);
                member.last = Some(Scored {
                    epoch: best.epoch,
                    scores: best.scores,
                });
            }
        }
    }

    /// Brings the folder to where the records are.
    pub fn write_checkpoint(&mut self) -> Result<()> {
        self.write_members()?;
        let checkpoint = Checkpoint {
            fingerprint: self.fingerprint.clone(),
            epochs_done: self.epochs_done,
            unscored: self.unscored,
            log_bytes: self.log_bytes,
            members: std::mem::take(&mut self.members),
        };
        let saved = checkpoint.save(&self.folder.checkpoint());
        self.members = checkpoint.members;
        self.last_checkpoint = Some(Instant::now());
        saved
    }
}

pub(super) fn no_thread(error: std::io::Error) -> Error {
    Error::runtime(format!("cannot start a thread for scoring: {error}"))
}

pub(super) fn failed() -> Error {
    Error::runtime("scoring failed unexpectedly; this is a bug")
}

fn initial_members(task: &Task<'_>) -> Vec<MemberRecord> {
    let candidates = task.study.candidates.par_iter();
    candidates
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
