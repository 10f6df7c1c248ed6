//! From settings and data to a finished run folder.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::data::Data;
use super::observer::{Ending, Observer, Start};
use super::place::{Place, fingerprint};
use super::task::Task;
use super::trainer::Trainer;
use crate::backend::{Backend, open_checked};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::run::{MemberRow, Record, Run, RunFolder};

/// What training leaves.
#[derive(Debug)]
pub struct Outcome {
    /// Locked as long as this lives.
    pub folder: RunFolder,
    pub ending: Ending,
    pub epochs_done: u32,
    pub record: Record,
    /// As in `members.csv`.
    pub members: Vec<MemberRow>,
}

impl Outcome {
    /// The best member that was scored (see [`Standing`](crate::metrics::Standing)).
    pub fn best(&self) -> Option<&MemberRow> {
        let scored = self.members.iter().filter(|row| row.best_epoch.is_some());
        scored.min_by(|a, b| a.compare(b))
    }

    /// # Errors
    /// When every member diverged.
    pub fn require_survivors(&self) -> Result<()> {
        if self.ending != Ending::AllDiverged {
            return Ok(());
        }
        Err(Error::runtime("every member diverged; nothing is left to train").with_hint(
            "use a smaller --start-lr or a --clip such as 10, or check the scale of the data (--standardize)",
        ))
    }
}

/// Trains a study on the files that its settings name, on the device they ask for, and leaves a run folder.
///
/// Setting `stop` ends training after the epoch under way, with a checkpoint from which [`Place::Resume`] goes on to
/// the same bits. Work is done on rayon's global pool; `settings.threads` is for the program that starts it.
///
/// # Errors
/// Everything that can be refused (settings, data, room in memory and on disk, a folder in use, a run that was started
/// on something else) is refused before anything is made.
pub fn run(
    settings: &Settings,
    place: &Place,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    place.check(settings)?;
    let data = match place {
        Place::New(_) => Data::load(settings)?,
        Place::Resume(run) => Data::load_again(settings, &Run::read(run)?.record.data)?,
    };
    run_on(settings, &data, place, stop, observer)
}

/// [`run()`] on data that are in memory (see [`crate::dataset::from_arrays`]); the run folder keeps their hash.
///
/// # Errors
/// As [`run()`].
pub fn run_on(
    settings: &Settings,
    data: &Data,
    place: &Place,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let task = Task::new(settings, data)?;
    let backend = open_checked(settings.backend, settings.device.as_deref())?;
    task.run(backend, place, stop, observer)
}

impl Task<'_> {
    /// Trains on this device (see [`run()`]).
    ///
    /// # Errors
    /// As [`run()`].
    pub fn run(
        &self,
        backend: Arc<dyn Backend>,
        place: &Place,
        stop: &AtomicBool,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let settings = self.settings;
        place.check(settings)?;
        self.require_room(backend.as_ref(), place)?;
        let fingerprint = fingerprint(settings, self.data);
        let (folder, checkpoint) = place.take(&self.study, self.data, &fingerprint)?;
        let mut record = self.record(backend.device())?;
        let config = settings.with_absolute_paths();
        if let Place::New(_) = place {
            record.save(&folder.config(), &config)?;
        }
        observer.started(&Start {
            study: &self.study,
            record: &record,
            folder: &folder,
            epochs: settings.length(),
            epochs_done: checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.epochs_done),
        });
        let mut trainer = Trainer::new(self, backend, &folder, fingerprint, checkpoint)?;
        let ending = trainer.run(stop, observer)?;
        let (epochs_done, members) = (trainer.epochs_done(), trainer.member_rows());
        // Where every member diverged the run is over all the same: no continuation could change them.
        if ending != Ending::Interrupted {
            record.finished = Some(jiff::Timestamp::now().to_string());
            record.save(&folder.config(), &config)?;
        }
        Ok(Outcome {
            folder,
            ending,
            epochs_done,
            record,
            members,
        })
    }
}
