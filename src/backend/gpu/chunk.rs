//! The buffers of a training ensemble: scratch that all chunks of members share, and each chunk's own.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::ops::Range;
use std::sync::Arc;

use crate::backend::gpu::buffers::STORAGE;
use crate::backend::gpu::consts::Layout;
use crate::backend::gpu::device::{Gpu, Kernel};
use crate::backend::gpu::kernel::{Name, SAMPLE_THREADS};
use crate::backend::gpu::params::{Member, Params, Status};
use crate::backend::{MemberState, TrainingData};
use crate::error::{Error, Result};
use crate::model::Shape;

/// The kernels of a training step, compiled for a layout.
#[derive(Debug)]
pub struct Kernels {
    pub sample: Arc<Kernel>,
    pub forward: Arc<Kernel>,
    pub adjoint: Arc<Kernel>,
    /// For wide `M` only.
    pub outer: Option<Arc<Kernel>>,
    pub update: Arc<Kernel>,
}

impl Kernels {
    pub fn new(gpu: &Gpu, layout: &Layout) -> Result<Self> {
        let kernel = |name: Name| gpu.kernel(name, &name.constants(layout));
        Ok(Self {
            sample: kernel(Name::Sample)?,
            forward: kernel(Name::Forward)?,
            adjoint: kernel(Name::Adjoint)?,
            outer: layout.wide.then(|| kernel(Name::Outer)).transpose()?,
            update: kernel(Name::Update)?,
        })
    }
}

/// Bytes that one member takes of each buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    pub x: u64,
    pub s: u64,
    pub z: u64,
    pub lambda: u64,
    pub loss: u64,
    pub partial: u64,
    pub theta: u64,
    pub moments: u64,
    pub transposed: u64,
}

impl Footprint {
    pub fn new(layout: &Layout, T: usize) -> Self {
        let (M, N, K) = (layout.dims.M, layout.dims.N, layout.dims.K);
        let quads = |rows: usize, width: usize| (16 * layout.Q * rows * width) as u64;
        let theta = 4 * layout.dims.n_params() as u64;
        Self {
            x: quads(T + 1, N),
            s: quads(T + 1, K),
            z: quads(T + 1, M),
            lambda: if layout.wide { quads(T, M) } else { 0 },
            loss: 8 * layout.groups() as u64,
            partial: 4 * layout.partial_len() as u64,
            theta,
            moments: 2 * theta,
            transposed: if layout.wide { 4 * (M * M) as u64 } else { 0 },
        }
    }

    /// Bytes of scratch memory.
    pub fn scratch(&self) -> u64 {
        self.x + self.s + self.z + self.lambda + self.loss + self.partial
    }

    fn largest(&self) -> u64 {
        let all = [
            self.x,
            self.s,
            self.z,
            self.lambda,
            self.partial,
            self.theta,
            self.moments,
            self.transposed,
        ];
        all.into_iter().fold(self.loss, u64::max)
    }

    /// How many members a chunk may have: no buffer above `max_buffer` (0 where one member's is), the scratch of
    /// a chunk within `budget` where that holds a member at all.
    pub fn members(&self, max_buffer: u64, budget: u64) -> u64 {
        (max_buffer / self.largest()).min((budget / self.scratch()).max(1))
    }
}

/// Observations on the device.
#[derive(Debug)]
pub struct Data {
    pub x: wgpu::Buffer,
    pub s: wgpu::Buffer,
    pub starts: wgpu::Buffer,
}

impl Data {
    pub fn new(gpu: &Gpu, data: &TrainingData) -> Result<Self> {
        let most = data.x.len().max(data.s.len()).max(data.starts.len()) as u64 * 4;
        if most > gpu.max_buffer() {
            return Err(Error::runtime(format!(
                "the data take {most} bytes, more than the {} of a buffer on {}",
                gpu.max_buffer(),
                gpu.info.name
            ))
            .with_hint("use a part of the data, or --backend cpu"));
        }
        gpu.scoped(|| Self {
            x: gpu.storage("data", &data.x),
            s: gpu.storage("inputs", &data.s),
            starts: gpu.storage("starts", &data.starts),
        })
    }

    /// Stands in where windows are given and `sample` is not run.
    pub fn none(gpu: &Gpu) -> Result<Self> {
        gpu.scoped(|| Self {
            x: gpu.buffer("data", 0, STORAGE),
            s: gpu.buffer("inputs", 0, STORAGE),
            starts: gpu.buffer("starts", 0, STORAGE),
        })
    }
}

/// What a step computes on its way, for one chunk at a time.
#[derive(Debug)]
pub struct Scratch {
    pub x: wgpu::Buffer,
    pub s: wgpu::Buffer,
    pub z: wgpu::Buffer,
    pub lambda: wgpu::Buffer,
    pub loss: wgpu::Buffer,
    pub partial: wgpu::Buffer,
}

impl Scratch {
    pub fn new(gpu: &Gpu, one: &Footprint, members: usize) -> Self {
        let buffer = |label, bytes| gpu.buffer(label, bytes * members as u64, STORAGE);
        Self {
            x: buffer("x", one.x),
            s: buffer("s", one.s),
            z: buffer("z", one.z),
            lambda: buffer("lambda", one.lambda),
            loss: buffer("loss", one.loss),
            partial: buffer("partial gradients", one.partial),
        }
    }
}

/// The transposed copies of `W` that the wide kernels read; nothing for the others.
pub fn transposed(layout: &Layout, thetas: impl Iterator<Item = impl AsRef<[f32]>>) -> Vec<f32> {
    if !layout.wide {
        return Vec::new();
    }
    let M = layout.dims.M;
    let mut out = Vec::new();
    for theta in thetas {
        let W = &theta.as_ref()[layout.dims.range_W()];
        out.extend((0..M * M).map(|k| W[(k % M) * M + k / M]));
    }
    out
}

/// Members that are dispatched together, with what lasts between steps.
#[derive(Debug)]
pub struct Chunk {
    pub range: Range<usize>,
    pub status: wgpu::Buffer,
    pub rates: wgpu::Buffer,
    pub theta: wgpu::Buffer,
    pub moments: wgpu::Buffer,
    /// In the order they run: kernel, its buffers, number of workgroups.
    stages: Vec<Stage>,
}

#[derive(Debug)]
pub struct Stage {
    pub kernel: Arc<Kernel>,
    bind: wgpu::BindGroup,
    grid: [u32; 2],
}

/// What the chunks of an ensemble have in common.
#[derive(Clone, Copy)]
pub struct Common<'a> {
    pub gpu: &'a Gpu,
    pub layout: &'a Layout,
    pub shape: Shape,
    pub kernels: &'a Kernels,
    pub data: &'a Data,
    pub scratch: &'a Scratch,
    pub params: &'a wgpu::Buffer,
}

impl Chunk {
    pub fn new(
        common: Common<'_>,
        range: Range<usize>,
        members: &[crate::backend::Member],
        states: &[MemberState],
    ) -> Self {
        let Common {
            gpu, layout, shape, ..
        } = common;
        let members: Vec<Member> = members[range.clone()]
            .iter()
            .map(|m| Member::new(m, shape.T))
            .collect();
        let states = &states[range.clone()];
        let status = states.iter().map(|s| Status {
            stopped_at: s.stopped_at.unwrap_or(0),
            ..Status::default()
        });
        let theta: Vec<f32> = states.iter().flat_map(|s| &s.theta).copied().collect();
        let moments: Vec<[f32; 2]> = states
            .iter()
            .flat_map(|s| s.m.iter().zip(&s.v).map(|(&m, &v)| [m, v]))
            .collect();
        let flipped = transposed(layout, states.iter().map(|s| &s.theta));
        let own = Own {
            members: gpu.storage("members", &members),
            status: gpu.storage("status", &status.collect::<Vec<_>>()),
            rates: gpu.buffer("learning rates", 4 * range.len() as u64, STORAGE),
            theta: gpu.storage("theta", &theta),
            moments: gpu.storage("moments", &moments),
            transposed: gpu.storage("transposed W", &flipped),
        };
        let stages = stages(common, &own, range.len());
        Self {
            range,
            status: own.status,
            rates: own.rates,
            theta: own.theta,
            moments: own.moments,
            stages,
        }
    }

    /// The kernels of a step in their order.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }
}

impl Stage {
    /// Records the kernel with the parameters at `offset` of the uniform buffer.
    pub fn encode(&self, pass: &mut wgpu::ComputePass<'_>, offset: u32) {
        pass.set_pipeline(&self.kernel.pipeline);
        pass.set_bind_group(0, &self.bind, &[offset]);
        pass.dispatch_workgroups(self.grid[0], self.grid[1], 1);
    }
}

struct Own {
    members: wgpu::Buffer,
    status: wgpu::Buffer,
    rates: wgpu::Buffer,
    theta: wgpu::Buffer,
    moments: wgpu::Buffer,
    transposed: wgpu::Buffer,
}

/// Workgroups of `sample` to a quad.
pub fn sample_slices(shape: Shape) -> usize {
    ((shape.T + 1) * shape.dims.N)
        .div_ceil(2)
        .div_ceil(SAMPLE_THREADS)
}

fn stages(common: Common<'_>, own: &Own, members: usize) -> Vec<Stage> {
    let Common {
        gpu,
        layout,
        shape,
        kernels,
        data,
        scratch,
        params,
    } = common;
    let Own {
        members: settings,
        status,
        rates,
        theta,
        moments,
        transposed,
    } = own;
    let Scratch {
        x,
        s,
        z,
        lambda,
        loss,
        partial,
    } = scratch;
    let stage = |kernel: &Arc<Kernel>, buffers: &[&wgpu::Buffer], workgroups: usize| Stage {
        kernel: Arc::clone(kernel),
        bind: gpu.bind(kernel, size_of::<Params>(), buffers),
        grid: gpu.grid(workgroups),
    };
    let teams = members * layout.groups();
    let mut stages = vec![
        stage(
            &kernels.sample,
            &[params, settings, &data.x, &data.s, &data.starts, x, s],
            members * layout.Q * sample_slices(shape),
        ),
        stage(
            &kernels.forward,
            &[params, settings, status, theta, transposed, x, s, z, loss],
            teams.div_ceil(layout.forward.teams),
        ),
    ];
    let mut adjoint = vec![params, settings, status, theta, x, s, z, partial];
    let mut update = vec![params, settings, status, rates, loss, partial, theta, moments];
    if layout.wide {
        adjoint.push(lambda);
        update.push(transposed);
    }
    stages.push(stage(
        &kernels.adjoint,
        &adjoint,
        teams.div_ceil(layout.adjoint.teams),
    ));
    if let Some(outer) = &kernels.outer {
        stages.push(stage(
            outer,
            &[params, settings, status, lambda, z, partial],
            members * layout.slices * layout.tiles * layout.tiles,
        ));
    }
    stages.push(stage(&kernels.update, &update, members));
    stages
}
