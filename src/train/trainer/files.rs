//! What training writes to the run folder beside the log.

use rayon::prelude::*;

use super::keeper::Keeper;
use super::{defined, epoch_of, stated};
use crate::error::Result;
use crate::metrics::Verdict;
use crate::model::{Model, Theta};
use crate::run::{MemberRow, write_members};
use crate::train::task::Task;

impl Keeper<'_> {
    pub(super) fn write_best(&self, indices: &[usize]) -> Result<()> {
        let (task, members, folder) = (self.task, &self.members, self.folder);
        indices.par_iter().try_for_each(|&i| match &members[i].best {
            Some(best) => {
                let path = folder.best(&task.study.candidates[i].id);
                model(task, i, &best.theta).save(&path)
            }
            None => Ok(()),
        })
    }

    pub(super) fn write_last(&self) -> Result<()> {
        let (task, folder) = (self.task, self.folder);
        self.members.par_iter().enumerate().try_for_each(|(i, member)| {
            let path = folder.last(&task.study.candidates[i].id);
            model(task, i, &member.theta).save(&path)
        })
    }

    pub(super) fn write_members(&self) -> Result<()> {
        write_members(&self.folder.members(), &self.member_rows())
    }

    /// The rows of `members.csv` as things stand.
    pub fn member_rows(&self) -> Vec<MemberRow> {
        let settings = self.task.settings;
        self.members
            .iter()
            .zip(&self.task.study.candidates)
            .map(|(record, candidate)| {
                let (best, last) = (record.best.as_ref(), record.last.as_ref());
                let diverged = record.stopped_at.map(|_| Verdict::Diverged);
                MemberRow {
                    id: candidate.id.clone(),
                    settings: candidate.settings.clone(),
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
                    last_epoch: last.map(|l| l.epoch),
                    last_D_stsp: last.and_then(|l| defined(l.scores.dstsp)),
                    last_D_H: last.and_then(|l| defined(l.scores.dh)),
                    verdict: diverged.or(last.map(|l| l.scores.verdict)),
                }
            })
            .collect()
    }
}

/// The model file of the study's member `index` with these parameters.
fn model(task: &Task<'_>, index: usize, theta: &[f32]) -> Model {
    let candidate = &task.study.candidates[index];
    let data = &task.data.training;
    Model {
        theta: Theta::unpack(candidate.shape.dims, theta),
        P: candidate.settings.P,
        scaling: data.scaling.clone(),
        dt: task.settings.dt,
        columns: data.columns.clone(),
        input_columns: data.input_columns.clone(),
    }
}
