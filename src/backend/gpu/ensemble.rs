//! Training an ensemble: chunks of members, one after another through the scratch memory of the study.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ndarray::Array3;

use crate::backend::gpu::GpuOptions;
use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::layout::Arrangement;
use crate::backend::gpu::memory::allocation::{Allocation, groups};
use crate::backend::gpu::memory::buffers::{Readback, UNIFORM_STRIDE};
use crate::backend::gpu::memory::footprint::Scratch;
use crate::backend::gpu::memory::params::{Params, Status};
use crate::backend::gpu::schedule::chunk::{Chunk, Group, member_state};
use crate::backend::gpu::schedule::pace::{Cut, SUBMISSION_SECONDS};
use crate::backend::gpu::schedule::profile::Meter;
use crate::backend::gpu::schedule::ring::{Ring, copy_status};
use crate::backend::gpu::schedule::step::{Phase, params, rates};
use crate::backend::{
    Ensemble, EnsembleStart, EnsembleState, EpochResult, KernelTime, MemberState, Plan, Snapshot, Windows,
    is_missing,
};
use crate::error::{Error, Result};
use crate::model::Shape;

/// How long a device is kept busy before its kernels are timed: clocks of an idle one are a fifth of what they are under load.
const WARM_UP: Duration = Duration::from_millis(300);

/// See [`crate::backend::Ensemble`].
pub struct GpuEnsemble {
    pub gpu: Arc<Gpu>,
    pub plan: Plan,
    /// Members that are computed alike.
    pub groups: Vec<Group>,
    pub scratch: Arc<Scratch>,
    pub chunks: Vec<Chunk>,
    /// The buffers of all chunks.
    shared: Vec<(&'static str, wgpu::Buffer)>,
    /// One entry a step of an epoch, and one more for [`Ensemble::windows`].
    pub params: wgpu::Buffer,
    /// Rows at which a window may start.
    starts: usize,
    step: u32,
    /// What a step of one chunk takes: one a group.
    meters: Vec<Meter>,
    ring: Ring<Readback>,
}

impl GpuEnsemble {
    /// The ensembles of a study.
    pub fn of_study(gpu: &Arc<Gpu>, study: Vec<EnsembleStart>, options: &GpuOptions) -> Result<Vec<Self>> {
        let grouped = |start: &EnsembleStart| groups(gpu, &start.plan, start.data.has_missing, options);
        let groups = study.iter().map(grouped).collect::<Result<Vec<_>>>()?;
        let allocated = Allocation::of_study(gpu, &study, &groups, options)?;
        let longest = options.submission_seconds.unwrap_or(SUBMISSION_SECONDS);
        let ensembles = study.into_iter().zip(groups).zip(allocated);
        Ok(ensembles
            .map(|((start, groups), allocated)| {
                log_groups(gpu, &groups, allocated.chunks.len());
                let meter = |group: &Group| Meter::new(gpu, group.kernels(), longest);
                Self {
                    gpu: Arc::clone(gpu),
                    plan: start.plan,
                    scratch: allocated.scratch,
                    chunks: allocated.chunks,
                    shared: allocated.shared,
                    params: allocated.params,
                    starts: start.data.starts.len(),
                    step: start.state.step,
                    meters: groups.iter().map(meter).collect(),
                    groups,
                    ring: Ring::default(),
                }
            })
            .collect())
    }

    pub fn params(&self, step: u32) -> Params {
        params(&self.plan, self.starts, step)
    }

    /// Puts an epoch's step table, learning rates and noise on the device.
    fn upload(&self, epoch: u32) {
        let mut table = vec![0u8; UNIFORM_STRIDE as usize * self.plan.batches_per_epoch as usize];
        for (slot, step) in table.chunks_exact_mut(UNIFORM_STRIDE as usize).zip(self.step..) {
            slot[..size_of::<Params>()].copy_from_slice(bytemuck::bytes_of(&self.params(step)));
        }
        let queue = &self.gpu.queue;
        queue.write_buffer(&self.params, 0, &table);
        for chunk in &self.chunks {
            self.upload_rates(chunk, epoch);
        }
    }

    fn upload_rates(&self, chunk: &Chunk, epoch: u32) {
        let rates = rates(&self.plan, &chunk.members, epoch);
        (self.gpu.queue).write_buffer(chunk.kept("rates"), 0, bytemuck::cast_slice(&rates));
    }

    /// Enqueues the steps `batches` of the epoch for one chunk, in one submission or one per kernel.
    fn submit(&self, chunk: &Chunk, batches: Range<u32>, kernel_by_kernel: bool) {
        let mut encoder = self.gpu.encoder();
        for batch in batches {
            let offset = batch * UNIFORM_STRIDE as u32;
            if kernel_by_kernel {
                for stage in &chunk.stages {
                    stage.encode(&mut pass(&mut encoder), offset);
                    let full = std::mem::replace(&mut encoder, self.gpu.encoder());
                    self.gpu.queue.submit([full.finish()]);
                }
            } else {
                let mut pass = pass(&mut encoder);
                chunk
                    .stages
                    .iter()
                    .for_each(|stage| stage.encode(&mut pass, offset));
            }
        }
        self.gpu.queue.submit([encoder.finish()]);
    }

    /// Runs the first steps of the ensemble kernel by kernel and tells how long each took: by the device's
    /// clock where it has one, otherwise by the host's around one submission at a time.
    pub fn profile(&mut self, steps: u32) -> Result<Vec<KernelTime>> {
        let steps = steps.clamp(1, self.plan.batches_per_epoch);
        self.upload(self.step / self.plan.batches_per_epoch);
        let mut times: Vec<KernelTime> = Vec::new();
        // Without looking at first: the driver compiles at the first use, and a device that has been idle is slow.
        let start = Instant::now();
        while start.elapsed() < WARM_UP {
            for chunk in &self.chunks {
                self.submit(chunk, 0..1, true);
            }
            self.gpu.wait()?;
        }
        for (batch, chunk) in (0..steps).flat_map(|batch| self.chunks.iter().map(move |chunk| (batch, chunk)))
        {
            let offset = batch * UNIFORM_STRIDE as u32;
            let seconds = self.meters[chunk.group].time(&self.gpu, &chunk.stages, offset)?;
            for (stage, seconds) in chunk.stages.iter().zip(seconds) {
                let kernel = stage.kernel.name;
                match times.iter_mut().find(|t| t.kernel == kernel) {
                    Some(time) => time.seconds += seconds,
                    None => times.push(KernelTime { kernel, seconds }),
                }
            }
        }
        times.iter_mut().for_each(|t| t.seconds /= f64::from(steps));
        Ok(times)
    }

    /// All steps of an epoch for the chunk at this place, in submissions of bounded duration; tells how many chunks are now in
    /// its place, because those of a group whose kernels take too long are halved.
    fn run_chunk(&mut self, at: usize, epoch: u32) -> Result<usize> {
        let batches = self.plan.batches_per_epoch;
        let group = self.chunks[at].group;
        let (mut done, mut pieces) = (0, 1);
        // All chunks of a group are as large, but for a member.
        if self.chunks[..at].iter().all(|chunk| chunk.group != group) {
            let meter = &mut self.meters[group];
            done = meter.measure(&self.gpu, &self.chunks[at], epoch, batches)?;
            if meter.pace.wants_halves() && self.halve(group)? {
                pieces = 2;
            }
        }
        let cut = self.meters[group].pace.cut(batches);
        for chunk in &self.chunks[at..at + pieces] {
            let (steps, by_kernel) = match cut {
                Cut::Steps(steps) => (steps, false),
                Cut::Kernels => (1, true),
            };
            let mut next = done;
            while next < batches {
                let end = next.saturating_add(steps).min(batches);
                self.submit(chunk, next..end, by_kernel);
                next = end;
            }
        }
        Ok(pieces)
    }

    /// Halves the chunks of a group, in the places where they stand; nothing where that cannot be.
    fn halve(&mut self, group: usize) -> Result<bool> {
        let of_group = |chunk: &Chunk| chunk.group == group;
        if self
            .chunks
            .iter()
            .any(|chunk| of_group(chunk) && chunk.members.len() < 2)
        {
            self.meters[group].pace.stays();
            return Ok(false);
        }
        let (halves, error) = self.gpu.capture(|| {
            let chunks = self.chunks.iter().filter(|chunk| of_group(chunk));
            let halves = chunks.map(|chunk| chunk.halves(&self.gpu, &self.shared, &self.groups[group]));
            halves.collect::<Vec<_>>()
        });
        self.gpu.check()?;
        if error.is_some() {
            // What they keep is there twice until the device is done with the whole ones.
            self.meters[group].pace.stays();
            return Ok(false);
        }
        let mut halves = halves.into_iter();
        let chunks = std::mem::take(&mut self.chunks).into_iter();
        self.chunks = chunks
            .flat_map(|chunk| match chunk.group == group {
                true => halves
                    .next()
                    .map(Vec::from)
                    .expect("two for each chunk of the group"),
                false => vec![chunk],
            })
            .collect();
        log::debug!(
            "kernels of group {group} take too long: {} chunks from here on",
            self.chunks.len()
        );
        self.meters[group].halved();
        Ok(true)
    }
}

/// The state of a chunk's members on its way to the host.
struct Copied {
    members: Vec<usize>,
    theta: Readback,
    moments: Readback,
    status: Readback,
}

impl Copied {
    /// Waits for it and puts every member, of `n` parameters, in its place.
    fn read(self, gpu: &Gpu, n: usize, all: &mut [Option<MemberState>]) -> Result<()> {
        let count = self.members.len();
        let theta: Vec<f32> = self.theta.values(gpu, count * n)?;
        let moments: Vec<[f32; 2]> = self.moments.values(gpu, count * n)?;
        let status: Vec<Status> = self.status.values(gpu, count)?;
        let each = theta.chunks_exact(n).zip(moments.chunks_exact(n)).zip(&status);
        for (e, ((theta, moments), status)) in self.members.into_iter().zip(each) {
            all[e] = Some(member_state(theta, moments, status));
        }
        Ok(())
    }
}

fn pass(encoder: &mut wgpu::CommandEncoder) -> wgpu::ComputePass<'_> {
    encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default())
}

fn log_groups(gpu: &Gpu, groups: &[Group], chunks: usize) {
    for group in groups {
        let form = match &group.forms[0] {
            Arrangement::Plain(_) => "the plain form".to_owned(),
            Arrangement::Blocked(b) => format!("the blocked form, blocks of {}", b.length()),
        };
        log::debug!(
            "{} members in {form} on {}, {:?}",
            group.members.len(),
            gpu.info.name,
            group.forms[0].layout()
        );
    }
    log::debug!("{chunks} chunks");
}

impl Ensemble for GpuEnsemble {
    fn train_epoch(&mut self) -> Result<()> {
        self.gpu.check()?;
        self.ring.make_room(&self.gpu)?;
        let epoch = self.step / self.plan.batches_per_epoch;
        self.upload(epoch);
        {
            let scratch = Arc::clone(&self.scratch);
            let _turn = scratch.turn();
            let mut at = 0;
            while at < self.chunks.len() {
                at += self.run_chunk(at, epoch)?;
            }
        }
        let (members, status) = copy_status(&self.gpu, &self.chunks)?;
        self.ring
            .push(epoch, self.plan.batches_per_epoch, members, status);
        self.step += self.plan.batches_per_epoch;
        self.gpu.check()
    }

    fn results(&mut self, wait: bool) -> Result<Vec<EpochResult>> {
        self.gpu.poll(wgpu::PollType::Poll)?;
        self.ring.take(&self.gpu, wait)
    }

    fn state(&mut self) -> Result<EnsembleState> {
        self.snapshot()?()
    }

    fn snapshot(&mut self) -> Result<Snapshot> {
        let n = self.plan.shape.dims.n_params();
        let copy = |chunk: &Chunk| {
            let count = chunk.members.len();
            let copy = |name, each: usize| self.gpu.copy(chunk.kept(name), 0, (each * count) as u64);
            Ok(Copied {
                members: chunk.members.clone(),
                theta: copy("theta", 4 * n)?,
                moments: copy("moments", 8 * n)?,
                status: copy("status", size_of::<Status>())?,
            })
        };
        let copied = self.chunks.iter().map(copy).collect::<Result<Vec<_>>>()?;
        let (gpu, step, count) = (Arc::clone(&self.gpu), self.step, self.plan.members.len());
        Ok(Box::new(move || {
            let mut members = vec![None; count];
            for chunk in copied {
                chunk.read(&gpu, n, &mut members)?;
            }
            Ok(EnsembleState {
                step,
                members: members.into_iter().flatten().collect(),
            })
        }))
    }

    fn windows(&mut self, member: usize, step: u32) -> Result<Windows> {
        let Shape { dims, S, T } = self.plan.shape;
        let place = |c: &Chunk| c.members.binary_search(&member).ok();
        let found = self
            .chunks
            .iter()
            .find_map(|c| place(c).map(|within| (c, within)));
        let (chunk, within) = found.ok_or_else(|| Error::input(format!("there is no member {member}")))?;
        let at = UNIFORM_STRIDE * u64::from(self.plan.batches_per_epoch);
        let params = self.params(step);
        let _turn = self.scratch.turn();
        self.gpu.scoped(|| {
            let queue = &self.gpu.queue;
            queue.write_buffer(&self.params, at, bytemuck::bytes_of(&params));
            // Every epoch begins with its own.
            self.upload_rates(chunk, step / self.plan.batches_per_epoch);
            let mut encoder = self.gpu.encoder();
            for stage in chunk.stages.iter().filter(|stage| stage.phase == Phase::Sample) {
                stage.encode(&mut pass(&mut encoder), at as u32);
            }
            queue.submit([encoder.finish()]);
        })?;
        let read = |buffer: &wgpu::Buffer, width: usize| -> Result<Array3<f64>> {
            let count = S.div_ceil(4) * (T + 1) * width;
            let quads: Vec<[f32; 4]> = self.gpu.read(buffer, (within * count * 16) as u64, count)?;
            Ok(Array3::from_shape_fn((S, T + 1, width), |(s, t, i)| {
                let value = quads[((s / 4) * (T + 1) + t) * width + i][s % 4];
                if is_missing(value) {
                    f64::NAN
                } else {
                    f64::from(value)
                }
            }))
        };
        Ok(Windows {
            x: read(self.scratch.buffer("x"), dims.N)?,
            s: read(self.scratch.buffer("s"), dims.K)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Form, Member, Optimizer, TrainingData};
    use crate::model::{Dims, Theta};

    /// An ensemble of 64 members; 16 windows a batch, of 20 steps.
    fn start(M: usize, form: Form, data: &Arc<TrainingData>) -> EnsembleStart {
        let shape = Shape::new(Dims::new(M, 3, 0).expect("sizes"), 16, 20).expect("sizes");
        let member = |seed| Member {
            seed,
            P: 2,
            tau: 8,
            start_lr: 1e-3,
            end_lr: 1e-3,
            ..Member::default()
        };
        EnsembleStart {
            plan: Plan {
                shape,
                members: (0..64).map(member).collect(),
                optimizer: Optimizer::default(),
                epochs: 2,
                batches_per_epoch: 2,
                form,
            },
            data: Arc::clone(data),
            state: EnsembleState {
                step: 0,
                members: vec![MemberState::new(&Theta::zeros(shape.dims)); 64],
            },
        }
    }

    fn data() -> Arc<TrainingData> {
        Arc::new(TrainingData {
            N: 3,
            K: 0,
            x: vec![0.0; 300],
            s: Vec::new(),
            starts: (0..50).collect(),
            has_missing: false,
        })
    }

    fn noop() -> Arc<Gpu> {
        let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
        Arc::new(Gpu::with_device(device, queue))
    }

    /// Where every kernel takes too long: all members are still there, in order, in more chunks.
    #[test]
    fn chunks_whose_kernels_take_too_long_are_halved() {
        let options = GpuOptions {
            submission_seconds: Some(1e-9),
            ..GpuOptions::default()
        };
        for form in [Form::Plain, Form::Blocked] {
            let study = vec![start(70, form, &data())];
            let mut made = GpuEnsemble::of_study(&noop(), study, &options).expect("there is room");
            assert_eq!(made[0].chunks.len(), 1);
            (0..2).for_each(|_| made[0].train_epoch().expect("every command is accepted"));
            assert!(made[0].chunks.len() >= 2);
            let members: Vec<usize> = made[0].chunks.iter().flat_map(|c| c.members.clone()).collect();
            assert_eq!(members, (0..64).collect::<Vec<_>>());
            assert_eq!(made[0].state().expect("read").members.len(), 64);
        }
    }

    /// Twenty shapes in either form, of which most would fill the budget alone: one scratch memory, within it.
    #[test]
    fn a_study_of_many_shapes_stays_within_one_budget() {
        let data = data();
        let study = |shapes: &[usize]| {
            let gpu = noop();
            let form = |i: usize| [Form::Plain, Form::Blocked][i % 2];
            let starts = shapes
                .iter()
                .map(|&i| start(10 + 4 * i, form(i), &data))
                .collect();
            let options = GpuOptions {
                memory: Some(4 << 20),
                ..GpuOptions::default()
            };
            GpuEnsemble::of_study(&gpu, starts, &options).expect("there is room")
        };
        let all: Vec<usize> = (0..20).collect();
        let bytes = |scratch: &Scratch| scratch.named().map(|(_, buffer)| buffer.size()).sum::<u64>();
        let alone: u64 = all.iter().map(|&i| bytes(&study(&[i])[0].scratch)).sum();
        let mut together = study(&all);
        let shared = Arc::clone(&together[0].scratch);
        assert!(together.iter().all(|one| Arc::ptr_eq(&one.scratch, &shared)));
        assert!(bytes(&shared) <= 4 << 20, "{} bytes", bytes(&shared));
        assert!(
            alone > 10 * bytes(&shared),
            "{alone} bytes where each has its own"
        );
        for ensemble in &mut together {
            ensemble.train_epoch().expect("every dispatch is accepted");
            assert_eq!(ensemble.results(true).expect("results are read").len(), 1);
        }
    }
}
