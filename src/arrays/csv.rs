//! Comma- and tab-separated tables of numbers, with or without a header.

use csv::{ByteRecord, ReaderBuilder, Trim};
use ndarray::Array2;

use crate::error::{Error, Result};

/// A table of numbers, NaN where a cell is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub values: Array2<f64>,
    pub columns: Option<Vec<String>>,
}

/// What a cell says.
enum Cell {
    Number(f64),
    Missing,
    Other,
}

impl Cell {
    /// An empty cell and the usual names of nothing are missing values.
    fn parse(bytes: &[u8]) -> Self {
        const MISSING: [&str; 7] = ["", "na", "n/a", "nan", "null", "none", "missing"];
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Self::Other;
        };
        if MISSING.iter().any(|m| text.eq_ignore_ascii_case(m)) {
            return Self::Missing;
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_nan() => Self::Missing,
            Ok(value) => Self::Number(value),
            Err(_) => Self::Other,
        }
    }
}

/// Reads a table. The first line is a header when none of its cells is a number, or when it counts the columns
/// from 0 as pandas does for a frame without names; lines that start with `#` are left out. A file whose first
/// line has semicolons and no commas is separated by semicolons.
///
/// # Errors
/// When a line has another number of cells than the first, or a cell is no number.
pub fn read_csv(bytes: &[u8], name: &str, delimiter: u8) -> Result<Table> {
    let first_line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    let delimiter = if delimiter == b',' && !first_line.contains(&b',') && first_line.contains(&b';') {
        b';'
    } else {
        delimiter
    };
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .comment(Some(b'#'))
        .delimiter(delimiter)
        .from_reader(bytes);
    let mut values = Vec::new();
    let mut columns = None;
    let mut width = 0;
    let mut first = true;
    let mut record = ByteRecord::new();
    while reader
        .read_byte_record(&mut record)
        .map_err(|e| Error::input(format!("{name} cannot be read as a table: {e}")))?
    {
        let line = record.position().map_or(0, |p| p.line());
        if first {
            first = false;
            width = record.len();
            columns = header(&record, name, line)?;
            if columns.is_some() {
                continue;
            }
        }
        if record.len() != width {
            return Err(Error::input(format!(
                "{name}, line {line}: {} cells where the first line has {width}",
                record.len()
            ))
            .with_hint("leave a cell empty (or write NA) where a value is missing"));
        }
        for (column, cell) in record.iter().enumerate() {
            values.push(match Cell::parse(cell) {
                Cell::Number(value) => value,
                Cell::Missing => f64::NAN,
                Cell::Other => return Err(not_a_number(name, line, column, cell)),
            });
        }
    }
    let rows = values.len() / width.max(1);
    let values = Array2::from_shape_vec((rows, width), values).expect("every row has width cells");
    Ok(Table { values, columns })
}

/// The column names, if this first line holds names.
fn header(record: &ByteRecord, name: &str, line: u64) -> Result<Option<Vec<String>>> {
    let cells: Vec<Cell> = record.iter().map(Cell::parse).collect();
    let counts_columns = cells.len() > 1
        && record
            .iter()
            .enumerate()
            .all(|(i, cell)| cell == i.to_string().as_bytes());
    let names = || {
        record
            .iter()
            .map(|c| String::from_utf8_lossy(c).into_owned())
            .collect()
    };
    if counts_columns {
        return Ok(Some(names()));
    }
    let Some(column) = cells.iter().position(|c| matches!(c, Cell::Other)) else {
        return Ok(None);
    };
    if cells.iter().any(|c| matches!(c, Cell::Number(_))) {
        return Err(not_a_number(
            name,
            line,
            column,
            record.get(column).unwrap_or_default(),
        ));
    }
    if record.get(0).is_some_and(<[u8]>::is_empty) {
        return Err(Error::input(format!(
            "{name}: the first column has no name, which is how pandas writes row numbers"
        ))
        .with_hint("write the file with DataFrame.to_csv(path, index=False), or name the column"));
    }
    Ok(Some(names()))
}

fn not_a_number(name: &str, line: u64, column: usize, cell: &[u8]) -> Error {
    let text: String = String::from_utf8_lossy(cell).chars().take(40).collect();
    let error = Error::input(format!(
        "{name}, line {line}, column {}: '{text}' is not a number",
        column + 1
    ));
    if text.matches(',').count() == 1 && text.replace(',', ".").parse::<f64>().is_ok() {
        return error.with_hint("write numbers with a decimal point, not a comma");
    }
    if text.split_whitespace().count() > 1 || text.contains(['\t', ';']) {
        return error.with_hint("separate cells by commas in a .csv, by tabs in a .tsv");
    }
    error.with_hint("keep columns of numbers only; an empty cell or NA is a missing value")
}
