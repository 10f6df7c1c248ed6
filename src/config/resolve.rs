//! Layers of settings: flags over file over preset over defaults.

use std::path::Path;

use toml::Table;

use crate::config::{PRESETS, ROBUST, Settings, preset};
use crate::error::{Error, Result, nearest};

/// Table of a run folder's `config.toml` that records what happened; ignored when the file is read back.
const RECORD: &str = "run";

/// Reads a config file, without its record of a run.
pub fn read_file(path: &Path) -> Result<Table> {
    let text = std::fs::read_to_string(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::input(format!("there is no config file {}", path.display())),
        std::io::ErrorKind::InvalidData => Error::input(format!("{} is not a text file", path.display())),
        _ => Error::io("read", path, source),
    })?;
    parse_file(&text, path)
}

/// What [`read_file`] does once the file's text is read.
pub fn parse_file(text: &str, path: &Path) -> Result<Table> {
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(0, |span| {
            text[..span.start.min(text.len())].lines().count().max(1)
        });
        Error::input(format!(
            "{}, line {line}: {}",
            path.display(),
            error.message().replace('\n', " ")
        ))
    })?;
    table.remove(RECORD);
    Ok(table)
}

/// Merges `flags` over `file` over the preset that either names over the defaults, and validates the result.
pub fn resolve(file: Option<(&Path, Table)>, flags: Table) -> Result<Settings> {
    resolve_over(&Settings::default(), file, flags)
}

/// [`resolve`] with the settings of a run in the place of the defaults.
pub fn resolve_over(base: &Settings, file: Option<(&Path, Table)>, flags: Table) -> Result<Settings> {
    let (origin, mut file) = match file {
        Some((path, table)) => (format!("{}: ", path.display()), table),
        None => (String::new(), Table::new()),
    };
    let mut flags = flags;
    let mut merged = Table::try_from(base).expect("settings are a TOML table");
    let known: Vec<String> = Settings::keys()
        .into_iter()
        .chain(["preset".to_owned()])
        .collect();

    let file_preset = file.remove("preset");
    if let Some(name) = flags.remove("preset").or(file_preset) {
        let name = name.as_str().unwrap_or_default().to_owned();
        if name == ROBUST {
            return Err(Error::input(format!(
                "the preset '{ROBUST}' is chosen by the data, which are not known here"
            )));
        }
        merged.extend(
            preset(&name).ok_or_else(|| unknown("preset", &name, [ROBUST].into_iter().chain(PRESETS), ""))?,
        );
    }
    let layers = [("config key", &file, origin.as_str()), ("setting", &flags, "")];
    for (kind, layer, origin) in layers {
        if let Some(key) = layer.keys().find(|key| !known.contains(key)) {
            return Err(unknown(kind, key, known.iter().map(String::as_str), origin));
        }
    }
    merged.extend(file.clone());
    merged.extend(flags.clone());
    let settings: Settings = merged.clone().try_into().map_err(|error: toml::de::Error| {
        let key = culprit(&merged).unwrap_or_default();
        let origin = if flags.contains_key(&key) { "" } else { &origin };
        Error::input(format!(
            "{origin}{key}: {}",
            error.message().trim().replace('\n', " ")
        ))
    })?;
    settings.validate()?;
    Ok(settings)
}

impl Settings {
    /// The names of all settings, as files have them.
    pub fn keys() -> Vec<String> {
        let shown = Table::try_from(Self::default()).expect("settings are a TOML table");
        shown
            .into_iter()
            .map(|(key, _)| key)
            .chain(optional_keys())
            .collect()
    }
}

/// Keys that a table made from the defaults does not show, because nothing is their default.
fn optional_keys() -> impl Iterator<Item = String> {
    [
        "drop",
        "hold-out",
        "noise-end",
        "dt",
        "device",
        "threads",
        "shard",
    ]
    .into_iter()
    .map(str::to_owned)
}

/// The key whose value alone does not fit its type.
fn culprit(table: &Table) -> Option<String> {
    table
        .iter()
        .find(|(key, value)| {
            let single: Table = [((*key).clone(), (*value).clone())].into_iter().collect();
            single.try_into::<Settings>().is_err()
        })
        .map(|(key, _)| key.clone())
}

fn unknown<'a>(
    kind: &str,
    name: &str,
    candidates: impl Iterator<Item = &'a str> + Clone,
    origin: &str,
) -> Error {
    let error = Error::input(format!("{origin}unknown {kind} '{name}'"));
    match nearest(name, candidates.clone()) {
        Some(near) => error.with_hint(format!("did you mean '{near}'?")),
        None => error.with_hint(format!("known: {}", candidates.collect::<Vec<_>>().join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().expect("test TOML")
    }

    #[test]
    fn flags_win_over_file_over_preset_over_defaults() {
        let file = table("preset = 'rossler'\nnoise = 0.1\nP = [0, 1]\n[ignored]\n");
        let file: Table = file.into_iter().filter(|(key, _)| key != "ignored").collect();
        let settings = resolve(
            Some((Path::new("c.toml"), file)),
            table("data = ['x.npy']\nP = '1..3'\nstart-lr = 0.5"),
        )
        .expect("valid");
        assert_eq!(settings.P.values(), [1, 2, 3], "flag");
        assert_eq!(settings.noise.values(), [0.1], "file");
        assert_eq!(settings.T.values(), [300], "preset");
        assert_eq!(settings.batch_size.values(), [16], "default");
        assert_eq!(settings.start_lr.values(), [0.5]);
    }

    #[test]
    fn resolved_settings_survive_their_own_file() {
        let first = resolve(
            None,
            table("data = ['x.npy']\nP = '0..3'\nseeds = '7,'\nclip = 2"),
        )
        .expect("valid");
        let written = toml::to_string(&first).expect("TOML");
        let again = resolve(Some((Path::new("config.toml"), table(&written))), Table::new()).expect("valid");
        assert_eq!(first, again);
    }

    #[test]
    fn slips_of_the_pen_get_the_nearest_name() {
        let message = |file: &str, flags: &str| {
            let error = resolve(Some((Path::new("c.toml"), table(file))), table(flags)).expect_err(file);
            (error.to_string(), error.hint().unwrap_or_default().to_owned())
        };
        let (text, hint) = message("nois = 0.1", "data = ['x']");
        assert_eq!(
            (text.as_str(), hint.as_str()),
            ("c.toml: unknown config key 'nois'", "did you mean 'noise'?")
        );
        let (text, hint) = message("", "data = ['x']\npreset = 'lorentz63'");
        assert_eq!(
            (text.as_str(), hint.as_str()),
            ("unknown preset 'lorentz63'", "did you mean 'lorenz63'?")
        );
        let (text, _) = message("epochs = 'many'", "data = ['x']");
        assert!(text.starts_with("c.toml: epochs:"), "{text}");
    }

    #[test]
    fn every_preset_is_valid() {
        for name in PRESETS {
            resolve(None, table(&format!("data = ['x']\npreset = '{name}'"))).expect(name);
        }
    }

    #[test]
    fn refuses_values_out_of_range() {
        for bad in [
            "P = 21",
            "M = 0",
            "tau = 0",
            "T = 0",
            "noise = -0.1",
            "alpha = 1.5",
            "epochs = 0",
            "eval-every = 0",
            "end-lr = 0",
            "threads = 0",
            "dt = 0",
            "batch-size = 0",
            "clip = -1",
        ] {
            let result = resolve(None, table(&format!("data = ['x']\n{bad}")));
            assert!(matches!(result, Err(Error::Input { .. })), "{bad}: {result:?}");
        }
    }
}
