//! What is wrong with an array that reads well but is no recording.

use ndarray::Array2;

use crate::dataset::load::Named;
use crate::error::{Error, Result};

/// Values from here on are no measurement in any sensible unit, and f32 arithmetic overflows soon after.
const TOO_LARGE: f64 = 1e30;

/// Refuses arrays that look transposed: no trial is as long as it is wide.
pub(super) fn check_shape(trials: &[Named], what: &str) -> Result<()> {
    let Some((name, x)) = trials.iter().max_by_key(|(_, x)| x.nrows()) else {
        return Ok(());
    };
    let (rows, columns) = x.dim();
    if columns > rows {
        return Err(Error::input(format!(
            "{name} has {rows} rows × {columns} columns: {what} have one row a time step, so this looks transposed"
        ))
        .with_hint(if trials.len() == 1 {
            "save it the other way round: numpy.save(path, x.T)"
        } else {
            "save every trial the other way round; an R × T × N array as x.transpose(0, 2, 1)"
        }));
    }
    Ok(())
}

/// Inputs belong to the data trial by trial and row by row, and none may be missing.
pub(super) fn check_inputs(data: &[Named], inputs: &[Named]) -> Result<()> {
    let count = |n: usize| format!("{n} trial{}", if n == 1 { "" } else { "s" });
    if data.len() != inputs.len() {
        return Err(Error::input(format!(
            "the data have {}, the inputs {}",
            count(data.len()),
            count(inputs.len())
        ))
        .with_hint("give --inputs one file (or array) for each of --data, in the same order"));
    }
    for ((data_name, x), (name, s)) in data.iter().zip(inputs) {
        if x.nrows() != s.nrows() {
            let error = Error::input(format!(
                "{name} has {} rows of inputs, its data {data_name} have {}",
                s.nrows(),
                x.nrows()
            ));
            return Err(if s.ncols() == x.nrows() {
                error.with_hint("the inputs look transposed: numpy.save(path, s.T)")
            } else {
                error.with_hint("inputs need one row for each row of the data")
            });
        }
        check_values(name, s, "inputs")?;
        if let Some(((i, j), _)) = s.indexed_iter().find(|(_, v)| v.is_nan()) {
            return Err(Error::input(format!(
                "{name} has no value (NaN) at row {}, column {}; inputs must be complete",
                i + 1,
                j + 1
            ))
            .with_hint("fill gaps of the inputs, for example with 0 or the last value"));
        }
    }
    Ok(())
}

/// Refuses infinities and values that f32 cannot compute with.
pub(super) fn check_values(name: &str, x: &Array2<f64>, what: &str) -> Result<()> {
    let Some(((i, j), value)) = x.indexed_iter().find(|(_, v)| v.abs() >= TOO_LARGE) else {
        return Ok(());
    };
    let place = format!("at row {}, column {}", i + 1, j + 1);
    if value.is_infinite() {
        return Err(Error::input(format!("{name} is infinite {place}"))
            .with_hint("a missing observation is NaN (with --allow-missing)"));
    }
    Err(Error::input(format!(
        "{name}: {value:e} {place} is too large (|x| < {TOO_LARGE:e} in {what})"
    ))
    .with_hint("use other units; a code for missing values becomes NaN (with --allow-missing)"))
}

pub(super) fn refuse_missing(data: &[Named]) -> Result<()> {
    let is_missing = |x: &Array2<f64>| x.iter().filter(|v| v.is_nan()).count();
    let Some((name, x)) = data.iter().find(|(_, x)| is_missing(x) > 0) else {
        return Ok(());
    };
    let total: usize = data.iter().map(|(_, x)| is_missing(x)).sum();
    let values: usize = data.iter().map(|(_, x)| x.len()).sum();
    let ((i, j), _) = x
        .indexed_iter()
        .find(|(_, v)| v.is_nan())
        .expect("this trial has a missing value");
    let place = format!("row {}, column {}", i + 1, j + 1);
    let message = if total == 1 {
        format!("{name} has a missing value (NaN) at {place}")
    } else {
        format!("{total} of {values} values are missing (NaN), the first at {place} of {name}")
    };
    Err(Error::input(message).with_hint("--allow-missing trains on what was observed"))
}

pub(super) fn refuse_empty_columns(data: &[Named], label: impl Fn(usize) -> String) -> Result<()> {
    let N = data[0].1.ncols();
    for j in 0..N {
        if data.iter().all(|(_, x)| x.column(j).iter().all(|v| v.is_nan())) {
            return Err(
                Error::input(format!("{} has no value at all", label(j))).with_hint("leave the column out")
            );
        }
    }
    Ok(())
}

pub(super) fn column_label(columns: Option<&[String]>, j: usize, first: &str, trials: usize) -> String {
    let place = match columns.and_then(|c| c.get(j)) {
        Some(name) => format!("column {} ({name})", j + 1),
        None => format!("column {}", j + 1),
    };
    if trials == 1 {
        format!("{place} of {first}")
    } else {
        format!("{place} of the data")
    }
}

/// Warns of columns that rise in equal steps all along: a time axis among the observations is learnt as one of them.
pub(super) fn warn_of_time(data: &[Named], label: impl Fn(usize) -> String) {
    for j in 0..data[0].1.ncols() {
        if data.iter().all(|(_, x)| x.nrows() < 3 || is_time_axis(x, j))
            && data.iter().any(|(_, x)| x.nrows() > 2)
        {
            log::warn!(
                "{} rises in equal steps: if it is the time, leave it out",
                label(j)
            );
        }
    }
}

fn is_time_axis(x: &Array2<f64>, j: usize) -> bool {
    let column = x.column(j);
    let rows = column.len();
    let step = (column[rows - 1] - column[0]) / (rows - 1) as f64;
    step > 0.0
        && (1..rows).all(|t| {
            let d = column[t] - column[t - 1];
            (d - step).abs() <= 1e-3 * step
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_axis_is_a_straight_line() {
        let x = Array2::from_shape_fn((50, 3), |(t, j)| match j {
            0 => 7.0 + 0.1 * t as f64,
            1 => (t as f64).powi(2),
            _ => 3.0,
        });
        assert_eq!([0, 1, 2].map(|j| is_time_axis(&x, j)), [true, false, false]);
    }
}
