//! Polishing of models that were trained before.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::data::Data;
use super::observer::Observer;
use super::place::{Place, fingerprint};
use super::run::Outcome;
use super::task::Task;
use crate::backend::open_checked;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::run::{Checkpoint, MemberRecord, RunFolder, refuse_occupied};

/// Polishes models (see [`crate::polish`]) in a new run folder, which is what training with the same settings leaves: a run
/// that is interrupted goes on with [`Place::Resume`].
///
/// `models` are those of the settings' study in its order, trained for its epochs; `None` for one that has diverged.
///
/// # Errors
/// As [`run`](super::run); also when no generations are asked for, or the models are not those of the study.
pub fn polish(
    settings: &Settings,
    data: &Data,
    models: &[Option<Model>],
    path: &Path,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    if settings.polish == 0 {
        return Err(Error::input("no generations of polishing are asked for"));
    }
    let task = Task::new(settings, data)?;
    let candidates = &task.study.candidates;
    let fits = candidates.iter().zip(models).all(|(candidate, model)| {
        let fits = |m: &Model| m.P == candidate.settings.P && m.theta.dims() == candidate.shape.dims;
        model.as_ref().is_none_or(fits)
    });
    if models.len() != candidates.len() || !fits {
        return Err(Error::input("the models to polish are not those of the study"));
    }
    refuse_occupied(path)?;
    let backend = open_checked(settings.backend, settings.device.as_deref())?;
    task.require_room(backend.as_ref(), &Place::New(path.to_path_buf()))?;
    let steps = settings.epochs * settings.batches_per_epoch;
    let member = |model: &Option<Model>, n_params: usize| {
        let theta = model
            .as_ref()
            .map_or_else(|| vec![0.0; n_params], |m| m.theta.pack());
        MemberRecord {
            m: vec![0.0; theta.len()],
            v: vec![0.0; theta.len()],
            theta,
            stopped_at: model.is_none().then_some(steps),
            best: None,
            last: None,
            loss: f32::NAN,
            polished: None,
        }
    };
    let members = candidates.iter().zip(models);
    let checkpoint = Checkpoint {
        fingerprint: fingerprint(settings, data),
        epochs_done: settings.epochs,
        // Scores of the models as they are stand first in the log.
        unscored: true,
        log_bytes: 0,
        members: members
            .map(|(candidate, model)| member(model, candidate.shape.dims.n_params()))
            .collect(),
    };
    let folder = RunFolder::create(path)?;
    // The settings last: without them this is no run, and none that would begin from the start.
    checkpoint.save(&folder.checkpoint())?;
    task.record(backend.device())?
        .save(&folder.config(), &settings.with_absolute_paths())?;
    drop(folder);
    task.run(backend, &Place::Resume(path.to_path_buf()), stop, observer)
}
