//! Chunks of members: what each keeps between steps, and the kernels of a step bound to their buffers.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::sync::Arc;

use crate::backend::gpu::device::{Gpu, Kernel};
use crate::backend::gpu::layout::choose::Arrangement;
use crate::backend::gpu::layout::plain::Layout;
use crate::backend::gpu::memory::buffers::STORAGE;
use crate::backend::gpu::memory::footprint::Scratch;
use crate::backend::gpu::memory::params::{Member, Params, Status};
use crate::backend::gpu::shader::kernel::{Name, SAMPLE_THREADS};
use crate::backend::{MemberState, TrainingData};
use crate::error::{Error, Result};
use crate::model::Shape;

/// Members that are computed alike: an arrangement and the kernels of each of its forms, compiled, in the order in which
/// they run. Each kernel passes over the members that another form computes; all share the windows of one `sample`.
#[derive(Debug)]
pub struct Group {
    /// Their numbers in the ensemble.
    pub members: Vec<usize>,
    pub arrangement: Arrangement,
    kernels: Vec<Vec<Arc<Kernel>>>,
}

impl Group {
    pub fn new(gpu: &Gpu, arrangement: Arrangement, members: Vec<usize>) -> Result<Self> {
        let compiled = |(form, arrangement): (usize, &Arrangement)| -> Result<Vec<_>> {
            let kernels = arrangement.kernels().into_iter();
            let own = kernels.filter(|&(name, _)| form == 0 || name != Name::Sample);
            own.map(|(name, constants)| gpu.kernel(name, &constants))
                .collect()
        };
        let kernels = arrangement
            .forms()
            .enumerate()
            .map(compiled)
            .collect::<Result<_>>()?;
        Ok(Self {
            members,
            arrangement,
            kernels,
        })
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

/// The transposed copies of `W` that wide kernels read; nothing where there are none.
pub fn transposed(layout: &Layout, thetas: impl Iterator<Item = impl AsRef<[f32]>>) -> Vec<f32> {
    if !layout.transposed {
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
    /// Their numbers in the ensemble, ascending.
    pub members: Vec<usize>,
    /// Which group they are of.
    pub group: usize,
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
    pub shape: Shape,
    pub data: &'a Data,
    pub scratch: &'a Scratch,
    pub params: &'a wgpu::Buffer,
}

impl Chunk {
    /// A chunk of these members of a group; `all` and `states` are those of the whole ensemble.
    pub fn new(
        common: Common<'_>,
        (index, group): (usize, &Group),
        members: &[usize],
        all: &[crate::backend::Member],
        states: &[MemberState],
    ) -> Self {
        let Common { gpu, shape, .. } = common;
        let settings: Vec<Member> = members.iter().map(|&e| Member::new(&all[e], shape.T)).collect();
        let states: Vec<&MemberState> = members.iter().map(|&e| &states[e]).collect();
        let status = states.iter().map(|s| Status {
            stopped_at: s.stopped_at.unwrap_or(0),
            ..Status::default()
        });
        let theta: Vec<f32> = states.iter().flat_map(|s| &s.theta).copied().collect();
        let moments: Vec<[f32; 2]> = states
            .iter()
            .flat_map(|s| s.m.iter().zip(&s.v).map(|(&m, &v)| [m, v]))
            .collect();
        let flipped = transposed(group.arrangement.layout(), states.iter().map(|s| &s.theta));
        let table = |form: &Arrangement| match form {
            Arrangement::Plain(_) => gpu.storage::<[u32; 4]>("cut", &[]),
            Arrangement::Blocked(blocked) => gpu.storage("cut", &blocked.table()),
        };
        let own = Own {
            members: gpu.storage("members", &settings),
            status: gpu.storage("status", &status.collect::<Vec<_>>()),
            rates: gpu.buffer("learning rates", 4 * members.len() as u64, STORAGE),
            theta: gpu.storage("theta", &theta),
            moments: gpu.storage("moments", &moments),
            transposed: gpu.storage("transposed W", &flipped),
        };
        let forms = group.arrangement.forms().zip(&group.kernels);
        let stages = forms.flat_map(|(arrangement, kernels)| {
            let table = table(arrangement);
            let stage = |kernel: &Arc<Kernel>| Stage {
                kernel: Arc::clone(kernel),
                bind: gpu.bind(
                    kernel,
                    size_of::<Params>(),
                    &bindings(kernel.name, common, (&own, &table), arrangement.layout()),
                ),
                grid: gpu.grid(workgroups(kernel.name, arrangement, shape, members.len())),
            };
            kernels.iter().map(stage).collect::<Vec<_>>()
        });
        Self {
            stages: stages.collect(),
            members: members.to_vec(),
            group: index,
            status: own.status,
            rates: own.rates,
            theta: own.theta,
            moments: own.moments,
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

/// The buffers of a kernel in the order of its bindings.
fn bindings<'a>(
    name: Name,
    common: Common<'a>,
    (own, table): (&'a Own, &'a wgpu::Buffer),
    layout: &Layout,
) -> Vec<&'a wgpu::Buffer> {
    let Common {
        data,
        scratch,
        params,
        ..
    } = common;
    let Own {
        members,
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
        powers,
        sums,
    } = scratch;
    let mut buffers = match name {
        Name::Sample => vec![params, members, &data.x, &data.s, &data.starts, x, s],
        Name::Forward => vec![params, members, status, theta, transposed, x, s, z, loss],
        Name::Adjoint => vec![params, members, status, theta, x, s, z, partial],
        Name::Outer => vec![params, members, status, lambda, z, partial],
        Name::Update => vec![params, members, status, rates, loss, partial, theta, moments],
        Name::Powers => vec![params, status, theta, table, powers],
        Name::BlockedForward => vec![params, members, status, table, powers, x, s, z, loss],
        Name::BlockedAdjoint => vec![params, members, status, table, powers, x, z, lambda, partial],
        Name::Collect => vec![params, status, table, s, z, lambda, sums],
        Name::PullBack => vec![params, status, table, sums, powers, partial],
        // Bound where models run freely, without a chunk.
        Name::FreeRun => vec![],
    };
    match name {
        Name::Adjoint if layout.wide => buffers.push(lambda),
        Name::Update if layout.transposed => buffers.push(transposed),
        _ => {}
    }
    buffers
}

/// Workgroups of a kernel for this many members.
fn workgroups(name: Name, arrangement: &Arrangement, shape: Shape, members: usize) -> usize {
    let layout = arrangement.layout();
    let teams = members * layout.groups();
    match (name, arrangement) {
        (Name::Sample, _) => members * layout.Q * sample_slices(shape),
        (Name::Forward, _) => teams.div_ceil(layout.forward.teams),
        (Name::Adjoint, _) => teams.div_ceil(layout.adjoint.teams),
        (Name::Outer, _) => members * layout.slices * layout.tiles * layout.tiles,
        (Name::BlockedForward | Name::BlockedAdjoint, _) => teams,
        (Name::Collect, Arrangement::Blocked(blocked)) => members * blocked.slices * blocked.tiles(),
        _ => members,
    }
}
