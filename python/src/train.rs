//! Training, watched from Python.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use alrnn_gpu::train::{Data, Ending, Evaluation, Observer, Place, Progress, Start, run_on};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::compute::{detached, start_threads};
use crate::data::Trials;
use crate::run::log_rows;
use crate::settings::settings;

/// Time between two words on progress.
const APART: Duration = Duration::from_millis(100);

/// Hands what training says to a Python object, and stops it on Ctrl-C or an exception.
struct Watch<'a> {
    watcher: Py<PyAny>,
    stop: &'a AtomicBool,
    /// What ended training early.
    raised: Option<PyErr>,
    told: Option<Instant>,
}

impl Watch<'_> {
    fn with(&mut self, tell: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<()>) {
        let result = Python::attach(|py| tell(self.watcher.bind(py)));
        if let Err(error) = result {
            self.stop.store(true, Ordering::Relaxed);
            self.raised.get_or_insert(error);
        }
    }
}

impl Observer for Watch<'_> {
    fn started(&mut self, start: &Start<'_>) {
        let (members, device) = (start.study.candidates.len(), start.record.device.clone());
        self.with(|watcher| {
            let arguments = (start.epochs_done, start.epochs, members, device);
            watcher.call_method1("started", arguments).map(drop)
        });
    }

    fn epoch(&mut self, progress: &Progress) {
        let due = self.told.is_none_or(|told| told.elapsed() > APART) || progress.epoch == progress.epochs;
        if due {
            self.told = Some(Instant::now());
        }
        self.with(|watcher| {
            watcher.py().check_signals()?;
            if due {
                watcher.call_method1("epoch", (progress.epoch,))?;
            }
            Ok(())
        });
    }

    fn evaluation(&mut self, evaluation: &Evaluation) {
        self.with(|watcher| {
            let rows = log_rows(watcher.py(), &evaluation.members)?;
            let best = evaluation.best.as_ref().map(|(id, _)| id);
            watcher
                .call_method1("evaluation", (evaluation.epoch, rows, best))
                .map(drop)
        });
    }

    fn diverged(&mut self, id: &str, epoch: u32) {
        log::warn!(target: "alrnn_gpu", "member {id} diverged in epoch {epoch} and stopped");
    }
}

/// Trains a study into a run folder. Returns the epochs done and what ended it early, if anything did: an exception of
/// the watcher, or `KeyboardInterrupt`. The folder is whole in any case.
#[pyfunction]
pub fn train<'py>(
    py: Python<'py>,
    given: &Bound<'py, PyDict>,
    trials: Trials<'_>,
    test: Option<Trials<'_>>,
    folder: PathBuf,
    resume: bool,
    watcher: Py<PyAny>,
) -> PyResult<(u32, Option<PyErr>)> {
    let settings = settings(given)?;
    let (trials, test) = (trials.owned(), test.map(|test| test.owned()));
    let stop = AtomicBool::new(false);
    let mut watch = Watch {
        watcher,
        stop: &stop,
        raised: None,
        told: None,
    };
    let place = if resume {
        Place::Resume(folder)
    } else {
        Place::New(folder)
    };
    let epochs_done = detached(py, || {
        start_threads(settings.threads)?;
        let training = trials.training(settings.standardize)?;
        let test = test.map(|test| test.held_out(&training)).transpose()?;
        let data = Data { training, test };
        let outcome = run_on(&settings, &data, &place, &stop, &mut watch)?;
        if outcome.ending != Ending::Interrupted {
            outcome.require_survivors()?;
        }
        Ok(outcome.epochs_done)
    })?;
    Ok((epochs_done, watch.raised))
}
