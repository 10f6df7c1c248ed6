//! What is to be trained, and where: flags, config file and, where a run is continued, its own settings.

use std::path::{Path, PathBuf};

use toml::Table;

use crate::cli::args::{FromArgs, TrainArgs, layer};
use crate::config::{ROBUST, Settings, read_file, resolve, resolve_over};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::run::{Run, RunFolder};
use crate::study;
use crate::train::{self, Data, Said};

/// What Slurm sets in every task of a job array.
const ARRAY_TASK: &str = "SLURM_ARRAY_TASK_ID";
const PRESET: &str = "preset";
const EPOCHS: &str = "epochs";
const POLISH: &str = "polish";

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

/// The settings of a study, with its data where these had a say in them. `defaults` stand where neither flags nor file say
/// anything, and so do these generations of `polish` where polishing is possible.
pub fn settings(
    args: &TrainArgs,
    resume: Option<&Path>,
    defaults: &Table,
    polish: Option<u32>,
) -> Result<(Settings, Option<Data>)> {
    let flags = layer(args)?;
    if let Some(run) = resume {
        let file = read_config(&args.from)?;
        // What must not differ from the run's settings, the library refuses.
        return Ok((resolve_over(&Run::read(run)?.settings, file, flags)?, None));
    }
    let check = |settings: &Settings| match args.profile {
        true => Ok(()),
        false => refuse_unknown_part(settings, |name| std::env::var_os(name).is_some()),
    };
    resolved(flags, &args.from, defaults, polish, check)
}

fn read_config(from: &FromArgs) -> Result<Option<(&Path, Table)>> {
    let read = |path| read_file(path).map(|table| (path, table));
    from.config.as_deref().map(read).transpose()
}

/// Settings from flags, a config file and a preset, with the data where these had a say in them; `defaults` and `polish` as
/// for [`settings`], and `check` sees what was said before the data are read.
pub fn resolved(
    mut flags: Table,
    from: &FromArgs,
    defaults: &Table,
    polish: Option<u32>,
    check: impl FnOnce(&Settings) -> Result<()>,
) -> Result<(Settings, Option<Data>)> {
    let mut file = read_config(from)?;
    let robust = take_robust(&mut flags, file.as_mut().map(|(_, table)| table));
    let is_said = |flags: &Table, key: &str| {
        flags.contains_key(key) || file.as_ref().is_some_and(|(_, table)| table.contains_key(key))
    };
    for (key, value) in defaults {
        if !is_said(&flags, key) {
            flags.insert(key.clone(), value.clone());
        }
    }
    let settings = resolve(file.clone(), flags.clone())?;
    check(&settings)?;
    if !robust {
        return Ok((settings, None));
    }
    let said = Said {
        M: &settings.M,
        epochs: is_said(&flags, EPOCHS).then_some(settings.epochs),
        polish: is_said(&flags, POLISH).then_some(settings.polish).or(polish),
    };
    let choose = |data: &Dataset| resolve_over(&train::robust(data, said), file, flags);
    let (data, chosen) = Data::load_and_choose(&settings, choose)?;
    Ok((chosen, Some(data)))
}

/// Whether the data are to choose what is not said: where that preset is named, or neither a preset nor a config file, which
/// may be that of a run and says everything. Takes the name out, which stands for no settings by itself.
fn take_robust(flags: &mut Table, file: Option<&mut Table>) -> bool {
    let mut layers = vec![flags];
    layers.extend(file);
    let from_file = layers.len() > 1;
    let named = layers.iter_mut().find(|layer| layer.contains_key(PRESET));
    match named {
        Some(layer) if layer[PRESET].as_str() == Some(ROBUST) => {
            layers.iter_mut().for_each(|layer| drop(layer.remove(PRESET)));
            true
        }
        Some(_) => false,
        None => !from_file,
    }
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

/// `runs/<data>-<date>-<time>`.
pub fn default_folder(settings: &Settings) -> PathBuf {
    let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    Path::new("runs").join(format!("{}-{now}", settings.data_name()))
}
