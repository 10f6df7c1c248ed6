#![allow(non_snake_case, reason = "the paper's symbols")]

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use toml::Table;

use crate::backend::{self, Device, EnsembleState, MemberState, TrainingData};
use crate::cli::args::TrainArgs;
use crate::cli::output::{count, number, print, print_json, table};
use crate::cli::progress::Watch;
use crate::cli::{INTERRUPTED, evaluate, start_threads};
use crate::config::{Settings, Shard, preset, read_file, resolve};
use crate::dataset::{Dataset, LoadRequest, load};
use crate::error::{Error, Result};
use crate::metrics::{NoiseFloor, ScoreSettings, Scorer};
use crate::model::init;
use crate::run::{self, Checkpoint, DataRecord, MemberRow, Record, RunFolder};
use crate::study::Study;
use crate::train::{Ending, Trainer, TrainerInput};

/// Settings that may change when a run is continued: they do not decide what is computed.
const FREE_ON_RESUME: [&str; 7] = [
    "data",
    "inputs",
    "test",
    "test-inputs",
    "backend",
    "device",
    "threads",
];

pub fn run(args: TrainArgs) -> Result<ExitCode> {
    let resume = run_to_resume(&args)?;
    let settings = settings(&args, resume.as_deref())?;
    let out = args.out.clone().unwrap_or_else(|| default_folder(&settings));
    if resume.is_none() && !args.profile {
        run::refuse_occupied(&out)?;
    }
    let data = load_training(&settings)?;
    let test = load_test(&settings, &data)?;
    let study = Study::new(&settings, data.N, data.K)?;
    let training = training_data(&study, &data)?;
    if args.profile {
        return profile(&settings, &study, &training);
    }
    let fingerprint = fingerprint(&settings, &data, test.as_ref());
    start_threads(settings.threads)?;
    let backend = backend::open_checked(settings.backend, settings.device.as_deref())?;
    let scored_on = test.as_ref().unwrap_or(&data);
    let scorer = Arc::new(Scorer::new(scored_on, ScoreSettings::from(&settings))?);
    let (folder, checkpoint) = match &resume {
        Some(run) => {
            let recorded = Record::load(&RunFolder::open(run)?.config())?;
            refuse_other_data(&recorded, &data)?;
            let folder = RunFolder::resume(run)?;
            let checkpoint = Checkpoint::load(&folder.checkpoint())?;
            (folder, checkpoint)
        }
        None => (RunFolder::create(&out)?, None),
    };
    let mut record = new_record(&study, &data, backend.device(), &scorer.noise_floor()?);
    if resume.is_none() {
        record.save(&folder.config(), &with_absolute_paths(&settings))?;
    }
    eprintln!("{}", introduction(&study, &record, &folder));

    let input = TrainerInput {
        settings: &settings,
        study: &study,
        training,
        scaling: data.scaling.clone(),
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
fn new_record(study: &Study, data: &Dataset, device: &Device, floor: &NoiseFloor) -> Record {
    Record {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        backend: device.backend.to_owned(),
        device: device.name.clone(),
        started: jiff::Timestamp::now().to_string(),
        finished: None,
        members: study.candidates.len(),
        data: DataRecord {
            hash: data.hash.clone(),
            rows: data.trials.iter().map(|trial| trial.x.nrows()).sum(),
            trials: data.trials.len(),
            N: data.N,
            K: data.K,
        },
        noise_floor: run::NoiseFloor {
            D_stsp: floor.dstsp,
            D_H: floor.dh,
        },
    }
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
            record.save(&folder.config(), &with_absolute_paths(settings))?;
            return Err(Error::runtime("every member diverged; nothing is left to train")
                .with_hint("use a smaller --start-lr or a --clip such as 10, or check the scale of the data (--standardize)"));
        }
        Ending::Finished => {}
    }
    record.finished = Some(jiff::Timestamp::now().to_string());
    record.save(&folder.config(), &with_absolute_paths(settings))?;
    let rows = trainer.member_rows();
    if json {
        print_json(
            &serde_json::json!({ "run": folder.root(), "noise_floor": record.noise_floor, "members": rows }),
        )?;
    } else {
        print(&summary(rows, record))?;
    }
    eprintln!("models, logs and settings are in {run}; pictures: alrnn-gpu report {run}");
    Ok(ExitCode::SUCCESS)
}

/// The run folder to continue, if there is one to continue.
///
/// # Errors
/// When `--resume` names no folder and `--out` does not either, or both name one.
fn run_to_resume(args: &TrainArgs) -> Result<Option<PathBuf>> {
    match (&args.resume, &args.out) {
        (None, _) => Ok(None),
        (Some(Some(run)), None) => Ok(Some(run.clone())),
        (Some(Some(_)), Some(_)) => Err(Error::input("--resume RUN and --out name two folders")
            .with_hint("leave --out out, or write --resume without a folder to continue what is in --out")),
        (Some(None), Some(out)) => {
            let begun = RunFolder::open(out).is_ok();
            Ok(begun.then(|| out.clone()))
        }
        (Some(None), None) => Err(Error::input("--resume needs the run folder to continue")
            .with_hint("write --resume RUN, or --out RUN --resume")),
    }
}

fn settings(args: &TrainArgs, resume: Option<&Path>) -> Result<Settings> {
    let mut flags =
        Table::try_from(args).map_err(|error| Error::input(format!("a number is too large: {error}")))?;
    let shard = Shard::from_slurm(|name| std::env::var(name).ok()).filter(|_| args.shard.is_none());
    if let Some(shard) = shard {
        eprintln!("part {shard} of the study, from the job array's variables (--shard 1/1 for all of it)");
        flags.insert("shard".into(), shard.to_string().into());
    }
    if let Some(run) = resume {
        return settings_to_resume(run, explicit(args, flags)?);
    }
    let file = args
        .config
        .as_deref()
        .map(|path| read_file(path).map(|table| (path, table)))
        .transpose()?;
    resolve(file, flags)
}

/// The settings with absolute paths, so that the run folder's config repeats the run from anywhere.
fn with_absolute_paths(settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    for paths in [
        &mut settings.data,
        &mut settings.inputs,
        &mut settings.test,
        &mut settings.test_inputs,
    ] {
        for path in paths {
            if let Ok(absolute) = std::path::absolute(&*path) {
                *path = absolute.to_string_lossy().into_owned();
            }
        }
    }
    settings
}

/// Everything this command asks for, as flags: its preset, its config file, its flags.
fn explicit(args: &TrainArgs, flags: Table) -> Result<Table> {
    let mut file = args
        .config
        .as_deref()
        .map(read_file)
        .transpose()?
        .unwrap_or_default();
    let named = [flags.get("preset"), file.get("preset")]
        .into_iter()
        .flatten()
        .find_map(|name| name.as_str());
    let mut all = named.and_then(preset).unwrap_or_default();
    file.remove("preset");
    all.extend(file);
    all.extend(flags);
    Ok(all)
}

/// Prints the time of every kernel, ensemble by ensemble.
fn profile(
    settings: &Settings,
    study: &Study,
    training: &BTreeMap<usize, Arc<TrainingData>>,
) -> Result<ExitCode> {
    const STEPS: u32 = 20;
    let backend = backend::open(settings.backend, settings.device.as_deref())?;
    for (group, (shape, indices)) in study.groups.iter().enumerate() {
        let members = indices.iter().map(|&i| &study.candidates[i]);
        let state = EnsembleState {
            step: 0,
            members: members
                .map(|c| MemberState::new(&init(shape.dims, c.member.seed)))
                .collect(),
        };
        let training = Arc::clone(&training[&shape.T]);
        let times = backend.profile(study.plan(group, settings), training, &state, STEPS)?;
        let total: f64 = times.iter().map(|time| time.seconds).sum();
        let per_member = 1e6 / indices.len() as f64;
        let mut rows: Vec<Vec<String>> = times
            .iter()
            .map(|time| {
                vec![
                    time.kernel.to_owned(),
                    number(time.seconds * per_member),
                    format!("{:.1} %", 100.0 * time.seconds / total),
                ]
            })
            .collect();
        rows.push(vec!["all".into(), number(total * per_member), String::new()]);
        // Multiply-adds of forward, adjoint and outer product in the plain recursion.
        let work = 6.0 * (shape.S * shape.T) as f64 * (shape.dims.M as f64).powi(2) * indices.len() as f64;
        print(&format!(
            "{} members of M {} N {} S {} T {} on {}\n{}{} GFLOP/s (the plain recursion's multiply-adds over all)\n",
            indices.len(),
            shape.dims.M,
            shape.dims.N,
            shape.S,
            shape.T,
            backend.device().name,
            table(&["kernel", "us a member-step", "share"], &rows),
            number(work / total / 1e9),
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Settings of a run folder, with flags that do not change what is computed.
fn settings_to_resume(run: &Path, flags: Table) -> Result<Settings> {
    let config = RunFolder::open(run)?.config();
    // Its last table: where it is whole, so is the file, and no default stands in for a setting that was cut off.
    Record::load(&config)?;
    let file = read_file(&config)?;
    let before = resolve(Some((&config, file.clone())), Table::new())?;
    let after = resolve(Some((&config, file)), flags)?;
    let tables = [&before, &after].map(|s| Table::try_from(s).expect("settings are a TOML table"));
    let changed = tables[1]
        .iter()
        .find(|(key, value)| !FREE_ON_RESUME.contains(&key.as_str()) && tables[0].get(*key) != Some(value));
    if let Some((key, value)) = changed {
        let old = tables[0]
            .get(key)
            .map_or_else(|| "nothing".to_owned(), ToString::to_string);
        return Err(
            Error::input(format!("--{key} {value}: the run in {} has {old}", run.display())).with_hint(
                "a run is continued with its own settings; for other settings start another run (--out)",
            ),
        );
    }
    Ok(after)
}

fn load_training(settings: &Settings) -> Result<Dataset> {
    load(&LoadRequest {
        data: settings.data.clone(),
        inputs: settings.inputs.clone(),
        allow_missing: settings.allow_missing,
        standardize: settings.standardize,
        scaling: None,
    })
}

/// The held-out data, in the units of the training data.
fn load_test(settings: &Settings, data: &Dataset) -> Result<Option<Dataset>> {
    if settings.test.is_empty() {
        return Ok(None);
    }
    let test = load(&LoadRequest {
        data: settings.test.clone(),
        inputs: settings.test_inputs.clone(),
        allow_missing: settings.allow_missing,
        standardize: false,
        scaling: data.scaling.clone(),
    })?;
    evaluate::check_columns("--test", &test, data.N, data.K)?;
    Ok(Some(test))
}

/// Windows of every length in the study; says which trials have none.
fn training_data(study: &Study, data: &Dataset) -> Result<BTreeMap<usize, Arc<TrainingData>>> {
    let mut by_length = BTreeMap::new();
    for (shape, _) in &study.groups {
        if let Entry::Vacant(slot) = by_length.entry(shape.T) {
            let (training, skipped) = data.training(shape.T)?;
            for trial in skipped {
                eprintln!("warning: {trial}");
            }
            slot.insert(Arc::new(training));
        }
    }
    Ok(by_length)
}

fn refuse_other_data(record: &Record, data: &Dataset) -> Result<()> {
    if record.data.hash == data.hash {
        return Ok(());
    }
    Err(
        Error::input("the data differ from those the run was started with (their hash is another)")
            .with_hint("resume with the same data, or start another run with --out"),
    )
}

/// Hash of everything that decides the result's bits on one device.
fn fingerprint(settings: &Settings, data: &Dataset, test: Option<&Dataset>) -> String {
    let mut table = Table::try_from(settings).expect("settings are a TOML table");
    for key in FREE_ON_RESUME {
        table.remove(key);
    }
    let test = test.map_or("", |test| test.hash.as_str());
    blake3::hash(format!("{table}\n{}\n{test}", data.hash).as_bytes())
        .to_hex()
        .to_string()
}

/// `runs/<data>-<date>-<time>`.
fn default_folder(settings: &Settings) -> PathBuf {
    let stem = settings
        .data
        .first()
        .and_then(|path| Path::new(path).file_name())
        .map(|name| name.to_string_lossy())
        .and_then(|name| name.split(['.', ':']).next().map(str::to_owned))
        .unwrap_or_default();
    let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    Path::new("runs").join(format!("{stem}-{now}"))
}

fn introduction(study: &Study, record: &Record, folder: &RunFolder) -> String {
    let members = study.candidates.len();
    let shapes: Vec<String> = study
        .groups
        .iter()
        .map(|(shape, indices)| {
            format!(
                "{} of M {} S {} T {}",
                indices.len(),
                shape.dims.M,
                shape.S,
                shape.T
            )
        })
        .collect();
    let DataRecord {
        rows, trials, N, K, ..
    } = record.data;
    let inputs = if K > 0 {
        format!(", {K} inputs")
    } else {
        String::new()
    };
    format!(
        "{members} model{} ({}) on {}\n{} rows × {N} columns in {trials} trial{}{inputs}; noise floor: D_stsp {}  D_H {}\nrun folder: {}",
        if members == 1 { "" } else { "s" },
        shapes.join(", "),
        record.device,
        count(rows as u64),
        if trials == 1 { "" } else { "s" },
        number(record.noise_floor.D_stsp),
        number(record.noise_floor.D_H),
        folder.root().display(),
    )
}

/// The best members of the study, ten at most, over the noise floor.
fn summary(mut rows: Vec<MemberRow>, record: &Record) -> String {
    const SHOWN: usize = 10;
    let key = |row: &MemberRow| row.D_stsp.unwrap_or(f64::INFINITY);
    rows.sort_by(|a, b| key(a).total_cmp(&key(b)));
    let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    let mut cells: Vec<Vec<String>> = rows
        .iter()
        .take(SHOWN)
        .map(|row| {
            vec![
                row.id.clone(),
                row.M.to_string(),
                row.P.to_string(),
                row.tau.to_string(),
                row.seed.to_string(),
                row.best_epoch
                    .map_or_else(|| "-".to_owned(), |epoch| epoch.to_string()),
                cell(row.D_stsp),
                cell(row.D_H),
                cell(row.PE),
                row.status.clone(),
            ]
        })
        .collect();
    let mut floor = vec![String::new(); 10];
    floor[0] = "noise floor".into();
    floor[6] = number(record.noise_floor.D_stsp);
    floor[7] = number(record.noise_floor.D_H);
    cells.push(floor);
    let mut text = table(
        &[
            "member",
            "M",
            "P",
            "tau",
            "seed",
            "best epoch",
            "D_stsp",
            "D_H",
            "PE",
            "status",
        ],
        &cells,
    );
    if rows.len() > SHOWN {
        text.push_str(&format!("… and {} more in members.csv\n", rows.len() - SHOWN));
    }
    text
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
