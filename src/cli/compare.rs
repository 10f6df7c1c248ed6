use std::path::PathBuf;

use crate::analysis::{Agreement, AnalysisInput, Reading};
use crate::cli::args::CompareArgs;
use crate::cli::output::{print, print_json};
use crate::dataset::{Dataset, load_for};
use crate::error::{Error, Result};
use crate::fs::write_bytes;
use crate::model::Model;
use crate::report::{agreement_figure, observed, write_figure};
use crate::run::{ModelRef, Run};
use rayon::prelude::*;

/// Models to compare, and where to.
pub struct Task {
    models: Vec<(String, Model)>,
    run: Option<Run>,
    out: Option<PathBuf>,
}

/// Everything that can be refused is refused here, before anything is computed.
pub fn prepare(args: &CompareArgs) -> Result<Task> {
    let references: Vec<ModelRef> = args.models.iter().map(|text| ModelRef::parse(text)).collect();
    let mut models: Vec<(String, Model)> = Vec::new();
    for reference in &references {
        let (files, run) = match reference {
            ModelRef::Run(run) => (reference.files()?.into_iter().take(args.top).collect(), Some(run)),
            ModelRef::Member(run, _) => (reference.files()?, Some(run)),
            ModelRef::File(_) => (reference.files()?, None),
        };
        // Of several runs every member says which it is of.
        let prefix = run.filter(|_| references.len() > 1);
        let prefix = prefix.map_or_else(String::new, |run| format!("{}:", run.display()));
        for (id, path) in files {
            models.push((format!("{prefix}{id}"), Model::load(&path)?));
        }
    }
    let (first, rest) = models
        .split_first()
        .ok_or_else(|| Error::input("no models to compare"))?;
    let size = |model: &Model| (model.theta.dims().N, model.theta.dims().K);
    if let Some((id, other)) = rest.iter().find(|(_, model)| size(model) != size(&first.1)) {
        let ((n, k), (m, l)) = (size(&first.1), size(other));
        return Err(Error::input(format!(
            "{} observes {n} columns and {k} inputs, {id} {m} and {l}: they are not models of the same data",
            first.0
        )));
    }
    let run = references
        .iter()
        .find_map(|reference| reference.run().transpose())
        .transpose()?;
    if args.data.is_empty() && run.is_none() {
        return Err(Error::input("model files do not say what they were trained on")
            .with_hint("name the data: --data FILE"));
    }
    let only = match &references[..] {
        [ModelRef::Run(run)] => Some(run.join("agreement")),
        _ => None,
    };
    Ok(Task {
        out: args.out.clone().or(only),
        models,
        run,
    })
}

/// Reads all models beside the same rows; tables on stdout, everything else in a folder.
pub fn run(args: CompareArgs) -> Result<()> {
    let Task { models, run, out } = prepare(&args)?;
    let data = |model: &Model| -> Result<Dataset> {
        match &run {
            Some(run) if args.data.is_empty() => observed(run, Some(model)).map_err(Error::input),
            _ => load_for(model, &args.data, &args.inputs, &args.drop, args.allow_missing),
        }
    };
    // Models of one study share their units, so the data are read once.
    let units = |model: &Model| {
        (
            model.scaling.clone(),
            model.columns.clone(),
            model.input_columns.clone(),
        )
    };
    let mut readings: Vec<(String, Reading)> = Vec::with_capacity(models.len());
    let mut scale = Vec::new();
    for alike in models.chunk_by(|a, b| units(&a.1) == units(&b.1)) {
        let data = data(&alike[0].1)?;
        if scale.is_empty() {
            scale = data.deviations();
        }
        let read = |(id, model): &(String, Model)| {
            Ok((
                id.clone(),
                Reading::of(&AnalysisInput::of_model(model, Some(&data)))?,
            ))
        };
        readings.extend(alike.par_iter().map(read).collect::<Result<Vec<_>>>()?);
    }
    let agreement = Agreement::of(&readings, &scale);
    if let Some(out) = &out {
        std::fs::create_dir_all(out).map_err(|error| Error::io("make the folder", out, error))?;
        write_bytes(
            out.join("agreement.json"),
            serde_json::json!(agreement).to_string(),
        )?;
        write_figure(out, &agreement_figure(&agreement)?)?;
    }
    if args.json {
        print_json(&serde_json::json!(agreement))?;
    } else {
        print(&agreement.text())?;
    }
    if let Some(out) = out {
        eprintln!("agreement.json and the picture are in {}", out.display());
    }
    Ok(())
}
