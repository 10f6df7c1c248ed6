mod profile;
mod progress;
mod settings;
mod summary;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use toml::Table;

use crate::cli::args::TrainArgs;
use crate::cli::output::{print, print_json};
use crate::cli::{INTERRUPTED, SUCCESS, Status};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::run::MemberRow;
use crate::train::{self, Data, Ending, Outcome, Place};
use profile::profile;
use progress::Watch;
pub use settings::resolved;
use settings::{default_folder, run_to_resume, settings};
use summary::{chosen, summary};

/// What the arguments ask for.
pub struct Request {
    pub settings: Settings,
    pub place: Place,
    /// Read already where they had a say in the settings.
    pub data: Option<Data>,
    pub profile: bool,
    pub json: bool,
}

impl Request {
    pub fn new(args: &TrainArgs) -> Result<Self> {
        Self::with_defaults(args, &Table::new(), None)
    }

    /// `defaults` stand where neither flags nor a file say anything, `polish` in the place of what the data choose.
    pub fn with_defaults(args: &TrainArgs, defaults: &Table, polish: Option<u32>) -> Result<Self> {
        let resume = run_to_resume(args)?;
        let (settings, data) = settings(args, resume.as_deref(), defaults, polish)?;
        let place = match resume {
            Some(run) => Place::Resume(run),
            None => Place::New(args.out.clone().unwrap_or_else(|| default_folder(&settings))),
        };
        Ok(Self {
            settings,
            place,
            data,
            profile: args.profile,
            json: args.json,
        })
    }
}

pub fn run(request: &Request) -> Result<Status> {
    if request.profile {
        return profile(&request.settings).map(|()| SUCCESS);
    }
    let way_on = format!("alrnn-gpu train --resume {}", request.place.path().display());
    train(request, &way_on)?.report(request.json)
}

/// How training ended that was shown.
pub enum Watched {
    Finished(Box<Outcome>),
    Interrupted,
}

/// Trains; says how to go on (`way_on`) where Ctrl-C ends it.
pub fn train(request: &Request, way_on: &str) -> Result<Watched> {
    let Request {
        settings,
        place,
        data,
        ..
    } = request;
    if data.is_some() {
        eprintln!("{}", chosen(settings));
    }
    let outcome = watched(place.path(), |stop, watch| match data {
        Some(data) => train::run_on(settings, data, place, stop, watch),
        None => train::run(settings, place, stop, watch),
    })?;
    Watched::of(outcome, way_on)
}

impl Watched {
    pub fn of(outcome: Outcome, way_on: &str) -> Result<Self> {
        outcome.require_survivors()?;
        if outcome.ending == Ending::Interrupted {
            eprintln!(
                "stopped after epoch {}; continue with: {way_on}",
                outcome.epochs_done
            );
            return Ok(Self::Interrupted);
        }
        Ok(Self::Finished(Box::new(outcome)))
    }

    /// Prints the members.
    pub fn report(self, json: bool) -> Result<Status> {
        let Self::Finished(outcome) = self else {
            return Ok(INTERRUPTED);
        };
        let (run, record) = (outcome.folder.root(), &outcome.record);
        if json {
            let members: Vec<_> = outcome.members.iter().map(MemberRow::to_json).collect();
            print_json(
                &serde_json::json!({ "run": run, "dstsp": record.dstsp, "noise_floor": record.noise_floor, "members": members }),
            )?;
        } else {
            print(&summary(&outcome.members, record))?;
        }
        let run = run.display();
        eprintln!("models, logs and settings are in {run}; pictures: alrnn-gpu report {run}");
        Ok(SUCCESS)
    }
}

/// Shows the progress of training in this folder, and ends it on Ctrl-C.
pub fn watched<T>(folder: &Path, train: impl FnOnce(&AtomicBool, &mut Watch) -> Result<T>) -> Result<T> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut watch = Watch::new(Arc::clone(&stop));
    let outcome = train(&stop, &mut watch);
    watch.finish();
    match outcome {
        Err(error) if watch.started() => Err(with_way_on(error, folder)),
        outcome => outcome,
    }
}

/// Training failed (full disk, lost device, …): says how to go on once that is mended.
fn with_way_on(error: Error, run: &Path) -> Error {
    if error.hint().is_some() || !run.join("checkpoint.bin").is_file() {
        return error;
    }
    error.with_hint(format!(
        "the last checkpoint is whole; once this is mended, continue with: alrnn-gpu train --resume {}",
        run.display()
    ))
}
