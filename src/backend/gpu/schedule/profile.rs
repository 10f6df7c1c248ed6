//! How long each kernel runs.

use std::time::Instant;

use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::memory::buffers::STORAGE;
use crate::backend::gpu::schedule::chunk::Stage;
use crate::error::Result;

/// Times single dispatches.
#[derive(Debug)]
pub struct Timer(Option<(wgpu::QuerySet, wgpu::Buffer)>);

impl Timer {
    pub fn new(gpu: &Gpu) -> Self {
        Self(gpu.timestamps.then(|| {
            let queries = gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("kernel time"),
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            });
            (
                queries,
                gpu.buffer("kernel time", 16, STORAGE | wgpu::BufferUsages::QUERY_RESOLVE),
            )
        }))
    }

    /// Runs a kernel and waits for it: seconds by the device's clock, or by the host's where it has none.
    pub fn time(&mut self, gpu: &Gpu, stage: &Stage, offset: u32) -> Result<f64> {
        let timestamps = |query_set| wgpu::ComputePassTimestampWrites {
            query_set,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        };
        let descriptor = wgpu::ComputePassDescriptor {
            label: Some("profile"),
            timestamp_writes: self.0.as_ref().map(|(queries, _)| timestamps(queries)),
        };
        let mut encoder = gpu.encoder();
        stage.encode(&mut encoder.begin_compute_pass(&descriptor), offset);
        if let Some((queries, ticks)) = &self.0 {
            encoder.resolve_query_set(queries, 0..2, ticks, 0);
        }
        let start = Instant::now();
        gpu.queue.submit([encoder.finish()]);
        gpu.wait()?;
        let seconds = start.elapsed().as_secs_f64();
        let Some((_, ticks)) = &self.0 else {
            return Ok(seconds);
        };
        let ticks: Vec<u64> = gpu.read(ticks, 0, 2)?;
        let nanoseconds =
            ticks[1].saturating_sub(ticks[0]) as f64 * f64::from(gpu.queue.get_timestamp_period());
        Ok(nanoseconds * 1e-9)
    }
}
