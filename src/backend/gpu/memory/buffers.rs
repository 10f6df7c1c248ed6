//! Buffers: making, filling and reading them.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytemuck::{NoUninit, Pod};

use crate::backend::gpu::device::{Gpu, Kernel};
use crate::error::{Error, Result};

/// Distance between entries of a uniform buffer that are bound by dynamic offset; the largest a device may ask for.
pub const UNIFORM_STRIDE: u64 = 256;

/// What a buffer is used for.
pub const STORAGE: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE
    .union(wgpu::BufferUsages::COPY_SRC)
    .union(wgpu::BufferUsages::COPY_DST);
pub const UNIFORM: wgpu::BufferUsages = wgpu::BufferUsages::UNIFORM.union(wgpu::BufferUsages::COPY_DST);
pub const STAGING: wgpu::BufferUsages = wgpu::BufferUsages::MAP_READ.union(wgpu::BufferUsages::COPY_DST);

/// A buffer by the name that shaders declare it by.
pub type Named<'a> = (&'static str, &'a wgpu::Buffer);

/// Bytes of a buffer with room for so many, at least one 16-byte element (an unused binding still needs something).
pub fn room(bytes: u64) -> u64 {
    bytes.max(16).next_multiple_of(16)
}

/// Bytes of a buffer that holds values: exactly as long as they are where that is a multiple of 4 bytes, because kernels ask
/// for its length.
pub fn length(bytes: usize) -> u64 {
    (bytes as u64).max(16).next_multiple_of(4)
}

impl Gpu {
    /// A buffer with room for so many bytes (`room`).
    pub fn buffer(&self, label: &str, bytes: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: room(bytes),
            usage,
            mapped_at_creation: false,
        })
    }

    /// A storage buffer for values of so many bytes (`length`).
    pub fn exact(&self, label: &str, bytes: usize) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: length(bytes),
            usage: STORAGE,
            mapped_at_creation: false,
        })
    }

    /// A storage buffer holding `values`, of their length (`length`).
    pub fn storage<T: NoUninit>(&self, label: &str, values: &[T]) -> wgpu::Buffer {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let buffer = self.exact(label, bytes.len());
        self.queue.write_buffer(&buffer, 0, bytes);
        buffer
    }

    /// A bind group of the buffers that the kernel declares, found by their names; binding 0 is the uniform entry of
    /// `uniform_size` bytes at a dynamic offset. A name that is missing is refused by the device.
    pub fn bind(&self, kernel: &Kernel, uniform_size: usize, buffers: &[Named<'_>]) -> wgpu::BindGroup {
        let found = |name: &String| buffers.iter().find(|(other, _)| other == name);
        let entry = |(name, binding)| {
            let &(_, buffer) = found(name)?;
            let size = (binding == 0).then_some(uniform_size as u64);
            Some(wgpu::BindGroupEntry {
                binding,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer,
                    offset: 0,
                    size: size.and_then(wgpu::BufferSize::new),
                }),
            })
        };
        let entries: Vec<_> = kernel.bindings.iter().zip(0..).filter_map(entry).collect();
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(kernel.name),
            layout: &kernel.layout,
            entries: &entries,
        })
    }

    pub fn encoder(&self) -> wgpu::CommandEncoder {
        self.device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
    }

    /// Submits commands that fill a staging buffer for the host.
    pub fn fetch(&self, encoder: wgpu::CommandEncoder, staging: wgpu::Buffer) -> Readback {
        let submission = self.queue.submit([encoder.finish()]);
        let answer = Arc::new(OnceLock::new());
        let slot = Arc::clone(&answer);
        staging.slice(..).map_async(wgpu::MapMode::Read, move |result| {
            slot.set(result).expect("the callback runs once");
        });
        Readback {
            staging,
            answer,
            submission,
        }
    }

    /// Enqueues a copy of some bytes for the host.
    pub fn copy(&self, buffer: &wgpu::Buffer, offset: u64, bytes: u64) -> Result<Readback> {
        self.scoped(|| {
            let staging = self.buffer("read back", bytes, STAGING);
            let mut encoder = self.encoder();
            encoder.copy_buffer_to_buffer(buffer, offset, &staging, 0, bytes);
            self.fetch(encoder, staging)
        })
    }

    /// Waits for the device and reads `count` values from the byte `offset` on.
    pub fn read<T: Pod>(&self, buffer: &wgpu::Buffer, offset: u64, count: usize) -> Result<Vec<T>> {
        let bytes = (count * size_of::<T>()) as u64;
        if bytes == 0 {
            return Ok(Vec::new());
        }
        self.copy(buffer, offset, bytes)?.values(self, count)
    }

    /// The two-dimensional grid of at least `workgroups` workgroups.
    pub fn grid(&self, workgroups: usize) -> [u32; 2] {
        grid(workgroups, self.limits.max_compute_workgroups_per_dimension)
    }
}

/// [`Gpu::grid`] where a dimension has `most` workgroups at most.
pub fn grid(workgroups: usize, most: u32) -> [u32; 2] {
    let rows = workgroups.div_ceil(most as usize).max(1);
    [workgroups.div_ceil(rows) as u32, rows as u32]
}

/// How long a mapping may take once the device is done.
const DELIVERY: Duration = Duration::from_secs(30);

/// Values on their way to the host.
#[derive(Debug)]
pub struct Readback {
    staging: wgpu::Buffer,
    answer: Arc<OnceLock<Result<(), wgpu::BufferAsyncError>>>,
    submission: wgpu::SubmissionIndex,
}

impl Readback {
    /// Whether the device has answered.
    pub fn is_ready(&self) -> bool {
        self.answer.get().is_some()
    }

    /// The first `count` values, after waiting for the submission that writes them (later ones may be running).
    pub fn values<T: Pod>(self, gpu: &Gpu, count: usize) -> Result<Vec<T>> {
        gpu.poll(wgpu::PollType::Wait {
            submission_index: Some(self.submission.clone()),
            timeout: None,
        })?;
        let failed = |why: String| {
            Error::runtime(format!("cannot read from {}: {why}", gpu.info.name))
                .with_hint("try --backend cpu")
        };
        // Another thread's poll may have taken the answer along and be about to deliver it.
        let start = Instant::now();
        while !self.is_ready() && start.elapsed() < DELIVERY {
            gpu.poll(wgpu::PollType::Poll)?;
            std::thread::sleep(Duration::from_micros(50));
        }
        match self.answer.get() {
            Some(Ok(())) => {}
            Some(Err(e)) => return Err(failed(e.to_string())),
            None => return Err(failed("the device did not answer".into())),
        }
        let bytes = (count * size_of::<T>()) as u64;
        let view = self.staging.slice(..bytes).get_mapped_range();
        let view = view.map_err(|e| failed(e.to_string()))?;
        Ok(bytemuck::pod_collect_to_vec(&view))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_cover_any_number_of_workgroups() {
        for count in [1, 2, 65_535, 65_536, 131_071, 10_000_000] {
            let [x, y] = grid(count, 65_535);
            assert!(x <= 65_535 && y <= 65_535);
            assert!(x as usize * y as usize >= count && (x as usize * y as usize) < count + y as usize);
        }
    }
}
