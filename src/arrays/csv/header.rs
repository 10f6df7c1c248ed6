//! Whether the first line of a table names its columns.
//!
//! Words do. Numbers may: years, electrodes, depths, the `0` of a data frame without names. A header that is taken for a
//! row is an outlier that spoils scale, bins and scores; a row that is taken for a header is lost. So numbers are names
//! only where the rows below say so, and where that is not certain the user is told.

use csv::ByteRecord;
use ndarray::{ArrayView1, ArrayView2};

use crate::arrays::csv::advice::is_time;
use crate::arrays::csv::cell::{Cell, Style};
use crate::arrays::csv::records::Place;
use crate::arrays::listing;

/// Rows from which a first line is judged by those below it.
const FEWEST_ROWS: usize = 3;
/// Columns from which whole numbers in equal steps are names whatever the rows below hold.
const MANY_COLUMNS: usize = 5;

pub(super) struct FirstLine {
    pub cells: Vec<String>,
    kinds: Vec<Cell>,
    /// Whether every cell that is not empty is in quotes.
    quoted: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Names,
    /// Names by all likelihood, and why.
    LikelyNames(&'static str),
    /// A row, but it may be names, and why.
    Unsure(&'static str),
    Data,
}

impl FirstLine {
    pub(super) fn new(record: &ByteRecord, place: Place<'_>, separator: u8) -> Self {
        let cells: Vec<String> = record
            .iter()
            .map(|c| String::from_utf8_lossy(c).trim().to_string())
            .collect();
        let kinds: Vec<Cell> = cells.iter().map(|cell| Cell::parse(cell)).collect();
        Self {
            quoted: is_quoted(place.raw, separator, &kinds),
            cells,
            kinds,
        }
    }

    /// Whether the line holds words and no number. Dates beside a value that is missing are a row.
    pub(super) fn is_names(&self) -> bool {
        let is_text = |i: usize| self.kinds[i] == Cell::Text;
        let dates = (0..self.cells.len()).all(|i| !is_text(i) || is_time(&self.cells[i]));
        self.kinds.contains(&Cell::Text)
            && !self.kinds.iter().any(|kind| kind.is_number())
            && !(dates && self.kinds.iter().any(|kind| *kind != Cell::Text))
    }

    /// The first cells, for messages.
    pub(super) fn shown(&self) -> String {
        listing(&self.cells, 6).chars().take(80).collect()
    }

    fn numbers(&self) -> Option<Vec<(f64, Style)>> {
        let number = |kind: &Cell| match *kind {
            Cell::Number(value, style) => Some((value, style)),
            _ => None,
        };
        let filled = self.kinds.iter().rposition(|kind| *kind != Cell::Empty)?;
        self.kinds[..=filled].iter().map(number).collect()
    }
}

fn is_quoted(raw: &str, separator: u8, kinds: &[Cell]) -> bool {
    let mut cells = csv::ReaderBuilder::new()
        .has_headers(false)
        .quoting(false)
        .delimiter(separator)
        .from_reader(raw.as_bytes());
    let mut record = ByteRecord::new();
    cells.read_byte_record(&mut record).unwrap_or(false)
        && record.len() == kinds.len()
        && record
            .iter()
            .zip(kinds)
            .all(|(cell, kind)| *kind == Cell::Empty || cell.trim_ascii().starts_with(b"\""))
}

/// Judges a first line without words by the rows below it, `[rows, columns]`: in each column `whole` of them are written as
/// whole numbers, and `quoted` says whether any cell is in quotes.
pub(super) fn judge(first: &FirstLine, below: ArrayView2<'_, f64>, whole: &[usize], quoted: bool) -> Verdict {
    if below.nrows() == 0 || first.kinds.contains(&Cell::Text) && !first.quoted {
        return Verdict::Data;
    }
    if first.quoted && !quoted {
        return Verdict::Names;
    }
    if counts_rows(first, below) {
        return Verdict::Names;
    }
    let Some(numbers) = first.numbers().filter(|numbers| numbers.len() == below.ncols()) else {
        return Verdict::Data;
    };
    if (1..numbers.len()).any(|i| numbers[..i].iter().any(|(v, _)| *v == numbers[i].0)) {
        return Verdict::Data;
    }
    let evidence = Evidence::new(&numbers, below, whole);
    let mut cells = first.cells.iter().enumerate();
    let counted = cells.all(|(i, cell)| *cell == i.to_string());
    if counted && numbers.len() > 1 {
        return evidence.of_counted();
    }
    if below.nrows() < FEWEST_ROWS {
        return Verdict::Data;
    }
    evidence.verdict()
}

/// Whether the line is `"",0,1` above rows that are numbered from 0 or 1: a data frame with its index.
fn counts_rows(first: &FirstLine, below: ArrayView2<'_, f64>) -> bool {
    let start = below[(0, 0)];
    let mut column = below.column(0).into_iter().enumerate();
    first.kinds[0] == Cell::Empty
        && first.kinds.len() > 1
        && first.kinds[1..].iter().all(|kind| kind.is_number())
        && (start == 0.0 || start == 1.0)
        && column.all(|(i, v)| *v == start + i as f64)
}

/// How a line of numbers compares with the rows below it.
#[derive(Debug)]
struct Evidence {
    columns: usize,
    /// All are whole numbers.
    whole: bool,
    /// They go up or down in equal steps, by 1 where they are two.
    even: bool,
    /// Nearly no number below is whole, in any column.
    unlike: bool,
    /// The step to the next row is larger than any below, in some column.
    off: bool,
    /// Further from the rows' range than that is wide, in every column.
    far: bool,
}

impl Evidence {
    fn new(numbers: &[(f64, Style)], below: ArrayView2<'_, f64>, whole_below: &[usize]) -> Self {
        let steps: Vec<f64> = numbers.windows(2).map(|w| w[1].0 - w[0].0).collect();
        let whole = numbers.iter().all(|(_, style)| *style == Style::Whole);
        let even = match steps[..] {
            [] => false,
            [step] => step.abs() == 1.0,
            [step, ..] => step != 0.0 && steps.iter().all(|d| (d - step).abs() <= 1e-9 * step.abs()),
        };
        let few = |count: &usize| count * 10 <= below.nrows();
        let places: Vec<(bool, bool)> = numbers
            .iter()
            .zip(below.columns())
            .map(|((value, _), column)| off_and_far(*value, column))
            .collect();
        Self {
            columns: numbers.len(),
            whole,
            even,
            unlike: whole && whole_below.iter().all(few),
            off: places.iter().any(|(off, _)| *off),
            far: places.iter().all(|(_, far)| *far),
        }
    }

    /// The verdict on `0,1,…`, which pandas writes over a data frame without names.
    fn of_counted(&self) -> Verdict {
        if self.columns > 2 || self.far || (self.unlike && self.off) {
            return Verdict::Names;
        }
        Verdict::LikelyNames("it counts the columns from 0, as data frames without names are written")
    }

    fn verdict(&self) -> Verdict {
        let differs = if self.columns > 1 { self.off } else { self.far };
        if self.whole && self.even && self.columns >= MANY_COLUMNS {
            return Verdict::LikelyNames("it counts in equal steps");
        }
        if self.unlike && differs {
            return Verdict::LikelyNames(
                "it holds whole numbers only, the rows below do not, and it is far from the next",
            );
        }
        if self.whole && self.even && self.far {
            return Verdict::LikelyNames("it counts in equal steps, far from all rows");
        }
        if self.unlike {
            return Verdict::Unsure("it holds whole numbers only, the rows below do not");
        }
        if self.far && (self.columns > 1 || self.whole) {
            return Verdict::Unsure("it is far from all rows");
        }
        if self.even && self.columns > 2 {
            return Verdict::Unsure("it counts in equal steps");
        }
        Verdict::Data
    }
}

/// Whether `value` is off the first of these by more than any step among them, and far from all of them.
fn off_and_far(value: f64, column: ArrayView1<'_, f64>) -> (bool, bool) {
    let seen: Vec<f64> = column.iter().copied().filter(|v| v.is_finite()).collect();
    let Some(first) = seen.first() else {
        return (false, false);
    };
    let largest = seen.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f64::max);
    let (low, high) = seen
        .iter()
        .fold((*first, *first), |(low, high), &v| (low.min(v), high.max(v)));
    let distance = (low - value).max(value - high);
    (
        (value - first).abs() > 1.5 * largest,
        distance > 0.0 && distance > high - low,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrays::NamedArray;
    use crate::arrays::csv::dialect::reader;
    use crate::arrays::csv::read_csv;

    /// The table that this header makes over `rows` of a slow oscillation, written with these decimals.
    fn table(header: &str, columns: usize, offset: f64, amplitude: f64, decimals: usize) -> NamedArray {
        let mut text = format!("{header}\n");
        for t in 0..60 {
            let cells = (0..columns).map(|j| {
                let v = offset + amplitude * (0.3 * f64::from(t) + 0.9 * j as f64 + 0.4).sin();
                format!("{v:.decimals$}")
            });
            text.push_str(&cells.collect::<Vec<_>>().join(","));
            text.push('\n');
        }
        read_csv(text.as_bytes(), "x.csv", b',').expect("text")
    }

    #[test]
    fn headers_of_numbers_are_told_from_rows() {
        for (header, columns, offset, amplitude, decimals) in [
            ("2015,2016,2017", 3, 0.0, 5.0, 3),
            ("2015,2016,2017", 3, 20.0, 5.0, 0),
            ("12,5,33", 3, 0.0, 1.0, 4),
            ("10,20", 2, 0.0, 1.0, 4),
            ("1,2,3", 3, 30_000.0, 100.0, 0),
            ("1,2,3,4,5,6", 6, 0.0, 2000.0, 0),
            ("0", 1, 20.0, 0.5, 4),
            ("7", 1, -300.0, 2.0, 2),
            ("0,1", 2, 20.0, 0.5, 4),
            ("0,1,2", 3, 3.0, 3.0, 0),
            ("\"10\",\"20\"", 2, 15.0, 9.0, 2),
            ("\"0.5\",\"1.0\"", 2, 0.7, 0.5, 2),
            ("\"t\",\"10\"", 2, 15.0, 9.0, 2),
        ] {
            let table = table(header, columns, offset, amplitude, decimals);
            assert_eq!(
                table.values.shape()[0],
                60,
                "{header} over {offset} ± {amplitude}"
            );
            let names: Vec<String> = header.split(',').map(|name| name.replace('"', "")).collect();
            assert_eq!(table.columns, Some(names));
            assert_eq!((table.lines[0], table.faults), (2, vec![]));
        }
    }

    #[test]
    fn rows_of_whole_numbers_stay_rows() {
        for (header, columns, offset, amplitude, decimals) in [
            ("1,2", 2, 5.0, 4.0, 0),
            ("3,9,4", 3, 5.0, 4.0, 0),
            ("1,1,1", 3, 0.0, 20.0, 3),
            ("0.1,0.2", 2, 0.0, 1.0, 3),
            ("0,0", 2, 20.0, 1.0, 3),
            ("0.39,0.95", 2, 0.0, 1.0, 2),
            ("5", 1, 5.0, 4.0, 0),
        ] {
            let table = table(header, columns, offset, amplitude, decimals);
            assert_eq!((table.values.shape()[0], table.columns), (61, None), "{header}");
        }
    }

    #[test]
    fn evidence_that_leaves_it_open_is_told() {
        let judge_text = |header: &str, rows: &[[f64; 2]], whole: usize| {
            let mut record = ByteRecord::new();
            reader(header, b',')
                .read_byte_record(&mut record)
                .expect("memory");
            let first = FirstLine::new(
                &record,
                Place {
                    line: 1,
                    blank: 0,
                    raw: header,
                },
                b',',
            );
            let below = ndarray::Array2::from_shape_fn((rows.len(), 2), |(i, j)| rows[i][j]);
            judge(&first, below.view(), &[whole; 2], false)
        };
        // A simulation's start, or electrodes: the next row is near.
        let near = [[1.02, 1.97], [1.04, 1.93], [1.3, 2.2]];
        assert!(matches!(judge_text("1,2", &near, 0), Verdict::Unsure(_)));
        assert!(matches!(
            judge_text("0,1", &[[0.1, 0.9], [0.2, 0.8], [0.9, 0.1]], 0),
            Verdict::LikelyNames(_)
        ));
        // Depths over temperatures, or an amplifier that settles.
        assert!(matches!(
            judge_text("0.5,1.5", &[[20.1, 20.2], [20.3, 20.1], [20.2, 20.0]], 0),
            Verdict::Unsure(_)
        ));
        assert_eq!(
            judge_text("1,2", &[[7.0, 7.0], [7.0, 3.0], [1.0, 0.0]], 3),
            Verdict::Data
        );
        assert_eq!(judge_text("1,2", &[[3.5, 4.5]], 0), Verdict::Data);
    }
}
