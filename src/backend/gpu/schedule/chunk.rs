//! Chunks of members: what each keeps between steps, and the kernels of a step bound to their buffers.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::NoUninit;

use crate::backend::gpu::device::{Gpu, Kernel};
use crate::backend::gpu::layout::Arrangement;
use crate::backend::gpu::memory::buffers::Named;
use crate::backend::gpu::memory::params::{Member, Params, Status};
use crate::backend::gpu::schedule::step::{Launch, Phase, step};
use crate::backend::{EnsembleState, MemberState, Plan};
use crate::error::Result;

/// Members that are computed alike, in forms of which the first may fall back on the second, and the kernels of each form,
/// compiled, in the order in which they run.
#[derive(Debug)]
pub struct Group {
    /// Their numbers in the ensemble.
    pub members: Vec<usize>,
    pub forms: Vec<Arrangement>,
    kernels: Vec<Vec<(Launch, Arc<Kernel>)>>,
}

impl Group {
    pub fn new(gpu: &Gpu, forms: Vec<Arrangement>, members: Vec<usize>) -> Result<Self> {
        let compiled = |launch: Launch| {
            let kernel = gpu.kernel(launch.kernel, &launch.constants)?;
            Ok((launch, kernel))
        };
        let kernels = forms
            .iter()
            .map(|form| step(form).into_iter().map(compiled).collect());
        Ok(Self {
            members,
            kernels: kernels.collect::<Result<_>>()?,
            forms,
        })
    }

    /// How many kernels a step has.
    pub fn kernels(&self) -> usize {
        self.kernels.iter().map(Vec::len).sum()
    }
}

/// What a chunk's own buffers hold before its first step.
#[derive(Debug)]
pub struct Contents {
    pub members: Vec<Member>,
    pub status: Vec<Status>,
    /// Parameters one member after another.
    pub theta: Vec<f32>,
    /// `(m, v)` of each parameter.
    pub moments: Vec<[f32; 2]>,
    /// See [`Layout::copy`](crate::backend::gpu::layout::plain::Layout::copy).
    pub copies: Vec<f32>,
}

impl Contents {
    /// Of these members, which are computed in `forms`; plan and state are those of the whole ensemble.
    pub fn new(forms: &[Arrangement], members: &[usize], plan: &Plan, state: &EnsembleState) -> Self {
        let states: Vec<&MemberState> = members.iter().map(|&e| &state.members[e]).collect();
        let settings = members
            .iter()
            .map(|&e| Member::new(&plan.members[e], plan.shape.T));
        let status = states.iter().map(|s| Status {
            stopped_at: s.stopped_at.unwrap_or(0),
            ..Status::default()
        });
        let moments = states
            .iter()
            .flat_map(|s| s.m.iter().zip(&s.v).map(|(&m, &v)| [m, v]));
        Self {
            members: settings.collect(),
            status: status.collect(),
            theta: states.iter().flat_map(|s| &s.theta).copied().collect(),
            moments: moments.collect(),
            copies: states
                .iter()
                .flat_map(|s| forms[0].layout().copy(&s.theta))
                .collect(),
        }
    }
}

/// The state of a member by what its buffers hold.
pub fn member_state(theta: &[f32], moments: &[[f32; 2]], status: &Status) -> MemberState {
    MemberState {
        theta: theta.to_vec(),
        m: moments.iter().map(|p| p[0]).collect(),
        v: moments.iter().map(|p| p[1]).collect(),
        stopped_at: status.stopped_at(),
    }
}

/// The buffers of all chunks, under the names of the shaders.
pub type Shared = [(&'static str, wgpu::Buffer)];

/// What members keep between steps: a buffer that holds one after another, under the name that shaders declare it by.
#[derive(Debug)]
struct Kept {
    name: &'static str,
    buffer: wgpu::Buffer,
    /// Bytes of a member.
    each: u64,
}

impl Kept {
    fn new<T: NoUninit>(gpu: &Gpu, name: &'static str, values: &[T], members: usize) -> Self {
        Self {
            name,
            buffer: gpu.storage(name, values),
            each: (size_of_val(values) / members) as u64,
        }
    }

    /// A copy of some members' part.
    fn part(&self, gpu: &Gpu, encoder: &mut wgpu::CommandEncoder, members: &Range<usize>) -> Self {
        let [from, bytes] = [members.start, members.len()].map(|count| self.each * count as u64);
        let buffer = gpu.exact(self.name, bytes as usize);
        encoder.copy_buffer_to_buffer(&self.buffer, from, &buffer, 0, bytes);
        Self { buffer, ..*self }
    }
}

/// Members that are dispatched together, with what lasts between steps.
#[derive(Debug)]
pub struct Chunk {
    /// Their numbers in the ensemble, ascending.
    pub members: Vec<usize>,
    /// Which group they are of.
    pub group: usize,
    kept: Vec<Kept>,
    /// In the order they run.
    pub stages: Vec<Stage>,
}

/// A kernel of a step with its buffers and its number of workgroups.
#[derive(Debug)]
pub struct Stage {
    pub kernel: Arc<Kernel>,
    pub phase: Phase,
    bind: wgpu::BindGroup,
    grid: [u32; 2],
}

impl Chunk {
    /// A chunk of these members of a group; plan and state are those of the whole ensemble, and `shared` holds the buffers
    /// of all chunks.
    pub fn new(
        gpu: &Gpu,
        shared: &Shared,
        group: (usize, &Group),
        members: &[usize],
        plan: &Plan,
        state: &EnsembleState,
    ) -> Self {
        let contents = Contents::new(&group.1.forms, members, plan, state);
        let count = members.len();
        let kept = vec![
            Kept::new(gpu, "members", &contents.members, count),
            Kept::new(gpu, "status", &contents.status, count),
            Kept::new(gpu, "rates", &vec![[0.0f32; 2]; count], count),
            Kept::new(gpu, "theta", &contents.theta, count),
            Kept::new(gpu, "moments", &contents.moments, count),
            Kept::new(gpu, "copies", &contents.copies, count),
        ];
        Self::with(gpu, shared, group, members, kept)
    }

    fn with(
        gpu: &Gpu,
        shared: &Shared,
        (index, group): (usize, &Group),
        members: &[usize],
        kept: Vec<Kept>,
    ) -> Self {
        let shared = shared.iter().map(|(name, buffer)| (*name, buffer));
        let kept_by_name = kept.iter().map(|kept| (kept.name, &kept.buffer));
        let named: Vec<Named<'_>> = shared.chain(kept_by_name).collect();
        let mut stages = Vec::new();
        for (form, kernels) in group.forms.iter().zip(&group.kernels) {
            let table = gpu.storage("table", &form.table());
            let buffers = [&named[..], &[("table", &table)]].concat();
            stages.extend(kernels.iter().map(|(launch, kernel)| Stage {
                kernel: Arc::clone(kernel),
                phase: launch.phase,
                bind: gpu.bind(kernel, size_of::<Params>(), &buffers),
                grid: gpu.grid(launch.workgroups(members.len())),
            }));
        }
        Self {
            members: members.to_vec(),
            group: index,
            kept,
            stages,
        }
    }

    /// Two chunks of half the members each, at the state that this one has after what is enqueued.
    pub fn halves(&self, gpu: &Gpu, shared: &Shared, group: &Group) -> [Self; 2] {
        let all = self.members.len();
        let middle = all.div_ceil(2);
        [0..middle, middle..all].map(|range| {
            let mut encoder = gpu.encoder();
            let parts = self.kept.iter().map(|kept| kept.part(gpu, &mut encoder, &range));
            let kept = parts.collect();
            gpu.queue.submit([encoder.finish()]);
            Self::with(gpu, shared, (self.group, group), &self.members[range], kept)
        })
    }

    /// What members keep under this name.
    pub fn kept(&self, name: &str) -> &wgpu::Buffer {
        let found = self.kept.iter().find(|kept| kept.name == name);
        &found.expect("the name is one of those that members keep").buffer
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
