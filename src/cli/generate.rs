#![allow(non_snake_case, reason = "the paper's symbols")]

use std::path::PathBuf;

use ndarray::s;

use crate::arrays::{beside, save_array};
use crate::backend::{FreeModel, FreeRun};
use crate::cli::args::GenerateArgs;
use crate::cli::output::{check_targets, require_table};
use crate::dataset::{Dataset, load_for};
use crate::error::Result;
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
    let start = data.start_row(args.start)?;
    if let Some(steps) = args.steps {
        require_room(args, steps, model.theta.dims())?;
    }
    let run = data.free_run(start, args.steps)?;
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
