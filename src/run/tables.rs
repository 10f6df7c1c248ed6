#![allow(non_snake_case, reason = "column names are the field's symbols")]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::fs::write_atomically;

/// A row of `members.csv`: a member's settings, how it ended, its best scores. Empty cells are `None`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberRow {
    pub id: String,
    pub seed: u32,
    pub M: usize,
    pub P: usize,
    pub tau: usize,
    pub alpha: f64,
    pub T: usize,
    pub batch_size: usize,
    pub noise: f64,
    pub start_lr: f64,
    pub end_lr: f64,
    pub optimizer: String,
    pub clip: Option<f64>,
    pub lambda_lat: f64,
    pub lambda_obs: f64,
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
}

/// A row of `log.csv`: one member at one evaluation. Undefined numbers are empty cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogRow {
    /// Epochs completed.
    pub epoch: u32,
    pub member: String,
    /// Mean loss over the last epoch.
    pub loss: Option<f64>,
    pub lr: f64,
    pub D_stsp: Option<f64>,
    pub D_H: Option<f64>,
    pub PE: Option<f64>,
}

const LOG_HEADER: &str = "epoch,member,loss,lr,D_stsp,D_H,PE\n";

/// Replaces `members.csv`.
pub fn write_members(path: &Path, rows: &[MemberRow]) -> Result<()> {
    let text = to_csv(rows, true);
    write_atomically(path, |file| file.write_all(&text))
}

/// Cuts `log.csv` to its first `keep` bytes, appends the rows, and returns the new length once it is on disk.
///
/// `keep` is the length that the last checkpoint vouches for, so a torn or repeated row never stays.
pub fn append_log(path: &Path, keep: u64, rows: &[LogRow]) -> Result<u64> {
    let failed = |source| Error::io("write", path, source);
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .map_err(failed)?;
    if file.metadata().map_err(failed)?.len() != keep {
        file.set_len(keep).map_err(failed)?;
    }
    let mut text = Vec::new();
    if keep == 0 {
        text.extend_from_slice(LOG_HEADER.as_bytes());
    }
    text.extend(to_csv(rows, false));
    file.write_all(&text)
        .and_then(|()| file.sync_data())
        .map_err(failed)?;
    Ok(keep + text.len() as u64)
}

pub fn read_members(path: &Path) -> Result<Vec<MemberRow>> {
    read_csv(path)
}

pub fn read_log(path: &Path) -> Result<Vec<LogRow>> {
    read_csv(path)
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

fn read_csv<Row: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<Row>> {
    let mut reader = csv::Reader::from_path(path).map_err(|error| unreadable(path, &error))?;
    reader
        .deserialize()
        .collect::<std::result::Result<_, _>>()
        .map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &csv::Error) -> Error {
    Error::input(format!("cannot read {}: {error}", path.display()))
}
