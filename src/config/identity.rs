//! Which settings decide the bits of a result.

use toml::Table;

use crate::config::Settings;

/// Settings that say where the data lie and where to compute. They do not decide what is computed; the data's values,
/// of which a run keeps a hash, do.
const PLACES: [&str; 7] = [
    "data",
    "inputs",
    "test",
    "test-inputs",
    "backend",
    "device",
    "threads",
];

impl Settings {
    /// The settings that, with the data, decide a result's bits on one kind of device, by their keys: a run goes on
    /// only with the same, and its checkpoint belongs to them. Those of a study's parts differ in `shard` alone.
    pub fn identity(&self) -> Table {
        let mut table = Table::try_from(self).expect("settings are a TOML table");
        table.retain(|key, _| !PLACES.contains(&key));
        table
    }

    /// The first setting of the [identity](Settings::identity) in which `other` differs, as text: its key, the value
    /// here, the value there (`nothing` where it is not set).
    pub fn differs_in(&self, other: &Self) -> Option<(String, String, String)> {
        let (here, there) = (self.identity(), other.identity());
        let text = |table: &Table, key: &str| {
            table
                .get(key)
                .map_or_else(|| "nothing".to_owned(), ToString::to_string)
        };
        here.keys()
            .chain(there.keys())
            .find(|&key| here.get(key) != there.get(key))
            .map(|key| (key.clone(), text(&here, key), text(&there, key)))
    }

    /// The settings with absolute paths, which mean the same files from anywhere.
    #[must_use]
    pub fn with_absolute_paths(&self) -> Self {
        let mut settings = self.clone();
        for paths in [
            &mut settings.data,
            &mut settings.inputs,
            &mut settings.test,
            &mut settings.test_inputs,
        ] {
            for path in paths {
                if let Ok(absolute) = std::path::absolute(&*path) {
                    *path = absolute.to_string_lossy().into_owned();
                }
            }
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Grid, Shard};

    #[test]
    fn places_are_no_part_of_what_is_computed() {
        let one = Settings::default();
        let elsewhere = Settings {
            data: vec!["there.npy".into()],
            threads: Some(3),
            ..Settings::default()
        };
        assert_eq!(one.differs_in(&elsewhere), None);
        let other = Settings {
            tau: Grid::one(8),
            ..Settings::default()
        };
        let difference = ("tau".to_owned(), "16".to_owned(), "8".to_owned());
        assert_eq!(one.differs_in(&other), Some(difference));
        let part = Settings {
            shard: "1/2".parse::<Shard>().ok(),
            ..Settings::default()
        };
        assert_eq!(
            one.differs_in(&part).map(|d| (d.0, d.1)),
            Some(("shard".into(), "nothing".into()))
        );
    }
}
