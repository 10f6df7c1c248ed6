//! Pictures (SVG, PNG) and the one-file HTML report, from arrays and run folders.
//!
//! [`write_report`] reads what `train` left (`config.toml`, `members.csv`, `log.csv`, `best/`) and the data, runs
//! the best model freely, and writes `plots/*.{svg,png,json}`, `plots/free_run.npz` and `report.html`. The picture
//! functions of [`pictures`] take plain arrays and serve other commands as well.

mod agreement;
mod beside;
mod html;
pub mod pictures;
pub mod plot;
mod png;
mod reading;
mod study;
mod svg;
mod theme;
mod thin;
mod ticks;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::analysis::{AnalysisInput, AnalysisSettings, analyze};
use crate::arrays::{Entry, npz_bytes};
use crate::config::values::{ABOVE_0, COUNT};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::fs::write_bytes;
use crate::model::Model;
use crate::resources::require_memory;
pub use agreement::{agreement_figure, minimal_figures};
pub use beside::observed;
use beside::{Beside, beside_figures};
use html::Sections;
pub use html::{environment, style};
pub use png::png;
pub use reading::analysis_figures;
use study::{ReportedRun, curves_figure, study_figures};
pub use theme::Look;

/// What goes into a report.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportOptions {
    /// Longest free run, in steps.
    pub steps: usize,
    /// A model is a success where its D_stsp is below this many times the noise floor.
    pub success_factor: f64,
}

impl Default for ReportOptions {
    fn default() -> Self {
        Self {
            steps: 20_000,
            success_factor: 3.0,
        }
    }
}

impl ReportOptions {
    /// # Errors
    /// When there are no steps, or the factor is no number above 0.
    pub fn check(&self) -> Result<()> {
        COUNT.require("steps", self.steps as u64)?;
        ABOVE_0.require("success-factor", self.success_factor)
    }
}

/// Writes `plots/` and `report.html` into the run folder `run`; returns the path of the report.
///
/// # Errors
/// When `run` is no run folder or cannot be written to. Data that are gone or have changed are no error: the report
/// says so and shows the model alone.
pub fn write_report(run: &Path, options: &ReportOptions) -> Result<PathBuf> {
    options.check()?;
    let study = ReportedRun::read(run)?;
    let best = match study.run.models()?.into_iter().next() {
        Some((id, path)) => Some((id, Model::load(path)?)),
        None => None,
    };
    let best_id = best.as_ref().map(|(id, _)| id.as_str());
    let observed = observed(&study.run, best.as_ref().map(|(_, model)| model));
    let data = observed.as_ref().ok();
    if let Some((_, model)) = &best {
        require_room(model, data, options.steps)?;
    }
    let plots = run.join("plots");
    std::fs::create_dir_all(&plots).map_err(|e| Error::io("create", &plots, e))?;
    let mut sections = Sections {
        training: curves_figure(&study, best_id)?.into_iter().collect(),
        study: study_figures(&study, data, options)?,
        problem: observed.as_ref().err().cloned(),
        ..Sections::default()
    };
    if let Some(data) = data
        && let Some(agreement) = agreement::agreement(&study.run, data)?
    {
        sections.study.push(agreement_figure(&agreement)?);
        sections.agreement = Some(agreement);
    }
    if let Some(certificate) = certificate(run)? {
        sections.minimal_figures = minimal_figures(&certificate)?;
        sections.minimal = certificate["text"].as_str().map(str::to_owned);
    }
    if let Some((id, model)) = &best {
        let beside = Beside::of(model, data, options.steps);
        sections.best = beside_figures(&beside, study.run.settings.smoothing, options)?;
        sections.escaped = beside.escaped();
        write_free_run(&plots.join("free_run.npz"), &beside)?;
        sections.best_id = Some(id.clone());
        let settings = AnalysisSettings {
            dt: model.dt,
            ..AnalysisSettings::default()
        };
        let analysis = analyze(&AnalysisInput::of_model(model, data), &settings)?;
        sections.analysis = analysis_figures(&analysis, model.scaling.as_ref(), &beside.columns)?;
        analysis.write(&plots)?;
        sections.reading = Some(analysis);
    }
    sections
        .figures()
        .into_par_iter()
        .try_for_each(|figure| write_figure(&plots, figure))?;
    let page = html::page(&study, &sections, options)?;
    let path = run.join("report.html");
    write_bytes(&path, page)?;
    Ok(path)
}

/// What `minimal` has left in the run folder, if anything.
fn certificate(run: &Path) -> Result<Option<serde_json::Value>> {
    let path = run.join("minimal.json");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", &path, error)),
    };
    let value = serde_json::from_str(&text);
    let value = value.map_err(|error| Error::input(format!("{} is not whole: {error}", path.display())))?;
    Ok(Some(value))
}

/// Pictures of a model's free run beside the data it starts from: state space, time series, power spectra (as D_H smooths
/// them, by `smoothing`).
///
/// # Errors
/// When memory does not hold the free run.
pub fn model_figures(
    model: &Model,
    data: Option<&Dataset>,
    smoothing: f64,
    options: &ReportOptions,
) -> Result<Vec<plot::Figure>> {
    require_room(model, data, options.steps)?;
    beside_figures(&Beside::of(model, data, options.steps), smoothing, options)
}

/// Pictures of a run folder that need no data: scores over training, and members compared by what they differ in.
///
/// # Errors
/// When `run` is no run folder.
pub fn run_figures(run: &Path, options: &ReportOptions) -> Result<Vec<plot::Figure>> {
    let study = ReportedRun::read(run)?;
    let best = study.run.models()?.into_iter().next();
    let mut figures: Vec<_> = curves_figure(&study, best.as_ref().map(|(id, _)| id.as_str()))?
        .into_iter()
        .collect();
    figures.extend(study_figures(&study, None, options)?);
    Ok(figures)
}

/// Refuses a longer free run than memory holds; with data it is no longer than they are.
fn require_room(model: &Model, data: Option<&Dataset>, steps: usize) -> Result<()> {
    let rows = beside::rows(data, steps) as u64;
    let dims = model.theta.dims();
    // States, and data and observed states in the user's units.
    let bytes = 8 * (dims.M + 2 * dims.N) as u64;
    require_memory(&format!("--steps {steps}"), rows.saturating_mul(bytes))
}

/// Writes a picture as `NAME.svg`, `NAME.png` and its numbers as `NAME.json` into `folder`.
pub fn write_figure(folder: &Path, figure: &plot::Figure) -> Result<()> {
    let file = |ending: &str| folder.join(format!("{}.{ending}", figure.name));
    write_bytes(file("svg"), figure.svg(Look::File))?;
    write_bytes(file("png"), png(figure)?)?;
    let numbers = serde_json::json!({ "caption": figure.caption, "data": figure.data });
    write_bytes(file("json"), numbers.to_string())
}

/// The trajectories behind the pictures, whole: `data[rows, N]` and `model[rows, N]` in the user's units.
fn write_free_run(path: &Path, beside: &Beside) -> Result<()> {
    let mut entries = vec![("model", Entry::Real(beside.model.view().into_dyn()))];
    if let Some(data) = &beside.data {
        entries.push(("data", Entry::Real(data.view().into_dyn())));
    }
    write_bytes(path, npz_bytes(&entries))
}
