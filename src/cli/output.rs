//! Stdout is for results.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::arrays::{check_target, split_key};
use crate::error::{Error, Result};
use crate::metrics::success_threshold;
use crate::resources::require_disk;

/// Prints a result; the caller's text ends with a newline.
pub fn print(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|source| Error::io("write to", "standard output", source))
}

/// Prints a value as JSON.
pub fn print_json(value: &serde_json::Value) -> Result<()> {
    print(&format!("{value:#}\n"))
}

/// Checks, before anything is computed, that a command's array files can be written: see [`check_target`].
///
/// # Errors
/// Also when two of them are one file, or one is a file that is read (`sources`, as `--data` takes them).
pub fn check_targets(targets: &[&PathBuf], sources: &[String]) -> Result<()> {
    for (i, target) in targets.iter().enumerate() {
        check_target(target)?;
        if targets[..i].iter().any(|other| is_same(other, target)) {
            return Err(Error::input(format!(
                "{} is to be written twice, with different arrays",
                target.display()
            ))
            .with_hint("name two files"));
        }
        let read = |source: &&String| is_same(Path::new(split_key(source).0), target);
        if let Some(source) = sources.iter().find(read) {
            return Err(Error::input(format!(
                "{} would be written over {source}, which is read",
                target.display()
            ))
            .with_hint("name another file with --out"));
        }
    }
    Ok(())
}

/// Whether two paths name one file, which need not be there yet.
fn is_same(a: &Path, b: &Path) -> bool {
    let place = |path: &Path| {
        path.canonicalize().or_else(|_| {
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new(".")).canonicalize()?;
            Ok::<_, std::io::Error>(folder.join(path.file_name().unwrap_or_default()))
        })
    };
    matches!((place(a), place(b)), (Ok(a), Ok(b)) if a == b)
}

/// Refuses a table of `rows` that the file system of `out` has no space for: 8 bytes a number in `.npy`, no less in
/// `.csv` but for the shortest numbers. What `.gz` makes of them is not known before.
pub fn require_table(flag: &str, rows: usize, columns: usize, out: &Path) -> Result<()> {
    if out
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("gz"))
    {
        return Ok(());
    }
    let bytes = (rows as u64).saturating_mul(8 * columns as u64);
    require_disk(&format!("{flag} {rows}"), out, bytes)
}

/// A number for people: four significant digits, `-` where undefined.
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

/// D_stsp for people: with a star where it is saturated.
pub fn divergence(value: f64, saturated: bool) -> String {
    number(value) + if saturated { "*" } else { "" }
}

/// A noise floor of D_stsp for people; `-` where it cannot be told.
pub fn floor(floor: f64, resting: f64) -> String {
    let told = success_threshold(floor, resting, 1.0).is_some();
    number(if told { floor } else { f64::NAN })
}

/// What the star of [`divergence`] means.
pub const SATURATED: &str =
    "* no better than a run that shares nothing with the data: this D_stsp does not tell models apart\n";

/// Why no noise floor can be told, where none can; `kind` is the estimate of D_stsp.
pub fn no_floor(kind: &str, floor: f64, resting: f64) -> Option<String> {
    let told = success_threshold(floor, resting, 1.0).is_some();
    (!told).then(|| {
        format!(
            "the noise floor of D_stsp ({kind}) cannot be told: the halves of these data score {} against each other, a run that stays in one place {} (a record that drifts, or is too short)",
            number(floor),
            number(resting)
        )
    })
}

/// An integer with thousands separators.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Columns aligned: the first to the left, the others to the right.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = header.iter().map(|h| h.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (i, (cell, &width)) in cells.zip(&widths).enumerate() {
            if i == 0 {
                text.push_str(&format!("{cell:<width$}"));
            } else {
                text.push_str(&format!("  {cell:>width$}"));
            }
        }
        text.truncate(text.trim_end().len());
        text + "\n"
    };
    let mut text = line(&mut header.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_counts_grouped() {
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
    fn tables_line_up() {
        let rows = [
            vec!["a".to_owned(), "10".to_owned()],
            vec!["bcd".to_owned(), "7".to_owned()],
        ];
        assert_eq!(table(&["id", "n"], &rows), "id    n\na    10\nbcd   7\n");
    }
}
