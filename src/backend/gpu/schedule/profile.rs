//! How long each kernel runs, by the device's clock where it has one.

use std::time::Instant;

use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::memory::buffers::{Readback, STAGING, UNIFORM_STRIDE};
use crate::backend::gpu::schedule::chunk::{Chunk, Stage};
use crate::backend::gpu::schedule::pace::{Cut, Pace};
use crate::error::Result;

/// The device's clock around some dispatches, each in a pass of its own.
#[derive(Debug)]
pub struct Clock {
    queries: wgpu::QuerySet,
    dispatches: u32,
    ticks: wgpu::Buffer,
    /// Seconds from a tick to the next.
    period: f64,
}

impl Clock {
    /// `None` where the device has no clock.
    pub fn new(gpu: &Gpu, dispatches: usize) -> Option<Self> {
        gpu.timestamps.then(|| {
            let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
            Self {
                queries: gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
                    label: Some("kernel time"),
                    ty: wgpu::QueryType::Timestamp,
                    count: 2 * dispatches as u32,
                }),
                dispatches: dispatches as u32,
                ticks: gpu.buffer("kernel time", 16 * dispatches as u64, usage),
                period: f64::from(gpu.queue.get_timestamp_period()) * 1e-9,
            }
        })
    }

    /// Begins the pass of a dispatch; without a clock, one that is not timed.
    pub fn pass<'a>(
        clock: Option<&Self>,
        encoder: &'a mut wgpu::CommandEncoder,
        dispatch: usize,
    ) -> wgpu::ComputePass<'a> {
        encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: None,
            timestamp_writes: clock.map(|clock| wgpu::ComputePassTimestampWrites {
                query_set: &clock.queries,
                beginning_of_pass_write_index: Some(2 * dispatch as u32),
                end_of_pass_write_index: Some(2 * dispatch as u32 + 1),
            }),
        })
    }

    /// Submits these commands, and sends the times of passes among them and before to the host.
    pub fn fetch(&self, gpu: &Gpu, mut encoder: wgpu::CommandEncoder) -> Readback {
        let bytes = 16 * u64::from(self.dispatches);
        encoder.resolve_query_set(&self.queries, 0..2 * self.dispatches, &self.ticks, 0);
        let staging = gpu.buffer("kernel time on the host", bytes, STAGING);
        encoder.copy_buffer_to_buffer(&self.ticks, 0, &staging, 0, bytes);
        gpu.fetch(encoder, staging)
    }

    /// Seconds of each dispatch, once they are done.
    pub fn seconds(&self, gpu: &Gpu, times: Readback) -> Result<Vec<f64>> {
        let ticks: Vec<[u64; 2]> = times.values(gpu, self.dispatches as usize)?;
        let seconds = |&[from, to]: &[u64; 2]| to.saturating_sub(from) as f64 * self.period;
        Ok(ticks.iter().map(seconds).collect())
    }
}

/// Measures the steps of a group's chunks.
#[derive(Debug)]
pub struct Meter {
    pub pace: Pace,
    /// `None` where the device has none, or one that was seen to be wrong.
    clock: Option<Clock>,
    /// Times on their way to the host.
    reading: Option<Readback>,
}

impl Meter {
    /// For steps of so many kernels, in submissions of about `longest` seconds.
    pub fn new(gpu: &Gpu, kernels: usize, longest: f64) -> Self {
        Self {
            pace: Pace::new(longest),
            clock: Clock::new(gpu, kernels),
            reading: None,
        }
    }

    /// Records a step, each kernel in a pass of its own; `apart`, these are submitted one by one.
    fn record(&self, gpu: &Gpu, stages: &[Stage], offset: u32, apart: bool) -> wgpu::CommandEncoder {
        let mut encoder = gpu.encoder();
        for (i, stage) in stages.iter().enumerate() {
            stage.encode(&mut Clock::pass(self.clock.as_ref(), &mut encoder, i), offset);
            if apart {
                let full = std::mem::replace(&mut encoder, gpu.encoder());
                gpu.queue.submit([full.finish()]);
            }
        }
        encoder
    }

    /// Runs a step, waiting for all that is enqueued before and for it: the seconds that each kernel takes.
    pub fn time(&mut self, gpu: &Gpu, stages: &[Stage], offset: u32) -> Result<Vec<f64>> {
        gpu.wait()?;
        let start = Instant::now();
        if let Some(clock) = &self.clock {
            let reading = gpu.scoped(|| clock.fetch(gpu, self.record(gpu, stages, offset, true)))?;
            let seconds = clock.seconds(gpu, reading)?;
            let (sum, most) = (seconds.iter().sum::<f64>(), start.elapsed().as_secs_f64());
            if sum > 0.0 && sum <= most {
                return Ok(seconds);
            }
            log::debug!("the clock of {} is wrong: {sum} of {most} s", gpu.info.name);
            self.clock = None;
            return Ok(vec![most / stages.len() as f64; stages.len()]);
        }
        let time = |stage| {
            let start = Instant::now();
            self.record(gpu, std::slice::from_ref(stage), offset, true);
            gpu.wait().map(|()| start.elapsed().as_secs_f64())
        };
        stages.iter().map(time).collect()
    }

    /// Runs those of a chunk's steps of an epoch that are to be measured, and tells how many. Where nothing is known yet, and
    /// now and then where the device has no clock, that waits for the device.
    pub fn measure(&mut self, gpu: &Gpu, chunk: &Chunk, epoch: u32, batches: u32) -> Result<u32> {
        let offset = |step: u32| step * UNIFORM_STRIDE as u32;
        if let Some(clock) = &self.clock
            && let Some(reading) = self.reading.take_if(|reading| reading.is_ready())
        {
            self.pace.add(&clock.seconds(gpu, reading)?);
        }
        let mut done = 0;
        while !self.pace.is_known() && done < batches {
            let seconds = self.time(gpu, &chunk.stages, offset(done))?;
            done += 1;
            // The first step may also pay for the driver's compilation.
            if done > 1 || batches == 1 {
                self.pace.add(&seconds);
            }
        }
        if done > 0 {
            return Ok(done);
        }
        match &self.clock {
            Some(clock) if self.reading.is_none() => {
                let apart = self.pace.cut(batches) == Cut::Kernels;
                let reading = gpu.scoped(|| clock.fetch(gpu, self.record(gpu, &chunk.stages, 0, apart)))?;
                self.reading = Some(reading);
                Ok(1)
            }
            None if self.pace.is_due(epoch) => {
                let seconds = self.time(gpu, &chunk.stages, 0)?;
                self.pace.add(&seconds);
                Ok(1)
            }
            _ => Ok(0),
        }
    }

    /// What was measured is of larger chunks.
    pub fn halved(&mut self) {
        self.pace.halved();
        self.reading = None;
    }
}
