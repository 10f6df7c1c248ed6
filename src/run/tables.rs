#![allow(non_snake_case, reason = "column names are the field's symbols")]

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::Hyperparameters;
use crate::error::{Error, Result};
use crate::fs::write_bytes;
use crate::metrics::{Standing, Verdict};

/// A row of `members.csv`: a member's settings, how it ended, its best scores. Empty cells are `None`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberRow {
    #[serde(skip_serializing)]
    pub id: String,
    /// Read and written for itself: its fields are the columns after `id`.
    #[serde(skip)]
    pub settings: Hyperparameters,
    /// `ok` or `diverged`.
    pub status: String,
    pub stopped_epoch: Option<u32>,
    pub best_epoch: Option<u32>,
    pub D_stsp: Option<f64>,
    pub D_H: Option<f64>,
    pub PE: Option<f64>,
    pub points_D_stsp: Option<usize>,
    pub points_D_H: Option<usize>,
    pub pairs_PE: Option<usize>,
    /// Roughness of the free run; `inf` where it is not finite. Not in folders of earlier versions.
    #[serde(default)]
    pub roughness: Option<f64>,
    /// D_stsp says no more than that of a run that shares nothing with the data. Not in folders of earlier versions.
    #[serde(default)]
    pub saturated: Option<bool>,
    /// Of the last evaluation, as above, and what its free run comes to (see [`Verdict`]; `diverged` for a member that
    /// diverged in training). Not in folders of earlier versions.
    #[serde(default)]
    pub last_epoch: Option<u32>,
    #[serde(default)]
    pub last_D_stsp: Option<f64>,
    #[serde(default)]
    pub last_D_H: Option<f64>,
    #[serde(default)]
    pub verdict: Option<Verdict>,
}

impl MemberRow {
    /// What members are ranked by.
    pub fn standing(&self) -> Standing {
        let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
        Standing {
            dstsp: number(self.D_stsp),
            saturated: self.saturated.unwrap_or(false),
            roughness: number(self.roughness),
            dh: number(self.D_H),
        }
    }

    /// `Less` for the better member (see [`Standing::compare`]); of equals the earlier one goes first.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.standing().compare(&other.standing())
    }

    pub fn diverged(&self) -> bool {
        self.status == "diverged"
    }

    /// The cells of its row, by column.
    pub fn cells(&self) -> HashMap<String, String> {
        from_csv(&to_csv(&[self.parts()], true), Path::new("members.csv"))
            .ok()
            .and_then(|mut rows: Vec<_>| rows.pop())
            .expect("a row that was just written")
    }
}

#[derive(Serialize)]
struct Id<'a> {
    id: &'a str,
}

/// The columns in their order, part by part.
type Parts<'a> = (Id<'a>, &'a Hyperparameters, &'a MemberRow);

impl MemberRow {
    fn parts(&self) -> Parts<'_> {
        (Id { id: &self.id }, &self.settings, self)
    }

    /// The row as one JSON object.
    pub fn to_json(&self) -> serde_json::Value {
        #[derive(Serialize)]
        struct Flat<'a> {
            id: &'a str,
            #[serde(flatten)]
            settings: &'a Hyperparameters,
            #[serde(flatten)]
            results: &'a MemberRow,
        }
        let (Id { id }, settings, results) = self.parts();
        let flat = Flat {
            id,
            settings,
            results,
        };
        serde_json::to_value(flat).expect("plain data")
    }
}

/// A row of `log.csv`: one member at one evaluation. Undefined numbers are empty cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogRow {
    /// Epochs completed, and generations of polishing.
    pub epoch: u32,
    pub member: String,
    /// Mean loss over the last epoch, and its learning rate; empty while polishing.
    pub loss: Option<f64>,
    pub lr: Option<f64>,
    pub D_stsp: Option<f64>,
    pub D_H: Option<f64>,
    pub PE: Option<f64>,
    /// As in [`MemberRow`].
    #[serde(default)]
    pub roughness: Option<f64>,
    #[serde(default)]
    pub saturated: Option<bool>,
    #[serde(default)]
    pub verdict: Option<Verdict>,
}

/// Replaces `members.csv`.
pub fn write_members(path: &Path, rows: &[MemberRow]) -> Result<()> {
    let parts: Vec<Parts<'_>> = rows.iter().map(MemberRow::parts).collect();
    write_bytes(path, to_csv(&parts, true))
}

/// Cuts `log.csv` to its first `keep` bytes, those that the last checkpoint vouches for, so that a torn or repeated
/// row never stays; returns what is left.
///
/// Where it is shorter than that, rows are lost for good: whole rows stay, and a warning says so.
pub fn cut_log(path: &Path, keep: u64) -> Result<u64> {
    let failed = |source| Error::io("write", path, source);
    let file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if keep > 0 {
                log::warn!("{} is gone, and its rows with it; it begins anew", path.display());
            }
            return Ok(0);
        }
        Err(error) => return Err(failed(error)),
    };
    let found = file.metadata().map_err(failed)?.len();
    let mut length = keep;
    if found < keep {
        let whole = read(path)?.iter().rposition(|&byte| byte == b'\n');
        length = whole.map_or(0, |end| end as u64 + 1);
        log::warn!(
            "{} is shorter than the checkpoint says: rows at its end are lost",
            path.display()
        );
    }
    if found != length {
        file.set_len(length).map_err(failed)?;
    }
    Ok(length)
}

/// Cuts `log.csv` to its first `keep` bytes (as [`cut_log`] does), appends the rows, and returns the new length once
/// it is on disk. Without rows there is no file to begin.
pub fn append_log(path: &Path, keep: u64, rows: &[LogRow]) -> Result<u64> {
    let failed = |source| Error::io("write", path, source);
    let keep = cut_log(path, keep)?;
    if rows.is_empty() {
        return Ok(keep);
    }
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .map_err(failed)?;
    let text = to_csv(rows, keep == 0);
    file.write_all(&text)
        .and_then(|()| file.sync_data())
        .map_err(failed)?;
    Ok(keep + text.len() as u64)
}

pub fn read_members(path: &Path) -> Result<Vec<MemberRow>> {
    parse_members(&read(path)?, path)
}

/// The rows of a `members.csv`; `path` is for messages.
pub fn parse_members(bytes: &[u8], path: &Path) -> Result<Vec<MemberRow>> {
    let mut rows: Vec<MemberRow> = from_csv(bytes, path)?;
    let settings: Vec<Hyperparameters> = from_csv(bytes, path)?;
    for (row, settings) in rows.iter_mut().zip(settings) {
        row.settings = settings;
    }
    Ok(rows)
}

pub fn read_log(path: &Path) -> Result<Vec<LogRow>> {
    parse_log(&read(path)?, path)
}

/// The rows of a `log.csv`; `path` is for messages.
pub fn parse_log(bytes: &[u8], path: &Path) -> Result<Vec<LogRow>> {
    from_csv(bytes, path)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Error::io("read", path, source))
}

fn to_csv<Row: Serialize>(rows: &[Row], header: bool) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .has_headers(header)
        .from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).expect("a flat struct is a CSV row");
    }
    writer.into_inner().expect("writing to memory cannot fail")
}

fn from_csv<Row: for<'de> Deserialize<'de>>(bytes: &[u8], path: &Path) -> Result<Vec<Row>> {
    csv::Reader::from_reader(bytes)
        .deserialize()
        .collect::<std::result::Result<_, _>>()
        .map_err(|error| Error::input(format!("cannot read {}: {error}", path.display())))
}
