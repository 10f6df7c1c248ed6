use std::path::{Path, PathBuf};

use crate::config::Settings;
use crate::error::{Error, Result};
use crate::fs::write_bytes;
use crate::model::Model;
use crate::run::tables::{MemberRow, append_log, read_log, write_members};
use crate::run::{Record, Run, RunFolder};

/// What a merge found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// Members in the new folder.
    pub members: usize,
    /// Folders of parts that have not finished; their members are left out.
    pub unfinished: Vec<PathBuf>,
    /// Folders that hold no run, because it never began or by a mistake in the name.
    pub absent: Vec<PathBuf>,
    /// Parts (`i/n`) that no folder holds.
    pub missing: Vec<String>,
}

/// Joins the run folders of a study's parts (`train --shard`) into one, as if one machine had trained it.
///
/// # Errors
/// When the folders are not parts of one study, a part is given twice, none has finished, or `out` is not empty.
pub fn merge(runs: &[PathBuf], out: &Path) -> Result<Merged> {
    let (begun, absent): (Vec<&PathBuf>, Vec<&PathBuf>) =
        runs.iter().partition(|run| RunFolder::open(run).is_ok());
    if begun.is_empty() {
        // Says of the first what it lacks.
        runs.first().map(|run| RunFolder::open(run)).transpose()?;
    }
    let parts = begun.into_iter().map(|run| read_part(run));
    let parts = parts.collect::<Result<Vec<Run>>>()?;
    let missing = check_parts(&parts)?;
    let (finished, unfinished): (Vec<&Run>, Vec<&Run>) = parts.iter().partition(|part| part.is_finished());
    let Some(first) = finished.first() else {
        return Err(Error::input("none of these runs has finished")
            .with_hint("continue them first: train --resume RUN"));
    };
    let target = RunFolder::create(out)?;
    let (mut rows, mut log) = (Vec::new(), Vec::new());
    for part in &finished {
        let members = all_members(part)?;
        for row in &members {
            if row.best_epoch.is_some() {
                copy_model(&part.folder.best(&row.id), &target.best(&row.id))?;
            }
            copy_model(&part.folder.last(&row.id), &target.last(&row.id))?;
        }
        // There is no log where every member diverged before the first evaluation.
        if members.iter().any(|row| row.best_epoch.is_some()) {
            log.extend(read_log(&part.folder.log())?);
        }
        rows.extend(members);
    }
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    log.sort_by(|a, b| (a.epoch, &a.member).cmp(&(b.epoch, &b.member)));
    write_members(&target.members(), &rows)?;
    append_log(&target.log(), 0, &log)?;
    let settings = Settings {
        shard: None,
        ..first.settings.clone()
    };
    let latest = finished.iter().filter_map(|part| part.record.finished.clone());
    let record = Record {
        members: rows.len(),
        finished: latest
            .max()
            .filter(|_| missing.is_empty() && unfinished.is_empty()),
        ..first.record.clone()
    };
    record.save(&target.config(), &settings)?;
    Ok(Merged {
        members: rows.len(),
        unfinished: unfinished
            .iter()
            .map(|part| part.folder.root().to_path_buf())
            .collect(),
        absent: absent.into_iter().cloned().collect(),
        missing,
    })
}

fn read_part(run: &Path) -> Result<Run> {
    let part = Run::read(run)?;
    if part.settings.shard.is_none() {
        return Err(
            Error::input(format!("{} is a whole study, not a part of one", run.display()))
                .with_hint("merge joins runs made with train --shard i/n"),
        );
    }
    Ok(part)
}

/// The rows of a finished part's `members.csv`.
fn all_members(part: &Run) -> Result<Vec<MemberRow>> {
    let (rows, expected) = (part.members()?, part.record.members);
    if rows.len() != expected {
        return Err(Error::input(format!(
            "{} has {} rows where the run has {expected} members",
            part.folder.members().display(),
            rows.len(),
        ))
        .with_hint("train --resume RUN writes it again"));
    }
    Ok(rows)
}

/// Checks that all are different parts of one study; returns the parts that are not among them.
fn check_parts(parts: &[Run]) -> Result<Vec<String>> {
    let Some(first) = parts.first() else {
        return Err(Error::input("no run folders to merge"));
    };
    let mut seen: Vec<Option<&Run>> = Vec::new();
    for part in parts {
        let shard = part.settings.shard.expect("read_part requires a shard");
        seen.resize(seen.len().max(shard.count()), None);
        if let Some(key) = difference(first, part) {
            return Err(Error::input(format!(
                "{} and {} are not parts of one study: they differ in {key}",
                first.folder.root().display(),
                part.folder.root().display()
            )));
        }
        if let Some(other) = seen[shard.index() - 1].replace(part) {
            return Err(Error::input(format!(
                "{} and {} both hold part {shard}",
                other.folder.root().display(),
                part.folder.root().display()
            )));
        }
    }
    let count = seen.len();
    let missing = (1..=count).filter(|i| seen[i - 1].is_none());
    Ok(missing.map(|i| format!("{i}/{count}")).collect())
}

/// The first setting in which two parts differ though they must not.
fn difference(a: &Run, b: &Run) -> Option<String> {
    let count = |part: &Run| part.settings.shard.map(crate::config::Shard::count);
    if count(a) != count(b) {
        return Some("the number of parts".into());
    }
    if a.record.data.hash != b.record.data.hash {
        return Some("their data".into());
    }
    let [a, b] = [a, b].map(|part| Settings {
        shard: None,
        ..part.settings.clone()
    });
    a.differs_in(&b).map(|(key, ..)| key)
}

/// Copies a model, once it is seen to be whole.
fn copy_model(from: &Path, to: &Path) -> Result<()> {
    let bytes = std::fs::read(from).map_err(|error| Error::io("read", from, error))?;
    Model::from_bytes(&bytes, &from.to_string_lossy())?;
    write_bytes(to, bytes)
}
