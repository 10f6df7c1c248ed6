use toml::{Table, Value};

/// The preset that depends on the data (see [`crate::train::robust`]).
pub const ROBUST: &str = "robust";

/// Names of the published settings.
pub const PRESETS: [&str; 6] = ["lorenz63", "rossler", "lorenz96", "ecg", "eeg", "fmri"];

/// The settings that the preset of this name fixes; the rest are the defaults.
pub fn preset(name: &str) -> Option<Table> {
    let mut presets: Table = include_str!("presets.toml")
        .parse()
        .expect("a test reads every preset");
    match presets.remove(name) {
        Some(Value::Table(settings)) => Some(settings),
        _ => None,
    }
}
