//! What the terminal shows before and after training.
#![allow(non_snake_case, reason = "the paper's symbols")]

use crate::cli::output::{count, number, table};
use crate::run::{DataRecord, MemberRow, Record, RunFolder};
use crate::study::Study;

/// The study, its device, its data and its folder.
pub fn introduction(study: &Study, record: &Record, folder: &RunFolder) -> String {
    let members = study.candidates.len();
    let shapes: Vec<String> = study
        .groups
        .iter()
        .map(|(shape, indices)| {
            format!(
                "{} of M {} S {} T {}",
                indices.len(),
                shape.dims.M,
                shape.S,
                shape.T
            )
        })
        .collect();
    let DataRecord {
        rows, trials, N, K, ..
    } = record.data;
    let inputs = if K > 0 {
        format!(", {K} inputs")
    } else {
        String::new()
    };
    format!(
        "{members} model{} ({}) on {}\n{} rows × {N} columns in {trials} trial{}{inputs}; noise floor: D_stsp {}  D_H {}\nrun folder: {}",
        if members == 1 { "" } else { "s" },
        shapes.join(", "),
        record.device,
        count(rows as u64),
        if trials == 1 { "" } else { "s" },
        number(record.noise_floor.D_stsp),
        number(record.noise_floor.D_H),
        folder.root().display(),
    )
}

/// The best members of the study, ten at most, over the noise floor.
pub fn summary(mut rows: Vec<MemberRow>, record: &Record) -> String {
    const SHOWN: usize = 10;
    let key = |row: &MemberRow| row.D_stsp.unwrap_or(f64::INFINITY);
    rows.sort_by(|a, b| key(a).total_cmp(&key(b)));
    let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    let mut cells: Vec<Vec<String>> = rows
        .iter()
        .take(SHOWN)
        .map(|row| {
            vec![
                row.id.clone(),
                row.M.to_string(),
                row.P.to_string(),
                row.tau.to_string(),
                row.seed.to_string(),
                row.best_epoch
                    .map_or_else(|| "-".to_owned(), |epoch| epoch.to_string()),
                cell(row.D_stsp),
                cell(row.D_H),
                cell(row.PE),
                row.status.clone(),
            ]
        })
        .collect();
    let mut floor = vec![String::new(); 10];
    floor[0] = "noise floor".into();
    floor[6] = number(record.noise_floor.D_stsp);
    floor[7] = number(record.noise_floor.D_H);
    cells.push(floor);
    let mut text = table(
        &[
            "member",
            "M",
            "P",
            "tau",
            "seed",
            "best epoch",
            "D_stsp",
            "D_H",
            "PE",
            "status",
        ],
        &cells,
    );
    if rows.len() > SHOWN {
        text.push_str(&format!("… and {} more in members.csv\n", rows.len() - SHOWN));
    }
    text
}
