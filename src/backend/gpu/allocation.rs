//! Memory of an ensemble: as many members to a chunk as the device's limits and the budget allow.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::ops::Range;

use crate::backend::gpu::buffers::{UNIFORM, UNIFORM_STRIDE};
use crate::backend::gpu::chunk::{Chunk, Common, Data, Footprint, Kernels, Scratch};
use crate::backend::gpu::consts::Layout;
use crate::backend::gpu::device::Gpu;
use crate::backend::{EnsembleState, Plan, TrainingData};
use crate::error::{Error, Result};

/// What an ensemble may take; defaults where `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Bytes of scratch memory of a chunk of members.
    pub memory: Option<u64>,
    /// How long a submission should run at most.
    pub submission_seconds: Option<f64>,
}

/// Scratch memory of a chunk unless the caller says otherwise, in bytes.
fn default_budget(gpu: &Gpu) -> u64 {
    match gpu.info.device_type {
        wgpu::DeviceType::DiscreteGpu => 4 << 30,
        wgpu::DeviceType::Cpu => 256 << 20,
        _ => 1 << 30,
    }
}

/// All buffers of an ensemble.
#[derive(Debug)]
pub struct Allocation {
    pub scratch: Scratch,
    pub chunks: Vec<Chunk>,
    /// One uniform entry a step of an epoch, and one to spare.
    pub params: wgpu::Buffer,
}

impl Allocation {
    /// Takes the memory; where there is not enough, tries again with chunks of half the size.
    pub fn new(
        gpu: &Gpu,
        layout: &Layout,
        plan: &Plan,
        data: &TrainingData,
        state: &EnsembleState,
        limits: Limits,
    ) -> Result<Self> {
        let one = Footprint::new(layout, plan.shape.T);
        let kernels = Kernels::new(gpu, layout)?;
        let data = Data::new(gpu, data)?;
        let budget = limits.memory.unwrap_or_else(|| default_budget(gpu));
        let mut most = one
            .members(gpu.max_buffer(), budget)
            .min(plan.members.len() as u64) as usize;
        if most == 0 {
            return Err(too_large(gpu));
        }
        loop {
            let ranges = split(plan.members.len(), most);
            let (made, error) = gpu.capture(|| {
                let scratch = Scratch::new(gpu, &one, ranges[0].len());
                let entries = u64::from(plan.batches_per_epoch) + 1;
                let params = gpu.buffer("params", UNIFORM_STRIDE * entries, UNIFORM);
                let common = Common {
                    gpu,
                    layout,
                    shape: plan.shape,
                    kernels: &kernels,
                    data: &data,
                    scratch: &scratch,
                    params: &params,
                };
                let chunk = |range| Chunk::new(common, range, &plan.members, &state.members);
                let chunks = ranges.into_iter().map(chunk).collect();
                Self {
                    scratch,
                    chunks,
                    params,
                }
            });
            gpu.check()?;
            match error {
                None => return Ok(made),
                Some(wgpu::Error::OutOfMemory { .. }) if most > 1 => {
                    drop(made);
                    gpu.wait()?;
                    most /= 2;
                }
                Some(error) => return Err(gpu.explain(&error)),
            }
        }
    }
}

fn too_large(gpu: &Gpu) -> Error {
    Error::runtime(format!(
        "{} cannot hold even one member of this shape",
        gpu.info.name
    ))
    .with_hint("use a smaller --batch-size or --T, or --backend cpu")
}

/// Ranges of nearly equal length, the longest first, none longer than `most`.
fn split(members: usize, most: usize) -> Vec<Range<usize>> {
    let chunks = members.div_ceil(most);
    let (each, longer) = (members / chunks, members % chunks);
    let start = |i: usize| i * each + i.min(longer);
    (0..chunks).map(|i| start(i)..start(i + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_are_even_and_complete() {
        for (members, most) in [(1, 1), (64, 64), (64, 63), (10, 3), (7, 100)] {
            let ranges = split(members, most);
            assert_eq!(ranges.iter().map(Range::len).sum::<usize>(), members);
            assert!(
                ranges
                    .windows(2)
                    .all(|r| r[0].end == r[1].start && r[0].len() >= r[1].len())
            );
            assert!(ranges.iter().all(|r| (1..=most).contains(&r.len())));
        }
    }
}
