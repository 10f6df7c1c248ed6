//! Training an ensemble: chunks of members, one after another through the scratch memory of the study.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use ndarray::Array3;

use crate::backend::gpu::GpuOptions;
use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::layout::Arrangement;
use crate::backend::gpu::memory::allocation::{Allocation, groups};
use crate::backend::gpu::memory::buffers::UNIFORM_STRIDE;
use crate::backend::gpu::memory::footprint::Scratch;
use crate::backend::gpu::memory::params::{Params, Status};
use crate::backend::gpu::schedule::chunk::{Chunk, Group, member_state};
use crate::backend::gpu::schedule::profile::Timer;
use crate::backend::gpu::schedule::ring::Ring;
use crate::backend::gpu::schedule::step::{Phase, params, rates};
use crate::backend::{
    Ensemble, EnsembleStart, EnsembleState, EpochResult, KernelTime, Plan, Windows, is_missing,
};
use crate::error::{Error, Result};
use crate::model::Shape;

/// A submission is cut so that it runs about this long; displays and watchdogs want well under two seconds.
const SUBMISSION_SECONDS: f64 = 0.3;

/// See [`crate::backend::Ensemble`].
pub struct GpuEnsemble {
    pub gpu: Arc<Gpu>,
    pub plan: Plan,
    /// Members that are computed alike.
    pub groups: Vec<Group>,
    pub scratch: Arc<Scratch>,
    pub chunks: Vec<Chunk>,
    /// One entry a step of an epoch, and one more for [`Ensemble::windows`].
    pub params: wgpu::Buffer,
    /// Rows at which a window may start.
    starts: usize,
    step: u32,
    /// Seconds that a step of one chunk takes, once it was measured: one a group.
    paces: Vec<Option<f64>>,
    submission_seconds: f64,
    ring: Ring,
}

impl GpuEnsemble {
    /// The ensembles of a study.
    pub fn of_study(gpu: &Arc<Gpu>, study: Vec<EnsembleStart>, options: &GpuOptions) -> Result<Vec<Self>> {
        let grouped = |start: &EnsembleStart| groups(gpu, &start.plan, start.data.has_missing, options);
        let groups = study.iter().map(grouped).collect::<Result<Vec<_>>>()?;
        let allocated = Allocation::of_study(gpu, &study, &groups, options)?;
        let ensembles = study.into_iter().zip(groups).zip(allocated);
        Ok(ensembles
            .map(|((start, groups), allocated)| {
                log_groups(gpu, &groups, allocated.chunks.len());
                Self {
                    gpu: Arc::clone(gpu),
                    plan: start.plan,
                    scratch: allocated.scratch,
                    chunks: allocated.chunks,
                    params: allocated.params,
                    starts: start.data.starts.len(),
                    step: start.state.step,
                    paces: vec![None; groups.len()],
                    groups,
                    submission_seconds: options.submission_seconds.unwrap_or(SUBMISSION_SECONDS),
                    ring: Ring::default(),
                }
            })
            .collect())
    }

    pub fn params(&self, step: u32) -> Params {
        params(&self.plan, self.starts, step)
    }

    /// Puts an epoch's step table and learning rates on the device.
    fn upload(&self, epoch: u32) {
        let mut table = vec![0u8; UNIFORM_STRIDE as usize * self.plan.batches_per_epoch as usize];
        for (slot, step) in table.chunks_exact_mut(UNIFORM_STRIDE as usize).zip(self.step..) {
            slot[..size_of::<Params>()].copy_from_slice(bytemuck::bytes_of(&self.params(step)));
        }
        let queue = &self.gpu.queue;
        queue.write_buffer(&self.params, 0, &table);
        for chunk in &self.chunks {
            let rates = rates(&self.plan, &chunk.members, epoch);
            queue.write_buffer(&chunk.rates, 0, bytemuck::cast_slice(&rates));
        }
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
        let mut timer = self.gpu.scoped(|| Timer::new(&self.gpu))?;
        self.upload(self.step / self.plan.batches_per_epoch);
        // Once without looking: the driver compiles at the first use.
        for chunk in &self.chunks {
            self.submit(chunk, 0..1, true);
        }
        self.gpu.wait()?;
        let mut times: Vec<KernelTime> = Vec::new();
        for batch in 0..steps {
            for stage in self.chunks.iter().flat_map(|chunk| &chunk.stages) {
                let seconds = timer.time(&self.gpu, stage, batch * UNIFORM_STRIDE as u32)?;
                let name = stage.kernel.name;
                match times.iter_mut().find(|t| t.kernel == name) {
                    Some(time) => time.seconds += seconds,
                    None => times.push(KernelTime {
                        kernel: name,
                        seconds,
                    }),
                }
            }
        }
        times.iter_mut().for_each(|t| t.seconds /= f64::from(steps));
        Ok(times)
    }

    /// All steps of an epoch for one chunk, in submissions of bounded duration.
    fn run_chunk(&mut self, at: usize) -> Result<()> {
        let batches = self.plan.batches_per_epoch;
        let group = self.chunks[at].group;
        let mut next = 0;
        // The first step also pays for the driver's compilation; the second tells the pace.
        while self.paces[group].is_none() && next < batches {
            self.gpu.wait()?;
            let start = Instant::now();
            self.submit(&self.chunks[at], next..next + 1, true);
            self.gpu.wait()?;
            next += 1;
            if next == 2 || batches == 1 {
                self.paces[group] = Some(start.elapsed().as_secs_f64().max(1e-7));
            }
        }
        let longest = self.submission_seconds;
        let pace = self.paces[group].unwrap_or(longest);
        let steps = (longest / pace).clamp(1.0, f64::from(batches)) as u32;
        while next < batches {
            let end = (next + steps).min(batches);
            self.submit(&self.chunks[at], next..end, pace > longest);
            next = end;
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
            (0..self.chunks.len()).try_for_each(|at| self.run_chunk(at))?;
        }
        let sources: Vec<_> = self.chunks.iter().map(|c| (&c.members[..], &c.status)).collect();
        self.ring
            .push(&self.gpu, epoch, self.plan.batches_per_epoch, &sources)?;
        self.step += self.plan.batches_per_epoch;
        self.gpu.check()
    }

    fn results(&mut self, wait: bool) -> Result<Vec<EpochResult>> {
        self.gpu.poll(wgpu::PollType::Poll)?;
        self.ring.take(&self.gpu, wait)
    }

    fn state(&mut self) -> Result<EnsembleState> {
        let n = self.plan.shape.dims.n_params();
        let mut members = vec![None; self.plan.members.len()];
        for chunk in &self.chunks {
            let count = chunk.members.len();
            let theta: Vec<f32> = self.gpu.read(&chunk.theta, 0, count * n)?;
            let moments: Vec<[f32; 2]> = self.gpu.read(&chunk.moments, 0, count * n)?;
            let status: Vec<Status> = self.gpu.read(&chunk.status, 0, count)?;
            let each = theta.chunks_exact(n).zip(moments.chunks_exact(n)).zip(&status);
            for (&e, ((theta, moments), status)) in chunk.members.iter().zip(each) {
                members[e] = Some(member_state(theta, moments, status));
            }
        }
        let members = members.into_iter().flatten().collect();
        Ok(EnsembleState {
            step: self.step,
            members,
        })
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
    use crate::backend::{EnsembleState, Form, Member, MemberState, Optimizer, TrainingData};
    use crate::model::{Dims, Theta};

    /// An ensemble of 64 members; 16 windows a batch, of 20 steps.
    fn start(M: usize, form: Form, data: &Arc<TrainingData>) -> EnsembleStart {
        let shape = Shape::new(Dims::new(M, 3, 0).expect("sizes"), 16, 20).expect("sizes");
        let member = |seed| Member {
            seed,
            P: 2,
            tau: 8,
            alpha: 1.0,
            noise: 0.0,
            start_lr: 1e-3,
            end_lr: 1e-3,
            lambda_lat: 0.0,
            lambda_obs: 0.0,
            clip: None,
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

    /// Twenty shapes in either form, of which most would fill the budget alone: one scratch memory, within it.
    #[test]
    fn a_study_of_many_shapes_stays_within_one_budget() {
        let data = Arc::new(TrainingData {
            N: 3,
            K: 0,
            x: vec![0.0; 300],
            s: Vec::new(),
            starts: (0..50).collect(),
            has_missing: false,
        });
        let study = |shapes: &[usize]| {
            let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
            let gpu = Arc::new(Gpu::with_device(device, queue));
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
