use crate::arrays::{beside, save_array};
use crate::cli::args::SimulateArgs;
use crate::cli::output::{check_targets, print, require_table, table};
use crate::error::{Error, Result};
use crate::systems::{SimulateRequest, cut_gaps, find, simulate, systems};

pub fn run(args: SimulateArgs) -> Result<()> {
    let Some(system) = &args.system else {
        return list();
    };
    let Some(out) = &args.out else {
        return Err(Error::input("no file to write").with_hint(format!("name one: --out {system}.npy")));
    };
    let inputs_out = args.inputs_out.clone().unwrap_or_else(|| beside(out, "-inputs"));
    let request = request(&args, system)?;
    let driven = systems().iter().any(|s| s.name == *system && s.inputs > 0);
    let targets = [out, &inputs_out];
    check_targets(&targets[..if driven { 2 } else { 1 }], &[])?;
    let mut simulation = simulate(&request)?;
    cut_gaps(&mut simulation.x, args.gaps, args.seed)?;
    save_array(out, simulation.x.view(), None)?;
    let mut written = out.display().to_string();
    if let Some(inputs) = &simulation.s {
        save_array(&inputs_out, inputs.view(), None)?;
        written.push_str(&format!(", its inputs in {}", inputs_out.display()));
    }
    eprintln!(
        "{} × {} (dt {}) in {written}",
        simulation.x.nrows(),
        simulation.x.ncols(),
        simulation.dt
    );
    Ok(())
}

/// What to simulate, once it is known that it can be held and written.
pub fn request(args: &SimulateArgs, system: &str) -> Result<SimulateRequest> {
    let request = SimulateRequest {
        system: system.to_owned(),
        steps: args.steps,
        dt: args.dt,
        dims: args.dims,
        seed: args.seed,
        standardize: !args.raw,
        noise: args.noise,
    };
    request.check()?;
    if let Some(out) = &args.out {
        let info = find(system)?;
        let columns = args.dims.unwrap_or(info.dims) + info.inputs;
        require_table("--steps", args.steps, columns, out)?;
    }
    Ok(request)
}

fn list() -> Result<()> {
    let rows = systems().iter().map(|system| {
        let (dims, dt) = (system.dims.to_string(), system.dt.to_string());
        vec![system.name.to_owned(), dims, dt, system.description.to_owned()]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    print(&table(&["system", "N", "dt", "what it is"], &rows))
}
