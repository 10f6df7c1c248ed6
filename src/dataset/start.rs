//! Where a free run from data starts, and what drives it.

use ndarray::{Array2, s};

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::model::FreeRun;

impl Dataset {
    /// The row of the first trial to start from: `asked`, or where scores start from ([`Trial::start`]). Says what is
    /// missing there, and where it is not row 0 that is meant.
    ///
    /// [`Trial::start`]: crate::dataset::Trial::start
    ///
    /// # Errors
    /// When the row is past the end, or nothing was observed in it.
    pub fn start_row(&self, asked: Option<usize>) -> Result<usize> {
        let trial = self.trials.first().expect("a dataset has a trial");
        let (name, rows) = (&trial.name, trial.x.nrows());
        let missing = |t: usize| -> Vec<usize> {
            let row = trial.x.row(t);
            (0..self.N).filter(|&j| row[j].is_nan()).collect()
        };
        let start = asked.unwrap_or_else(|| trial.start());
        if start >= rows {
            return Err(Error::input(format!("--start {start}: {name} has {rows} rows"))
                .with_hint(format!("rows are counted from 0; the last is {}", rows - 1)));
        }
        let gaps = missing(start);
        if gaps.len() == self.N {
            let error = Error::input(format!(
                "row {start} of {name} (counted from 0) has no value to start from"
            ));
            let complete = |t: &usize| missing(*t).is_empty();
            return Err(match (start..rows).chain(0..start).find(complete) {
                Some(row) => error.with_hint(format!("row {row} is complete: --start {row}")),
                None => error.with_hint("no row of it is complete; choose one with most values"),
            });
        }
        if asked.is_none() && start > 0 {
            log::warn!(
                "row 0 of {name} is not complete: the run starts from row {start} (--start chooses another)"
            );
        }
        if !gaps.is_empty() {
            let labels: Vec<_> = gaps.iter().map(|&j| self.label(j)).collect();
            log::warn!(
                "row {start} (counted from 0): {} has no value there and starts at {}",
                labels.join(", "),
                if self.scaling.is_some() {
                    "the mean (0 in the model's units)"
                } else {
                    "0"
                }
            );
        }
        Ok(start)
    }

    /// The free run from row `start` of the first trial, by default to the end of the data.
    ///
    /// # Errors
    /// When the inputs end before the run does.
    pub fn free_run(&self, start: usize, steps: Option<usize>) -> Result<FreeRun> {
        let trial = self.trials.first().expect("a dataset has a trial");
        let rows = trial.x.nrows();
        let steps = steps.unwrap_or(rows - 1 - start);
        let K = trial.s.ncols();
        let inputs = if K == 0 {
            Array2::zeros((0, 0))
        } else if steps < rows - start {
            trial.s.slice(s![start..=start + steps, ..]).mapv(|v| v as f32)
        } else {
            return Err(Error::input(format!(
                "--steps {steps}: the inputs of {} end {} steps after row {start}",
                trial.name,
                rows - 1 - start
            ))
            .with_hint("give longer inputs, or use fewer --steps"));
        };
        Ok(FreeRun {
            x0: trial.x.row(start).iter().map(|&v| v as f32).collect(),
            s: inputs,
            steps,
        })
    }
}
