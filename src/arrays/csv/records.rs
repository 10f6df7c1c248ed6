//! The records of a table and the lines that they stand in.

use csv::{ByteRecord, Reader};

use crate::arrays::csv::dialect::reader;

/// Where a record stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// Line of its first character, from 1, as an editor counts.
    pub line: u64,
    /// Empty lines between the record before and this one; the last of them is line `line - 1`.
    pub blank: u64,
    /// The record as it is written, without its line end.
    pub raw: &'a str,
}

/// Reads records one after another. The reader of the `csv` crate takes a record's position before line ends and empty
/// lines are passed, so lines are counted here.
pub(super) struct Records<'a> {
    text: &'a str,
    table: usize,
    reader: Reader<&'a [u8]>,
    /// End of the record before, and the line it lies in.
    end: usize,
    line: u64,
}

impl<'a> Records<'a> {
    /// The records of `text` from byte `table` on.
    pub(super) fn new(text: &'a str, table: usize, separator: u8) -> Self {
        Self {
            text,
            table,
            reader: reader(&text[table..], separator),
            end: 0,
            line: 1,
        }
    }

    /// Reads the next record; `None` at the end, after which [`Self::blank_at_end`] is known.
    pub(super) fn next(&mut self, record: &mut ByteRecord) -> Result<Option<Place<'a>>, csv::Error> {
        let start = self.at();
        if !self.reader.read_byte_record(record)? {
            return Ok(None);
        }
        let is_first = self.end == 0;
        let written = self.text.get(start..self.at()).unwrap_or_default();
        let raw = written.trim_start_matches(['\n', '\r']);
        let start = start + written.len() - raw.len();
        let raw = raw.trim_end_matches(['\n', '\r']);
        let ends = line_ends(&self.text[self.end..start]);
        let line = self.line + ends;
        self.line = line + line_ends(raw);
        self.end = start + raw.len();
        let blank = if is_first {
            line_ends(&self.text[self.table..start])
        } else {
            ends.saturating_sub(1)
        };
        Ok(Some(Place { line, blank, raw }))
    }

    /// Empty lines below the last record; a line end at the end of the file is none.
    pub(super) fn blank_at_end(&self) -> u64 {
        line_ends(&self.text[self.end..]).saturating_sub(1)
    }

    fn at(&self) -> usize {
        let position = self.reader.position().byte();
        self.table + usize::try_from(position).expect("a position within memory")
    }
}

/// Line ends of any kind. `\r\r\n` is one: Windows programs that translate `\r\n` once more write it.
fn line_ends(text: &str) -> u64 {
    let mut count = 0;
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|b| matches!(b, b'\n' | b'\r')) {
        rest = &rest[at..];
        let length = [&b"\r\r\n"[..], b"\r\n"]
            .iter()
            .find(|end| rest.starts_with(end))
            .map_or(1, |end| end.len());
        rest = &rest[length..];
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str, table: usize) -> (Vec<(u64, u64, &str)>, u64) {
        let mut records = Records::new(text, table, b',');
        let mut record = ByteRecord::new();
        let mut found = Vec::new();
        while let Some(place) = records.next(&mut record).expect("memory") {
            found.push((place.line, place.blank, place.raw));
        }
        (found, records.blank_at_end())
    }

    #[test]
    fn lines_are_counted_as_an_editor_does() {
        for end in ["\n", "\r\n", "\r", "\r\r\n"] {
            let text = ["# note", "", "u,v", "1,2", "", "", "3,\"4", "5\"", "6,7", "", ""].join(end);
            let table = text.find('u').expect("there");
            let (found, blank) = places(&text, table);
            let quoted = format!("3,\"4{end}5\"");
            assert_eq!(
                found,
                [
                    (3, 0, "u,v"),
                    (4, 0, "1,2"),
                    (7, 2, quoted.as_str()),
                    (9, 0, "6,7")
                ],
                "{end:?}"
            );
            assert_eq!(blank, 1, "{end:?}");
        }
        assert_eq!(places("\n\n1\n2", 0), (vec![(3, 2, "1"), (4, 0, "2")], 0));
        assert_eq!(places("", 0), (vec![], 0));
        assert_eq!(places("\"open,1\n2,3\n", 0).0[0].0, 1);
    }
}
