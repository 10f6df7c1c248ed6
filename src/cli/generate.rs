#![allow(non_snake_case, reason = "the paper's symbols")]

use std::path::PathBuf;

use ndarray::{Array2, s};

use crate::arrays::{beside, save_array};
use crate::backend::{FreeModel, FreeRun};
use crate::cli::args::GenerateArgs;
use crate::cli::output::{check_targets, require_table};
use crate::dataset::{Dataset, Trial, load_for};
use crate::error::{Error, Result};
use crate::model::{Bounds, Dims, Model, Scaling};
use crate::resources::require_memory;
use crate::run::ModelRef;

/// What is to be run, from where and for how long.
pub struct Task {
    id: String,
    model: Model,
    data: Dataset,
    start: usize,
    run: FreeRun,
    /// The second file to write, if any.
    latent: Option<PathBuf>,
}

/// Everything that can be refused is refused here, before anything is computed.
pub fn prepare(args: &GenerateArgs) -> Result<Task> {
    let latent = args.latent.then(|| beside(&args.out, "-latent"));
    let targets: Vec<_> = std::iter::once(&args.out).chain(&latent).collect();
    check_targets(&targets, &[&args.data[..], &args.inputs].concat())?;
    let (id, path) = ModelRef::parse(&args.model).files()?.swap_remove(0);
    let model = Model::load(path)?;
    let data = load_for(&model, &args.data, &args.inputs, &args.drop, args.allow_missing)?;
    let trial = data.trials.first().expect("a dataset has a trial");
    let start = start_row(&data, args.start)?;
    if let Some(steps) = args.steps {
        require_room(args, steps, model.theta.dims())?;
    }
    let run = free_run(trial, start, args.steps)?;
    Ok(Task {
        id,
        model,
        data,
        start,
        run,
        latent,
    })
}

/// Refuses more steps than memory and disk hold.
fn require_room(args: &GenerateArgs, steps: usize, dims: Dims) -> Result<()> {
    let rows = steps.saturating_add(1);
    let columns = if args.latent { dims.M } else { dims.N };
    // The states as the device leaves them and in double precision, and the observed ones in the data's units.
    let bytes = (4 + 8) * columns + 8 * dims.N;
    require_memory(
        &format!("--steps {steps}"),
        (rows as u64).saturating_mul(bytes as u64),
    )?;
    let written = if args.latent { dims.N + dims.M } else { dims.N };
    require_table("--steps", rows, written, &args.out)
}

pub fn run(args: GenerateArgs) -> Result<()> {
    let task = prepare(&args)?;
    let (id, model, data) = (&task.id, &task.model, &task.data);
    let trial = data.trials.first().expect("a dataset has a trial");
    let steps = task.run.steps;
    let backend = args.device.open()?;
    let theta = model.theta.pack();
    let free = FreeModel {
        theta: &theta,
        P: model.P,
    };
    let states = backend
        .free_run(model.theta.dims(), &[free], &[task.run], args.latent)?
        .remove(0)
        .remove(0);
    let states = states.mapv(f64::from);
    let bounds = Bounds::around(&trial.x);
    if let Some(step) = states.outer_iter().position(|row| !bounds.hold(row)) {
        eprintln!("warning: the free run of {id} leaves every bound at step {step}");
    }
    let observed = states.slice(s![.., ..data.N]).to_owned();
    let observed = Scaling::restored(model.scaling.as_ref(), observed);
    save_array(&args.out, observed.view(), data.columns.as_deref())?;
    if let Some(path) = &task.latent {
        save_array(path, states.view(), None)?;
    }
    eprintln!(
        "{} rows ({steps} steps of {id} from row {} of {}) in {}",
        steps + 1,
        task.start,
        trial.name,
        args.out.display()
    );
    Ok(())
}

/// The row of the first trial to start from: `asked`, or where scores start from ([`Trial::start`]). Says what is
/// missing there, and where it is not row 0 that is meant.
///
/// # Errors
/// When the row is past the end, or nothing was observed in it.
fn start_row(data: &Dataset, asked: Option<usize>) -> Result<usize> {
    let trial = data.trials.first().expect("a dataset has a trial");
    let (name, rows) = (&trial.name, trial.x.nrows());
    let missing = |t: usize| -> Vec<usize> {
        let row = trial.x.row(t);
        (0..data.N).filter(|&j| row[j].is_nan()).collect()
    };
    let start = asked.unwrap_or_else(|| trial.start());
    if start >= rows {
        return Err(Error::input(format!("--start {start}: {name} has {rows} rows"))
            .with_hint(format!("rows are counted from 0; the last is {}", rows - 1)));
    }
    let gaps = missing(start);
    if gaps.len() == data.N {
        let error = Error::input(format!(
            "row {start} of {name} (counted from 0) has no value to start from"
        ));
        let complete = |t: &usize| missing(*t).is_empty();
        return Err(match (start..rows).chain(0..start).find(complete) {
            Some(row) => error.with_hint(format!("row {row} is complete: --start {row}")),
            None => error.with_hint("no row of it is complete; choose one with most values"),
        });
    }
    if asked.is_none() && start > 0 {
        log::warn!(
            "row 0 of {name} is not complete: the run starts from row {start} (--start chooses another)"
        );
    }
    if !gaps.is_empty() {
        let labels: Vec<_> = gaps.iter().map(|&j| data.label(j)).collect();
        log::warn!(
            "row {start} (counted from 0): {} has no value there and starts at {}",
            labels.join(", "),
            if data.scaling.is_some() {
                "the mean (0 in the model's units)"
            } else {
                "0"
            }
        );
    }
    Ok(start)
}

/// The free run from row `start`, by default to the end of the data.
///
/// # Errors
/// When the inputs end before the run does.
fn free_run(trial: &Trial, start: usize, steps: Option<usize>) -> Result<FreeRun> {
    let rows = trial.x.nrows();
    let steps = steps.unwrap_or(rows - 1 - start);
    let K = trial.s.ncols();
    let inputs = if K == 0 {
        Array2::zeros((0, 0))
    } else if steps < rows - start {
        trial.s.slice(s![start..=start + steps, ..]).mapv(|v| v as f32)
    } else {
        return Err(Error::input(format!(
            "--steps {steps}: the inputs of {} end {} steps after row {start}",
            trial.name,
            rows - 1 - start
        ))
        .with_hint("give longer inputs, or use fewer --steps"));
    };
    Ok(FreeRun {
        x0: trial.x.row(start).iter().map(|&v| v as f32).collect(),
        s: inputs,
        steps,
    })
}
