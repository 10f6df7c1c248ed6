//! Writing arrays: `.npy` and `.csv` for results, `.npz` for models. Equal content gives equal bytes.

use std::io::{self, Cursor, Write};
use std::path::Path;

use ndarray::{ArrayView2, ArrayViewD};
use ndarray_npy::{NpzWriter, WriteNpyExt};

use crate::arrays::{extension, strip_gz};
use crate::error::{Error, Result};
use crate::fs::write_atomically;

/// Element type of a written `.npy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Element {
    #[default]
    F32,
    F64,
}

/// Writes `values` to `path`: `.npy` with the given element type, or `.csv`/`.tsv` with the shortest digits that
/// read back to the same number of that type (`columns` as header, empty cells for NaN); `.gz` of each.
///
/// # Errors
/// When the extension is another, or the file cannot be written.
pub fn save_array(
    path: impl AsRef<Path>,
    values: ArrayView2<'_, f64>,
    element: Element,
    columns: Option<&[String]>,
) -> Result<()> {
    let path = path.as_ref();
    let name = path.to_string_lossy();
    let format = extension(strip_gz(&name));
    if !["npy", "csv", "tsv"].contains(&format.as_str()) {
        return Err(
            Error::input(format!("cannot tell the format of {name} from its ending"))
                .with_hint("end it in .npy, .csv or .tsv (.gz of these for compression)"),
        );
    }
    let write = |writer: &mut dyn Write| match format.as_str() {
        "npy" => write_npy(writer, values, element),
        "csv" => write_table(writer, values, element, columns, ','),
        _ => write_table(writer, values, element, columns, '\t'),
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

fn write_npy(writer: &mut dyn Write, values: ArrayView2<'_, f64>, element: Element) -> io::Result<()> {
    match element {
        Element::F32 => values.mapv(|v| v as f32).write_npy(writer),
        Element::F64 => values.as_standard_layout().write_npy(writer),
    }
    .map_err(io::Error::other)
}

fn write_table(
    writer: &mut dyn Write,
    values: ArrayView2<'_, f64>,
    element: Element,
    columns: Option<&[String]>,
    delimiter: char,
) -> io::Result<()> {
    if let Some(columns) = columns {
        writeln!(writer, "{}", columns.join(&delimiter.to_string()))?;
    }
    let mut line = String::new();
    for row in values.rows() {
        line.clear();
        for (i, &v) in row.iter().enumerate() {
            if i > 0 {
                line.push(delimiter);
            }
            match element {
                _ if v.is_nan() => line.push_str(if row.len() == 1 { "NA" } else { "" }),
                Element::F32 => line.push_str(&(v as f32).to_string()),
                Element::F64 => line.push_str(&v.to_string()),
            }
        }
        writeln!(writer, "{line}")?;
    }
    Ok(())
}

/// An array of an `.npz` to be written.
pub enum Entry<'a> {
    Real(ArrayViewD<'a, f64>),
    /// A scalar, stored as a 0-dimensional int64.
    Integer(i64),
}

/// The bytes of a stored (uncompressed) `.npz` with these arrays in this order and fixed time stamps.
pub fn npz_bytes(entries: &[(&str, Entry<'_>)]) -> Vec<u8> {
    let mut writer = NpzWriter::new(Cursor::new(Vec::new()));
    for (name, entry) in entries {
        let written = match entry {
            Entry::Real(values) => writer.add_array(*name, &values.as_standard_layout()),
            Entry::Integer(value) => writer.add_array(*name, &ndarray::arr0(*value)),
        };
        written.expect("memory takes every write, and the names are few, short and distinct");
    }
    writer.finish().expect("memory takes every write").into_inner()
}
