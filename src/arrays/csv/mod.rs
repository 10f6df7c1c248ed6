//! Comma-, semicolon- and tab-separated tables of numbers, with or without a header.
//!
//! No row is left out and no number guessed: what cannot be told is a [`Fault`], or a warning where it can be lived with.
//!
//! - [`text`]: bytes to text, [`dialect`]: where the table starts and what separates cells, [`records`]: its lines,
//! - [`cell`]: what a cell says, [`column`], [`body`]: columns and rows, [`header`]: whether the first line names the columns,
//! - [`advice`]: what to do about a cell that is no number.

mod advice;
mod body;
mod cell;
mod column;
mod dialect;
mod header;
mod records;
mod text;

use csv::ByteRecord;
use ndarray::ArrayD;

use crate::arrays::NamedArray;
use crate::arrays::csv::body::Body;
use crate::arrays::csv::cell::Cell;
use crate::arrays::csv::dialect::{Preamble, guess_separator};
use crate::arrays::csv::header::{FirstLine, Verdict};
use crate::arrays::csv::records::Records;
use crate::error::{Error, Result};

/// What spoils a table or one of its columns. It is an error only where the column is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Counted from 0; `None` for the whole table.
    pub column: Option<usize>,
    pub message: String,
    pub hint: String,
}

impl Fault {
    fn new(column: Option<usize>, message: String, hint: impl Into<String>) -> Self {
        Self {
            column,
            message,
            hint: hint.into(),
        }
    }
}

/// Refuses a table whose columns (those that `is_used` names, from 0) have a fault.
///
/// # Errors
/// The first fault of the table or of a used column.
pub fn refuse_faults(faults: &[Fault], is_used: impl Fn(usize) -> bool) -> Result<()> {
    match faults.iter().find(|fault| fault.column.is_none_or(&is_used)) {
        None => Ok(()),
        Some(fault) => Err(Error::input(&fault.message).with_hint(&fault.hint)),
    }
}

/// Reads a table `[rows, columns]`, called `name` in messages. `delimiter` is what the file's ending stands for; another one is taken where the rows say so, or a
/// first line `sep=;`.
///
/// Lines that start with `#` are comments above the first row, and errors below it; `#N/A`, `#DIV/0!` and the other
/// marks of spreadsheets are missing values everywhere. In a table of one column an empty line is an empty cell.
/// Decimal commas are read where nothing in the file contradicts. The first line is a header when none of its cells is
/// a number, or where it is told from the rows (see `header`).
///
/// # Errors
/// When the bytes are no text. What is wrong with rows and columns is in [`NamedArray::faults`].
pub fn read_csv(bytes: &[u8], name: &str, delimiter: u8) -> Result<NamedArray> {
    let text = text::decode(bytes, name)?;
    let preamble = Preamble::of(&text);
    let separator = preamble
        .separator
        .unwrap_or_else(|| guess_separator(&text[preamble.start..], delimiter));
    if (delimiter, separator) == (b'\t', b',') {
        log::warn!("{name}: cells are separated by commas, not by tabs");
    }
    // Empty lines at the very start may be cells of a table with one column.
    let start = if preamble.only_blank { 0 } else { preamble.start };
    let mut records = Records::new(&text, start, separator);
    let mut record = ByteRecord::new();
    let unreadable = |e| Error::input(format!("{name} cannot be read as a table: {e}"));
    let Some(place) = records.next(&mut record).map_err(unreadable)? else {
        return Ok(NamedArray::plain(name.to_owned(), ArrayD::zeros(vec![0, 0])));
    };
    let first = FirstLine::new(&record, place, separator);
    let mut body = Body::new(name, &first);
    if !first.is_names() {
        body.push(&record, place);
    }
    while let Some(place) = records.next(&mut record).map_err(unreadable)? {
        if !body.push(&record, place) {
            break;
        }
    }
    body.finish(first, records.blank_at_end())
}

/// Whether a column's name cannot be taken for a number or for a value that is missing.
pub(super) fn is_word(name: &str) -> bool {
    Cell::parse(name) == Cell::Text
}

/// What the header says of a table that starts with numbers, with a warning where that was decided by likelihood.
fn decide(name: &str, first: &FirstLine, verdict: &Verdict) -> bool {
    let line = first.shown();
    match verdict {
        Verdict::Names => true,
        Verdict::Data => false,
        Verdict::LikelyNames(why) => {
            log::warn!(
                "{name}: the first line ({line}) is taken for column names, not for a row: {why}; if it is a row, put a \
                 line of names above it"
            );
            true
        }
        Verdict::Unsure(why) => {
            log::warn!(
                "{name}: the first line ({line}) is taken for a row, but looks like column names: {why}; if it holds \
                 names, put them in quotes or give them a letter, if not, put a line of names above it"
            );
            false
        }
    }
}
