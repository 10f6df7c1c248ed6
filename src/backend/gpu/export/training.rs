//! The training of an ensemble as a document.

use bytemuck::{Pod, bytes_of};
use serde::Serialize;

use super::document::{Named, Writer};
use super::{CAPACITY, Chunk, Content, MAX_BUFFER, Program, Stage};
use crate::backend::gpu::layout::Arrangement;
use crate::backend::gpu::layout::choose::Choice;
use crate::backend::gpu::memory::allocation::{Alike, alike, split};
use crate::backend::gpu::memory::buffers::UNIFORM_STRIDE;
use crate::backend::gpu::memory::footprint::{Footprint, SCRATCH, largest};
use crate::backend::gpu::memory::params::{Params, Status};
use crate::backend::gpu::schedule::chunk::{Contents, member_state};
use crate::backend::gpu::schedule::step::{params, step};
use crate::backend::{BETA1, BETA2, EnsembleState, MemberState, Optimizer, Plan, TrainingData, check};
use crate::error::{Error, Result};

/// A program and when its steps are what.
#[derive(Clone, Debug, Serialize)]
pub struct Training {
    pub program: Program,
    pub schedule: Schedule,
}

/// What the host needs to compute the parameters of any step.
#[derive(Clone, Debug, Serialize)]
pub struct Schedule {
    /// `Params` of step 0.
    pub params: Content,
    pub batches: u32,
    pub epochs: u32,
    /// The step that training goes on from.
    pub step: u32,
    pub beta1: f64,
    pub beta2: f64,
    /// Whether steps are rectified (RAdam).
    pub rectified: bool,
}

/// The training of an ensemble from a state on.
///
/// # Errors
/// As [`crate::backend::Backend::ensemble`], for what every WebGPU device can hold.
pub fn training(plan: &Plan, data: &TrainingData, state: &EnsembleState) -> Result<Training> {
    check::plan(plan, data, state)?;
    let given = Given {
        windows: None,
        fill: 0,
    };
    program(plan, data, state, &given).map(|(training, _)| training)
}

/// What is put into scratch memory before the first step.
pub(super) struct Given {
    /// `x` and `s` where windows are not drawn.
    pub windows: Option<[Vec<[f32; 4]>; 2]>,
    pub fill: u8,
}

pub(super) fn program(
    plan: &Plan,
    data: &TrainingData,
    state: &EnsembleState,
    given: &Given,
) -> Result<(Training, Vec<Alike>)> {
    let groups = alike(choice(plan), plan, data.has_missing)?;
    let mut parts: Vec<(&[Arrangement], &[usize])> = Vec::new();
    for (forms, members) in &groups {
        let most = Footprint::new(forms).members(MAX_BUFFER, u64::MAX) as usize;
        if most == 0 {
            return Err(
                Error::input("one member of this shape does not fit a browser's buffers")
                    .with_hint("use a smaller --batch-size or --T"),
            );
        }
        let ranges = split(members.len(), most).into_iter();
        parts.extend(ranges.map(|range| (&forms[..], &members[range])));
    }
    let mut writer = Writer::default();
    let entries = u64::from(plan.batches_per_epoch) + 1;
    let mut shared = vec![
        ("params", writer.room("params", UNIFORM_STRIDE * entries, 0)?),
        ("data", writer.values("data", &data.x)?),
        ("inputs", writer.values("inputs", &data.s)?),
        ("starts", writer.runs("starts", &data.starts)?),
    ];
    let sizes = parts
        .iter()
        .map(|(forms, members)| Footprint::new(forms).scratch(members.len()));
    for (name, bytes) in SCRATCH.into_iter().zip(largest(sizes)) {
        let buffer = match (&given.windows, name) {
            (Some([x, _]), "x") => writer.values(name, x)?,
            (Some([_, s]), "s") => writer.values(name, s)?,
            _ => writer.room(name, bytes, given.fill)?,
        };
        shared.push((name, buffer));
    }
    let each = parts.iter().enumerate();
    let chunks = each
        .map(|(index, &(forms, members))| chunk(&mut writer, &shared, (index, forms), members, plan, state))
        .collect::<Result<_>>()?;
    let training = Training {
        program: writer.finish(chunks, size_of::<Params>()),
        schedule: Schedule {
            params: Content::of(&[params(plan, data.starts.len(), 0)]),
            batches: plan.batches_per_epoch,
            epochs: plan.epochs,
            step: state.step,
            beta1: BETA1,
            beta2: BETA2,
            rectified: plan.optimizer == Optimizer::Radam,
        },
    };
    Ok((training, groups))
}

fn choice(plan: &Plan) -> Choice {
    Choice {
        capacity: CAPACITY,
        max_buffer: MAX_BUFFER,
        form: plan.form,
        block_length: None,
    }
}

/// Members of a group with buffers of their own, as [`crate::backend::gpu::schedule::chunk::Chunk`] has them.
fn chunk(
    writer: &mut Writer,
    shared: &[Named],
    (index, forms): (usize, &[Arrangement]),
    members: &[usize],
    plan: &Plan,
    state: &EnsembleState,
) -> Result<Chunk> {
    let contents = Contents::new(forms, members, plan, state);
    let prefix = format!("{index}/");
    let own = |name: &str| format!("{prefix}{name}");
    let named = vec![
        ("members", writer.values(&own("members"), &contents.members)?),
        ("status", writer.values(&own("status"), &contents.status)?),
        ("rates", writer.room(&own("rates"), 8 * members.len() as u64, 0)?),
        ("theta", writer.values(&own("theta"), &contents.theta)?),
        ("moments", writer.values(&own("moments"), &contents.moments)?),
        ("copies", writer.values(&own("copies"), &contents.copies)?),
    ];
    let mut stages: Vec<Stage> = Vec::new();
    for (form, arrangement) in forms.iter().enumerate() {
        let table = writer.values(&own(&format!("table{form}")), &arrangement.table())?;
        let buffers = [shared, &named, &[("table", table)]].concat();
        for launch in step(arrangement) {
            let kernel = (launch.kernel, &launch.constants);
            stages.push(writer.stage(kernel, launch.phase, launch.workgroups(members.len()), &buffers)?);
        }
    }
    let rates = members.iter().map(|&e| &plan.members[e]);
    Ok(Chunk {
        members: members.to_vec(),
        rates: rates
            .map(|m| [[m.start_lr, m.end_lr], [m.noise, m.last_noise()]])
            .collect(),
        prefix,
        stages,
    })
}

/// States of the members of a chunk by the bytes of its buffers `theta`, `moments` and `status`.
///
/// # Errors
/// When the bytes are not those of so many members.
pub fn member_states(
    members: usize,
    theta: &[u8],
    moments: &[u8],
    status: &[u8],
) -> Result<Vec<MemberState>> {
    let status: Vec<Status> = values(status, members * size_of::<Status>())?;
    let theta: Vec<f32> = values(theta, theta.len())?;
    let moments: Vec<[f32; 2]> = values(moments, 8 * theta.len())?;
    let n = theta.len() / members;
    let each = theta.chunks_exact(n).zip(moments.chunks_exact(n)).zip(&status);
    Ok(each
        .map(|((theta, moments), status)| member_state(theta, moments, status))
        .collect())
}

/// The first `length` bytes as values.
pub(super) fn values<T: Pod>(bytes: &[u8], length: usize) -> Result<Vec<T>> {
    let bytes = bytes
        .get(..length)
        .ok_or_else(|| Error::runtime(format!("{} bytes came back where {length} should", bytes.len())))?;
    Ok(bytemuck::pod_collect_to_vec(bytes))
}

/// A struct as content.
pub(super) fn one<T: Pod>(value: &T) -> Content {
    Content::of(bytes_of(value))
}
