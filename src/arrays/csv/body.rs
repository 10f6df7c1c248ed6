//! The rows of a table.

use csv::ByteRecord;
use ndarray::{Array2, s};

use crate::arrays::NamedArray;
use crate::arrays::csv::advice::{Context, describe_comma, describe_text};
use crate::arrays::csv::cell::{Cell, is_error_mark};
use crate::arrays::csv::column::Column;
use crate::arrays::csv::header::{FirstLine, judge};
use crate::arrays::csv::records::Place;
use crate::arrays::csv::{Fault, decide};
use crate::error::Result;

struct Row {
    line: u64,
    /// Cells up to the line's end, and without empty ones at the end.
    cells: usize,
    filled: usize,
    /// Whether a cell holds a line end.
    broken: bool,
}

/// Empty lines above a row.
struct Gap {
    row: usize,
    line: u64,
    count: u64,
}

#[derive(Default)]
pub(super) struct Body<'a> {
    name: &'a str,
    /// Cells of the first line, and one more where the rows have names.
    width: usize,
    /// Names of the columns, empty where there is no header.
    names: Vec<String>,
    /// Of the filled cells of all rows.
    values: Vec<f64>,
    rows: Vec<Row>,
    /// Lines of nothing but space.
    gaps: Vec<Gap>,
    /// What is known of the columns' first cells, and of all below them: the first row may turn out to be a header.
    columns: Vec<[Column; 2]>,
    /// Whether any cell below the first line is in quotes.
    quoted: bool,
    /// Row names, units: told before all others.
    structural: Vec<Fault>,
    /// Why reading stopped, and in which line.
    stop: Option<(u64, Fault)>,
}

impl<'a> Body<'a> {
    pub(super) fn new(name: &'a str, first: &FirstLine) -> Self {
        let names = if first.is_names() {
            first.cells.clone()
        } else {
            Vec::new()
        };
        Self {
            name,
            width: first.cells.len(),
            names,
            ..Self::default()
        }
    }

    /// Adds a row; `false` where no further one is to be read.
    pub(super) fn push(&mut self, record: &ByteRecord, place: Place<'_>) -> bool {
        let Place { line, blank, raw } = place;
        let texts: Vec<_> = record.iter().map(String::from_utf8_lossy).collect();
        let cells: Vec<Cell> = texts.iter().map(|text| Cell::parse(text)).collect();
        let last = cells.iter().rposition(|c| *c != Cell::Empty);
        let filled = last.map_or(0, |last| last + 1);
        self.note_gap(line - blank, blank);
        if filled == 0 && cells.len() == 1 && self.width > 1 && !raw.contains('"') {
            self.note_gap(line, 1);
            return true;
        }
        if raw.trim_start().starts_with('#') && !is_error_mark(texts[0].trim()) {
            return self.note_comment(line);
        }
        if !self.rows.is_empty() || !self.names.is_empty() {
            self.quoted |= raw.contains('"');
        }
        if self.rows.is_empty() && !self.names.is_empty() && filled == self.width + 1 {
            self.note_row_names(line, raw);
        }
        let broken = raw.contains(['\n', '\r']);
        if filled > self.width {
            let fault = self.ragged(line, cells.len(), broken);
            return self.stop_at(line, fault);
        }
        self.know_columns(filled);
        let below = usize::from(!self.rows.is_empty());
        for (column, text) in self.columns.iter_mut().zip(&texts[..filled]) {
            self.values.push(column[below].note(text, line));
        }
        self.rows.push(Row {
            line,
            broken,
            cells: cells.len(),
            filled,
        });
        true
    }

    fn note_gap(&mut self, line: u64, count: u64) {
        let row = self.rows.len();
        match self.gaps.last_mut() {
            _ if count == 0 => {}
            Some(gap) if gap.row == row => gap.count += count,
            _ => self.gaps.push(Gap { row, line, count }),
        }
    }

    fn know_columns(&mut self, width: usize) {
        if self.columns.len() < width {
            self.columns.resize(width, Default::default());
        }
    }

    /// A comment between header and first row is one; further down it may be a row that was commented out.
    fn note_comment(&mut self, line: u64) -> bool {
        if self.rows.is_empty() {
            return true;
        }
        let fault = Fault::new(
            None,
            format!(
                "{}, line {line} starts with # below the first row, where only rows may stand",
                self.name
            ),
            "comments stand above the table: move the line there, or leave it out if no row is lost by it; a missing value \
             is an empty cell, NA or #N/A",
        );
        self.stop_at(line, fault)
    }

    fn note_row_names(&mut self, line: u64, raw: &str) {
        let (name, names) = (self.name, self.width);
        let is_comma = self.width == 1 && !raw.trim_start().starts_with('"');
        let (what, hint) = if is_comma {
            (
                "the first column holds row names, or the comma is a decimal one",
                "give the row names' column a name or leave it out with --drop 1; write decimal commas as points",
            )
        } else {
            (
                "so the first column holds row names, as R's write.table writes them",
                "leave them out with --drop 1, or write the file with row.names = FALSE",
            )
        };
        let message = format!(
            "{name}, line {line} has {} cells where the header has {names} name{}: {what}",
            names + 1,
            if names == 1 { "" } else { "s" }
        );
        self.structural.push(Fault::new(Some(0), message, hint));
        self.names.insert(0, String::new());
        self.width += 1;
    }

    fn stop_at(&mut self, line: u64, fault: Fault) -> bool {
        self.stop = Some((line, fault));
        false
    }

    fn ragged(&self, line: u64, cells: usize, broken: bool) -> Fault {
        let message = format!(
            "{}, line {line}: {cells} cells where the first line has {}",
            self.name, self.width
        );
        let hint = if broken {
            "a quote (\") that is opened in this line is closed in a later one or not at all"
        } else if !self.names.is_empty() && self.width == 1 && cells > 1 {
            "if the first line is a title, put # before it; if commas are decimal ones, write points"
        } else if cells == 2 * self.width {
            "if commas are decimal ones, write points, or separate cells by semicolons"
        } else {
            "leave a cell empty (or write NA) where a value is missing"
        };
        Fault::new(None, message, hint)
    }

    /// Columns of the table: empty ones at the right that have no name are separators at line ends.
    fn final_width(&self) -> usize {
        let last = self.names.iter().rposition(|name| !name.is_empty());
        let filled = self.rows.iter().map(|row| row.filled).max();
        let named = last.map_or(0, |last| last + 1);
        named.max(filled.unwrap_or(self.names.len())).max(1)
    }

    /// The table, once all rows are there; `blank_at_end` are empty lines below the last.
    pub(super) fn finish(mut self, first: FirstLine, blank_at_end: u64) -> Result<NamedArray> {
        let width = self.final_width();
        if let Some(i) = self.rows.iter().position(|row| row.cells < width) {
            let Row {
                line, cells, broken, ..
            } = self.rows[i];
            if self.stop.as_ref().is_none_or(|(at, _)| line < *at) {
                self.stop = Some((line, self.ragged(line, cells, broken)));
            }
            self.rows.truncate(i);
        }
        let mut lines: Vec<u64> = self.rows.iter().map(|row| row.line).collect();
        let mut values = self.array(width);
        self.know_columns(width);
        let starts_with_row = self.names.is_empty();
        if starts_with_row && values.nrows() > 0 {
            let below = values.slice(s![1.., ..]);
            let whole: Vec<usize> = self.columns.iter().map(|[_, below]| below.whole).collect();
            let verdict = judge(&first, below, &whole, self.quoted);
            if decide(self.name, &first, &verdict) {
                values = below.to_owned();
                lines.remove(0);
                self.names = first.cells;
                self.columns
                    .iter_mut()
                    .for_each(|[first, _]| *first = Column::default());
                self.gaps.retain(|gap| gap.row > 0);
                for gap in &mut self.gaps {
                    gap.row -= 1;
                }
            }
        }
        self.names.truncate(width);
        let is_table = width > 1;
        if is_table && self.names.first().is_some_and(String::is_empty) && self.structural.is_empty() {
            self.structural.push(self.nameless());
        }
        let mut faults = std::mem::take(&mut self.structural);
        faults.extend(self.units(&values, &lines));
        faults.extend(self.by_line());
        faults.extend(self.commas());
        if is_table {
            faults.extend(self.lost_rows(values.nrows()));
        } else {
            (values, lines) = self.fill_gaps(&values, &lines);
            if blank_at_end > 0 {
                log::warn!(
                    "{}: the empty lines at its end ({blank_at_end}) are not taken for missing values; write NA if they are",
                    self.name
                );
            }
        }
        let columns = (!self.names.is_empty()).then_some(self.names);
        Ok(NamedArray {
            name: self.name.to_owned(),
            values: values.into_dyn(),
            columns,
            lines,
            faults,
        })
    }

    fn array(&self, width: usize) -> Array2<f64> {
        let mut values = Array2::from_elem((self.rows.len(), width), f64::NAN);
        let mut rest = self.values.iter();
        for (row, mut target) in self.rows.iter().zip(values.rows_mut()) {
            let cells = target.iter_mut().zip(rest.by_ref().take(row.filled));
            cells.for_each(|(target, &value)| *target = value);
        }
        values
    }

    fn nameless(&self) -> Fault {
        Fault::new(
            Some(0),
            format!(
                "{}: the first column has no name, which is how pandas and R write row numbers",
                self.name
            ),
            "leave it out with --drop 1, name it, or write the file with DataFrame.to_csv(path, index=False) \
             (R: row.names = FALSE)",
        )
    }

    /// A second header: words where the row below has numbers, and no number beside them.
    fn units(&self, values: &Array2<f64>, lines: &[u64]) -> Option<Fault> {
        let line = *lines
            .first()
            .filter(|_| !self.names.is_empty() && lines.len() > 1)?;
        let is_text = |j: usize| self.columns[j][0].text.is_some();
        let mut below = values.row(1).into_iter().enumerate();
        let is_header =
            values.row(0).iter().all(|v| v.is_nan()) && below.any(|(j, v)| is_text(j) && !v.is_nan());
        is_header.then(|| {
            Fault::new(
                None,
                format!(
                    "{}, line {line} is no row of numbers: it holds units, or names again",
                    self.name
                ),
                format!("leave line {line} out"),
            )
        })
    }

    /// Cells that are no numbers, and the line in which reading stopped.
    fn by_line(&mut self) -> Vec<Fault> {
        let first_row = self.rows.first().map(|row| row.line);
        let mut found: Vec<(u64, Fault)> = self.stop.take().into_iter().collect();
        for (j, [first, below]) in self.columns.iter().enumerate() {
            if let Some(seen) = first.text.as_ref().or(below.text.as_ref()) {
                let context = Context {
                    file: self.name,
                    column: j,
                    name: self.names.get(j).map(String::as_str),
                    is_first_row: first_row == Some(seen.line),
                };
                found.push((seen.line, describe_text(&context, seen)));
            }
        }
        found.sort_by_key(|(line, _)| *line);
        found.into_iter().map(|(_, fault)| fault).collect()
    }

    /// Numbers with a comma, unless every comma of the file can only be a decimal one.
    fn commas(&self) -> Vec<Fault> {
        let all = || {
            self.columns
                .iter()
                .map(|[first, _]| first)
                .chain(self.columns.iter().map(|[_, below]| below))
        };
        let point = all().find_map(|column| column.point.as_ref());
        let sure_comma = all().any(|column| column.sure_comma.is_some());
        if sure_comma && point.is_none() {
            return Vec::new();
        }
        let commas = self.columns.iter().enumerate().filter_map(|(j, [first, below])| {
            let seen = first.comma.as_ref().or(below.comma.as_ref())?;
            Some(describe_comma(self.name, j, seen, point, sure_comma))
        });
        commas.collect()
    }

    /// Empty lines between the rows of a table with several columns, unless they are everywhere.
    fn lost_rows(&self, rows: usize) -> Option<Fault> {
        let mut between = self.gaps.iter().filter(|gap| gap.row > 0 && gap.row < rows);
        let first = between.next()?;
        let count = 1 + between.clone().count();
        if rows >= 3 && count == rows - 1 && between.all(|gap| gap.count == first.count) {
            return None;
        }
        Some(Fault::new(
            None,
            format!(
                "{}, line {} is empty between two rows, so a row may be lost",
                self.name, first.line
            ),
            "leave the line out if it is none, write NA into its cells if it is; trials go into a file each",
        ))
    }

    /// In a table of one column, empty lines are empty cells.
    fn fill_gaps(&self, values: &Array2<f64>, lines: &[u64]) -> (Array2<f64>, Vec<u64>) {
        let (mut filled, mut places) = (Vec::with_capacity(lines.len()), Vec::with_capacity(lines.len()));
        let mut gaps = self.gaps.iter().peekable();
        for (i, (&value, &line)) in values.iter().zip(lines).enumerate() {
            if let Some(gap) = gaps.next_if(|gap| gap.row == i) {
                for at in 0..gap.count {
                    filled.push(f64::NAN);
                    places.push(gap.line + at);
                }
            }
            filled.push(value);
            places.push(line);
        }
        let values = Array2::from_shape_vec((filled.len(), 1), filled).expect("one value a row");
        (values, places)
    }
}
