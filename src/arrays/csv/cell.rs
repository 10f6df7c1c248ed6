//! What a cell says.

/// A cell, without the space around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell {
    Number(f64, Style),
    /// No character at all.
    Empty,
    /// One of the usual words and marks for a value that is not there.
    Missing,
    Text,
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Digits, perhaps with a sign.
    Whole,
    Point,
    /// A comma that can only be a decimal one, as in `0,5` and `12,75`.
    Comma,
    /// A comma that may be a decimal one or separate thousands, as in `1,000`; the number is that of the decimal one.
    EitherComma,
    /// An exponent and no point, `inf`.
    Other,
}

/// Words for a value that is not there, in lower case: those of R, pandas, C libraries and databases.
const MISSING: &str =
    "na n/a nan null none missing <na> nat nan(ind) -nan(ind) 1.#ind -1.#ind 1.#qnan -1.#qnan";

impl Cell {
    pub(super) fn parse(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() {
            return Self::Empty;
        }
        if let Some(number) = number(text) {
            return number;
        }
        let mut missing = MISSING.split(' ').chain(["#n/a n/a"]);
        if missing.any(|word| text.eq_ignore_ascii_case(word)) || is_error_mark(text) {
            return Self::Missing;
        }
        if text.is_ascii() {
            return Self::Text;
        }
        number(&fold_look_alikes(text)).unwrap_or(Self::Text)
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Number(..))
    }
}

fn number(text: &str) -> Option<Cell> {
    if let Ok(value) = text.parse::<f64>() {
        let style = match text {
            _ if value.is_nan() => return Some(Cell::Missing),
            _ if text.contains('.') => Style::Point,
            _ if text
                .trim_start_matches(['+', '-'])
                .bytes()
                .all(|b| b.is_ascii_digit()) =>
            {
                Style::Whole
            }
            _ => Style::Other,
        };
        return Some(Cell::Number(value, style));
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.,".contains(c)) {
        return None;
    }
    // Fortran's double precision: 1.5D-03.
    if let Some((mantissa, exponent)) = text.split_once(['d', 'D'])
        && let Ok(value) = format!("{mantissa}e{exponent}").parse()
    {
        return Some(Cell::Number(value, Style::Point));
    }
    if text.matches(',').count() == 1
        && !text.contains('.')
        && let Ok(value) = text.replace(',', ".").parse()
    {
        let style = if may_be_thousands(text) {
            Style::EitherComma
        } else {
            Style::Comma
        };
        return Some(Cell::Number(value, style));
    }
    None
}

/// Whether the one comma of a number may stand before thousands: one to three digits, not from 0 on, then three.
fn may_be_thousands(text: &str) -> bool {
    let (before, after) = text.split_once(',').unwrap_or_default();
    let before = before.trim_start_matches(['+', '-']);
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    (1..=3).contains(&before.len())
        && !before.starts_with('0')
        && digits(before)
        && after.len() == 3
        && digits(after)
}

/// Whether a spreadsheet wrote this where it has no value: `#N/A`, `#DIV/0!`, `#NAME?`, `#ZAHL!`, `####`. Errors end in
/// `!` or `?` in every language; the words for "not available" are those of the languages that have one.
pub(super) fn is_error_mark(text: &str) -> bool {
    const NOT_AVAILABLE: &str = "N/A NA NV N/V N/D N/B N/F ND I/T YOK SAKNAS PUUTTUU HIÁNYZIK NENÍ_K_DISPOZICI Н/Д \
                                 GETTING_DATA BUSY";
    let Some(word) = text.strip_prefix('#') else {
        return false;
    };
    let starts_well = word.starts_with(|c: char| c.is_alphabetic() || "¡¿".contains(c));
    let is_one_word = !word.contains(|c: char| c.is_whitespace() || ",;".contains(c));
    (starts_well && is_one_word && word.ends_with(['!', '?']))
        || NOT_AVAILABLE.split(' ').any(|known| known == word.to_uppercase())
        || (word.len() >= 2 && word.bytes().all(|b| b == b'#'))
}

/// Dashes, full-width digits and the like as the ASCII characters that they stand for, invisible ones left out.
fn fold_look_alikes(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'))
        .map(|c| match c {
            '\u{2010}'..='\u{2013}' | '\u{2212}' | '\u{fe63}' | '\u{207b}' => '-',
            '\u{fe62}' => '+',
            // Full-width forms of ASCII stand in its order.
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            _ => c,
        })
        .collect::<String>()
        .trim()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_every_hand() {
        for (text, value, style) in [
            ("12", 12.0, Style::Whole),
            ("-3", -3.0, Style::Whole),
            (" +0.5\u{a0}", 0.5, Style::Point),
            ("5.", 5.0, Style::Point),
            ("1e-3", 1e-3, Style::Other),
            ("1.5D-03", 1.5e-3, Style::Point),
            ("0,5", 0.5, Style::Comma),
            ("0,776", 0.776, Style::Comma),
            ("-0,0523", -0.0523, Style::Comma),
            ("1234,567", 1234.567, Style::Comma),
            ("1,5e-3", 1.5e-3, Style::Comma),
            (",5", 0.5, Style::Comma),
            ("1,000", 1.0, Style::EitherComma),
            ("-12,345", -12.345, Style::EitherComma),
            ("\u{2212}0.0471", -0.0471, Style::Point),
            ("\u{2013}2", -2.0, Style::Whole),
            ("1e\u{2212}3", 1e-3, Style::Other),
            ("\u{2012}0,5", -0.5, Style::Comma),
            ("\u{ff11}\u{ff0e}\u{ff15}", 1.5, Style::Point),
            ("\u{200e}0.25\u{202c}", 0.25, Style::Point),
        ] {
            assert_eq!(Cell::parse(text), Cell::Number(value, style), "{text}");
        }
        for text in [
            "1,234.5",
            "1.234,5",
            "1,234,567",
            "1 000",
            "1'000",
            "1\u{2013}2",
            "5 mV",
            "12:30",
            "0x10",
            "d",
            "D5",
            "1d",
        ] {
            assert_eq!(Cell::parse(text), Cell::Text, "{text}");
        }
    }

    #[test]
    fn missing_in_every_tongue() {
        for text in [
            "NA",
            "n/a",
            "NaN",
            "-nan",
            "NULL",
            "None",
            "<NA>",
            "1.#QNAN",
            "#N/A",
            "#DIV/0!",
            "#REF!",
            "#VALUE!",
            "#NUM!",
            "#NAME?",
            "#NULL!",
            "#SPILL!",
            "#NV",
            "#ZAHL!",
            "#WERT!",
            "#BEZUG!",
            "#¡DIV/0!",
            "#¿NOMBRE?",
            "#Н/Д",
            "#ДЕЛ/0!",
            "#ÜBERLAUF!",
            "#n/a",
            "#N/A N/A",
            "######",
        ] {
            assert_eq!(Cell::parse(text), Cell::Missing, "{text}");
        }
        assert_eq!(Cell::parse("  "), Cell::Empty);
        for text in ["#", "##", "# pause", "#12", "#time", "#u,v!", "# done!"] {
            assert_eq!(Cell::parse(text), Cell::Text, "{text}");
        }
    }
}
