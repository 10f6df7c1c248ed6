//! Numbers and tables for people: plain ones for terminals, typeset ones for pages and pictures.

use indicatif::HumanCount;

/// A number for the terminal: four significant digits, `-` where undefined.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".into();
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-3..1e5).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let decimals = if magnitude < 1.0 {
        4
    } else {
        3 - (magnitude.log10().floor() as usize).min(3)
    };
    format!("{value:.decimals$}")
}

/// A number as typeset: `digits` significant ones, no trailing zeros, a power of ten where it is very large or very
/// small.
pub fn typeset(value: f64, digits: usize) -> String {
    if value.is_nan() {
        return "–".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "−∞" }.into();
    }
    if value == 0.0 {
        return "0".into();
    }
    let magnitude = value.abs().log10().floor() as i32;
    let text = if (-4..6).contains(&magnitude) {
        let decimals = (digits as i32 - 1 - magnitude).max(0) as usize;
        trim_zeros(&format!("{value:.decimals$}")).to_owned()
    } else {
        let text = format!("{value:.*e}", digits.saturating_sub(1));
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let power = superscript(exponent);
        match trim_zeros(mantissa) {
            "1" => format!("10{power}"),
            "-1" => format!("-10{power}"),
            mantissa => format!("{mantissa}·10{power}"),
        }
    };
    text.replace('-', "−")
}

/// A count that may be as large as 2^256.
pub fn large_count(value: f64) -> String {
    if value < 1e6 {
        format!("{value:.0}")
    } else {
        typeset(value, 2)
    }
}

/// A whole number for the terminal, with a comma between thousands.
pub fn count(value: u64) -> String {
    HumanCount(value).to_string()
}

/// A whole number as typeset, with a thin space between thousands from five digits on.
pub fn typeset_count(value: usize) -> String {
    match value {
        0..=9999 => value.to_string(),
        _ => count(value as u64).replace(',', "\u{2009}"),
    }
}

/// A share in percent with so many decimals, but never 0 for what is there.
pub fn percent(share: f64, decimals: usize) -> String {
    let least = 10f64.powi(-(decimals as i32));
    if share > 0.0 && 100.0 * share < 0.5 * least {
        format!("<{least} %")
    } else {
        format!("{:.decimals$} %", 100.0 * share)
    }
}

/// The digits of a whole number as exponents.
pub fn superscript(digits: &str) -> String {
    const SUPERSCRIPTS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raised = |c: char| match c.to_digit(10) {
        Some(digit) => SUPERSCRIPTS[digit as usize],
        None if c == '-' => '⁻',
        None => c,
    };
    digits.chars().map(raised).collect()
}

fn trim_zeros(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

/// `(1.23, −4.56, …)`, at most four values.
pub fn vector(values: &[f64], text: impl Fn(f64) -> String) -> String {
    let shown: Vec<String> = values.iter().take(4).map(|&v| text(v)).collect();
    let more = if values.len() > 4 { ", …" } else { "" };
    format!("({}{more})", shown.join(", "))
}

/// Beginning and end of an ASCII text that is longer than `most`.
pub fn shortened(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    format!("{}…{}", &text[..most / 2], &text[text.len() - most / 2 + 1..])
}

/// Columns aligned: the first to the left, the others to the right.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    aligned(header, rows, "", true)
}

/// Columns aligned to the left, indented; `header` may be empty.
pub fn listing(header: &[&str], rows: &[Vec<String>]) -> String {
    aligned(header, rows, "  ", false)
}

fn aligned(header: &[&str], rows: &[Vec<String>], indent: &str, right: bool) -> String {
    let header: Vec<String> = header.iter().map(|&head| head.to_owned()).collect();
    let header = Some(&header).filter(|header| !header.is_empty());
    let lines: Vec<&Vec<String>> = header.into_iter().chain(rows).collect();
    let columns = lines.first().map_or(0, |line| line.len());
    let widest = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|c| widest(c).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate();
        let cells: Vec<String> = cells
            .map(|(i, (cell, &width))| match right && i > 0 {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            })
            .collect();
        text += format!("{indent}{}", cells.join("  ")).trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_numbers_are_short_and_counts_grouped() {
        assert_eq!(number(0.123_456), "0.1235");
        assert_eq!(number(12.3456), "12.35");
        assert_eq!(number(4321.9), "4322");
        assert_eq!(number(1.5e-7), "1.500e-7");
        assert_eq!(number(f64::NAN), "-");
        assert_eq!(number(0.0), "0.0000");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(12), "12");
    }

    #[test]
    fn typeset_numbers_read_well() {
        for (value, text) in [
            (0.0, "0"),
            (0.123_456, "0.123"),
            (-2.5, "−2.5"),
            (100_000.0, "100000"),
            (1.0e-7, "10⁻⁷"),
            (3.25e10, "3.25·10¹⁰"),
            (f64::NAN, "–"),
            (f64::INFINITY, "∞"),
        ] {
            assert_eq!(typeset(value, 3), text);
        }
        assert_eq!(large_count(2f64.powi(19)), "524288");
        assert_eq!(typeset_count(100_000), "100\u{2009}000");
        assert_eq!(typeset_count(2000), "2000");
    }

    #[test]
    fn shares_that_are_there_are_not_0() {
        assert_eq!(percent(0.1234, 1), "12.3 %");
        assert_eq!(percent(0.0, 1), "0.0 %");
        assert_eq!(percent(1e-4, 1), "<0.1 %");
        assert_eq!(percent(1e-4, 0), "<1 %");
    }

    #[test]
    fn long_texts_keep_both_ends() {
        assert_eq!(shortened("0101", 4), "0101");
        assert_eq!(shortened(&("0".repeat(20) + "1"), 8), "0000…001");
        assert_eq!(
            vector(&[1.0, 2.0, 3.0, 4.0, 5.0], |v| v.to_string()),
            "(1, 2, 3, 4, …)"
        );
    }

    #[test]
    fn tables_line_up() {
        let rows = [
            vec!["a".to_owned(), "10".to_owned()],
            vec!["bcd".to_owned(), "7".to_owned()],
        ];
        assert_eq!(table(&["id", "n"], &rows), "id    n\na    10\nbcd   7\n");
        assert_eq!(listing(&[], &rows), "  a    10\n  bcd  7\n");
    }
}
