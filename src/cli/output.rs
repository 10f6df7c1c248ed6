//! Stdout is for results.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::arrays::{check_target, split_key};
use crate::error::{Error, Result};
use crate::fs::folder_of;
use crate::metrics::success_threshold;
use crate::resources::require_disk;
use crate::run::FloorRecord;
pub use crate::text::{count, number, table};

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
            let folder = folder_of(path).canonicalize()?;
            Ok::<_, std::io::Error>(folder.join(path.file_name().unwrap_or_default()))
        })
    };
    matches!((place(a), place(b)), (Ok(a), Ok(b)) if a == b)
}

/// Refuses a table of `rows` that the file system of `out` has no space for: 8 bytes a number in `.npy`, no less in
/// `.csv` but for the shortest numbers. What `.gz` makes of them is not known before.
pub fn require_table(flag: &str, rows: usize, columns: usize, out: &Path) -> Result<()> {
    let ending = out.extension().unwrap_or_default();
    if ending.eq_ignore_ascii_case("gz") {
        return Ok(());
    }
    let bytes = (rows as u64).saturating_mul(8 * columns as u64);
    require_disk(&format!("{flag} {rows}"), out, bytes)
}

/// D_stsp for people: with a star where it is saturated.
pub fn divergence(value: f64, saturated: bool) -> String {
    number(value) + if saturated { "*" } else { "" }
}

/// A noise floor of D_stsp for people; `-` where it cannot be told.
pub fn floor(floor: FloorRecord) -> String {
    number(if is_told(floor) { floor.D_stsp } else { f64::NAN })
}

fn is_told(floor: FloorRecord) -> bool {
    let resting = floor.D_stsp_resting.unwrap_or(f64::NAN);
    success_threshold(floor.D_stsp, resting, 1.0).is_some()
}

/// What the star of [`divergence`] means.
pub const SATURATED: &str =
    "* no better than a run that shares nothing with the data: this D_stsp does not tell models apart\n";

/// Why no noise floor can be told, where none can; `kind` is the estimate of D_stsp.
pub fn no_floor(kind: &str, floor: FloorRecord) -> Option<String> {
    (!is_told(floor)).then(|| {
        format!(
            "the noise floor of D_stsp ({kind}) cannot be told: the halves of these data score {} against each other, a run that stays in one place {} (a record that drifts, or is too short)",
            number(floor.D_stsp),
            number(floor.D_stsp_resting.unwrap_or(f64::NAN))
        )
    })
}
