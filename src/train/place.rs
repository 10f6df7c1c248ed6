//! Where a run lies, and what must be as it was where one goes on.

use std::path::{Path, PathBuf};

use super::data::Data;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::run::{Checkpoint, Run, RunFolder, refuse_occupied};
use crate::study::Study;

/// Where a study is trained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A run folder to make.
    New(PathBuf),
    /// The folder of a run to continue.
    Resume(PathBuf),
}

impl Place {
    pub fn path(&self) -> &Path {
        match self {
            Self::New(path) | Self::Resume(path) => path,
        }
    }

    /// Everything that can be refused before the data are read; nothing is made.
    ///
    /// # Errors
    /// When a new folder is occupied, or a run to continue has other settings where these decide its result
    /// ([`Settings::identity`]).
    pub fn check(&self, settings: &Settings) -> Result<()> {
        let run = match self {
            Self::New(path) => return refuse_occupied(path),
            Self::Resume(run) => run,
        };
        match Run::read(run)?.settings.differs_in(settings) {
            None => Ok(()),
            Some((key, old, value)) => Err(Error::input(format!(
                "--{key} {value}: the run in {} has {old}",
                run.display()
            ))
            .with_hint(
                "a run is continued with its own settings; for other settings start another run (--out)",
            )),
        }
    }

    /// Takes the folder, which is locked from here on, and the checkpoint in it, if there is one.
    ///
    /// # Errors
    /// When the folder cannot be made or is in use, or the run to continue was started on other data or settings.
    pub(super) fn take(
        &self,
        study: &Study,
        data: &Data,
        fingerprint: &str,
    ) -> Result<(RunFolder, Option<Checkpoint>)> {
        let run = match self {
            Self::New(path) => return Ok((RunFolder::create(path)?, None)),
            Self::Resume(run) => run,
        };
        if Run::read(run)?.record.data.hash != data.training.hash {
            return Err(Error::input(
                "the data differ from those the run was started with (their hash is another)",
            )
            .with_hint("resume with the same data, or start another run with --out"));
        }
        let folder = RunFolder::resume(run)?;
        let path = folder.checkpoint();
        let checkpoint = Checkpoint::load(&path)?;
        if let Some(checkpoint) = &checkpoint {
            refuse_other(checkpoint, &path, study, fingerprint)?;
        }
        Ok((folder, checkpoint))
    }
}

/// Refuses a checkpoint that is not of this study.
fn refuse_other(checkpoint: &Checkpoint, path: &Path, study: &Study, fingerprint: &str) -> Result<()> {
    if checkpoint.fingerprint != fingerprint {
        return Err(Error::input(format!(
            "the checkpoint {} belongs to other settings or other data",
            path.display()
        ))
        .with_hint("resume with the settings and data of the run's config.toml"));
    }
    let lengths = study.candidates.iter().map(|c| c.shape.dims.n_params());
    if !checkpoint.members.iter().map(|m| m.theta.len()).eq(lengths) {
        return Err(Error::input(format!(
            "the checkpoint {} has models of another shape",
            path.display()
        )));
    }
    Ok(())
}

/// Hash of everything that decides the result's bits on one kind of device.
pub(super) fn fingerprint(settings: &Settings, data: &Data) -> String {
    let identity = settings.identity();
    let test = data.test.as_ref().map_or("", |test| test.hash.as_str());
    // A model file is polished in its own units, which settings do not tell.
    let units = (data.training.scaling.as_ref()).filter(|_| settings.polish > 0);
    let units = units.map_or_else(String::new, |scaling| {
        format!("\n{:?} {:?}", scaling.mean, scaling.scale)
    });
    blake3::hash(format!("{identity}\n{}\n{test}{units}", data.training.hash).as_bytes())
        .to_hex()
        .to_string()
}
