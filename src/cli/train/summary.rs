//! What the terminal shows before and after training.
#![allow(non_snake_case, reason = "the paper's symbols")]

use crate::cli::output::{self, SATURATED, count, divergence, no_floor, number, table};
use crate::config::{Grid, ROBUST, Settings};
use crate::metrics::{DstspKind, Verdict};
use crate::run::{DataRecord, MemberRow, Record};
use crate::train::Start;

/// The study, its device, its data and its folder, and where it is continued.
pub fn introduction(start: &Start<'_>) -> String {
    let (study, record) = (start.study, start.record);
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
    let continued = match start.epochs_done {
        0 => String::new(),
        done => format!("\ncontinuing after epoch {done} of {}", start.epochs),
    };
    format!(
        "{members} model{} ({}) on {}\n{} rows × {N} columns in {trials} trial{}{inputs}; noise floor: D_stsp ({}) {}  D_H {}{}\nrun folder: {}{continued}",
        if members == 1 { "" } else { "s" },
        shapes.join(", "),
        record.device,
        count(rows as u64),
        if trials == 1 { "" } else { "s" },
        kind(record),
        output::floor(record.noise_floor),
        number(record.noise_floor.D_H),
        untold(record).map_or_else(String::new, |why| format!("\n{why}")),
        start.folder.root().display(),
    )
}

/// What the data have chosen, or was said in its place.
pub fn chosen(settings: &Settings) -> String {
    let epochs = count(settings.epochs.into());
    let polish = match settings.polish {
        0 => "no polishing".to_owned(),
        1 => "then a generation of polishing".to_owned(),
        generations => format!("then {} generations of polishing", count(generations.into())),
    };
    let scaled = if settings.standardize {
        "standardised"
    } else {
        "as they are"
    };
    let noise_end =
        (settings.noise_end.as_ref()).map_or_else(String::new, |end| format!(" to {}", listed(end)));
    let inflates = settings.inflation.values() != [1.0];
    let inflation = match inflates {
        true => format!(", inflation {}", listed(&settings.inflation)),
        false => String::new(),
    };
    let best = match settings.restore_best {
        true => ", the best state restored",
        false => "",
    };
    format!(
        "preset {ROBUST}: data {scaled}; T {}, tau {}, noise {}{noise_end}{inflation}, start-lr {}, pe-steps {}; {epochs} epochs{best}, {polish}",
        listed(&settings.T),
        listed(&settings.tau),
        listed(&settings.noise),
        listed(&settings.start_lr),
        settings.pe_steps,
    )
}

fn listed<V: ToString>(grid: &Grid<V>) -> String {
    let values: Vec<String> = grid.values().iter().map(V::to_string).collect();
    values.join(",")
}

/// The best members of the study, ten at most, over the noise floor.
pub fn summary(members: &[MemberRow], record: &Record) -> String {
    const SHOWN: usize = 10;
    let mut rows: Vec<&MemberRow> = members.iter().collect();
    rows.sort_by(|a, b| a.compare(b));
    let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    let mut cells: Vec<Vec<String>> = rows
        .iter()
        .take(SHOWN)
        .map(|row| {
            vec![
                row.id.clone(),
                row.settings.M.to_string(),
                row.settings.P.to_string(),
                row.settings.tau.to_string(),
                row.settings.seed.to_string(),
                row.best_epoch
                    .map_or_else(|| "-".to_owned(), |epoch| epoch.to_string()),
                row.D_stsp
                    .map_or_else(|| "-".to_owned(), |d| divergence(d, row.saturated == Some(true))),
                cell(row.D_H),
                cell(row.PE),
                cell(row.roughness),
                cell(row.last_D_stsp),
                row.verdict
                    .map_or_else(|| row.status.clone(), |verdict| verdict.word().into()),
            ]
        })
        .collect();
    let mut floor = vec![String::new(); 12];
    floor[0] = "noise floor".into();
    floor[6] = output::floor(record.noise_floor);
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
            &format!("D_stsp ({})", kind(record)),
            "D_H",
            "PE",
            "roughness",
            "last D_stsp",
            "free run",
        ],
        &cells,
    );
    if rows.iter().take(SHOWN).any(|row| row.saturated == Some(true)) {
        text.push_str(SATURATED);
    }
    if let Some(why) = untold(record) {
        text.push_str(&format!("{why}\n"));
    }
    let verdicts = rows.iter().filter_map(|row| row.verdict);
    if rows.len() > 1 && verdicts.clone().next().is_some() {
        text.push_str(&format!("free runs at the end: {}\n", Verdict::counted(verdicts)));
    }
    if rows.len() > SHOWN {
        text.push_str(&format!("… and {} more in members.csv\n", rows.len() - SHOWN));
    }
    text
}

/// The estimate of D_stsp that was used.
fn kind(record: &Record) -> &'static str {
    record.dstsp.map_or("?", DstspKind::label)
}

/// Why no noise floor can be told, where none can.
fn untold(record: &Record) -> Option<String> {
    no_floor(kind(record), record.noise_floor)
}
