use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::arrays::{Element, save_array};
use crate::cli::args::SimulateArgs;
use crate::cli::output::{print, table};
use crate::error::{Error, Result};
use crate::systems::{SimulateRequest, cut_gaps, simulate, systems};

pub fn run(args: SimulateArgs) -> Result<ExitCode> {
    let Some(system) = args.system.clone() else {
        return list();
    };
    let Some(out) = &args.out else {
        return Err(Error::input("no file to write").with_hint(format!("name one: --out {system}.npy")));
    };
    let mut simulation = simulate(&SimulateRequest {
        system,
        steps: args.steps,
        dt: args.dt,
        dims: args.dims,
        seed: args.seed,
        standardize: !args.raw,
        noise: args.noise,
    })?;
    cut_gaps(&mut simulation.x, args.gaps, args.seed)?;
    save_array(out, simulation.x.view(), Element::F32, None)?;
    let mut written = out.display().to_string();
    if let Some(inputs) = &simulation.s {
        let path = args.inputs_out.clone().unwrap_or_else(|| inputs_path(out));
        save_array(&path, inputs.view(), Element::F32, None)?;
        written.push_str(&format!(", its inputs in {}", path.display()));
    }
    eprintln!(
        "{} × {} (dt {}) in {written}",
        simulation.x.nrows(),
        simulation.x.ncols(),
        simulation.dt
    );
    Ok(ExitCode::SUCCESS)
}

fn list() -> Result<ExitCode> {
    let rows: Vec<Vec<String>> = systems()
        .iter()
        .map(|system| {
            vec![
                system.name.to_owned(),
                system.dims.to_string(),
                system.dt.to_string(),
                system.description.to_owned(),
            ]
        })
        .collect();
    print(&table(&["system", "N", "dt", "what it is"], &rows))?;
    Ok(ExitCode::SUCCESS)
}

/// `x.npy` → `x-inputs.npy`.
fn inputs_path(out: &Path) -> PathBuf {
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    let extension = out.extension().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!("{stem}-inputs.{extension}"))
}
