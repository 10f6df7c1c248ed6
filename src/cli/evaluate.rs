#![allow(non_snake_case, reason = "the paper's symbols")]

use crate::backend::{Backend, FreeModel};
use crate::cli::args::{EvaluateArgs, MetricArgs, layer};
use crate::cli::output::{self, SATURATED, divergence, no_floor, number, print, print_json, table};
use crate::config::{Settings, resolve_over};
use crate::dataset::{LoadRequest, Trial, load, load_for, load_trajectories};
use crate::error::Result;
use crate::metrics::{NoiseFloor, ScoreSettings, Scorer, Scores};
use crate::model::{Dims, Model};
use crate::run::ModelRef;
use crate::scoring::score_models;
use serde::Serialize;

/// Scores of one model, as printed.
#[derive(Serialize)]
struct ModelRow {
    model: String,
    M: usize,
    P: usize,
    #[serde(flatten)]
    scores: Scores,
}

/// Scores of what another program made, as printed.
#[derive(Serialize)]
struct GeneratedRow {
    trajectory: String,
    #[serde(flatten)]
    scores: Scores,
}

/// What is to be scored, on what.
pub struct Task {
    scorer: Scorer,
    models: Vec<(String, Model)>,
    /// One for each of `--generated`.
    candidates: Vec<Vec<Trial>>,
}

/// Everything that can be refused is refused here, before anything is computed.
pub fn prepare(args: &EvaluateArgs) -> Result<Task> {
    let reference = args.model.as_deref().map(ModelRef::parse);
    let settings = metric_settings(reference.as_ref(), &args.metrics)?;
    let models = match &reference {
        Some(reference) => load_models(reference)?,
        None => Vec::new(),
    };
    let data = match models.first() {
        Some((_, model)) => load_for(model, &args.data, &args.inputs, &args.drop, args.allow_missing)?,
        None => load(&LoadRequest {
            data: args.data.clone(),
            inputs: args.inputs.clone(),
            drop: args.drop.clone(),
            allow_missing: args.allow_missing,
            standardize: args.standardize,
            ..LoadRequest::default()
        })?,
    };
    let candidate = |spec: &String| load_trajectories(spec, &data, &args.drop);
    Ok(Task {
        candidates: args.generated.iter().map(candidate).collect::<Result<_>>()?,
        scorer: Scorer::new(&data, ScoreSettings::from(&settings))?,
        models,
    })
}

pub fn run(args: EvaluateArgs) -> Result<()> {
    let task = prepare(&args)?;
    let scorer = &task.scorer;
    let score = |(file, candidate): (String, &Vec<Trial>)| score_generated(file, candidate, scorer);
    let generated = args.generated.into_iter().zip(&task.candidates).map(score);
    let generated = generated.collect::<Result<Vec<_>>>()?;
    let models = match &task.models[..] {
        [] => Vec::new(),
        models => model_rows(models, scorer, args.device.open()?.as_ref())?,
    };
    let floor = scorer.noise_floor()?;
    if args.json {
        let mut json = serde_json::json!({
            "dstsp": scorer.dstsp_kind(),
            "noise_floor": floor,
            "constant_columns": scorer.constant_columns(),
        });
        if args.model.is_some() {
            json["models"] = serde_json::json!(models);
        }
        if !generated.is_empty() {
            json["generated"] = serde_json::json!(generated);
        }
        print_json(&json)
    } else {
        let models = models.iter().map(|row| (&row.model, &row.scores));
        let generated = generated.iter().map(|row| (&row.trajectory, &row.scores));
        let first = if args.model.is_some() {
            "model"
        } else {
            "trajectory"
        };
        let rows: Vec<_> = models.chain(generated).collect();
        print(&text(first, &rows, &floor, scorer))
    }
}

fn load_models(reference: &ModelRef) -> Result<Vec<(String, Model)>> {
    let load = |(id, path)| Model::load(path).map(|model| (id, model));
    reference.files()?.into_iter().map(load).collect()
}

fn model_rows(models: &[(String, Model)], scorer: &Scorer, backend: &dyn Backend) -> Result<Vec<ModelRow>> {
    let thetas: Vec<Vec<f32>> = models.iter().map(|(_, model)| model.theta.pack()).collect();
    let free = models.iter().zip(&thetas);
    let free: Vec<(Dims, FreeModel<'_>)> = free
        .map(|((_, model), theta)| (model.theta.dims(), FreeModel { theta, P: model.P }))
        .collect();
    let scores = score_models(&free, backend, scorer)?;
    let rows = models.iter().zip(scores);
    Ok(rows
        .map(|((id, model), scores)| ModelRow {
            model: id.clone(),
            M: model.theta.dims().M,
            P: model.P,
            scores,
        })
        .collect())
}

fn score_generated(file: String, candidate: &[Trial], scorer: &Scorer) -> Result<GeneratedRow> {
    let runs: Vec<_> = candidate.iter().map(|trajectory| trajectory.x.view()).collect();
    Ok(GeneratedRow {
        scores: scorer.score_trajectories(&file, &runs)?,
        trajectory: file,
    })
}

fn text(first: &str, rows: &[(&String, &Scores)], floor: &NoiseFloor, scorer: &Scorer) -> String {
    let kind = scorer.dstsp_kind().label();
    let mut lines: Vec<Vec<String>> = rows
        .iter()
        .map(|&(name, scores)| {
            vec![
                name.clone(),
                divergence(scores.dstsp, scores.saturated),
                number(scores.dh),
                number(scores.pe),
                number(scores.roughness),
                scores.verdict.word().into(),
                scores.points_dstsp.to_string(),
            ]
        })
        .collect();
    lines.push(vec![
        "noise floor".into(),
        output::floor(floor.into()),
        number(floor.dh),
        String::new(),
        String::new(),
        String::new(),
        floor.rows.to_string(),
    ]);
    let mut text = table(
        &[
            first,
            &format!("D_stsp ({kind})"),
            "D_H",
            &format!("PE({})", scorer.settings().pe_steps),
            "roughness",
            "free run",
            "points",
        ],
        &lines,
    );
    if rows.iter().any(|(_, scores)| scores.saturated) {
        text += SATURATED;
    }
    if let Some(why) = no_floor(kind, floor.into()) {
        text += &format!("{why}\n");
    }
    text
}

/// Score settings: flags over those of the run a model belongs to over the defaults.
fn metric_settings(reference: Option<&ModelRef>, flags: &MetricArgs) -> Result<Settings> {
    let run = reference.map(ModelRef::run).transpose()?.flatten();
    let base = run.map_or_else(Settings::default, |run| run.settings);
    resolve_over(&base, None, layer(flags)?)
}
