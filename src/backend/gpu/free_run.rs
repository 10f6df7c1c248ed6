//! Free runs of many models from many starts, in bounded dispatches whose rows are read back while the next runs.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use ndarray::{Array2, Array3, s};

use crate::backend::gpu::device::{Gpu, Kernel};
use crate::backend::gpu::layout::plain::{Capacity, Layout, Team};
use crate::backend::gpu::memory::buffers::{Readback, STAGING, STORAGE, UNIFORM, UNIFORM_STRIDE};
use crate::backend::gpu::memory::params::FreeParams;
use crate::backend::gpu::schedule::pace::{Recent, next_length};
use crate::backend::gpu::schedule::profile::Clock;
use crate::backend::gpu::schedule::step::free_run_constants;
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
    let mut out = vec![Vec::with_capacity(runs.len()); models.len()];
    if models.is_empty() || runs.is_empty() {
        return Ok(out);
    }
    let (layout, team) = layout(dims, gpu.capacity())?;
    let kernel = gpu.kernel("free_run", &free_run_constants(&layout, team, D))?;
    let (most_models, most_runs) = batch_size(gpu, dims, models.len(), runs.len(), D);
    for (models, out) in models.chunks(most_models).zip(out.chunks_mut(most_models)) {
        for runs in runs.chunks(most_runs) {
            let steps = runs.iter().map(|run| run.steps).max().unwrap_or(0);
            let batch = Batch {
                gpu,
                kernel: &kernel,
                layout: &layout,
                teams: team.teams,
                D,
                models,
                runs,
            };
            let rows = batch.all(steps)?;
            for (m, out) in out.iter_mut().enumerate() {
                let each = runs.iter().enumerate();
                out.extend(
                    each.map(|(r, run)| rows.slice(s![m * runs.len() + r, ..=run.steps, ..]).to_owned()),
                );
            }
        }
    }
    Ok(out)
}

/// How free runs are laid out, and their team.
pub fn layout(dims: Dims, capacity: Capacity) -> Result<(Layout, Team)> {
    let layout = Layout::new(Shape::new(dims, 4, 1)?, false, capacity);
    Ok((layout, Team::of_free_run(dims.M, capacity)))
}

/// A value of each of a quad's runs; lanes beyond the last repeat it.
fn quad(runs: &[FreeRun], q: usize, value: impl Fn(&FreeRun) -> f32) -> [f32; 4] {
    std::array::from_fn(|lane| value(&runs[(4 * q + lane).min(runs.len() - 1)]))
}

/// `x_0` of runs: `[Q][N]`, missing entries 0.
pub fn starts(runs: &[FreeRun], N: usize) -> Vec<[f32; 4]> {
    let known = |value: f32| if value.is_nan() { 0.0 } else { value };
    let index = (0..runs.len().div_ceil(4)).flat_map(|q| (0..N).map(move |n| (q, n)));
    index
        .map(|(q, n)| quad(runs, q, |run| known(run.x0[n])))
        .collect()
}

/// `s_{t+1}` of some steps of runs: `[Q][steps][K]`; 0 where a run has ended.
pub fn inputs(runs: &[FreeRun], K: usize, steps: &Range<usize>) -> Vec<[f32; 4]> {
    let quads = 0..runs.len().div_ceil(4);
    let index = quads.flat_map(|q| steps.clone().flat_map(move |t| (0..K).map(move |k| (q, t, k))));
    let input = |(q, t, k)| quad(runs, q, |run| run.s.get((t + 1, k)).copied().unwrap_or(0.0));
    index.map(input).collect()
}

/// How many models and runs go together: parameters, states and at least a few rows of output fit a buffer.
fn batch_size(gpu: &Gpu, dims: Dims, models: usize, runs: usize, D: usize) -> (usize, usize) {
    let most = gpu.max_buffer().min(OUT_BYTES);
    let per_model = (4 * dims.n_params()) as u64;
    let models = models.min((most / per_model).max(1) as usize);
    let per_run = (models * (16 * dims.M).max(4 * D * (FIRST_STEPS + 1))) as u64;
    (models, runs.min((most / per_run).max(1) as usize).min(1 << 16))
}

/// Models and runs that go together.
struct Batch<'a> {
    gpu: &'a Gpu,
    kernel: &'a Arc<Kernel>,
    layout: &'a Layout,
    /// Teams in a workgroup.
    teams: usize,
    D: usize,
    models: &'a [FreeModel<'a>],
    runs: &'a [FreeRun],
}

struct Buffers {
    params: wgpu::Buffer,
    s: wgpu::Buffer,
    out: wgpu::Buffer,
    bind: wgpu::BindGroup,
    clock: Option<Clock>,
}

/// Rows on their way to the host.
struct Pending {
    readback: Readback,
    rows: Range<usize>,
    steps: usize,
    /// What the dispatch took by the device's clock.
    time: Option<Readback>,
}

impl Batch<'_> {
    fn sequences(&self) -> usize {
        self.models.len() * self.runs.len()
    }

    /// Quads of runs of one model.
    fn quads(&self) -> usize {
        self.runs.len().div_ceil(4)
    }

    /// `[models · runs, steps + 1, D]`.
    fn all(&self, steps: usize) -> Result<Array3<f32>> {
        let mut out = Array3::zeros((self.sequences(), steps + 1, self.D));
        let row_bytes = (4 * self.sequences() * self.D) as u64;
        let most = ((OUT_BYTES.min(self.gpu.max_buffer()) / row_bytes) as usize).max(2) - 1;
        let buffers = self
            .gpu
            .scoped(|| self.buffers(row_bytes * (most.min(steps) as u64 + 1), most))?;

        let mut done = 0;
        let mut length = FIRST_STEPS.min(most);
        let mut pending: Option<Pending> = None;
        // Seconds a step. By the host's clock, from the end of one dispatch to that of the next, which is too much where
        // something else was in between.
        let mut pace = Recent::default();
        let mut last = Instant::now();
        while done < steps || pending.is_none() {
            let now = length.min(steps - done);
            let first = pending.is_none();
            let next = self
                .gpu
                .scoped(|| self.dispatch(&buffers, done..done + now, first))?;
            done += now;
            if let Some(earlier) = pending.replace(next) {
                let ran = earlier.steps;
                let seconds = match self.collect(earlier, &buffers, &mut out)? {
                    Some(seconds) => seconds,
                    None => last.elapsed().as_secs_f64(),
                };
                last = Instant::now();
                pace.add(seconds / ran as f64);
                let step = pace.least().expect("one was added");
                length = next_length(now, step, DISPATCH_SECONDS, most);
            }
        }
        pending.map_or(Ok(()), |last| self.collect(last, &buffers, &mut out).map(drop))?;
        Ok(out)
    }

    fn buffers(&self, out_bytes: u64, most: usize) -> Buffers {
        let (gpu, dims, quads) = (self.gpu, self.layout.dims, self.quads());
        let relus: Vec<u32> = self.models.iter().map(|m| m.P as u32).collect();
        let thetas = || self.models.iter().map(|m| m.theta);
        let params = gpu.buffer("params", UNIFORM_STRIDE, UNIFORM);
        let s = gpu.buffer("inputs", (16 * quads * most * dims.K) as u64, STORAGE);
        let out = gpu.buffer("rows", out_bytes, STORAGE);
        let states = (16 * self.models.len() * quads * dims.M) as u64;
        let bind = gpu.bind(
            self.kernel,
            size_of::<FreeParams>(),
            &[
                ("params", &params),
                ("relus", &gpu.storage("P", &relus)),
                (
                    "theta",
                    &gpu.storage("theta", &thetas().flatten().copied().collect::<Vec<f32>>()),
                ),
                (
                    "copies",
                    &gpu.storage(
                        "copies",
                        &thetas()
                            .flat_map(|theta| self.layout.copy(theta))
                            .collect::<Vec<f32>>(),
                    ),
                ),
                ("x", &gpu.storage("x_0", &starts(self.runs, dims.N))),
                ("s", &s),
                ("carried", &gpu.buffer("states", states, STORAGE)),
                ("out", &out),
            ],
        );
        let clock = Clock::new(gpu, 1);
        Buffers {
            params,
            s,
            out,
            bind,
            clock,
        }
    }

    /// Enqueues some steps and the copy of their rows to the host.
    fn dispatch(&self, buffers: &Buffers, steps: Range<usize>, first: bool) -> Pending {
        let gpu = self.gpu;
        let params = FreeParams {
            steps: steps.len() as u32,
            start: u32::from(first),
            runs: self.runs.len() as u32,
            rows: steps.len() as u32 + u32::from(first),
            models: self.models.len() as u32,
            ..FreeParams::default()
        };
        gpu.queue
            .write_buffer(&buffers.params, 0, bytemuck::bytes_of(&params));
        gpu.queue.write_buffer(
            &buffers.s,
            0,
            bytemuck::cast_slice(&inputs(self.runs, self.layout.dims.K, &steps)),
        );
        let bytes = (4 * self.sequences() * params.rows as usize * self.D) as u64;
        let staging = gpu.buffer("rows on the host", bytes, STAGING);
        let mut encoder = gpu.encoder();
        {
            let mut pass = Clock::pass(buffers.clock.as_ref(), &mut encoder, 0);
            let [x, y] = gpu.grid((self.models.len() * self.quads()).div_ceil(self.teams));
            pass.set_pipeline(&self.kernel.pipeline);
            pass.set_bind_group(0, &buffers.bind, &[0]);
            pass.dispatch_workgroups(x, y, 1);
        }
        encoder.copy_buffer_to_buffer(&buffers.out, 0, &staging, 0, bytes);
        let from = if first { 0 } else { steps.start + 1 };
        Pending {
            readback: gpu.fetch(encoder, staging),
            rows: from..steps.end + 1,
            steps: steps.len(),
            time: buffers
                .clock
                .as_ref()
                .map(|clock| clock.fetch(gpu, gpu.encoder())),
        }
    }

    /// Waits for rows and puts them in their place; tells the seconds that they took by the device's clock, if it has one.
    fn collect(&self, pending: Pending, buffers: &Buffers, out: &mut Array3<f32>) -> Result<Option<f64>> {
        let shape = (self.sequences(), pending.rows.len(), self.D);
        let rows: Vec<f32> = pending.readback.values(self.gpu, shape.0 * shape.1 * shape.2)?;
        let rows = Array3::from_shape_vec(shape, rows).expect("as many as asked for");
        out.slice_mut(s![.., pending.rows, ..]).assign(&rows);
        let timed = buffers.clock.as_ref().zip(pending.time);
        let seconds = timed
            .map(|(clock, time)| clock.seconds(self.gpu, time))
            .transpose()?;
        // A clock that stands still says nothing.
        Ok(seconds.map(|each| each[0]).filter(|&seconds| seconds > 0.0))
    }
}
