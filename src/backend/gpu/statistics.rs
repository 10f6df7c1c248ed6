//! Long-term statistics of many free runs at once: the runs stay on the device, a few numbers of each come back. Results of a
//! run depend on nothing but its model and start.

use std::sync::Arc;

use crate::backend::gpu::device::{Gpu, Kernel};
use crate::backend::gpu::free_run;
use crate::backend::gpu::layout::plain::{Capacity, Layout, Team};
use crate::backend::gpu::memory::buffers::{STORAGE, UNIFORM, UNIFORM_STRIDE};
use crate::backend::gpu::memory::params::RunParams;
use crate::backend::gpu::shader::source::Constants;
use crate::backend::{ColumnStatistics, DataStatistics, FreeModel, RunStatistics, Runs, Tangent};
use crate::error::Result;
use crate::model::Dims;

/// Steps of a dispatch: far from what a driver's watchdog stops, and far above what a dispatch costs.
const STEPS: usize = 2_048;
/// Bins that are counted in a table at most.
const MOST_BINS: u64 = 1 << 21;
const THREADS: usize = 256;
/// Workgroups that count the rows of a run.
const SLICES: usize = 8;
/// Values of `answers` before those of the columns.
const HEAD: usize = 3;

/// What kernels and buffers are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub dims: Dims,
    /// Runs that go together at most.
    pub models: usize,
    pub rows: usize,
    pub axes: usize,
    pub bins: usize,
    pub columns: usize,
    pub segment: usize,
}

impl Sizes {
    /// As many runs as buffers of `max_buffer` bytes hold, all of them `budget` bytes. `None` where the bins are too many for a table,
    /// or one run is too long.
    fn new(dims: Dims, runs: Runs<'_>, data: &DataStatistics, max_buffer: u64, budget: u64) -> Option<Self> {
        let axes = data.axes.nrows();
        let all = (data.bins as u64).checked_pow(axes as u32)?;
        let rows = runs.steps + 1;
        let of_model =
            [dims.N * rows, dims.n_params(), all as usize, 2 * dims.M].map(|words| 4 * words as u64);
        let largest = of_model.into_iter().fold(4, u64::max);
        let most = (max_buffer / largest).min((budget / of_model.iter().sum::<u64>()).max(1));
        (all <= MOST_BINS && most > 0).then_some(Self {
            dims,
            models: runs.starts.len().min(most as usize),
            rows,
            axes,
            bins: data.bins,
            columns: data.columns.len(),
            segment: data.window.len(),
        })
    }

    fn all_bins(&self) -> usize {
        self.bins.pow(self.axes as u32)
    }

    fn answers(&self) -> usize {
        HEAD + 2 * self.columns
    }

    /// The four kernels in their order.
    pub fn kernels(&self, layout: &Layout, team: Team) -> [(&'static str, Constants); 4] {
        let half = self.segment / 2;
        // Four entries of a segment to a thread.
        let threads = (half / 4).clamp(32, THREADS);
        let constants = |threads| {
            layout
                .constants()
                .number("THREADS", threads)
                .number("AXES", self.axes)
                .number("BINS", self.bins)
                .number("ALL_BINS", self.all_bins())
                .number("COLUMNS", self.columns)
                .number("ANSWERS", self.answers())
        };
        let rollout = constants(team.workgroup_threads())
            .number("TEAMS", team.teams)
            .number("STRETCH", Tangent::STRETCH);
        let spectrum = constants(threads)
            .number("SEGMENT", self.segment)
            .number("BITS", half.ilog2() as usize)
            .number("POWERS", (half + 1).div_ceil(threads));
        [
            ("statistics/rollout", rollout),
            ("statistics/visits", constants(THREADS)),
            ("statistics/divergence", constants(THREADS)),
            ("statistics/spectrum", spectrum),
        ]
    }
}

/// The team of a model whose runs are looked at: a unit to a thread.
pub fn team(layout: &Layout, capacity: Capacity) -> Team {
    let M = layout.dims.M;
    Team::new(M, 1, 20 * M, capacity)
}

/// Kernels and buffers, kept from one call to the next.
#[derive(Debug)]
pub struct Workspace {
    /// As asked for, and as there was memory for.
    asked: Sizes,
    sizes: Sizes,
    team: Team,
    kernels: [Arc<Kernel>; 4],
    binds: [wgpu::BindGroup; 4],
    params: wgpu::Buffer,
    relus: wgpu::Buffer,
    theta: wgpu::Buffer,
    carried: wgpu::Buffer,
    growth: wgpu::Buffer,
    visits: wgpu::Buffer,
    answers: wgpu::Buffer,
    /// The data's side: axes, ranges, visits, columns, window, amplitudes.
    data: [wgpu::Buffer; 6],
}

impl Workspace {
    /// For as many runs as asked for, or for half of them as often as memory does not suffice.
    fn new(gpu: &Gpu, asked: Sizes, steps: usize) -> Result<Self> {
        let mut sizes = asked;
        loop {
            let (made, error) = Self::of_size(gpu, sizes, steps)?;
            gpu.check()?;
            match error {
                None => return Ok(Self { asked, ..made }),
                Some(wgpu::Error::OutOfMemory { .. }) if sizes.models > 1 => {
                    drop(made);
                    gpu.wait()?;
                    sizes.models /= 2;
                }
                Some(error) => return Err(gpu.explain(&error)),
            }
        }
    }

    fn of_size(gpu: &Gpu, sizes: Sizes, steps: usize) -> Result<(Self, Option<wgpu::Error>)> {
        let (layout, _) = free_run::layout(sizes.dims, gpu.capacity())?;
        let team = team(&layout, gpu.capacity());
        let mut kernels = Vec::new();
        for (name, constants) in sizes.kernels(&layout, team) {
            kernels.push(gpu.kernel(name, &constants)?);
        }
        let kernels: [Arc<Kernel>; 4] = kernels.try_into().expect("four kernels");
        Ok(gpu.capture(|| {
            let (Dims { M, N, .. }, models) = (sizes.dims, sizes.models);
            let storage = |name, words: usize| gpu.buffer(name, 4 * words as u64, STORAGE);
            let dispatches = steps.div_ceil(STEPS).max(1) as u64;
            let params = gpu.buffer("params", UNIFORM_STRIDE * dispatches, UNIFORM);
            let relus = storage("relus", models);
            let theta = storage("theta", models * sizes.dims.n_params());
            let carried = storage("carried", 2 * models * M);
            let growth = storage("growth", models);
            let x = storage("x", models * N * sizes.rows);
            let visits = storage("visits", models * sizes.all_bins());
            let answers = storage("answers", models * sizes.answers());
            let data = [
                storage("axes", sizes.axes * N),
                storage("ranges", 2 * sizes.axes),
                storage("data_visits", sizes.all_bins() + 1),
                storage("columns", sizes.columns),
                storage("window", sizes.segment),
                storage("amplitudes", sizes.columns * (sizes.segment / 2 + 1)),
            ];
            let turn = |k: usize| {
                let angle = -std::f64::consts::TAU * k as f64 / sizes.segment as f64;
                [angle.cos() as f32, angle.sin() as f32]
            };
            let turns: Vec<[f32; 2]> = (0..sizes.segment).map(turn).collect();
            let turns = gpu.storage("turns", &turns);
            let [axes, ranges, data_visits, columns, window, amplitudes] = &data;
            let named = [
                ("params", &params),
                ("relus", &relus),
                ("theta", &theta),
                ("carried", &carried),
                ("growth", &growth),
                ("x", &x),
                ("visits", &visits),
                ("answers", &answers),
                ("axes", axes),
                ("ranges", ranges),
                ("data_visits", data_visits),
                ("columns", columns),
                ("window", window),
                ("amplitudes", amplitudes),
                ("turns", &turns),
            ];
            let binds = std::array::from_fn(|k| gpu.bind(&kernels[k], size_of::<RunParams>(), &named));
            Self {
                asked: sizes,
                sizes,
                team,
                kernels,
                binds,
                params,
                relus,
                theta,
                carried,
                growth,
                visits,
                answers,
                data,
            }
        }))
    }

    fn put_data(&self, gpu: &Gpu, data: &DataStatistics) {
        let mut visits = vec![data.pseudo_count as f32; self.sizes.all_bins() + 1];
        for &(bin, count) in &data.visits {
            visits[bin as usize] += count as f32;
        }
        let columns: Vec<u32> = data.columns.iter().map(|&column| column as u32).collect();
        let axes: Vec<f32> = data.axes.iter().copied().collect();
        let amplitudes = data.amplitudes.concat();
        let values: [&[u8]; 6] = [
            bytemuck::cast_slice(&axes),
            bytemuck::cast_slice(&data.ranges),
            bytemuck::cast_slice(&visits),
            bytemuck::cast_slice(&columns),
            bytemuck::cast_slice(&data.window),
            bytemuck::cast_slice(&amplitudes),
        ];
        for (buffer, values) in self.data.iter().zip(values) {
            gpu.queue.write_buffer(buffer, 0, values);
        }
    }

    /// Runs of a chunk of models.
    fn run(
        &self,
        gpu: &Gpu,
        starts: &[(FreeModel<'_>, &[f32])],
        runs: Runs<'_>,
    ) -> Result<Vec<RunStatistics>> {
        let (Sizes { dims, rows, .. }, counted) = (self.sizes, runs.tangent.counted());
        let thetas: Vec<f32> = starts
            .iter()
            .flat_map(|(model, _)| model.theta)
            .copied()
            .collect();
        let relus: Vec<u32> = starts.iter().map(|(model, _)| model.P as u32).collect();
        let carried: Vec<[f32; 2]> = starts.iter().flat_map(|start| first(dims, *start)).collect();
        let growth = vec![0.0f32; starts.len()];
        let words: [(_, &[u8]); 4] = [
            (&self.theta, bytemuck::cast_slice(&thetas)),
            (&self.relus, bytemuck::cast_slice(&relus)),
            (&self.carried, bytemuck::cast_slice(&carried)),
            (&self.growth, bytemuck::cast_slice(&growth)),
        ];
        gpu.scoped(|| {
            for (buffer, values) in words {
                gpu.queue.write_buffer(buffer, 0, values);
            }
            let mut params = Vec::new();
            for done in (0..runs.steps.max(1)).step_by(STEPS) {
                let one = RunParams {
                    steps: STEPS.min(runs.steps - done) as u32,
                    done: done as u32,
                    models: starts.len() as u32,
                    rows: rows as u32,
                    tangent: counted.end as u32,
                    settled: counted.start as u32,
                    slices: SLICES as u32,
                    ..RunParams::default()
                };
                params.extend_from_slice(bytemuck::bytes_of(&one));
                params.resize(params.len().next_multiple_of(UNIFORM_STRIDE as usize), 0);
            }
            gpu.queue.write_buffer(&self.params, 0, &params);
            let dispatches = params.len() / UNIFORM_STRIDE as usize;
            for k in 0..dispatches {
                let mut encoder = gpu.encoder();
                self.dispatch(gpu, &mut encoder, 0, starts.len().div_ceil(self.team.teams), k);
                gpu.queue.submit([encoder.finish()]);
            }
            let mut encoder = gpu.encoder();
            encoder.clear_buffer(&self.visits, 0, None);
            let columns = starts.len() * self.sizes.columns;
            for (kernel, workgroups) in [(1, starts.len() * SLICES), (2, starts.len()), (3, columns)] {
                self.dispatch(gpu, &mut encoder, kernel, workgroups, 0);
            }
            gpu.queue.submit([encoder.finish()]);
        })?;
        let width = self.sizes.answers();
        let answers: Vec<f32> = gpu.read(&self.answers, 0, starts.len() * width)?;
        let of_run = |answers: &[f32]| RunStatistics {
            terms: f64::from(answers[0]),
            inside: answers[1] as usize,
            growth: f64::from(answers[2]) / counted.len() as f64,
            columns: (answers[HEAD..].chunks_exact(2))
                .map(|pair| ColumnStatistics {
                    distance: f64::from(pair[0]),
                    bend: f64::from(pair[1]),
                })
                .collect(),
        };
        Ok(answers.chunks_exact(width).map(of_run).collect())
    }

    fn dispatch(
        &self,
        gpu: &Gpu,
        encoder: &mut wgpu::CommandEncoder,
        kernel: usize,
        workgroups: usize,
        params: usize,
    ) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        let [x, y] = gpu.grid(workgroups);
        pass.set_pipeline(&self.kernels[kernel].pipeline);
        pass.set_bind_group(0, &self.binds[kernel], &[(params as u64 * UNIFORM_STRIDE) as u32]);
        pass.dispatch_workgroups(x, y, 1);
    }
}

/// `(z_0, v_0)` of every unit.
fn first(dims: Dims, (model, x0): (FreeModel<'_>, &[f32])) -> Vec<[f32; 2]> {
    let v = Tangent::start(dims.M).map(|v| v as f32);
    v.enumerate()
        .map(|(i, v)| [model.initial_unit(dims, x0, i), v])
        .collect()
}

/// See [`crate::backend::Backend::statistics`]; `budget` bytes are there for the runs that go together.
pub fn statistics(
    gpu: &Gpu,
    kept: &mut Option<Workspace>,
    dims: Dims,
    runs: Runs<'_>,
    data: &DataStatistics,
    budget: u64,
) -> Result<Option<Vec<RunStatistics>>> {
    let Some(sizes) = Sizes::new(dims, runs, data, gpu.max_buffer(), budget) else {
        return Ok(None);
    };
    if runs.starts.is_empty() {
        return Ok(Some(Vec::new()));
    }
    if kept.as_ref().is_none_or(|workspace| workspace.asked != sizes) {
        // What is there goes before its like is made.
        *kept = None;
        *kept = Some(Workspace::new(gpu, sizes, runs.steps)?);
    }
    let workspace = kept.as_ref().expect("one was made");
    workspace.put_data(gpu, data);
    let mut all = Vec::with_capacity(runs.starts.len());
    for starts in runs.starts.chunks(workspace.sizes.models) {
        all.extend(workspace.run(gpu, starts, runs)?);
    }
    Ok(Some(all))
}
