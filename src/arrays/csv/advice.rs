//! What to do about a cell that is no number. No advice may spoil data: `1,000` is not 1.000.

use crate::arrays::csv::Fault;
use crate::arrays::csv::cell::Cell;
use crate::arrays::csv::column::Seen;

/// Where a cell stands.
pub(super) struct Context<'a> {
    pub file: &'a str,
    /// Counted from 0.
    pub column: usize,
    pub name: Option<&'a str>,
    pub is_first_row: bool,
}

pub(super) fn describe_text(context: &Context<'_>, seen: &Seen) -> Fault {
    let Context { file, column, .. } = context;
    let text: String = seen.text.chars().take(40).collect();
    let message = format!(
        "{file}, line {}, column {}: '{text}' is not a number",
        seen.line,
        column + 1
    );
    Fault::new(Some(*column), message, hint(context, seen.line, &seen.text))
}

fn hint(context: &Context<'_>, line: u64, text: &str) -> String {
    let drop = drop_argument(context);
    if text.contains(['\n', '\r']) {
        return "a quote (\") that is opened in this line is closed in a later one or not at all".into();
    }
    if is_time(text) {
        return format!("it is a date or time: leave the column out with --drop {drop}");
    }
    if let Some(number) = without_thousands(text) {
        return format!(
            "if this is {number}, with thousands set apart, write {number}: no separators within numbers, and a decimal point"
        );
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.len() > 1 && words.iter().all(|word| Cell::parse(word).is_number()) {
        return "cells are separated by commas, semicolons or tabs, not by spaces".into();
    }
    let parts = text.split(['\t', ';', '|', ',']);
    if parts.filter(|part| Cell::parse(part).is_number()).count() > 1 {
        return "cells are separated in another way here than in the lines above".into();
    }
    let is_digits = text.chars().any(char::is_numeric) && !text.chars().any(|c| c.is_ascii_alphabetic());
    if let Some(strange) = text.chars().find(|c| is_digits && !c.is_ascii()) {
        return format!(
            "'{strange}' (U+{:04X}) is no ASCII character: write numbers with 0-9, '-' and '.'",
            strange as u32
        );
    }
    let is_measure = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    if is_measure && text.ends_with(|c: char| c.is_alphabetic() || "%°$€£".contains(c)) {
        return "write the number alone, without its unit".into();
    }
    if matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "yes" | "no"
    ) {
        return format!("write 1 and 0, or leave the column out with --drop {drop}");
    }
    if line == 1 && context.name.is_none() {
        return "if the first line holds names, put all of them in quotes or give those that are numbers a letter".into();
    }
    let units = if context.is_first_row && context.name.is_some() {
        format!("; if line {line} holds units, leave it out")
    } else {
        String::new()
    };
    format!("an empty cell or NA is a missing value; a column of words is left out with --drop {drop}{units}")
}

/// What to give `--drop`: a plain name, else the column's number.
fn drop_argument(context: &Context<'_>) -> String {
    let is_plain = |name: &&str| {
        name.chars().all(|c| c.is_alphanumeric() || "_.".contains(c)) && name.contains(char::is_alphabetic)
    };
    match context.name.filter(is_plain) {
        Some(name) => name.to_string(),
        None => (context.column + 1).to_string(),
    }
}

/// Whether this is written as a date, a time of day or both: `2016-07-01 00:00`, `1/7/16`, `12:30:05.5`, `1-Jul-2016`.
pub(super) fn is_time(text: &str) -> bool {
    const WORDS: &str = "jan feb mar apr may jun jul aug sep sept oct nov dec january february march april june july august \
                         september october november december mon tue wed thu fri sat sun am pm t z utc gmt cet cest";
    let lower = text.to_lowercase();
    let groups: Vec<&str> = lower
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .collect();
    let mut words = lower
        .split(|c: char| !c.is_alphabetic())
        .filter(|part| !part.is_empty())
        .peekable();
    let has_words = words.peek().is_some();
    let only_words_of_time = words.all(|word| WORDS.split(' ').any(|known| known == word));
    let marks = |set: &[char]| lower.chars().filter(|c| set.contains(c)).count();
    // `1.7.2016`, but not `1.234.567`.
    let has_dots = marks(&['.']) == 2 && groups.iter().all(|group| group.len() != 3);
    let is_plain = lower
        .chars()
        .all(|c| c.is_alphanumeric() || " -/:.,+'".contains(c));
    is_plain
        && only_words_of_time
        && groups.len() >= 2
        && lower.starts_with(|c: char| c.is_alphanumeric())
        && (marks(&[':']) >= 1 || marks(&['/']) >= 1 || marks(&['-']) >= 2 || has_dots || has_words)
}

/// `1,234.5`, `1.234,5`, `1 234`, `1'234` and `1,234,567` without what sets thousands apart.
fn without_thousands(text: &str) -> Option<String> {
    const APART: [char; 8] = [',', '.', ' ', '\'', '_', '\u{2019}', '\u{a0}', '\u{202f}'];
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (&text[..1], rest),
        None => ("", text),
    };
    let apart = digits.chars().find(|c| APART.contains(c))?;
    let (whole, decimals) = match digits.rfind([',', '.']) {
        Some(at) if !digits[at..].starts_with(apart) => (&digits[..at], Some(&digits[at + 1..])),
        _ => (digits, None),
    };
    let mut groups = whole.split(apart);
    let first = groups.next()?;
    let is_group = |group: &str| group.len() == 3 && group.bytes().all(|b| b.is_ascii_digit());
    let fits = (1..=3).contains(&first.len())
        && first.bytes().all(|b| b.is_ascii_digit())
        && groups.all(is_group)
        && decimals.is_none_or(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()));
    let decimals = decimals.map(|d| format!(".{d}")).unwrap_or_default();
    fits.then(|| format!("{sign}{}{decimals}", whole.replace(apart, "")))
}

/// A number whose comma cannot be read: `point` is a number with a decimal point, where the file has one, and
/// `sure_comma` says that it also has decimal commas.
pub(super) fn describe_comma(
    file: &str,
    column: usize,
    seen: &Seen,
    point: Option<&Seen>,
    sure_comma: bool,
) -> Fault {
    let Seen { line, text } = seen;
    let place = format!(
        "{file}, line {line}, column {}: the comma in '{text}'",
        column + 1
    );
    let plain = text.replace(',', "");
    let (why, hint) = match point {
        Some(point) if sure_comma => (
            format!(
                "does not go with the point in '{}' (line {})",
                point.text, point.line
            ),
            "write all numbers with a decimal point, and thousands without a separator".to_string(),
        ),
        Some(_) => (
            "separates thousands: the file has decimal points".to_string(),
            format!("write {plain}, without the comma, and so in the whole file"),
        ),
        None => (
            "may separate thousands or decimals".to_string(),
            format!(
                "write {plain} or {}, whichever it is, and so in the whole file",
                text.replace(',', ".")
            ),
        ),
    };
    Fault::new(Some(column), format!("{place} {why}"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_told() {
        for text in [
            "2016-07-01 00:00:00",
            "2016-07-01",
            "2016-07-01T00:00:00.000Z",
            "2016-07-01T00:00+02:00",
            "1/7/16",
            "01/07/2016 12:00",
            "12:30",
            "12:30:05.123",
            "1-Jul-2016",
            "Jul 1, 2016",
            "Fri Jul 1 2016",
            "1.7.2016",
            "11:59 PM",
            "3 March 2016",
        ] {
            assert!(is_time(text), "{text}");
        }
        for text in [
            "x",
            "1-2",
            "-0.5",
            "1,5",
            "5 mV",
            "12 34",
            "u1 v2",
            "1.2.3.4",
            "1e5x",
            "march",
            "127.0.0.1",
            "1.234.567",
            "3/",
            "a:b",
        ] {
            assert!(!is_time(text), "{text}");
        }
    }

    #[test]
    fn thousands_are_told() {
        for (text, expected) in [
            ("1,234.5", "1234.5"),
            ("-1.234,5", "-1234.5"),
            ("1 234", "1234"),
            ("1'234'567.25", "1234567.25"),
            ("1,234,567", "1234567"),
            ("1.234.567", "1234567"),
            ("1\u{202f}234,5", "1234.5"),
        ] {
            assert_eq!(without_thousands(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["12 34", "1,2,3", "1234,567,8", "x", "", "-", "1,234.5.6", ",123"] {
            assert_eq!(without_thousands(text), None, "{text}");
        }
    }

    #[test]
    fn advice_names_what_is_wrong() {
        let of = |name: Option<&str>, line: u64, text: &str, is_first_row: bool| {
            hint(
                &Context {
                    file: "x.csv",
                    column: 1,
                    name,
                    is_first_row,
                },
                line,
                text,
            )
        };
        for (text, part) in [
            ("2016-07-01", "--drop day"),
            ("1,234.5", "write 1234.5"),
            ("1 2", "not by spaces"),
            ("1;2", "another way"),
            ("\u{663}", "U+0663"),
            ("12 mV", "without its unit"),
            ("True", "write 1 and 0"),
            ("left", "--drop day"),
            ("1\n2", "quote"),
        ] {
            let advice = of(Some("day"), 9, text, false);
            assert!(advice.contains(part), "{text}: {advice}");
        }
        assert!(of(Some("the day"), 9, "left", false).contains("--drop 2"));
        assert!(of(Some("7"), 9, "left", false).contains("--drop 2"));
        assert!(of(Some("u"), 2, "mV", true).contains("line 2 holds units"));
        assert!(of(None, 1, "t", true).contains("first line holds names"));
    }
}
