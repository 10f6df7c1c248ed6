//! The run folder: what training writes to it, and how it goes on from it.

use std::time::Instant;

use rayon::prelude::*;

use super::{Trainer, TrainerInput, defined, epoch_of, stated};
use crate::error::{Error, Result};
use crate::model::{Model, Theta};
use crate::run::{Checkpoint, MemberRow, cut_log, write_members};

impl Trainer<'_> {
    /// Takes up training where the checkpoint left it.
    pub(super) fn restore(&mut self, checkpoint: Checkpoint) -> Result<()> {
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

    pub(super) fn write_best(&self, indices: &[usize]) -> Result<()> {
        let (input, members) = (&self.input, &self.members);
        indices.par_iter().try_for_each(|&i| match &members[i].best {
            Some(best) => {
                let path = input.folder.best(&input.study.candidates[i].id);
                model(input, i, &best.theta).save(&path)
            }
            None => Ok(()),
        })
    }

    pub(super) fn write_last(&self) -> Result<()> {
        let input = &self.input;
        self.members.par_iter().enumerate().try_for_each(|(i, member)| {
            let path = input.folder.last(&input.study.candidates[i].id);
            model(input, i, &member.theta).save(&path)
        })
    }

    pub(super) fn write_checkpoint(&mut self, unscored: bool) -> Result<()> {
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
                    roughness: best.and_then(|b| stated(b.scores.roughness)),
                    saturated: best.map(|b| b.scores.saturated),
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
        columns: input.columns.clone(),
        input_columns: input.input_columns.clone(),
    }
}
