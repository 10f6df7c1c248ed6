//! `polish`: which models, on which data, and where to.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::path::{Path, PathBuf};

use toml::Table;

use crate::cli::Status;
use crate::cli::args::{PolishArgs, layer};
use crate::cli::train::{Watched, watched};
use crate::config::{Grid, Settings, resolve_over};
use crate::dataset::{Dataset, load_for};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::polish::DEFAULT_GENERATIONS;
use crate::run::{ModelRef, Run, refuse_occupied};
use crate::train::{self, Data};

/// What the arguments ask for.
pub struct Request {
    args: PolishArgs,
    settings: Settings,
    source: Source,
    out: PathBuf,
}

enum Source {
    Run(Box<Run>),
    /// With the data, in the model's units.
    File(Box<(Model, Data)>),
}

impl Request {
    pub fn new(args: PolishArgs) -> Result<Self> {
        let (settings, source, path) = match ModelRef::parse(&args.model) {
            ModelRef::Run(path) => {
                if let Some(file) = args.data.first() {
                    return Err(Error::input(format!(
                        "--data {file}: the run {} is polished on the data it was trained on",
                        path.display()
                    ))
                    .with_hint("give a model file to polish it on other data"));
                }
                let run = Run::read(&path)?;
                let settings = resolve_over(&run.settings, None, flags(&args)?)?;
                (settings, Source::Run(Box::new(run)), path)
            }
            ModelRef::Member(run, id) => {
                return Err(
                    Error::input(format!("{}:{id} is one member of a run", run.display()))
                        .with_hint("give the whole run, or the file of the model and --data"),
                );
            }
            ModelRef::File(path) => {
                let model = Model::load(&path)?;
                let data = file_data(&args, &model)?;
                let settings = file_settings(&args, &model, &data)?;
                (settings, Source::File(Box::new((model, Data::from(data)))), path)
            }
        };
        let out = args.out.clone().unwrap_or_else(|| beside(&path, &source));
        refuse_occupied(&out)?;
        Ok(Self {
            settings,
            source,
            out,
            args,
        })
    }

    pub fn threads(&self) -> Option<usize> {
        self.settings.threads
    }
}

/// `runs/a` is polished in `runs/a-polished`, `model.npz` in `model-polished`.
fn beside(path: &Path, source: &Source) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let name = match source {
        Source::Run(_) => path.file_name(),
        Source::File(..) => path.file_stem(),
    };
    path.with_file_name(format!("{}-polished", name.unwrap_or_default().to_string_lossy()))
}

fn flags(args: &PolishArgs) -> Result<Table> {
    let mut flags = layer(&args.metrics)?;
    flags.extend(layer(&args.device)?);
    let generations = args.generations.unwrap_or(DEFAULT_GENERATIONS);
    flags.insert("polish".into(), i64::from(generations).into());
    Ok(flags)
}

fn file_data(args: &PolishArgs, model: &Model) -> Result<Dataset> {
    if args.data.is_empty() {
        return Err(Error::input("a model file does not say what it was trained on")
            .with_hint("name the data: --data FILE"));
    }
    load_for(model, &args.data, &args.inputs, &args.drop, args.allow_missing)
}

/// The settings of a study of one model whose training is not known.
fn file_settings(args: &PolishArgs, model: &Model, data: &Dataset) -> Result<Settings> {
    // What coordinates are made from: windows that fit, of the data as they are.
    let longest = data.trials.iter().map(|trial| trial.x.nrows()).max().unwrap_or(0);
    let T = Settings::default().T.values()[0]
        .min(longest.saturating_sub(1))
        .max(1);
    let base = Settings {
        data: args.data.clone(),
        inputs: args.inputs.clone(),
        drop: args.drop.clone(),
        allow_missing: args.allow_missing,
        dt: model.dt,
        M: Grid::one(model.theta.dims().M),
        P: Grid::one(model.P),
        T: Grid::one(T),
        noise: Grid::one(0.0),
        epochs: 1,
        ..Settings::default()
    };
    resolve_over(&base, None, flags(args)?)
}

pub fn run(request: &Request) -> Result<Status> {
    let (settings, out) = (&request.settings, &request.out);
    let loaded;
    let (data, models) = match &request.source {
        Source::Run(run) => {
            loaded = Data::load_again(settings, &run.record.data)?;
            (&loaded, models(run, request.args.best)?)
        }
        Source::File(file) => (&file.1, vec![Some(file.0.clone())]),
    };
    let outcome = watched(out, |stop, watch| {
        train::polish(settings, data, &models, out, stop, watch)
    })?;
    let way_on = format!("alrnn-gpu train --resume {}", out.display());
    Watched::of(outcome, &way_on)?.report(request.args.json)
}

/// The models of a run in its study's order, `None` for members that diverged.
fn models(run: &Run, best: bool) -> Result<Vec<Option<Model>>> {
    let root = run.folder.root().display();
    if !run.is_finished() {
        return Err(Error::input(format!("the run {root} has not finished"))
            .with_hint(format!("finish it first: alrnn-gpu train --resume {root}")));
    }
    let model = |row: crate::run::MemberRow| {
        let path = if best {
            run.folder.best(&row.id)
        } else {
            run.folder.last(&row.id)
        };
        match row.stopped_epoch {
            Some(_) if !best || !path.is_file() => Ok(None),
            _ => Model::load(&path).map(Some),
        }
    };
    run.members()?.into_iter().map(model).collect()
}
