mod profile;
mod progress;
mod settings;
mod summary;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::cli::args::TrainArgs;
use crate::cli::output::{print, print_json};
use crate::cli::{INTERRUPTED, SUCCESS, Status};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::run::MemberRow;
use crate::train::{self, Data, Ending, Outcome, Place};
use profile::profile;
use progress::Watch;
use settings::{default_folder, run_to_resume, settings};
use summary::{chosen, summary};

/// What the arguments ask for.
pub struct Request {
    pub settings: Settings,
    pub place: Place,
    /// Read already where they had a say in the settings.
    data: Option<Data>,
    profile: bool,
    json: bool,
}

impl Request {
    pub fn new(args: &TrainArgs) -> Result<Self> {
        let resume = run_to_resume(args)?;
        let (settings, data) = settings(args, resume.as_deref())?;
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
    let Request {
        settings,
        place,
        data,
        ..
    } = request;
    if request.profile {
        return profile(settings).map(|()| SUCCESS);
    }
    if data.is_some() {
        eprintln!("{}", chosen(settings));
    }
    watched(place.path(), request.json, |stop, watch| match data {
        Some(data) => train::run_on(settings, data, place, stop, watch),
        None => train::run(settings, place, stop, watch),
    })
}

/// Shows the progress of training in this folder, ends it on Ctrl-C, and reports how it ended.
pub fn watched(
    folder: &Path,
    json: bool,
    train: impl FnOnce(&AtomicBool, &mut Watch) -> Result<Outcome>,
) -> Result<Status> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut watch = Watch::new(Arc::clone(&stop));
    let outcome = train(&stop, &mut watch);
    watch.finish();
    match outcome {
        Ok(outcome) => finish(outcome, json),
        Err(error) if watch.started() => Err(with_way_on(error, folder)),
        Err(error) => Err(error),
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

/// Reports how training ended.
fn finish(outcome: Outcome, json: bool) -> Result<Status> {
    let run = outcome.folder.root().display();
    outcome.require_survivors()?;
    if outcome.ending == Ending::Interrupted {
        eprintln!(
            "stopped after epoch {}; continue with: alrnn-gpu train --resume {run}",
            outcome.epochs_done
        );
        return Ok(INTERRUPTED);
    }
    let record = &outcome.record;
    if json {
        let members: Vec<_> = outcome.members.iter().map(MemberRow::to_json).collect();
        print_json(
            &serde_json::json!({ "run": outcome.folder.root(), "dstsp": record.dstsp, "noise_floor": record.noise_floor, "members": members }),
        )?;
    } else {
        print(&summary(outcome.members, record))?;
    }
    eprintln!("models, logs and settings are in {run}; pictures: alrnn-gpu report {run}");
    Ok(SUCCESS)
}
