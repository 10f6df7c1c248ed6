//! What is wrong with an array that reads well but is no recording.

use ndarray::Array2;

use crate::error::{Error, Result};

/// Values from here on are no measurement in any sensible unit, and f32 arithmetic overflows soon after.
const TOO_LARGE: f64 = 1e30;

/// A trial as it was read.
pub(super) struct Named {
    pub name: String,
    pub x: Array2<f64>,
    /// The column of the file, counted from 0, that each column was.
    pub from: Vec<usize>,
    /// The line of a text file, counted from 1, that each row stands in; empty for other files.
    pub lines: Vec<u64>,
}

impl Named {
    /// An array that is in memory.
    pub fn new(name: &str, x: Array2<f64>) -> Self {
        Self {
            name: name.to_owned(),
            from: (0..x.ncols()).collect(),
            lines: Vec::new(),
            x,
        }
    }

    /// A place for messages: `row 3, column 2` (`line 4, column 2` in a text file), counted from 1, as in the file.
    pub fn place(&self, (i, j): (usize, usize)) -> String {
        let column = self.from[j] + 1;
        match self.lines.get(i) {
            Some(line) => format!("line {line}, column {column}"),
            None => format!("row {}, column {column}", i + 1),
        }
    }
}

/// Refuses arrays that look transposed: fewer rows than columns, in all trials together. Short trials of many variables
/// are ordinary, so where only each by itself has fewer, that is a warning.
pub(super) fn check_shape(trials: &[Named], what: &str) -> Result<()> {
    let Some(Named { name, x, .. }) = trials.iter().max_by_key(|t| t.x.nrows()) else {
        return Ok(());
    };
    let (rows, columns) = x.dim();
    let all: usize = trials.iter().map(|t| t.x.nrows()).sum();
    if columns <= rows {
        return Ok(());
    }
    if columns <= all {
        log::warn!(
            "no trial of the {what} is longer than {rows} rows, and there are {columns} columns: that is right if columns \
             are variables, and rows time steps"
        );
        return Ok(());
    }
    let error = Error::input(format!(
        "{name} has {rows} rows × {columns} columns: {what} have one row a time step, so this looks transposed"
    ));
    Err(error.with_hint(if trials.len() == 1 {
        "if columns are time steps, save it the other way round, numpy.save(path, x.T); else more rows are needed"
    } else {
        "if columns are time steps, save every trial the other way round, an R × T × N array as x.transpose(0, 2, 1); \
         else more rows are needed"
    }))
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
    for (data, trial) in data.iter().zip(inputs) {
        let (name, s, x) = (&trial.name, &trial.x, &data.x);
        if x.nrows() != s.nrows() {
            let error = Error::input(format!(
                "{name} has {} rows of inputs, its data {} have {}",
                s.nrows(),
                data.name,
                x.nrows()
            ));
            return Err(if s.ncols() == x.nrows() {
                error.with_hint("the inputs look transposed: numpy.save(path, s.T)")
            } else {
                error.with_hint("inputs need one row for each row of the data")
            });
        }
        check_values(trial, "inputs")?;
        if let Some((at, _)) = s.indexed_iter().find(|(_, v)| v.is_nan()) {
            return Err(Error::input(format!(
                "{name} has no value (NaN) at {}; inputs must be complete",
                trial.place(at)
            ))
            .with_hint("fill gaps of the inputs, for example with 0 or the last value"));
        }
    }
    Ok(())
}

/// Refuses infinities and values that f32 cannot compute with.
pub(super) fn check_values(trial: &Named, what: &str) -> Result<()> {
    let Some((at, value)) = trial.x.indexed_iter().find(|(_, v)| v.abs() >= TOO_LARGE) else {
        return Ok(());
    };
    let (name, place) = (&trial.name, format!("at {}", trial.place(at)));
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
    let Some(trial) = data.iter().find(|t| is_missing(&t.x) > 0) else {
        return Ok(());
    };
    let total: usize = data.iter().map(|t| is_missing(&t.x)).sum();
    let values: usize = data.iter().map(|t| t.x.len()).sum();
    let mut missing = trial.x.indexed_iter().filter(|(_, v)| v.is_nan());
    let (at, _) = missing.next().expect("this trial has a missing value");
    let (name, place) = (&trial.name, trial.place(at));
    let message = if total == 1 {
        format!("{name} has a missing value (NaN) at {place}")
    } else {
        format!("{total} of {values} values are missing (NaN), the first at {place} of {name}")
    };
    Err(Error::input(message).with_hint("--allow-missing trains on what was observed"))
}

pub(super) fn refuse_empty_columns(data: &[Named], label: impl Fn(usize) -> String) -> Result<()> {
    let N = data[0].x.ncols();
    for j in 0..N {
        if data.iter().all(|t| t.x.column(j).iter().all(|v| v.is_nan())) {
            return Err(Error::input(format!("{} has no value at all", label(j)))
                .with_hint("leave the column out (--drop)"));
        }
    }
    Ok(())
}
