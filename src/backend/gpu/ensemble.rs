//! Training an ensemble: chunks of members, one after another through the same scratch memory.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use ndarray::Array3;

use crate::backend::KernelTime;
use crate::backend::check;
use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::layout::choose::Arrangement;
use crate::backend::gpu::memory::allocation::{Allocation, Limits, groups};
use crate::backend::gpu::memory::buffers::UNIFORM_STRIDE;
use crate::backend::gpu::memory::footprint::Scratch;
use crate::backend::gpu::memory::params::{Params, Status};
use crate::backend::gpu::schedule::chunk::{Chunk, sample_slices};
use crate::backend::gpu::schedule::profile::Timer;
use crate::backend::gpu::schedule::ring::{Ring, stopped_at};
use crate::backend::gpu::shader::kernel::Name;
use crate::backend::{
    Ensemble, EnsembleState, EpochResult, MemberState, Plan, TrainingData, Windows, is_missing, learning_rate,
};
use crate::error::{Error, Result};
use crate::model::Shape;

/// A submission is cut so that it runs about this long; displays and watchdogs want well under two seconds.
pub const SUBMISSION_SECONDS: f64 = 0.3;
/// See [`crate::backend::Ensemble`].
pub struct GpuEnsemble {
    gpu: Arc<Gpu>,
    plan: Plan,
    data: Arc<TrainingData>,
    scratch: Scratch,
    chunks: Vec<Chunk>,
    /// One entry a step of an epoch, and one more for [`Ensemble::windows`].
    params: wgpu::Buffer,
    step: u32,
    /// Seconds that a step of one chunk takes, once it was measured: one a group of members computed alike.
    paces: Vec<Option<f64>>,
    submission_seconds: f64,
    ring: Ring,
}

impl GpuEnsemble {
    pub fn new(
        gpu: Arc<Gpu>,
        plan: Plan,
        data: Arc<TrainingData>,
        state: &EnsembleState,
        limits: Limits,
    ) -> Result<Self> {
        check::plan(&plan, &data, state)?;
        let groups = groups(&gpu, &plan, data.has_missing, limits)?;
        let Allocation {
            scratch,
            chunks,
            params,
        } = Allocation::new(&gpu, &groups, &plan, &data, state, limits)?;
        for group in &groups {
            let form = match &group.arrangement {
                Arrangement::Plain(_) => "the plain form".to_owned(),
                Arrangement::Blocked(b) => format!("the blocked form, blocks of {}", b.length()),
            };
            log::debug!(
                "{} members in {form} on {}, {:?}",
                group.members.len(),
                gpu.info.name,
                group.arrangement.layout()
            );
        }
        log::debug!("{} members in {} chunks", plan.members.len(), chunks.len());
        Ok(Self {
            gpu,
            plan,
            data,
            scratch,
            chunks,
            params,
            step: state.step,
            paces: vec![None; groups.len()],
            submission_seconds: limits.submission_seconds.unwrap_or(SUBMISSION_SECONDS),
            ring: Ring::default(),
        })
    }

    fn params(&self, step: u32) -> Params {
        let Shape { dims, S, T } = self.plan.shape;
        let coefficients = self.plan.optimizer.coefficients(step + 1);
        Params {
            step,
            first: u32::from(step.is_multiple_of(self.plan.batches_per_epoch)),
            T: T as u32,
            starts: self.data.starts.len() as u32,
            slices: sample_slices(self.plan.shape) as u32,
            m_scale: coefficients.m_scale as f32,
            v_scale: coefficients.v_scale as f32,
            rect: coefficients.rect as f32,
            targets: (S * T * dims.N) as f32,
            ..Params::default()
        }
    }

    /// Puts an epoch's step table and learning rates on the device.
    fn upload(&self, epoch: u32) {
        let mut table = vec![0u8; UNIFORM_STRIDE as usize * self.plan.batches_per_epoch as usize];
        for (slot, step) in table.chunks_exact_mut(UNIFORM_STRIDE as usize).zip(self.step..) {
            slot[..size_of::<Params>()].copy_from_slice(bytemuck::bytes_of(&self.params(step)));
        }
        self.gpu.queue.write_buffer(&self.params, 0, &table);
        for chunk in &self.chunks {
            let members = chunk.members.iter().map(|&e| &self.plan.members[e]);
            let rates: Vec<f32> = members
                .map(|m| learning_rate(m.start_lr, m.end_lr, epoch, self.plan.epochs) as f32)
                .collect();
            self.gpu
                .queue
                .write_buffer(&chunk.rates, 0, bytemuck::cast_slice(&rates));
        }
    }

    /// Enqueues the steps `batches` of the epoch for one chunk, in one submission or one per kernel.
    fn submit(&self, chunk: &Chunk, batches: Range<u32>, kernel_by_kernel: bool) {
        let mut encoder = self.encoder();
        for batch in batches {
            let offset = batch * UNIFORM_STRIDE as u32;
            if kernel_by_kernel {
                for stage in chunk.stages() {
                    stage.encode(&mut encoder.begin_compute_pass(&pass("kernel")), offset);
                    let full = std::mem::replace(&mut encoder, self.encoder());
                    self.gpu.queue.submit([full.finish()]);
                }
            } else {
                let mut pass = encoder.begin_compute_pass(&pass("step"));
                chunk
                    .stages()
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
            for stage in self.chunks.iter().flat_map(Chunk::stages) {
                let seconds = timer.time(&self.gpu, stage, batch * UNIFORM_STRIDE as u32)?;
                let name = stage.kernel.name.as_str();
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

    fn encoder(&self) -> wgpu::CommandEncoder {
        self.gpu
            .device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
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

pub fn pass<'a>(label: &'static str) -> wgpu::ComputePassDescriptor<'a> {
    wgpu::ComputePassDescriptor {
        label: Some(label),
        timestamp_writes: None,
    }
}

impl Ensemble for GpuEnsemble {
    fn train_epoch(&mut self) -> Result<()> {
        self.gpu.check()?;
        self.ring.make_room(&self.gpu)?;
        let epoch = self.step / self.plan.batches_per_epoch;
        self.upload(epoch);
        for at in 0..self.chunks.len() {
            self.run_chunk(at)?;
        }
        let sources: Vec<_> = self.chunks.iter().map(|c| (&c.members[..], &c.status)).collect();
        self.ring
            .push(&self.gpu, epoch, self.plan.batches_per_epoch, &sources)?;
        self.step += self.plan.batches_per_epoch;
        self.gpu.check()
    }

    fn results(&mut self, wait: bool) -> Result<Vec<EpochResult>> {
        if wait {
            self.gpu.wait()?;
        } else {
            self.gpu.poll(wgpu::PollType::Poll)?;
        }
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
                members[e] = Some(MemberState {
                    theta: theta.to_vec(),
                    m: moments.iter().map(|p| p[0]).collect(),
                    v: moments.iter().map(|p| p[1]).collect(),
                    stopped_at: stopped_at(status),
                });
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
        self.gpu.scoped(|| {
            self.gpu
                .queue
                .write_buffer(&self.params, at, bytemuck::bytes_of(&params));
            let mut encoder = self.encoder();
            let sample = chunk.stages().iter().filter(|s| s.kernel.name == Name::Sample);
            sample
                .for_each(|stage| stage.encode(&mut encoder.begin_compute_pass(&pass("windows")), at as u32));
            self.gpu.queue.submit([encoder.finish()]);
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
            x: read(&self.scratch.x, dims.N)?,
            s: read(&self.scratch.s, dims.K)?,
        })
    }
}
