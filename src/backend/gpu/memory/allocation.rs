//! Memory of a study: one scratch memory for the chunks of all its ensembles, which have as many members as the device's
//! limits and the budget allow.

use std::sync::Arc;

use crate::backend::gpu::GpuOptions;
use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::layout::Arrangement;
use crate::backend::gpu::layout::choose::{Choice, arrange};
use crate::backend::gpu::memory::buffers::{Named, UNIFORM, UNIFORM_STRIDE};
use crate::backend::gpu::memory::footprint::{Footprint, Scratch, ScratchBytes, largest};
use crate::backend::gpu::schedule::chunk::{Chunk, Group};
use crate::backend::{EnsembleStart, Plan, TrainingData};
use crate::error::{Error, Result};

/// Scratch memory of a study unless the caller says otherwise, in bytes.
pub fn default_budget(gpu: &Gpu) -> u64 {
    match gpu.info.device_type {
        wgpu::DeviceType::DiscreteGpu => 4 << 30,
        wgpu::DeviceType::Cpu => 256 << 20,
        _ => 1 << 30,
    }
}

/// Members that are computed alike, by their numbers, and the forms that they are computed in.
pub type Alike = (Vec<Arrangement>, Vec<usize>);

/// The groups of members that are computed alike, each in the order of its first member.
pub fn alike(choice: Choice, plan: &Plan, gaps: bool) -> Result<Vec<Alike>> {
    let mut groups: Vec<Alike> = Vec::new();
    // Of members that are alike, the choice is made once.
    let mut known: Vec<((usize, usize), usize)> = Vec::new();
    for (e, member) in plan.members.iter().enumerate() {
        let key = (member.P, member.tau);
        if let Some(&(_, group)) = known.iter().find(|(other, _)| *other == key) {
            groups[group].1.push(e);
            continue;
        }
        let forms = arrange(choice, plan.shape, gaps, member.P, member.tau)?;
        let group = groups
            .iter()
            .position(|(other, _)| *other == forms)
            .unwrap_or(groups.len());
        if group == groups.len() {
            groups.push((forms, Vec::new()));
        }
        groups[group].1.push(e);
        known.push((key, group));
    }
    Ok(groups)
}

/// [`alike`], compiled for a device.
pub fn groups(gpu: &Gpu, plan: &Plan, gaps: bool, options: &GpuOptions) -> Result<Vec<Group>> {
    let choice = Choice::new(gpu, plan.form, options);
    alike(choice, plan, gaps)?
        .into_iter()
        .map(|(forms, members)| Group::new(gpu, forms, members))
        .collect()
}

/// Observations on the device.
#[derive(Debug)]
struct Data([wgpu::Buffer; 3]);

impl Data {
    fn new(gpu: &Gpu, data: &TrainingData) -> Result<Self> {
        let most = data.x.len().max(data.s.len()).max(data.starts.len()) as u64 * 4;
        if most > gpu.max_buffer() {
            return Err(Error::runtime(format!(
                "the data take {most} bytes, more than the {} of a buffer on {}",
                gpu.max_buffer(),
                gpu.info.name
            ))
            .with_hint("use a part of the data, or --backend cpu"));
        }
        gpu.scoped(|| {
            Self([
                gpu.storage("data", &data.x),
                gpu.storage("inputs", &data.s),
                gpu.storage("starts", &data.starts),
            ])
        })
    }

    /// Those of each ensemble; equal ones are there once.
    fn of_study(gpu: &Gpu, study: &[EnsembleStart]) -> Result<Vec<Arc<Self>>> {
        let mut all: Vec<Arc<Self>> = Vec::with_capacity(study.len());
        for start in study {
            let same = |other: &EnsembleStart| Arc::ptr_eq(&other.data, &start.data);
            let data = match study[..all.len()].iter().position(same) {
                Some(earlier) => Arc::clone(&all[earlier]),
                None => Arc::new(Self::new(gpu, &start.data)?),
            };
            all.push(data);
        }
        Ok(all)
    }
}

/// All buffers of an ensemble.
#[derive(Debug)]
pub struct Allocation {
    pub scratch: Arc<Scratch>,
    pub chunks: Vec<Chunk>,
    /// The buffers of all chunks by their names.
    pub shared: Vec<(&'static str, wgpu::Buffer)>,
    /// One uniform entry a step of an epoch, and one to spare.
    pub params: wgpu::Buffer,
}

impl Allocation {
    fn new(
        gpu: &Gpu,
        scratch: &Arc<Scratch>,
        data: &Data,
        start: &EnsembleStart,
        (groups, most): (&[Group], &[usize]),
    ) -> Self {
        let entries = u64::from(start.plan.batches_per_epoch) + 1;
        let params = gpu.buffer("params", UNIFORM_STRIDE * entries, UNIFORM);
        let Data([x, s, starts]) = data;
        let named: [Named<'_>; 4] = [
            ("params", &params),
            ("data", x),
            ("inputs", s),
            ("starts", starts),
        ];
        let shared = named.into_iter().chain(scratch.named());
        let shared: Vec<_> = shared.map(|(name, buffer)| (name, buffer.clone())).collect();
        let chunks = groups.iter().enumerate().zip(most).flat_map(|(group, &most)| {
            let shared = &shared;
            let ranges = split(group.1.members.len(), most).into_iter();
            ranges.map(move |range| {
                let members = &group.1.members[range];
                Chunk::new(gpu, shared, group, members, &start.plan, &start.state)
            })
        });
        Self {
            scratch: Arc::clone(scratch),
            chunks: chunks.collect(),
            shared,
            params,
        }
    }

    /// Takes the memory of a study, given with the groups of each ensemble; where there is not enough, tries again with
    /// half of it.
    pub fn of_study(
        gpu: &Gpu,
        study: &[EnsembleStart],
        groups: &[Vec<Group>],
        options: &GpuOptions,
    ) -> Result<Vec<Self>> {
        let data = Data::of_study(gpu, study)?;
        let need = |group: &Group| (Footprint::new(&group.forms), group.members.len());
        let needs: Vec<(Footprint, usize)> = groups.iter().flatten().map(need).collect();
        let mut budget = options.memory.unwrap_or_else(|| default_budget(gpu));
        loop {
            let (most, bytes) = share_out(&needs, gpu.max_buffer(), budget).ok_or_else(|| too_large(gpu))?;
            let (made, error) = gpu.capture(|| {
                let scratch = Arc::new(Scratch::new(gpu, bytes));
                let mut most = &most[..];
                let ensembles = study
                    .iter()
                    .zip(&data)
                    .zip(groups)
                    .map(|((start, data), groups)| {
                        let (own, others) = most.split_at(groups.len());
                        most = others;
                        Self::new(gpu, &scratch, data, start, (groups, own))
                    });
                ensembles.collect()
            });
            gpu.check()?;
            match error {
                None => return Ok(made),
                Some(wgpu::Error::OutOfMemory { .. }) if most.iter().any(|&most| most > 1) => {
                    drop(made);
                    gpu.wait()?;
                    budget = bytes.iter().sum::<u64>() / 2;
                }
                Some(error) => return Err(gpu.explain(&error)),
            }
        }
    }
}

/// How many members a chunk of each group may have, and the scratch memory for any of these chunks, which is within `budget`
/// where that holds a member of each at all. `None` where a member is too large for the buffers. Groups are given by what a
/// member takes and how many there are.
fn share_out(
    groups: &[(Footprint, usize)],
    max_buffer: u64,
    budget: u64,
) -> Option<(Vec<usize>, ScratchBytes)> {
    let mut share = budget;
    loop {
        let members = |&(each, all): &(Footprint, usize)| (each.members(max_buffer, share) as usize).min(all);
        let most: Vec<usize> = groups.iter().map(members).collect();
        let each = groups.iter().zip(&most);
        let bytes = largest(each.map(|((each, _), &most)| each.scratch(most)));
        if most.contains(&0) {
            return None;
        }
        // Groups that differ in what they need most of take more together than each of them alone.
        if bytes.iter().sum::<u64>() <= budget || most.iter().all(|&most| most == 1) {
            return Some((most, bytes));
        }
        share -= share.div_ceil(8);
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
pub fn split(members: usize, most: usize) -> Vec<std::ops::Range<usize>> {
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
