//! Where a table starts and what separates its cells.

use std::iter;

use csv::{ByteRecord, Reader, ReaderBuilder};

use crate::arrays::csv::cell::{Cell, is_error_mark};

/// Separators that are tried, after the one that the file's ending stands for.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// How much of a table the guess of its separator looks at.
const SAMPLE_BYTES: usize = 1 << 16;
const SAMPLE_ROWS: usize = 200;

/// What stands above a table.
pub(super) struct Preamble {
    /// Byte at which the first line starts that is neither empty nor a comment.
    pub start: usize,
    /// The separator that a line `sep=;` names.
    pub separator: Option<u8>,
    /// Whether there is nothing above but empty lines.
    pub only_blank: bool,
}

impl Preamble {
    pub(super) fn of(text: &str) -> Self {
        let mut preamble = Self {
            start: text.len(),
            separator: None,
            only_blank: true,
        };
        let mut at = 0;
        for line in text.split_inclusive(['\n', '\r']) {
            let content = line.trim();
            if let Some(separator) = named_separator(line) {
                preamble.separator = Some(separator);
                preamble.only_blank = false;
            } else if content.starts_with('#') && !is_row(content) {
                preamble.only_blank = false;
            } else if !content.is_empty() {
                preamble.start = at;
                return preamble;
            }
            at += line.len();
        }
        preamble
    }
}

/// The separator of a line `sep=;`, which Excel writes and reads.
fn named_separator(line: &str) -> Option<u8> {
    let line = line.trim_end_matches(['\n', '\r']).trim_matches('"');
    let (key, separator) = line.split_at_checked("sep=".len())?;
    match separator.as_bytes() {
        &[byte] if key.eq_ignore_ascii_case("sep=") && byte.is_ascii() && byte != b'"' => Some(byte),
        _ => None,
    }
}

/// Whether a line that starts with `#` is a row whose first cell is a spreadsheet's error mark.
fn is_row(line: &str) -> bool {
    let mut cells = line.split(|c: char| c.is_ascii() && SEPARATORS.contains(&(c as u8)));
    cells.next().is_some_and(|first| is_error_mark(first.trim()))
        && cells.all(|cell| Cell::parse(cell.trim_matches('"')) != Cell::Text)
}

/// The separator under which most lines of the table are rows of numbers, all as wide as its first line; where there is
/// no such line, the one under which most lines are as wide as the first and most cells are numbers. `declared` wins
/// among equals.
pub(super) fn guess_separator(table: &str, declared: u8) -> u8 {
    let mut end = table.len().min(SAMPLE_BYTES);
    while !table.is_char_boundary(end) {
        end -= 1;
    }
    if let Some(last) = table[..end].rfind('\n').filter(|_| end < table.len()) {
        end = last;
    }
    let sample = &table[..end];
    let rank = |separator: u8| {
        let (rows, lines, numbers) = judge(sample, separator, declared);
        if rows == 0 {
            (0, lines, numbers)
        } else {
            (rows, 0, 0)
        }
    };
    // The last of the best in this order is the first in the other.
    let candidates = iter::once(declared).chain(SEPARATORS).rev();
    candidates
        .max_by_key(|&separator| rank(separator))
        .unwrap_or(declared)
}

/// How many lines are rows of numbers as wide as the first line, how many are as wide and have several cells, and how
/// many cells are numbers.
fn judge(sample: &str, separator: u8, declared: u8) -> (usize, usize, usize) {
    let mut reader = reader(sample, separator);
    let mut record = ByteRecord::new();
    let (mut rows, mut lines, mut numbers) = (0, 0, 0);
    let mut width = None;
    for _ in 0..SAMPLE_ROWS {
        if !reader.read_byte_record(&mut record).unwrap_or(false) {
            break;
        }
        let cells: Vec<Cell> = record
            .iter()
            .map(|c| Cell::parse(&String::from_utf8_lossy(c)))
            .collect();
        // A separator that separates nothing is only taken where it is declared, and not over a comma.
        let separates =
            cells.len() > 1 || separator == declared && !record.iter().any(|cell| cell.contains(&b','));
        let found = cells.iter().filter(|c| c.is_number() && separates).count();
        let is_as_wide = *width.get_or_insert(cells.len()) == cells.len();
        lines += usize::from(is_as_wide && cells.len() > 1);
        rows += usize::from(is_as_wide && found > 0 && !cells.contains(&Cell::Text));
        numbers += found;
    }
    (rows, lines, numbers)
}

/// A reader of records of any width, header included.
pub(super) fn reader(table: &str, separator: u8) -> Reader<&[u8]> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(table.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_starts_below_comments() {
        for (text, start, separator) in [
            ("u,v\n", 0, None),
            ("# a, b\n\n  # c\r\nu,v\n", 15, None),
            ("sep=;\r\nu;v\n", 7, Some(b';')),
            ("\"sep=,\"\n1,2\n", 8, Some(b',')),
            ("SEP=\t\n1\t2\n", 6, Some(b'\t')),
            ("# x\n#N/A,1\n", 4, None),
            ("#DIV/0!\n1\n", 0, None),
            ("#NV;0,5\n", 0, None),
            ("#NA of the year,1\n", 18, None),
            ("separate;1\n", 0, None),
            ("\n\n", 2, None),
        ] {
            let preamble = Preamble::of(text);
            assert_eq!(
                (preamble.start, preamble.separator),
                (start, separator),
                "{text:?}"
            );
        }
    }

    #[test]
    fn separators_are_those_of_the_rows() {
        for (table, expected) in [
            ("1,2\n3,4\n", b','),
            ("u;v\n1;2\n", b';'),
            ("u, mV;v\n1;2\n3;4\n", b';'),
            ("-0,0523;0,8336\n0,1512;1,0849\n", b';'),
            ("0,1\t0,2\n", b'\t'),
            ("a|b\n1|NA\n", b'|'),
            ("u;v\n1.234,5;2\n", b';'),
            ("u,v\n1,2,\n3\n", b','),
            ("day;u;v\n2016-07-01;0,5;0,7\n", b';'),
            ("day,u;w,v\n2016-07-01,0.5,0.7\n", b','),
            ("\"1,000\",0.5\n\"1,007\",0.6\n", b','),
            ("1\n2\n", b','),
            ("no numbers at all\n", b','),
            ("", b','),
        ] {
            assert_eq!(guess_separator(table, b','), expected, "{table:?}");
        }
        assert_eq!(guess_separator("u\tv\n1\t2\n", b'\t'), b'\t');
        assert_eq!(guess_separator("u,v\n1,2\n", b'\t'), b',');
        assert_eq!(guess_separator("1,2\n3,4\n", b'\t'), b',');
        assert_eq!(guess_separator("1,2\t3,4\n", b'\t'), b'\t');
    }
}
