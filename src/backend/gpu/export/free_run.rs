//! A free run of one model as a document.

use bytemuck::Zeroable;

use super::document::Writer;
use super::{CAPACITY, Chunk, Program};
use crate::backend::gpu::free_run::{inputs, layout, starts};
use crate::backend::gpu::memory::buffers::UNIFORM_STRIDE;
use crate::backend::gpu::memory::params::FreeParams;
use crate::backend::gpu::schedule::step::{Phase, free_run_constants};
use crate::backend::{FreeModel, FreeRun, check};
use crate::error::Result;
use crate::model::Dims;

/// A free run in one dispatch, with all latent states: [`FreeParams`] of the run are the first entry of `params`, rows
/// `[steps + 1, M]` are left in `out`. `theta` and `copies` may be those of a chunk in training, of equal sizes.
///
/// # Errors
/// As [`crate::backend::Backend::free_run`].
pub fn free_run(dims: Dims, model: FreeModel<'_>, run: &FreeRun) -> Result<Program> {
    let runs = std::slice::from_ref(run);
    check::free_run(dims, &[model], runs)?;
    let (layout, team) = layout(dims, CAPACITY)?;
    let mut params = [0; UNIFORM_STRIDE as usize];
    let first = FreeParams {
        steps: run.steps as u32,
        start: 1,
        runs: 1,
        rows: run.steps as u32 + 1,
        models: 1,
        ..FreeParams::zeroed()
    };
    params[..size_of::<FreeParams>()].copy_from_slice(bytemuck::bytes_of(&first));

    let mut writer = Writer::default();
    let buffers = [
        ("params", writer.values("params", &params)?),
        ("relus", writer.values("relus", &[model.P as u32])?),
        ("theta", writer.values("theta", model.theta)?),
        ("copies", writer.values("copies", &layout.copy(model.theta))?),
        ("x", writer.values("x", &starts(runs, dims.N))?),
        ("s", writer.values("s", &inputs(runs, dims.K, &(0..run.steps)))?),
        ("carried", writer.room("carried", (16 * dims.M) as u64, 0)?),
        (
            "out",
            writer.room("out", (4 * (run.steps + 1) * dims.M) as u64, 0)?,
        ),
    ];
    let constants = free_run_constants(&layout, team, dims.M);
    let stage = writer.stage(("free_run", &constants), Phase::Forward, 1, &buffers)?;
    let chunk = Chunk {
        members: vec![0],
        prefix: String::new(),
        rates: Vec::new(),
        stages: vec![stage],
    };
    Ok(writer.finish(vec![chunk], size_of::<FreeParams>()))
}
