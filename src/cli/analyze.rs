#![allow(non_snake_case, reason = "the paper's symbols")]

use std::path::{Path, PathBuf};

use crate::analysis::{AnalysisInput, AnalysisSettings, analyze};
use crate::cli::args::AnalyzeArgs;
use crate::cli::output::print;
use crate::dataset::{Dataset, load_for};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::report::{analysis_figures, observed, write_figure};
use crate::run::{ModelRef, Run};

/// What is to be read, and how far.
pub struct Task {
    id: String,
    model: Model,
    data: Option<Dataset>,
    /// Hash of the data that the model was trained on, where that is known.
    trained_on: Option<String>,
    settings: AnalysisSettings,
    /// Folder to write to.
    out: PathBuf,
}

/// Everything that can be refused is refused here, before anything is computed.
pub fn prepare(args: &AnalyzeArgs) -> Result<Task> {
    let reference = ModelRef::parse(&args.model);
    let (id, path) = reference.files()?.remove(0);
    let model = Model::load(&path)?;
    let run = run_of(&reference, &path)?;
    let trained_on = run.as_ref().map(|run| run.record.data.hash.clone());
    let settings = settings(args, &model);
    settings.check(model.theta.dims().M, model.P)?;
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| default_folder(&reference, &id, &path));
    Ok(Task {
        data: data(args, run.as_ref(), &reference, &model)?,
        trained_on,
        id,
        model,
        settings,
        out,
    })
}

/// Reads a model: tables on stdout, everything else in a folder.
pub fn run(args: AnalyzeArgs) -> Result<()> {
    let task = prepare(&args)?;
    let (model, data, out) = (&task.model, task.data.as_ref(), &task.out);
    let mut analysis = analyze(&AnalysisInput::of_model(model, data), &task.settings)?;
    let hashes = data.zip(task.trained_on);
    analysis.data_of_training = hashes.map(|(data, hash)| data.hash == hash);
    if args.reduce {
        analysis.reductions = analysis.reductions();
        if analysis.reductions.is_none() {
            log::warn!("--reduce: the model's free run diverges, so there are no symbols to merge");
        }
    }
    std::fs::create_dir_all(out).map_err(|error| Error::io("make the folder", out, error))?;
    analysis.write(out)?;
    let columns = data.map_or(&model.columns, |data| &data.columns);
    let columns = columns.as_deref().unwrap_or_default();
    for figure in analysis_figures(&analysis, model.scaling.as_ref(), columns)? {
        write_figure(out, &figure)?;
    }
    if args.json {
        print(&format!("{}\n", analysis.to_json()?))?;
    } else {
        print(&analysis.summary())?;
    }
    eprintln!(
        "tables, arrays and pictures of {} are in {}",
        task.id,
        out.display()
    );
    Ok(())
}

fn settings(args: &AnalyzeArgs, model: &Model) -> AnalysisSettings {
    let defaults = args
        .steps
        .map_or_else(AnalysisSettings::default, AnalysisSettings::with_steps);
    AnalysisSettings {
        transient: args.transient.unwrap_or(defaults.transient),
        max_period: args.max_period.unwrap_or(defaults.max_period),
        max_word_length: args.max_word_length.unwrap_or(defaults.max_word_length),
        search_budget: args.search_budget.unwrap_or(defaults.search_budget),
        seed: args.seed,
        dt: args.dt.or(model.dt),
        ..defaults
    }
}

/// The run that a model belongs to, where there is one: the one named, or the one in whose folder `best/` or `last/` the
/// model file lies.
fn run_of(reference: &ModelRef, path: &Path) -> Result<Option<Run>> {
    let named = reference.run()?;
    let around = || Run::read(path.parent()?.parent()?).ok();
    Ok(named.or_else(around))
}

/// The data given, or those that the named run was trained on where they are still there and the same.
fn data(
    args: &AnalyzeArgs,
    run: Option<&Run>,
    reference: &ModelRef,
    model: &Model,
) -> Result<Option<Dataset>> {
    let is_other = |data: &Dataset| run.is_some_and(|run| run.record.data.hash != data.hash);
    if !args.data.is_empty() {
        let data = load_for(model, &args.data, &args.inputs, &args.drop, args.allow_missing)?;
        if is_other(&data) {
            log::warn!(
                "{} is not what the model was trained on (another hash): regions and shares of the data are of other data",
                args.data.join(", ")
            );
        }
        return Ok(Some(data));
    }
    let (Some(run), ModelRef::Run(_) | ModelRef::Member(..)) = (run, reference) else {
        return Ok(None);
    };
    let data = observed(run, Some(model));
    if let Err(why) = &data {
        log::warn!("no data are encoded: {why}");
    }
    Ok(data.ok())
}

/// `RUN/analysis/ID`, or `FILE-analysis` beside a model file.
fn default_folder(reference: &ModelRef, id: &str, path: &Path) -> PathBuf {
    match reference {
        ModelRef::Run(run) | ModelRef::Member(run, _) => run.join("analysis").join(id),
        ModelRef::File(_) => path.with_file_name(format!("{id}-analysis")),
    }
}
