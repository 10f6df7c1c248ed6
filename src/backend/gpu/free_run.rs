//! Free runs of many models from many starts, in bounded dispatches whose rows are read back while the next runs.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use ndarray::{Array2, Array3, ArrayViewMut3, s};

use crate::backend::gpu::device::{Gpu, Kernel};
use crate::backend::gpu::layout::plain::{Layout, Team};
use crate::backend::gpu::memory::buffers::{Mapping, STAGING, STORAGE, UNIFORM, UNIFORM_STRIDE, map};
use crate::backend::gpu::memory::params::FreeParams;
use crate::backend::gpu::schedule::chunk::transposed;
use crate::backend::gpu::shader::kernel::{Name, free_run_constants};
use crate::backend::{FreeModel, FreeRun};
use crate::error::Result;
use crate::model::{Dims, Shape};

/// Bytes of rows that one dispatch writes, at most.
const OUT_BYTES: u64 = 64 << 20;
/// Steps of the first dispatch.
const FIRST_STEPS: usize = 64;
/// How long a dispatch should run, about.
const DISPATCH_SECONDS: f64 = 0.2;

/// See [`crate::backend::Backend::free_run`].
pub fn free_run(
    gpu: &Gpu,
    dims: Dims,
    models: &[FreeModel<'_>],
    runs: &[FreeRun],
    latent: bool,
) -> Result<Vec<Vec<Array2<f32>>>> {
    let D = if latent { dims.M } else { dims.N };
    if models.is_empty() || runs.is_empty() {
        return Ok(models.iter().map(|_| Vec::new()).collect());
    }
    let steps = runs.iter().map(|r| r.steps).max().unwrap_or(0);
    let shape = Shape::new(dims, 4, 1)?;
    let layout = Layout::new(shape, false, gpu.capacity());
    // One row a thread: a free run has few sequences, so its steps are short and latency is what counts.
    let team = Team::new(dims.M, 1, 2 * dims.M * 16, gpu.capacity());
    let kernel = gpu.kernel(Name::FreeRun, &free_run_constants(&layout, team, D))?;
    let batch = batch(gpu, &layout, models.len(), runs.len(), D);

    let mut out = Vec::with_capacity(models.len());
    for models in models.chunks(batch.models) {
        let rows: Vec<Array3<f32>> = runs
            .chunks(batch.runs)
            .map(|runs| {
                let run = Batch {
                    gpu,
                    kernel: &kernel,
                    layout: &layout,
                    team,
                    D,
                };
                run.all(
                    models,
                    runs,
                    steps.min(runs.iter().map(|r| r.steps).max().unwrap_or(0)),
                )
            })
            .collect::<Result<_>>()?;
        out.extend((0..models.len()).map(|m| {
            let each = runs.chunks(batch.runs).zip(&rows).flat_map(|(runs, rows)| {
                runs.iter()
                    .enumerate()
                    .map(move |(r, run)| rows.slice(s![m * runs.len() + r, ..=run.steps, ..]).to_owned())
            });
            each.collect()
        }));
    }
    Ok(out)
}

struct BatchSize {
    models: usize,
    runs: usize,
}

/// How many models and runs go together: parameters, states and at least a few rows of output fit a buffer.
fn batch(gpu: &Gpu, layout: &Layout, models: usize, runs: usize, D: usize) -> BatchSize {
    let most = gpu.max_buffer().min(OUT_BYTES);
    let per_model = (4 * layout.dims.n_params()) as u64;
    let models = models.min((most / per_model).max(1) as usize);
    let per_run = (models * (16 * layout.dims.M).max(4 * D * (FIRST_STEPS + 1))) as u64;
    BatchSize {
        models,
        runs: runs.min((most / per_run).max(1) as usize).min(1 << 16),
    }
}

struct Batch<'a> {
    gpu: &'a Gpu,
    kernel: &'a Arc<Kernel>,
    layout: &'a Layout,
    team: Team,
    D: usize,
}

/// Rows on their way to the host.
struct Pending {
    staging: wgpu::Buffer,
    mapping: Mapping,
    submission: wgpu::SubmissionIndex,
    rows: Range<usize>,
}

impl Batch<'_> {
    /// `[models · runs, steps + 1, D]`.
    fn all(&self, models: &[FreeModel<'_>], runs: &[FreeRun], steps: usize) -> Result<Array3<f32>> {
        let gpu = self.gpu;
        let sequences = models.len() * runs.len();
        let mut out = Array3::zeros((sequences, steps + 1, self.D));
        let row_bytes = (4 * sequences * self.D) as u64;
        let most = ((OUT_BYTES.min(gpu.max_buffer()) / row_bytes) as usize).max(2) - 1;
        let buffers =
            gpu.scoped(|| self.buffers(models, runs, row_bytes * (most.min(steps) as u64 + 1), most))?;

        let mut done = 0;
        let mut length = FIRST_STEPS.min(most);
        let mut pending: Option<Pending> = None;
        let mut last = Instant::now();
        while done < steps || pending.is_none() {
            let now = length.min(steps - done);
            let first = pending.is_none();
            let next = gpu.scoped(|| self.dispatch(&buffers, models.len(), runs, done..done + now, first))?;
            done += now;
            if let Some(earlier) = pending.replace(next) {
                self.collect(earlier, out.view_mut())?;
                // Longer dispatches while they are quick; one that runs too long is the watchdog's.
                match last.elapsed().as_secs_f64() {
                    t if t < 0.5 * DISPATCH_SECONDS => length = (2 * length).min(most),
                    t if t > 2.0 * DISPATCH_SECONDS => length = (length / 2).max(1),
                    _ => {}
                }
                last = Instant::now();
            }
        }
        if let Some(last) = pending {
            self.collect(last, out.view_mut())?;
        }
        Ok(out)
    }

    fn buffers(&self, models: &[FreeModel<'_>], runs: &[FreeRun], out_bytes: u64, most: usize) -> Buffers {
        let (gpu, dims) = (self.gpu, self.layout.dims);
        let relus: Vec<u32> = models.iter().map(|m| m.P as u32).collect();
        let theta: Vec<f32> = models.iter().flat_map(|m| m.theta).copied().collect();
        let quads = runs.len().div_ceil(4);
        let x0: Vec<[f32; 4]> = (0..quads * dims.N)
            .map(|k| {
                std::array::from_fn(|lane| {
                    let run = &runs[(4 * (k / dims.N) + lane).min(runs.len() - 1)];
                    let x = run.x0[k % dims.N];
                    if x.is_nan() { 0.0 } else { x }
                })
            })
            .collect();
        let buffers = Buffers {
            params: gpu.buffer("params", UNIFORM_STRIDE, UNIFORM),
            s: gpu.buffer("inputs", (16 * quads * most * dims.K) as u64, STORAGE),
            out: gpu.buffer("rows", out_bytes, STORAGE),
            bind: None,
        };
        let bind = gpu.bind(
            self.kernel,
            size_of::<FreeParams>(),
            &[
                &buffers.params,
                &gpu.storage("P", &relus),
                &gpu.storage("theta", &theta),
                &gpu.storage(
                    "transposed W",
                    &transposed(self.layout, models.iter().map(|m| m.theta)),
                ),
                &gpu.storage("x_0", &x0),
                &buffers.s,
                &gpu.buffer("states", (16 * models.len() * quads * dims.M) as u64, STORAGE),
                &buffers.out,
            ],
        );
        Buffers {
            bind: Some(bind),
            ..buffers
        }
    }

    /// Enqueues some steps and the copy of their rows to the host.
    fn dispatch(
        &self,
        buffers: &Buffers,
        models: usize,
        runs: &[FreeRun],
        steps: Range<usize>,
        first: bool,
    ) -> Pending {
        let gpu = self.gpu;
        let params = FreeParams {
            steps: steps.len() as u32,
            start: u32::from(first),
            runs: runs.len() as u32,
            rows: steps.len() as u32 + u32::from(first),
            models: models as u32,
            ..FreeParams::default()
        };
        gpu.queue
            .write_buffer(&buffers.params, 0, bytemuck::bytes_of(&params));
        if self.layout.dims.K > 0 {
            gpu.queue
                .write_buffer(&buffers.s, 0, bytemuck::cast_slice(&self.inputs(runs, &steps)));
        }
        let bytes = (4 * models * runs.len() * params.rows as usize * self.D) as u64;
        let staging = gpu.buffer("rows on the host", bytes, STAGING);
        let mut encoder = gpu
            .device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            let [x, y] = gpu.grid((models * runs.len().div_ceil(4)).div_ceil(self.team.teams));
            pass.set_pipeline(&self.kernel.pipeline);
            pass.set_bind_group(0, buffers.bind.as_ref(), &[0]);
            pass.dispatch_workgroups(x, y, 1);
        }
        encoder.copy_buffer_to_buffer(&buffers.out, 0, &staging, 0, bytes);
        let submission = gpu.queue.submit([encoder.finish()]);
        let mapping = map(&staging);
        let from = if first { 0 } else { steps.start + 1 };
        Pending {
            staging,
            mapping,
            submission,
            rows: from..steps.end + 1,
        }
    }

    /// `s_{t+1}` of some steps: `[Q][steps][K]`; 0 where a run has ended.
    fn inputs(&self, runs: &[FreeRun], steps: &Range<usize>) -> Vec<[f32; 4]> {
        let K = self.layout.dims.K;
        let quads = runs.len().div_ceil(4);
        let index = (0..quads).flat_map(|q| steps.clone().flat_map(move |t| (0..K).map(move |k| (q, t, k))));
        index
            .map(|(q, t, k)| {
                std::array::from_fn(|lane| {
                    let run = &runs[(4 * q + lane).min(runs.len() - 1)];
                    run.s.get((t + 1, k)).copied().unwrap_or(0.0)
                })
            })
            .collect()
    }

    /// Waits for rows and puts them in their place.
    fn collect(&self, pending: Pending, mut out: ArrayViewMut3<'_, f32>) -> Result<()> {
        let (sequences, _, D) = out.dim();
        let count = sequences * pending.rows.len() * D;
        // Not for all that is submitted: the next rows are being computed.
        self.gpu.poll(wgpu::PollType::Wait {
            submission_index: Some(pending.submission),
            timeout: None,
        })?;
        let rows: Vec<f32> = pending.mapping.finish(self.gpu, &pending.staging, count)?;
        let rows =
            Array3::from_shape_vec((sequences, pending.rows.len(), D), rows).expect("as many as asked for");
        out.slice_mut(s![.., pending.rows, ..]).assign(&rows);
        Ok(())
    }
}

struct Buffers {
    params: wgpu::Buffer,
    s: wgpu::Buffer,
    out: wgpu::Buffer,
    bind: Option<wgpu::BindGroup>,
}
