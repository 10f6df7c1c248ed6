//! Memory of an ensemble: as many members to a chunk as the device's limits and the budget allow.

use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::layout::choose::{Arrangement, Choice, arrange};
use crate::backend::gpu::memory::buffers::{UNIFORM, UNIFORM_STRIDE};
use crate::backend::gpu::memory::footprint::{Footprint, Scratch};
use crate::backend::gpu::schedule::chunk::{Chunk, Common, Data, Group};
use crate::backend::{EnsembleState, Plan, TrainingData};
use crate::error::{Error, Result};

/// What an ensemble may take; defaults where `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Bytes of scratch memory of a chunk of members.
    pub memory: Option<u64>,
    /// How long a submission should run at most.
    pub submission_seconds: Option<f64>,
    /// Length of the almost-linear form's blocks.
    pub block_length: Option<usize>,
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

/// Members that are computed alike, each group in the order of its first member.
pub fn groups(gpu: &Gpu, plan: &Plan, gaps: bool, limits: Limits) -> Result<Vec<Group>> {
    let choice = Choice::new(gpu, plan.form, limits.block_length);
    let mut groups: Vec<(Arrangement, Vec<usize>)> = Vec::new();
    // Of members that are alike, the choice is made once.
    let mut known: Vec<((usize, usize), usize)> = Vec::new();
    for (e, member) in plan.members.iter().enumerate() {
        let key = (member.P, member.tau);
        if let Some(&(_, group)) = known.iter().find(|(other, _)| *other == key) {
            groups[group].1.push(e);
            continue;
        }
        let arrangement = arrange(choice, plan.shape, gaps, member.P, member.tau)?;
        let group = match groups.iter().position(|(other, _)| *other == arrangement) {
            Some(group) => group,
            None => {
                groups.push((arrangement, Vec::new()));
                groups.len() - 1
            }
        };
        groups[group].1.push(e);
        known.push((key, group));
    }
    groups
        .into_iter()
        .map(|(arrangement, members)| Group::new(gpu, arrangement, members))
        .collect()
}

impl Allocation {
    /// Takes the memory; where there is not enough, tries again with chunks of half the size.
    pub fn new(
        gpu: &Gpu,
        groups: &[Group],
        plan: &Plan,
        data: &TrainingData,
        state: &EnsembleState,
        limits: Limits,
    ) -> Result<Self> {
        let data = Data::new(gpu, data)?;
        let budget = limits.memory.unwrap_or_else(|| default_budget(gpu));
        let mut most = Vec::with_capacity(groups.len());
        for group in groups {
            let one = Footprint::new(&group.arrangement, plan.shape.T);
            let members = one.members(gpu.max_buffer(), budget);
            if members == 0 {
                return Err(too_large(gpu));
            }
            most.push((one, (members as usize).min(group.members.len())));
        }
        loop {
            let (made, error) = gpu.capture(|| {
                let entries = u64::from(plan.batches_per_epoch) + 1;
                let params = gpu.buffer("params", UNIFORM_STRIDE * entries, UNIFORM);
                let scratch = Scratch::new(gpu, &most);
                let common = Common {
                    gpu,
                    shape: plan.shape,
                    data: &data,
                    scratch: &scratch,
                    params: &params,
                };
                let each = groups.iter().enumerate().zip(&most);
                let chunks = each.flat_map(|(group, &(_, most))| {
                    let members = split(group.1.members.len(), most);
                    members.into_iter().map(move |range| {
                        let members = &group.1.members[range];
                        Chunk::new(common, group, members, &plan.members, &state.members)
                    })
                });
                let chunks = chunks.collect();
                Self {
                    scratch,
                    chunks,
                    params,
                }
            });
            gpu.check()?;
            match error {
                None => return Ok(made),
                Some(wgpu::Error::OutOfMemory { .. }) if most.iter().any(|&(_, most)| most > 1) => {
                    drop(made);
                    gpu.wait()?;
                    most.iter_mut().for_each(|(_, most)| *most = (*most / 2).max(1));
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
fn split(members: usize, most: usize) -> Vec<std::ops::Range<usize>> {
    let chunks = members.div_ceil(most);
    let (each, longer) = (members / chunks, members % chunks);
    let start = |i: usize| i * each + i.min(longer);
    (0..chunks).map(|i| start(i)..start(i + 1)).collect()
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

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
