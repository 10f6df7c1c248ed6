//! `.npz`: a zip archive with one `.npy` an array.

use std::io::Cursor;

use ndarray::ArrayD;
use wildmatch::WildMatch;
use zip::ZipArchive;

use crate::arrays::{NamedArray, foreign, listing, read_npy, unpack};
use crate::error::{Error, Result};

/// An opened `.npz`; arrays are read one by one, those not asked for never.
pub struct Npz<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    path: String,
    packed: usize,
}

impl<'a> Npz<'a> {
    /// Opens the archive in `bytes`; `path` is what messages call it.
    ///
    /// # Errors
    /// When the bytes are no zip archive, or one of another program.
    pub fn parse(bytes: &'a [u8], path: &str) -> Result<Self> {
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| {
            foreign::recognise(bytes, path)
                .unwrap_or_else(|| Error::input(format!("{path} is not a readable .npz file: {e}")))
        })?;
        if let Some(error) = foreign::recognise_zip(archive.file_names(), path) {
            return Err(error);
        }
        Ok(Self {
            archive,
            path: path.to_string(),
            packed: bytes.len(),
        })
    }

    /// Names of the arrays, sorted as people count (`trial_2` before `trial_10`). Entries with another ending
    /// than `.npy` are none: spreadsheets and much else are zip archives too.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .archive
            .file_names()
            .filter_map(|n| {
                n.strip_suffix(".npy")
                    .or_else(|| (!n.contains('.') && !n.ends_with('/')).then_some(n))
            })
            .map(str::to_string)
            .collect();
        names.sort_by_cached_key(|name| natural_key(name));
        names
    }

    /// Reads one array, `None` where there is none of this name.
    ///
    /// # Errors
    /// When the entry is damaged or its dtype is not real.
    pub fn array(&mut self, key: &str) -> Result<Option<ArrayD<f64>>> {
        let name = format!("{}:{key}", self.path);
        let index = self
            .archive
            .index_for_name(&format!("{key}.npy"))
            .or_else(|| self.archive.index_for_name(key));
        let Some(index) = index else { return Ok(None) };
        let entry = self
            .archive
            .by_index(index)
            .map_err(|e| Error::input(format!("{name} cannot be unpacked: {e}")))?;
        let bytes = unpack(entry, self.packed, &name)?;
        read_npy(&bytes, &name).map(Some)
    }

    /// The arrays a key names (all that match where it holds `*` or `?`), or the only array without a key.
    ///
    /// # Errors
    /// When nothing matches, or when there is no key and several arrays.
    pub fn select(&mut self, key: Option<&str>) -> Result<Vec<NamedArray>> {
        let names = self.names();
        let chosen: Vec<&String> = match key {
            Some(key) => {
                let pattern = WildMatch::new(key);
                names.iter().filter(|n| pattern.matches(n)).collect()
            }
            None if names.len() == 1 => names.iter().collect(),
            None if names.is_empty() => {
                return Err(Error::input(format!("{} holds no array", self.path)).with_hint(
                    "an .npz is written by numpy.savez(path, x=array); save a spreadsheet as .csv",
                ));
            }
            None => {
                return Err(Error::input(format!(
                    "{} holds {} arrays ({}): say which",
                    self.path,
                    names.len(),
                    listing(&names, 8)
                ))
                .with_hint(format!(
                    "{}:{}, or '{}:trial_*' for every array whose name matches",
                    self.path, names[0], self.path
                )));
            }
        };
        if chosen.is_empty() {
            return Err(Error::input(format!(
                "{} has no array {}; it holds {}",
                self.path,
                key.unwrap_or_default(),
                listing(&names, 8)
            )));
        }
        let mut arrays = Vec::with_capacity(chosen.len());
        for key in chosen {
            let values = self.array(key)?.expect("the name is from the archive's own list");
            arrays.push(NamedArray::plain(format!("{}:{key}", self.path), values));
        }
        Ok(arrays)
    }
}

/// Sort key under which runs of digits compare as numbers: by length without leading zeros, then digit by digit.
fn natural_key(name: &str) -> (Vec<(usize, String)>, String) {
    let chars: Vec<char> = name.chars().collect();
    let runs = chars.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit());
    let key = |run: &[char]| {
        let text = String::from_iter(run);
        if !run[0].is_ascii_digit() {
            return (0, text);
        }
        let digits = text.trim_start_matches('0').to_string();
        (digits.len() + 1, digits)
    };
    (runs.map(key).collect(), name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_people_count() {
        let mut names = ["t10", "t9", "t1", "s", "t1b", "t02"];
        names.sort_by_cached_key(|n| natural_key(n));
        assert_eq!(names, ["s", "t1", "t1b", "t02", "t9", "t10"]);
    }
}
