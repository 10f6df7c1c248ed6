//! Array files: `.npy`, `.npz`, `.csv`, `.tsv` (`.gz` of each) in, `.npy`, `.npz` and `.csv` out.
//!
//! Every number is read as f64. Parsers take bytes, so that they can be tested (and fuzzed) without files, and
//! allocate only what the bytes at hand can fill: a size that a header claims is checked first.

mod csv;
mod foreign;
mod npy;
mod npz;
mod write;

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use ndarray::ArrayD;

use crate::error::{Error, Result, nearest};
use crate::fs::folder_of;

pub use csv::{Fault, read_csv, refuse_faults};
pub use npy::read_npy;
pub use npz::Npz;
pub use write::{Entry, beside, check_target, npz_bytes, save_array};

/// One array of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedArray {
    /// The path as the user gave it, with `:key` where the file holds several arrays.
    pub name: String,
    /// NaN where a cell of a table is empty, a word for a missing value, or no number (see `faults`).
    pub values: ArrayD<f64>,
    /// Column names of a CSV header.
    pub columns: Option<Vec<String>>,
    /// Lines of a text file, from 1, that the rows stand in; empty for binary files.
    pub lines: Vec<u64>,
    /// Why the array, or one of its columns, must not be used as it is, the first to be told first: see [`refuse_faults`].
    pub faults: Vec<Fault>,
}

impl NamedArray {
    fn plain(name: String, values: ArrayD<f64>) -> Self {
        Self {
            name,
            values,
            columns: None,
            lines: Vec::new(),
            faults: Vec::new(),
        }
    }
}

/// Reads the arrays that `spec` names: a path, or `rec.npz:key` with a key that may hold `*` and `?`.
///
/// # Errors
/// When the file is missing, of an unknown format, damaged, or does not hold real numbers.
pub fn read_arrays(spec: &str) -> Result<Vec<NamedArray>> {
    let (path, key) = split_key(spec);
    parse_arrays(&read_file(path)?, path, key)
}

/// What [`read_arrays`] does once the bytes of the file at `path` are read.
///
/// # Errors
/// As [`read_arrays`].
pub fn parse_arrays(bytes: &[u8], path: &str, key: Option<&str>) -> Result<Vec<NamedArray>> {
    let unpacked;
    let (bytes, format_name) = if bytes.starts_with(&[0x1f, 0x8b]) {
        unpacked = gunzip(bytes, path)?;
        (unpacked.as_slice(), strip_gz(path))
    } else {
        (bytes, path)
    };
    if bytes.starts_with(b"PK") {
        return Npz::parse(bytes, path)?.select(key);
    }
    if let Some(key) = key {
        return Err(Error::input(format!(
            "{path} is not an .npz file, so it has no array '{key}'"
        )));
    }
    if bytes.starts_with(b"\x93NUMPY") {
        return Ok(vec![NamedArray::plain(path.to_string(), read_npy(bytes, path)?)]);
    }
    if let Some(error) = foreign::recognise(bytes, format_name) {
        return Err(error);
    }
    let delimiter = match extension(format_name).as_str() {
        _ if bytes.is_empty() => return Err(Error::input(format!("{path} is an empty file"))),
        "csv" => b',',
        "tsv" => b'\t',
        other => return Err(unknown_format(path, other)),
    };
    Ok(vec![read_csv(bytes, path, delimiter)?])
}

/// Splits `rec.npz:key` into path and key; a colon elsewhere belongs to the path.
pub fn split_key(spec: &str) -> (&str, Option<&str>) {
    match spec.rsplit_once(':') {
        Some((path, key)) if extension(path) == "npz" => (path, Some(key)),
        _ => (spec, None),
    }
}

/// `3 × 4`, for messages.
pub fn times(sizes: &[usize]) -> String {
    let sizes: Vec<_> = sizes.iter().map(usize::to_string).collect();
    sizes.join(" × ")
}

/// The first `most` names, for messages.
fn listing(names: &[String], most: usize) -> String {
    let rest = if names.len() > most { ", …" } else { "" };
    names[..most.min(names.len())].join(", ") + rest
}

fn extension(path: &str) -> String {
    Path::new(path)
        .extension()
        .map(|e| e.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}

fn strip_gz(path: &str) -> &str {
    if extension(path) == "gz" {
        &path[..path.len() - ".gz".len()]
    } else {
        path
    }
}

fn unknown_format(path: &str, extension: &str) -> Error {
    match extension {
        "npy" => Error::input(format!(
            "{path} is not an .npy file: it does not start with the NumPy mark"
        ))
        .with_hint("write it with numpy.save(path, array)"),
        "npz" => Error::input(format!("{path} is not an .npz file: it is no zip archive"))
            .with_hint("write it with numpy.savez(path, x=array)"),
        _ => Error::input(format!("{path} is of a format that is not known"))
            .with_hint("known are .npy, .npz, .csv, .tsv and .gz of these"),
    }
}

/// Reads a whole file; a file that is not there is the user's mistake and the nearest name is suggested.
pub fn read_file(path: &str) -> Result<Vec<u8>> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let error = Error::input(format!("there is no file {path}"));
            Err(match nearest_file(Path::new(path)) {
                _ if path.contains('*') => {
                    error.with_hint("leave out the quotes: the shell expands * over files")
                }
                Some(name) => error.with_hint(format!("did you mean {name}?")),
                None => error,
            })
        }
        Err(_) if Path::new(path).is_dir() => Err(Error::input(format!("{path} is a folder, not a file"))),
        Err(e) => Err(Error::io("read", path, e)),
    }
}

/// The file in the same folder whose name is nearest to that of `path`.
fn nearest_file(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_string_lossy().into_owned();
    let entries = fs::read_dir(folder_of(path)).ok()?.take(10_000);
    let name = |entry: io::Result<fs::DirEntry>| Some(entry.ok()?.file_name().to_string_lossy().into_owned());
    let names: Vec<String> = entries.filter_map(name).collect();
    let name = nearest(&wanted, names.iter().map(String::as_str))?;
    Some(path.with_file_name(name).display().to_string())
}

/// Largest number of bytes that `packed` compressed ones may unpack to: 100 ×, or 256 MiB for small files.
/// Real recordings stay far below; a file made to exhaust memory does not.
fn unpack_limit(packed: usize) -> u64 {
    (packed as u64).saturating_mul(100).max(256 << 20)
}

/// Reads all of a decompressor, refusing to pass [`unpack_limit`].
fn unpack(reader: impl Read, packed: usize, name: &str) -> Result<Vec<u8>> {
    let limit = unpack_limit(packed);
    let mut bytes = Vec::new();
    reader
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::input(format!("{name} cannot be unpacked: {e}")))?;
    if bytes.len() as u64 > limit {
        return Err(
            Error::input(format!("{name} unpacks to more than {} MiB", limit >> 20))
                .with_hint("unpack it first if it is what it should be"),
        );
    }
    Ok(bytes)
}

fn gunzip(bytes: &[u8], path: &str) -> Result<Vec<u8>> {
    unpack(flate2::read::MultiGzDecoder::new(bytes), bytes.len(), path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_npz_path_has_a_key() {
        assert_eq!(split_key("a/rec.npz:x"), ("a/rec.npz", Some("x")));
        assert_eq!(split_key("rec.NPZ:trial_*"), ("rec.NPZ", Some("trial_*")));
        assert_eq!(split_key("C:\\rec.npz"), ("C:\\rec.npz", None));
        assert_eq!(split_key("run:3/x.npy"), ("run:3/x.npy", None));
    }
}
