//! Whether memory and disk hold a study, before anything of it is made.

use std::collections::BTreeSet;
use std::path::Path;

use crate::backend::Backend;
use crate::config::Settings;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::polish;
use crate::resources::{require_disk, require_memory};
use crate::study::{Study, lists};

/// Something that takes bytes, by the flags that decide how many.
type Part = (String, u64);

/// Refuses more copies of the data, one for each window length, than memory holds.
pub(super) fn require_windows(study: &Study, data: &Dataset) -> Result<()> {
    let lengths: BTreeSet<usize> = study.groups.iter().map(|(shape, _)| shape.T).collect();
    // Values in single precision, and the rows at which windows start.
    let copy = data.rows() as u64 * 4 * (data.N + data.K + 1) as u64;
    require_memory(
        &format!("--T ({} lengths)", lengths.len()),
        copy.saturating_mul(lengths.len() as u64),
    )
}

/// Refuses what memory does not hold, and where a run folder is to be made, what the disk does not.
pub(super) fn require_room(
    study: &Study,
    settings: &Settings,
    backend: &dyn Backend,
    new: Option<&Path>,
) -> Result<()> {
    let (what, bytes) = sum(memory(study, settings, backend));
    require_memory(&what, bytes)?;
    match new {
        Some(folder) => {
            let (what, bytes) = sum(files(study, settings));
            require_disk(&what, folder, bytes)
        }
        None => Ok(()),
    }
}

/// All bytes together, to be blamed on the largest part.
fn sum<const PARTS: usize>(parts: [Part; PARTS]) -> Part {
    let total = parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.1));
    let largest = parts.into_iter().max_by_key(|part| part.1);
    (largest.map(|part| part.0).unwrap_or_default(), total)
}

fn memory(study: &Study, settings: &Settings, backend: &dyn Backend) -> [Part; 4] {
    // Parameters and moments as the device trains them, of the two moments under way and as they are recorded, the best
    // ones, those being scored, and the checkpoint of all; then settings and scores.
    let members =
        parameters(study).saturating_mul(4 * (3 + 6 + 3 + 1 + 1 + 4)) + 500 * study.candidates.len() as u64;
    let (mut steps, mut scratch) = (0u64, 0u64);
    for group in 0..study.groups.len() {
        let demand = backend.demand(&study.plan(group, settings));
        steps = steps.saturating_add(demand.steps);
        scratch = scratch.saturating_add(demand.scratch);
    }
    // A thread is in the middle of one generation.
    let N = study.groups.first().map_or(0, |(shape, _)| shape.dims.N);
    let generations = rayon::current_num_threads().min(study.candidates.len()) as u64;
    let polishing = u64::from(settings.polish > 0) * generations * polish::demand(N);
    let shapes = study.groups.len();
    let longest = study.groups.iter().map(|(shape, _)| shape.T).max().unwrap_or(0);
    [
        (models(study, settings), members),
        (
            format!("--batches-per-epoch {}", settings.batches_per_epoch),
            steps,
        ),
        (
            format!("training at --T {longest} ({shapes} of --M × --T × --batch-size)"),
            scratch,
        ),
        (format!("--polish {} of {N} columns", settings.polish), polishing),
    ]
}

fn files(study: &Study, settings: &Settings) -> [Part; 2] {
    // A checkpoint is written beside the one before it; best and last models are in double precision.
    let models_bytes = parameters(study).saturating_mul(4 * 4 * 2 + 8 * 2);
    let evaluations = u64::from(settings.epochs.div_ceil(settings.eval_every));
    // Even the shortest row of log.csv has as many bytes.
    let log = evaluations.saturating_mul(30 * study.candidates.len() as u64);
    [
        (models(study, settings), models_bytes),
        (
            format!(
                "the log of --epochs {} at --eval-every {}",
                settings.epochs, settings.eval_every
            ),
            log,
        ),
    ]
}

/// Parameters of all members.
fn parameters(study: &Study) -> u64 {
    let each = study.groups.iter();
    each.map(|(shape, members)| (shape.dims.n_params() * members.len()) as u64)
        .sum()
}

fn models(study: &Study, settings: &Settings) -> String {
    let members = study.candidates.len();
    let largest = settings.M.values().iter().max().copied().unwrap_or(0);
    match lists(settings) {
        lists if lists.is_empty() => format!("--M {largest}"),
        lists => format!("a study of {members} models, of {lists},"),
    }
}
