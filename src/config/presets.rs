//! The published settings (ALRNN-DSR `settings/*.json`; all with RAdam, end-lr 1e-5, 16 windows, 50 batches).
#![allow(non_snake_case, reason = "the paper's symbols")]

use toml::Table;

struct Row {
    name: &'static str,
    M: usize,
    P: usize,
    T: usize,
    tau: usize,
    noise: f64,
    start_lr: f64,
    epochs: u32,
    bins: usize,
    gmm_variance: f64,
    smoothing: f64,
    lambda_lat: f64,
}

/// Names that `--preset` takes.
pub const PRESETS: [&str; 6] = ["lorenz63", "rossler", "lorenz96", "ecg", "eeg", "fmri"];

#[rustfmt::skip]
const ROWS: [Row; 6] = [
    Row { name: PRESETS[0], M: 20,  P: 2,  T: 200, tau: 16, noise: 0.05, start_lr: 0.001, epochs: 2000, bins: 30, gmm_variance: 0.3, smoothing: 20.0, lambda_lat: 0.0 },
    Row { name: PRESETS[1], M: 20,  P: 1,  T: 300, tau: 8,  noise: 0.05, start_lr: 0.005, epochs: 3000, bins: 30, gmm_variance: 0.3, smoothing: 20.0, lambda_lat: 0.0 },
    Row { name: PRESETS[2], M: 100, P: 50, T: 50,  tau: 20, noise: 0.05, start_lr: 0.001, epochs: 3000, bins: 30, gmm_variance: 1.0, smoothing: 20.0, lambda_lat: 0.0 },
    Row { name: PRESETS[3], M: 100, P: 2,  T: 50,  tau: 10, noise: 0.01, start_lr: 0.002, epochs: 4000, bins: 8,  gmm_variance: 0.3, smoothing: 20.0, lambda_lat: 0.0 },
    Row { name: PRESETS[4], M: 133, P: 60, T: 100, tau: 10, noise: 0.0,  start_lr: 0.001, epochs: 2000, bins: 30, gmm_variance: 1.0, smoothing: 20.0, lambda_lat: 0.1 },
    Row { name: PRESETS[5], M: 50,  P: 2,  T: 72,  tau: 7,  noise: 0.0,  start_lr: 0.005, epochs: 2000, bins: 8,  gmm_variance: 1.0, smoothing: 1.0,  lambda_lat: 0.0 },
];

/// The settings that the preset of this name fixes; the rest are the defaults.
pub fn preset(name: &str) -> Option<Table> {
    let row = ROWS.iter().find(|row| row.name == name)?;
    let integers = [
        ("M", row.M),
        ("P", row.P),
        ("T", row.T),
        ("tau", row.tau),
        ("epochs", row.epochs as usize),
        ("bins", row.bins),
    ];
    let numbers = [
        ("noise", row.noise),
        ("start-lr", row.start_lr),
        ("gmm-variance", row.gmm_variance),
        ("smoothing", row.smoothing),
        ("lambda-lat", row.lambda_lat),
    ];
    let mut table = Table::new();
    table.extend(integers.map(|(key, value)| (key.to_owned(), (value as i64).into())));
    table.extend(numbers.map(|(key, value)| (key.to_owned(), value.into())));
    Some(table)
}
