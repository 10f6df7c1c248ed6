//! What a run folder says, as far as a report needs it. Columns and keys are looked up by name, so that a folder
//! with more or fewer of them still makes a report.
#![allow(non_snake_case, reason = "the field's symbols")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::pictures::Curve;
use crate::error::{Error, Result};
use crate::metrics::{DstspKind, Standing};

/// Settings that a study may vary, in the order in which they are reported.
const SETTINGS: [&str; 13] = [
    "P",
    "M",
    "tau",
    "alpha",
    "T",
    "batch_size",
    "noise",
    "start_lr",
    "end_lr",
    "optimizer",
    "clip",
    "lambda_lat",
    "lambda_obs",
];

/// A row of `members.csv`.
#[derive(Clone, Debug, Default)]
pub struct MemberRecord {
    cells: HashMap<String, String>,
}

impl MemberRecord {
    /// A cell's text, empty where there is none.
    pub fn text(&self, column: &str) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }

    /// A cell's number, NaN where there is none.
    pub fn number(&self, column: &str) -> f64 {
        self.text(column).parse().unwrap_or(f64::NAN)
    }

    pub fn id(&self) -> &str {
        self.text("id")
    }

    pub fn diverged(&self) -> bool {
        self.text("status") == "diverged"
    }

    /// What members are ranked by.
    pub fn standing(&self) -> Standing {
        Standing {
            dstsp: self.number("D_stsp"),
            saturated: self.text("saturated") == "true",
            roughness: self.number("roughness"),
            dh: self.number("D_H"),
        }
    }
}

/// A run folder read whole.
#[derive(Clone, Debug)]
pub struct Run {
    pub root: PathBuf,
    pub config_text: String,
    pub config: Table,
    pub members: Vec<MemberRecord>,
    pub curves: Vec<Curve>,
}

impl Run {
    /// # Errors
    /// When the folder has no readable `config.toml` or `members.csv`. A missing `log.csv` leaves no curves.
    pub fn read(root: &Path) -> Result<Self> {
        let path = root.join("config.toml");
        let config_text = std::fs::read_to_string(&path).map_err(|e| {
            if e.kind() == std::io::ErrorKind::NotFound {
                Error::input(format!(
                    "{} is not a run folder (it has no config.toml)",
                    root.display()
                ))
                .with_hint("name the folder that `train --out` made")
            } else {
                Error::io("read", &path, e)
            }
        })?;
        let config: Table = config_text.parse().map_err(|e: toml::de::Error| {
            Error::input(format!("cannot read {}: {}", path.display(), e.message()))
        })?;
        let members: Vec<MemberRecord> = rows(&root.join("members.csv"))?
            .into_iter()
            .map(|cells| MemberRecord { cells })
            .collect();
        if members.is_empty() {
            return Err(Error::input(format!(
                "{} lists no members yet",
                root.join("members.csv").display()
            )));
        }
        let log = root.join("log.csv");
        let curves = if log.is_file() {
            curves(&members, &rows(&log)?)
        } else {
            Vec::new()
        };
        Ok(Self {
            root: root.to_path_buf(),
            config_text,
            config,
            members,
            curves,
        })
    }

    /// A value of the `[run]` table; `a.b` looks into a table, into an array's first table as well.
    pub fn record(&self, key: &str) -> Option<&Value> {
        let run = self.config.get("run")?;
        key.split('.').try_fold(run, |value, part| match value {
            Value::Table(table) => table.get(part),
            Value::Array(items) => items.first()?.get(part),
            _ => None,
        })
    }

    /// A value as a reader sees it; empty where it is missing.
    pub fn record_text(&self, key: &str) -> String {
        self.record(key).map_or_else(String::new, plain)
    }

    /// (D_stsp, D_H) between two halves of the data; NaN where not given.
    pub fn noise_floor(&self) -> (f64, f64) {
        let of = |key: &str| self.record(key).and_then(float).unwrap_or(f64::NAN);
        (of("noise-floor.D_stsp"), of("noise-floor.D_H"))
    }

    /// D_stsp of a run that stays in one place; `None` where not recorded.
    pub fn resting(&self) -> Option<f64> {
        self.record("noise-floor.D_stsp_resting").and_then(float)
    }

    /// `D_stsp (bins)`: the score with the estimate that was used, where that was recorded.
    pub fn d_stsp(&self) -> String {
        match self
            .record("dstsp")
            .and_then(|kind| DstspKind::deserialize(kind.clone()).ok())
        {
            Some(kind) => format!("D_stsp ({})", kind.label()),
            None => "D_stsp".into(),
        }
    }

    /// A setting of the whole run, as text.
    pub fn setting(&self, key: &str) -> String {
        self.config.get(key).map_or_else(String::new, plain)
    }

    /// A list of files in the configuration: a string or an array of strings.
    pub fn files(&self, key: &str) -> Vec<String> {
        match self.config.get(key) {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(items)) => items
                .iter()
                .filter_map(|v| v.as_str().map(String::from))
                .collect(),
            _ => Vec::new(),
        }
    }

    pub fn flag(&self, key: &str) -> bool {
        self.config.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A number of the configuration.
    pub fn float(&self, key: &str) -> Option<f64> {
        self.config.get(key).and_then(float)
    }

    /// Settings that differ between members, in a fixed order.
    pub fn varied(&self) -> Vec<&'static str> {
        let differs = |name: &&str| {
            let first = self.members[0].text(name);
            self.members.iter().any(|m| m.text(name) != first)
        };
        SETTINGS.into_iter().filter(differs).collect()
    }

    /// Settings that all members share, with their value.
    pub fn shared(&self) -> Vec<(&'static str, String)> {
        let varied = self.varied();
        SETTINGS
            .into_iter()
            .filter(|name| !varied.contains(name))
            .map(|name| (name, self.members[0].text(name).to_string()))
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }

    pub fn model_path(&self, id: &str) -> PathBuf {
        self.root.join("best").join(format!("{id}.npz"))
    }

    /// The best member of those with a score and a model file.
    pub fn best(&self) -> Option<&MemberRecord> {
        let scored = |m: &&MemberRecord| {
            ["D_stsp", "D_H"]
                .iter()
                .any(|column| m.number(column).is_finite())
        };
        self.members
            .iter()
            .filter(scored)
            .filter(|m| self.model_path(m.id()).is_file())
            .min_by(|a, b| a.standing().compare(&b.standing()))
    }

    /// Values of a setting in order (numbers by size), and the members that have each.
    pub fn groups(&self, setting: &str) -> Vec<(String, Vec<&MemberRecord>)> {
        let mut groups: Vec<(String, Vec<&MemberRecord>)> = Vec::new();
        for member in &self.members {
            let value = member.text(setting);
            match groups.iter_mut().find(|(name, _)| name == value) {
                Some((_, members)) => members.push(member),
                None => groups.push((value.to_string(), vec![member])),
            }
        }
        let size = |name: &str| name.parse::<f64>().unwrap_or(f64::NEG_INFINITY);
        groups.sort_by(|a, b| size(&a.0).total_cmp(&size(&b.0)).then_with(|| a.0.cmp(&b.0)));
        groups
    }
}

fn float(value: &Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|i| i as f64))
}

/// A value without the quotes and brackets of TOML.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn rows(path: &Path) -> Result<Vec<HashMap<String, String>>> {
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
    let failed = |e: csv::Error| Error::input(format!("cannot read {}: {e}", path.display()));
    csv::Reader::from_reader(bytes.as_slice())
        .deserialize()
        .collect::<std::result::Result<_, _>>()
        .map_err(failed)
}

/// The log by member, in the order of the members.
fn curves(members: &[MemberRecord], log: &[HashMap<String, String>]) -> Vec<Curve> {
    let mut curves: Vec<Curve> = members
        .iter()
        .map(|m| Curve {
            id: m.id().to_string(),
            class: "c0".into(),
            ..Curve::default()
        })
        .collect();
    let place: HashMap<String, usize> = curves
        .iter()
        .enumerate()
        .map(|(i, c)| (c.id.clone(), i))
        .collect();
    for row in log {
        let number = |column: &str| row.get(column).and_then(|v| v.parse().ok()).unwrap_or(f64::NAN);
        if let Some(&i) = row.get("member").and_then(|id| place.get(id)) {
            curves[i].epoch.push(number("epoch"));
            curves[i].loss.push(number("loss"));
            curves[i].d_stsp.push(number("D_stsp"));
            curves[i].d_h.push(number("D_H"));
        }
    }
    curves.retain(|c| !c.epoch.is_empty());
    curves
}
