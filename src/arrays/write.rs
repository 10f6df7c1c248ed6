//! Writing arrays: `.npy` and `.csv` for results, `.npz` for models. Equal content gives equal bytes.

use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};

use csv::{QuoteStyle, WriterBuilder};
use ndarray::{ArrayView1, ArrayView2, ArrayViewD};
use ndarray_npy::{NpzWriter, WriteNpyExt};

use crate::arrays::csv::is_word;
use crate::arrays::{extension, strip_gz};
use crate::error::{Error, Result};
use crate::fs::{folder_of, write_atomically};

/// Writes `values` to `path`: `.npy` in float64, or `.csv`/`.tsv` with the shortest digits that read back to the same
/// numbers (`columns` as header, quoted where they need it, empty cells for NaN); `.gz` of each.
///
/// # Errors
/// As [`check_target`], and when the file cannot be written.
pub fn save_array(
    path: impl AsRef<Path>,
    values: ArrayView2<'_, f64>,
    columns: Option<&[String]>,
) -> Result<()> {
    let path = path.as_ref();
    let name = path.to_string_lossy();
    let delimiter = delimiter(&name)?;
    let write = |writer: &mut dyn Write| match delimiter {
        None => values
            .as_standard_layout()
            .write_npy(writer)
            .map_err(io::Error::other),
        Some(delimiter) => write_table(writer, values, columns, delimiter),
    };
    write_atomically(path, |writer| {
        if extension(&name) == "gz" {
            let mut encoder = flate2::write::GzEncoder::new(writer, flate2::Compression::default());
            write(&mut encoder)?;
            encoder.finish().map(|_| ())
        } else {
            write(writer)
        }
    })
}

/// Checks, before anything is computed, that [`save_array`] can write to `path`.
///
/// # Errors
/// When the format cannot be told from the ending, the folder is not there, or `path` is a folder.
pub fn check_target(path: &Path) -> Result<()> {
    let name = path.to_string_lossy();
    delimiter(&name)?;
    if path.is_dir() {
        return Err(Error::input(format!("{name} is a folder, not a file")));
    }
    let folder = folder_of(path);
    if folder.is_dir() {
        return Ok(());
    }
    let folder = folder.display();
    Err(
        Error::input(format!("there is no folder {folder} to write {name} in"))
            .with_hint("make the folder first, or name another file"),
    )
}

/// `x.npy.gz` with the suffix `-latent` is `x-latent.npy.gz`.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let bare = strip_gz(&name);
    let stem = match extension(bare).len() {
        0 => bare,
        length => &bare[..bare.len() - length - 1],
    };
    path.with_file_name(format!("{stem}{suffix}{}", &name[stem.len()..]))
}

/// What separates the cells of a text file of this name, `None` for an `.npy`.
fn delimiter(name: &str) -> Result<Option<u8>> {
    match extension(strip_gz(name)).as_str() {
        "npy" => Ok(None),
        "csv" => Ok(Some(b',')),
        "tsv" => Ok(Some(b'\t')),
        _ => Err(
            Error::input(format!("cannot tell the format of {name} from its ending"))
                .with_hint("end it in .npy, .csv or .tsv (.gz of these for compression)"),
        ),
    }
}

fn write_table(
    writer: &mut dyn Write,
    values: ArrayView2<'_, f64>,
    columns: Option<&[String]>,
    delimiter: u8,
) -> io::Result<()> {
    if let Some(columns) = columns {
        // In quotes throughout where a name could be read as a number, and the header as a row.
        let style = if columns.iter().all(|name| is_word(name)) {
            QuoteStyle::Necessary
        } else {
            QuoteStyle::Always
        };
        let mut header = WriterBuilder::new()
            .delimiter(delimiter)
            .comment(Some(b'#'))
            .quote_style(style)
            .from_writer(&mut *writer);
        header.write_record(columns)?;
        header.flush()?;
    }
    let mut rows = WriterBuilder::new().delimiter(delimiter).from_writer(writer);
    for row in values.rows() {
        rows.write_record(row.iter().map(|&v| digits(v, row.len())))?;
    }
    rows.flush()
}

/// The shortest digits that read back to `v`; NaN is an empty cell, or `NA` where that would be an empty line.
fn digits(v: f64, width: usize) -> String {
    match v.abs() {
        a if a.is_nan() => (if width == 1 { "NA" } else { "" }).to_owned(),
        a if a != 0.0 && a.is_finite() && !(1e-5..1e16).contains(&a) => format!("{v:e}"),
        _ => v.to_string(),
    }
}

/// An array of an `.npz` to be written.
pub enum Entry<'a> {
    Real(ArrayViewD<'a, f64>),
    /// A scalar, stored as a 0-dimensional int64.
    Integer(i64),
    /// A vector of uint8.
    Bytes(&'a [u8]),
}

/// The bytes of a stored (uncompressed) `.npz` with these arrays in this order and fixed time stamps.
pub fn npz_bytes(entries: &[(&str, Entry<'_>)]) -> Vec<u8> {
    let mut writer = NpzWriter::new(Cursor::new(Vec::new()));
    for (name, entry) in entries {
        let written = match entry {
            Entry::Real(values) => writer.add_array(*name, &values.as_standard_layout()),
            Entry::Integer(value) => writer.add_array(*name, &ndarray::arr0(*value)),
            Entry::Bytes(bytes) => writer.add_array(*name, &ArrayView1::from(*bytes)),
        };
        written.expect("memory takes every write, and the names are few, short and distinct");
    }
    writer.finish().expect("memory takes every write").into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_goes_before_all_endings() {
        for (path, expected) in [
            ("z.npy", "z-latent.npy"),
            ("out/z.npy.gz", "out/z-latent.npy.gz"),
            ("out.d/z.CSV.GZ", "out.d/z-latent.CSV.GZ"),
            ("a.b.tsv", "a.b-latent.tsv"),
        ] {
            assert_eq!(beside(Path::new(path), "-latent"), Path::new(expected));
        }
    }

    #[test]
    fn digits_are_short_and_exact() {
        for (value, expected) in [
            (0.1, "0.1"),
            (101_325.019_999_9, "101325.0199999"),
            (1e-300, "1e-300"),
            (-2.5e22, "-2.5e22"),
            (-0.0, "-0"),
            (f64::NAN, ""),
        ] {
            assert_eq!(digits(value, 2), expected);
        }
        assert_eq!(digits(f64::NAN, 1), "NA");
    }
}
