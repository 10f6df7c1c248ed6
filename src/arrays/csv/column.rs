//! What is known of a table's column.

use crate::arrays::csv::cell::{Cell, Style};

/// A cell to be shown in a message.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub line: u64,
    pub text: String,
}

/// The first cell of each kind that matters, and a count.
#[derive(Clone, Debug, Default)]
pub(super) struct Column {
    /// Cells that are written as whole numbers.
    pub whole: usize,
    /// A cell that is no number.
    pub text: Option<Seen>,
    /// A number with a comma, with one that can only be a decimal comma, with a decimal point.
    pub comma: Option<Seen>,
    pub sure_comma: Option<Seen>,
    pub point: Option<Seen>,
}

impl Column {
    /// Takes note of a cell in this line and returns its value, NaN without.
    pub(super) fn note(&mut self, text: &str, line: u64) -> f64 {
        let seen = || Seen {
            line,
            text: text.trim().chars().take(60).collect(),
        };
        let (value, style) = match Cell::parse(text) {
            Cell::Empty | Cell::Missing => return f64::NAN,
            Cell::Text => {
                self.text.get_or_insert_with(seen);
                return f64::NAN;
            }
            Cell::Number(value, style) => (value, style),
        };
        match style {
            Style::Whole => self.whole += 1,
            Style::Point => {
                self.point.get_or_insert_with(seen);
            }
            Style::Comma => {
                self.comma.get_or_insert_with(seen);
                self.sure_comma.get_or_insert_with(seen);
            }
            Style::EitherComma => {
                self.comma.get_or_insert_with(seen);
            }
            Style::Other => {}
        }
        value
    }
}
