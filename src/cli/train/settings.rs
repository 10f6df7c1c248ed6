//! What is to be trained, and where: flags, config file and, where a run is continued, its own settings.

use std::path::{Path, PathBuf};

use toml::Table;

use crate::cli::args::TrainArgs;
use crate::config::{Settings, preset, read_file, resolve};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::run::{Run, RunFolder};
use crate::study;

/// What Slurm sets in every task of a job array.
const ARRAY_TASK: &str = "SLURM_ARRAY_TASK_ID";
/// The run folder to continue, if there is one to continue.
///
/// # Errors
/// When `--resume` names no folder and `--out` does not either, or both name one.
pub fn run_to_resume(args: &TrainArgs) -> Result<Option<PathBuf>> {
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

pub fn settings(args: &TrainArgs, resume: Option<&Path>) -> Result<Settings> {
    let flags =
        Table::try_from(args).map_err(|error| Error::input(format!("a number is too large: {error}")))?;
    if let Some(run) = resume {
        return settings_to_resume(run, explicit(args, flags)?);
    }
    let file = args
        .config
        .as_deref()
        .map(|path| read_file(path).map(|table| (path, table)))
        .transpose()?;
    let settings = resolve(file, flags)?;
    if !args.profile {
        refuse_unknown_part(&settings, |name| std::env::var_os(name).is_some())?;
    }
    Ok(settings)
}

/// Refuses to begin a study of several models in a task of a job array without a word on its part.
///
/// The array's variables describe one submission: the same study submitted again for some of its tasks has another
/// first, last and number of them, so a part taken from these would depend on what is submitted together. Nor can it be
/// known whether every task is to train the whole. One model is not cut, so a sweep over tasks needs no word.
fn refuse_unknown_part(settings: &Settings, is_set: impl Fn(&str) -> bool) -> Result<()> {
    let members = study::size(settings);
    if settings.shard.is_some() || members == 1 || !is_set(ARRAY_TASK) {
        return Ok(());
    }
    Err(Error::input(format!(
        "this task of a job array does not say which part of the study's {members} models is its own (--shard)"
    ))
    .with_hint(format!(
        "for part i of n: --shard ${ARRAY_TASK}/n; for all models in every task: --shard 1/1"
    )))
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

/// Settings of a run folder, with flags that do not change what is computed.
fn settings_to_resume(run: &Path, flags: Table) -> Result<Settings> {
    let before = Run::read(run)?;
    let after = before.settings_with(flags)?;
    if let Some((key, old, value)) = before.settings.differs_in(&after) {
        return Err(
            Error::input(format!("--{key} {value}: the run in {} has {old}", run.display())).with_hint(
                "a run is continued with its own settings; for other settings start another run (--out)",
            ),
        );
    }
    Ok(after)
}

/// `runs/<data>-<date>-<time>`.
pub fn default_folder(settings: &Settings) -> PathBuf {
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

/// Hash of everything that decides the result's bits on one device.
pub fn fingerprint(settings: &Settings, data: &Dataset, test: Option<&Dataset>) -> String {
    let identity = settings.identity();
    let test = test.map_or("", |test| test.hash.as_str());
    blake3::hash(format!("{identity}\n{}\n{test}", data.hash).as_bytes())
        .to_hex()
        .to_string()
}
