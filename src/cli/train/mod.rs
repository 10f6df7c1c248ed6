mod data;
mod profile;
mod room;
mod settings;
mod summary;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::backend::{self, Backend, Device, TrainingData};
use crate::cli::args::TrainArgs;
use crate::cli::output::{print, print_json};
use crate::cli::progress::Watch;
use crate::cli::{INTERRUPTED, start_threads};
use crate::config::Settings;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::metrics::{ScoreSettings, Scorer};
use crate::run::{self, Checkpoint, DataRecord, Record, Run, RunFolder};
use crate::study::Study;
use crate::train::{Ending, Trainer, TrainerInput};
use data::{load_test, load_training, refuse_other_data, training_data};
use profile::profile;
use room::{require_room, require_windows};
use settings::{default_folder, fingerprint, run_to_resume, settings};
use summary::{introduction, summary};

/// What is to be trained, on what, and where.
pub struct Task {
    resume: Option<PathBuf>,
    pub settings: Settings,
    /// Run folder to make.
    out: PathBuf,
    data: Dataset,
    test: Option<Dataset>,
    pub study: Study,
    training: BTreeMap<usize, Arc<TrainingData>>,
    scorer: Scorer,
}

impl Task {
    /// Everything that can be refused without the device is refused here, before anything is made. `begin` comes before
    /// anything is read.
    pub fn prepare(args: &TrainArgs, begin: impl FnOnce(&Settings) -> Result<()>) -> Result<Self> {
        let resume = run_to_resume(args)?;
        let settings = settings(args, resume.as_deref())?;
        let out = args.out.clone().unwrap_or_else(|| default_folder(&settings));
        if resume.is_none() && !args.profile {
            run::refuse_occupied(&out)?;
        }
        begin(&settings)?;
        let data = load_training(&settings)?;
        let test = load_test(&settings, &data)?;
        let study = Study::new(&settings, data.N, data.K)?;
        require_windows(&study, &data)?;
        let training = training_data(&study, &data)?;
        let scored_on = test.as_ref().unwrap_or(&data);
        Ok(Self {
            scorer: Scorer::new(scored_on, ScoreSettings::from(&settings))?,
            resume,
            settings,
            out,
            data,
            test,
            study,
            training,
        })
    }

    /// Refuses what memory, or the disk where a run folder is to be made, does not hold.
    pub fn require_room(&self, backend: &dyn Backend) -> Result<()> {
        let new = self.resume.is_none().then_some(self.out.as_path());
        require_room(&self.study, &self.settings, backend, new)
    }
}

pub fn run(args: TrainArgs) -> Result<ExitCode> {
    let task = Task::prepare(&args, |settings| start_threads(settings.threads))?;
    if args.profile {
        return profile(&task.settings, &task.study, &task.training);
    }
    let backend = backend::open_checked(task.settings.backend, task.settings.device.as_deref())?;
    task.require_room(backend.as_ref())?;
    let fingerprint = fingerprint(&task.settings, &task.data, task.test.as_ref());
    let Task {
        resume,
        settings,
        out,
        data,
        study,
        training,
        scorer,
        ..
    } = task;
    let scorer = Arc::new(scorer);
    let (folder, checkpoint) = match &resume {
        Some(run) => go_on_in(run, &data)?,
        None => (RunFolder::create(&out)?, None),
    };
    let mut record = new_record(&study, &data, backend.device(), &scorer)?;
    if resume.is_none() {
        record.save(&folder.config(), &settings.with_absolute_paths())?;
    }
    eprintln!("{}", introduction(&study, &record, &folder));

    let input = TrainerInput {
        settings: &settings,
        study: &study,
        training,
        scaling: data.scaling.clone(),
        columns: data.columns.clone(),
        input_columns: data.input_columns.clone(),
        scorer,
        backend: Arc::clone(&backend),
        folder: &folder,
        fingerprint,
    };
    let mut trainer = Trainer::new(input, checkpoint)?;
    if trainer.epochs_done() > 0 {
        eprintln!(
            "continuing after epoch {} of {}",
            trainer.epochs_done(),
            settings.epochs
        );
    }
    let stop = stop_on_ctrl_c();
    let mut watch = Watch::new(settings.epochs, trainer.epochs_done());
    let ending = trainer.run(&stop, &mut watch);
    watch.finish();
    let ending = ending.map_err(|error| with_way_on(error, &folder))?;
    finish(ending, &trainer, &mut record, &folder, &settings, args.json)
}

/// The folder of the run to continue, and its checkpoint.
fn go_on_in(run: &Path, data: &Dataset) -> Result<(RunFolder, Option<Checkpoint>)> {
    refuse_other_data(&Run::read(run)?.record, data)?;
    let folder = RunFolder::resume(run)?;
    let checkpoint = Checkpoint::load(&folder.checkpoint())?;
    Ok((folder, checkpoint))
}

/// Training failed (full disk, lost device, …): says how to go on once that is mended.
fn with_way_on(error: Error, folder: &RunFolder) -> Error {
    if error.hint().is_some() || !folder.checkpoint().is_file() {
        return error;
    }
    error.with_hint(format!(
        "the last checkpoint is whole; once this is mended, continue with: alrnn-gpu train --resume {}",
        folder.root().display()
    ))
}

/// What `config.toml` records of a run that begins now.
fn new_record(study: &Study, data: &Dataset, device: &Device, scorer: &Scorer) -> Result<Record> {
    let floor = scorer.noise_floor()?;
    Ok(Record {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        backend: device.backend.to_owned(),
        device: device.name.clone(),
        started: jiff::Timestamp::now().to_string(),
        finished: None,
        members: study.candidates.len(),
        dstsp: Some(scorer.dstsp_kind()),
        constant_columns: scorer.constant_columns().to_vec(),
        data: DataRecord {
            hash: data.hash.clone(),
            rows: data.trials.iter().map(|trial| trial.x.nrows()).sum(),
            trials: data.trials.len(),
            N: data.N,
            K: data.K,
        },
        noise_floor: (&floor).into(),
    })
}

/// Reports how training ended.
fn finish(
    ending: Ending,
    trainer: &Trainer<'_>,
    record: &mut Record,
    folder: &RunFolder,
    settings: &Settings,
    json: bool,
) -> Result<ExitCode> {
    let run = folder.root().display();
    match ending {
        Ending::Interrupted { epochs_done } => {
            eprintln!("stopped after epoch {epochs_done}; continue with: alrnn-gpu train --resume {run}");
            return Ok(ExitCode::from(INTERRUPTED));
        }
        Ending::AllDiverged => {
            // The run is over all the same: no continuation could change its members.
            record.finished = Some(jiff::Timestamp::now().to_string());
            record.save(&folder.config(), &settings.with_absolute_paths())?;
            return Err(Error::runtime("every member diverged; nothing is left to train")
                .with_hint("use a smaller --start-lr or a --clip such as 10, or check the scale of the data (--standardize)"));
        }
        Ending::Finished => {}
    }
    record.finished = Some(jiff::Timestamp::now().to_string());
    record.save(&folder.config(), &settings.with_absolute_paths())?;
    let rows = trainer.member_rows();
    if json {
        print_json(
            &serde_json::json!({ "run": folder.root(), "dstsp": record.dstsp, "noise_floor": record.noise_floor, "members": rows }),
        )?;
    } else {
        print(&summary(rows, record))?;
    }
    eprintln!("models, logs and settings are in {run}; pictures: alrnn-gpu report {run}");
    Ok(ExitCode::SUCCESS)
}

/// Ctrl-C asks training to stop after the epoch; a second one stops at once.
fn stop_on_ctrl_c() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let set = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        eprintln!("\nfinishing the epoch; press Ctrl-C again to stop at once");
    });
    if let Err(error) = set {
        log::warn!("Ctrl-C will stop at once: {error}");
    }
    stop
}
