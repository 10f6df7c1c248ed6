#![allow(non_snake_case, reason = "the field's symbols")]

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::Settings;
use crate::error::{Error, Result};
use crate::fs::write_bytes;
use crate::metrics::{DstspKind, NoiseFloor};
use crate::model::Scaling;

/// One data file set as it was when training began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DataRecord {
    /// BLAKE3 of all values (see `Dataset::hash`).
    pub hash: String,
    /// Rows of all trials together, and how many trials.
    pub rows: usize,
    pub trials: usize,
    pub N: usize,
    pub K: usize,
    /// Names of the columns and of the inputs in the models' order, where they have names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_columns: Option<Vec<String>>,
    /// The models' units in those of the data, where they are others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
}

/// The `[run]` table of `config.toml`: what happened, beside what was asked for. Not read by `--config`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    pub version: String,
    pub backend: String,
    pub device: String,
    pub started: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
    pub members: usize,
    /// The estimate of D_stsp that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dstsp: Option<DstspKind>,
    /// Columns without spread in the data scored on, left out of D_stsp, D_H and roughness.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constant_columns: Vec<String>,
    pub data: DataRecord,
    /// D_stsp and D_H between the two halves of the data scored on: what a perfect model would reach.
    pub noise_floor: FloorRecord,
}

/// The noise floor in `config.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FloorRecord {
    pub D_stsp: f64,
    pub D_H: f64,
    /// D_stsp of a run that stays in one place, what a model scores that knows nothing. Not in folders of earlier
    /// versions.
    #[serde(default)]
    pub D_stsp_resting: Option<f64>,
}

impl From<&NoiseFloor> for FloorRecord {
    fn from(floor: &NoiseFloor) -> Self {
        Self {
            D_stsp: floor.dstsp,
            D_H: floor.dh,
            D_stsp_resting: Some(floor.dstsp_resting),
        }
    }
}

#[derive(Serialize)]
struct File {
    #[serde(flatten)]
    settings: Settings,
    run: Record,
}

const HEADING: &str =
    "# Everything this run was made of. Repeat it with: alrnn-gpu train --config THIS-FILE\n\n";

impl Record {
    /// Writes `config.toml`: the resolved settings, then the `[run]` table.
    pub fn save(&self, path: &Path, settings: &Settings) -> Result<()> {
        let file = File {
            settings: settings.clone(),
            run: self.clone(),
        };
        let text = toml::to_string(&file).expect("settings and record are TOML");
        write_bytes(path, [HEADING, &text].concat())
    }

    /// Reads the `[run]` table of a `config.toml` back.
    pub fn parse(config: &str, path: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Only {
            run: Record,
        }
        let only: Only = toml::from_str(config).map_err(|error| {
            Error::input(format!(
                "{} has no complete [run] table: {}",
                path.display(),
                error.message()
            ))
        })?;
        Ok(only.run)
    }
}
