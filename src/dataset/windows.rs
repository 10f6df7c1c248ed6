use std::fmt;

use crate::dataset::{Dataset, TrainingData, Trial};
use crate::error::{Error, Result};

/// A trial that no training window fits in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedTrial {
    pub name: String,
    pub rows: usize,
    /// The rows that a window needs; where there are as many, none of its windows has an observed value to predict.
    pub window: usize,
}

impl fmt::Display for SkippedTrial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, rows, window } = self;
        if rows < window {
            write!(
                f,
                "{name} is left out: it has {rows} rows, a window needs T + 1 = {window}"
            )
        } else {
            write!(
                f,
                "{name} is left out: none of its windows has an observed value to predict"
            )
        }
    }
}

impl Dataset {
    /// The rows of all trials in f32 and every row at which a window of `T + 1` rows may start: the window stays
    /// within its trial and something is observed among the `T` rows that it predicts. Each start is equally
    /// likely in training, so a trial weighs by its number of windows. Trials without any window are named.
    ///
    /// # Errors
    /// When no window is left, or there are more rows than 32 bits can address.
    pub fn training(&self, T: usize) -> Result<(TrainingData, Vec<SkippedTrial>)> {
        let rows = self.rows();
        if u32::try_from(rows).is_err() {
            return Err(Error::input(format!(
                "the data have {rows} rows, more than 2³² − 1"
            )));
        }
        let trials: Vec<_> = self.trials.iter().map(|t| (t.x.view(), t.s.view())).collect();
        let mut data = TrainingData::without_starts(&trials);
        let mut skipped = Vec::new();
        let mut first_row = 0;
        for trial in &self.trials {
            let before = data.starts.len();
            push_starts(trial, T, first_row, &mut data.starts);
            if data.starts.len() == before {
                skipped.push(SkippedTrial {
                    name: trial.name.clone(),
                    rows: trial.x.nrows(),
                    window: T + 1,
                });
            }
            first_row += trial.x.nrows();
        }
        if data.starts.is_empty() {
            return Err(self.no_window(T));
        }
        Ok((data, skipped))
    }

    fn no_window(&self, T: usize) -> Error {
        let longest = self.trials.iter().map(|t| t.x.nrows()).max().unwrap_or(0);
        if longest > T {
            return Error::input(format!(
                "no window of T = {T} steps has an observed value to predict"
            ))
            .with_hint("use a larger --T, or data with fewer gaps");
        }
        let what = if self.trials.len() == 1 {
            format!("the data have {longest} rows")
        } else {
            format!(
                "the longest of the {} trials has {longest} rows",
                self.trials.len()
            )
        };
        Error::input(format!(
            "a window of T = {T} steps needs {} rows, but {what}",
            T + 1
        ))
        .with_hint(format!(
            "the largest --T that fits is {}",
            longest.saturating_sub(1)
        ))
    }
}

/// Appends `first_row + r` for every row `r` of the trial that starts a window with something to predict.
fn push_starts(trial: &Trial, T: usize, first_row: usize, starts: &mut Vec<u32>) {
    let rows = trial.x.nrows();
    if rows <= T {
        return;
    }
    let mut kept = Vec::with_capacity(rows - T);
    // Nearest row after the start in which anything is observed, found from the back.
    let mut next_observed = usize::MAX;
    for start in (0..rows).rev() {
        if start + T < rows && next_observed <= start + T {
            kept.push((first_row + start) as u32);
        }
        if trial.x.row(start).iter().any(|v| !v.is_nan()) {
            next_observed = start;
        }
    }
    starts.extend(kept.iter().rev());
}
