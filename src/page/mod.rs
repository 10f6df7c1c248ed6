//! One HTML page that trains a model in its visitor's browser: the shaders of the GPU backend, their host
//! (`shaders/host.js`), the data and the settings in one file that needs no network.
//!
//! Data and parameters are embedded as base64 of little-endian f32, in the model's units: 80 KB of text for 60 KB, so that
//! 20,000 × 3 values make a page of about 400 KB.
#![allow(non_snake_case, reason = "the paper's symbols")]

use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;

use crate::backend::gpu::export::{HOST, Program, Training, free_run, training};
use crate::backend::{EnsembleState, FreeModel, MemberState};
use crate::config::Settings;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::model::{Dims, Scaling, Shape, init};
use crate::report;
use crate::study::{Candidate, lists, size};
use crate::text::{typeset, typeset_count};
use crate::train::Task;

const TEMPLATE: &str = include_str!("templates/page.html");
const STYLE: &str = include_str!("templates/page.css");
const SCRIPT: &str = include_str!("templates/page.js");

/// Steps of the free run that is drawn, at most.
const STEPS: usize = 5_000;

/// Everything that the page's script works with.
#[derive(Serialize)]
struct Payload<'a> {
    training: Training,
    /// Reads the parameters of the training's one member.
    free_run: Program,
    model: ModelFile<'a>,
    /// Row of the data that the free run starts from.
    start: usize,
    /// Steps of the free run.
    steps: usize,
    /// Delay that a single column is drawn over.
    tau: usize,
    /// What the model's file is called.
    name: String,
}

/// What a model file holds beside the parameters, and where these lie in the packed vector.
#[derive(Serialize)]
struct ModelFile<'a> {
    M: usize,
    N: usize,
    P: usize,
    /// Name, sizes, and place of the first entry.
    arrays: [(&'static str, Vec<usize>, usize); 4],
    scaling: Option<&'a Scaling>,
    dt: Option<f64>,
    columns: Option<&'a [String]>,
}

/// Refuses settings of several models, and what a page has no place for.
///
/// # Errors
/// Names the flag.
pub fn check(settings: &Settings) -> Result<()> {
    if size(settings) != 1 {
        return Err(Error::input(format!(
            "a page trains one model, and these settings make several: {}",
            lists(settings)
        ))
        .with_hint("give one value for each of these flags"));
    }
    if !settings.inputs.is_empty() {
        return Err(Error::input("--inputs: a page trains on observations alone"));
    }
    Ok(())
}

/// The page of a study of one model.
///
/// # Errors
/// As [`check`]; also when a browser cannot hold the data or the shape.
pub fn page(task: &Task<'_>) -> Result<String> {
    check(task.settings)?;
    let data = &task.data.training;
    let candidate = &task.study.candidates[0];
    let values = context! {
        title => title(task.settings),
        style => format!("{}\n{STYLE}", report::style()),
        host => HOST,
        script => SCRIPT,
        payload => json(&payload(task, candidate)?)?,
        facts => Serde(facts(task.settings, data, candidate)),
        columns => data.N,
        steps => STEPS,
    };
    report::environment("page.html", TEMPLATE)
        .and_then(|environment| environment.get_template("page.html")?.render(values))
        .map_err(|e| Error::runtime(format!("cannot fill in the page: {e:#}")))
}

fn payload<'a>(task: &Task<'a>, candidate: &Candidate) -> Result<Payload<'a>> {
    let Shape { dims, T, .. } = candidate.shape;
    let (data, settings) = (&task.data.training, &candidate.settings);
    let plan = task.study.plan(0, task.settings);
    let state = MemberState::new(&init(dims, settings.seed));
    let start = data.start_row(None)?;
    let rows = data.trials[0].x.nrows();
    let run = data.free_run(start, Some(STEPS.min(rows - 1 - start).max(1)))?;
    let model = FreeModel {
        theta: &state.theta,
        P: settings.P,
    };
    let free_run = free_run(dims, model, &run)?;
    let state = EnsembleState {
        step: 0,
        members: vec![state.clone()],
    };
    Ok(Payload {
        training: training(&plan, &task.windows[&T], &state)?,
        free_run,
        model: ModelFile {
            M: dims.M,
            N: dims.N,
            P: settings.P,
            arrays: arrays(dims),
            scaling: data.scaling.as_ref(),
            dt: task.settings.dt,
            columns: data.columns.as_deref(),
        },
        start,
        steps: run.steps,
        tau: settings.tau,
        name: format!("{}.npz", task.settings.data_name()),
    })
}

fn arrays(dims: Dims) -> [(&'static str, Vec<usize>, usize); 4] {
    let Dims { M, N, .. } = dims;
    [
        ("A", vec![M], dims.range_A().start),
        ("W", vec![M, M], dims.range_W().start),
        ("h", vec![M], dims.range_h().start),
        ("L", vec![M - N, N], dims.range_L().start),
    ]
}

/// JSON that a script element of a page can hold: nothing in it ends the element.
fn json(payload: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string(payload)
        .map_err(|e| Error::runtime(format!("cannot write the page's data down: {e}")))?;
    Ok(text.replace('<', "\\u003c"))
}

fn title(settings: &Settings) -> String {
    format!("{}: a model that trains in this page", settings.data_name())
}

/// What is trained, for people: names and values.
fn facts(settings: &Settings, data: &Dataset, candidate: &Candidate) -> Vec<(&'static str, String)> {
    let (shape, own) = (candidate.shape, &candidate.settings);
    let columns = format!(
        "{} rows × {} column{}",
        typeset_count(data.rows()),
        data.N,
        if data.N == 1 { "" } else { "s" }
    );
    let units = match data.scaling {
        Some(_) => ", standardised",
        None => "",
    };
    vec![
        ("data", columns + units),
        ("units", format!("{}, of which {} ReLU", shape.dims.M, own.P)),
        ("forcing interval", format!("{} steps", own.tau)),
        ("windows", format!("{} a batch, of {} steps", shape.S, shape.T)),
        ("noise", typeset(own.noise, 3)),
        (
            "learning rate",
            format!("{} to {}", typeset(own.start_lr, 3), typeset(own.end_lr, 3)),
        ),
        (
            "epochs",
            format!(
                "{} of {} batches",
                typeset_count(settings.epochs as usize),
                settings.batches_per_epoch
            ),
        ),
        ("seed", own.seed.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        crate::config::resolve(None, format!("data = ['x.npy']\n{text}").parse().expect("TOML"))
            .expect("valid")
    }

    #[test]
    fn several_models_and_inputs_are_refused() {
        check(&settings("P = 3")).expect("one model");
        for (text, flag) in [
            ("P = '1..3'", "--P (3 values)"),
            ("seeds = 4", "--seeds (4 values)"),
        ] {
            let error = check(&settings(text)).expect_err("several models");
            assert!(
                error.to_string().contains(flag) && error.hint().is_some(),
                "{error}"
            );
            assert_eq!(error.exit_code(), 2);
        }
        let error = check(&settings("inputs = ['u.npy']")).expect_err("inputs");
        assert!(error.to_string().contains("--inputs"), "{error}");
    }

    #[test]
    fn nothing_in_the_data_ends_the_script() {
        let text = json(&["</script><!--"]).expect("JSON");
        assert!(!text.contains('<'), "{text}");
        let back: Vec<String> = serde_json::from_str(&text).expect("JSON");
        assert_eq!(back, ["</script><!--"]);
    }
}
