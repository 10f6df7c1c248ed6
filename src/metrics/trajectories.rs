//! Scores of trajectories that any program made.

use ndarray::{ArrayView2, s};

use super::columns::{only, views};
use super::gaps::at_rows;
use super::{Scorer, Scores, Spectra};
use crate::error::{Error, Result};

impl Scorer {
    /// All scores but PE, which needs a model (NaN), of a trajectory `[_, N]` in the units of the scored data, or of one
    /// trajectory for each of their trials. `name` is what messages call them.
    ///
    /// Several trajectories belong to the trials in their order; a single one is compared with every trial, and with a
    /// single trial every trajectory. Lengths may differ: D_stsp compares densities, of all rows; D_H and roughness
    /// compare the rows that both have, counted from the start of the trial
    /// ([`Trial::start`](crate::dataset::Trial::start)), or from row 0 for a trajectory as long as the whole trial. The
    /// gaps of a trial are also those of its trajectory, except in the D_stsp of one trajectory for several trials.
    ///
    /// # Errors
    /// When there are several trials and several trajectories, but not as many. Panics unless each has `N` columns.
    pub fn score_trajectories(&self, name: &str, generated: &[ArrayView2<'_, f64>]) -> Result<Scores> {
        let pairs = pairs(name, self.trials.len(), generated.len())?;
        let N = self.free_runs[0].x0.len();
        assert!(
            generated.iter().all(|run| run.ncols() == N),
            "columns of a trajectory"
        );
        let generated: Vec<_> = generated.iter().map(|run| only(*run, &self.columns)).collect();
        let generated = views(&generated);
        let (mut states, mut data, mut runs) = (Vec::new(), Vec::new(), Vec::new());
        for &(r, j) in &pairs {
            let (trial, start) = (&self.trials[r], self.starts[r]);
            // From the start of the trial on.
            let whole = generated[j].nrows() == start + trial.nrows();
            let run = generated[j].slice_move(s![if whole { start } else { 0 }.., ..]);
            states.push(at_rows(run, self.complete[r].as_deref(), trial.nrows()));
            let rows = trial.nrows().min(run.nrows());
            data.push(trial.slice(s![..rows, ..]));
            runs.push(run.slice_move(s![..rows, ..]));
        }
        if generated.len() < pairs.len() {
            states = generated.iter().map(|run| run.view().into()).collect();
        }
        let spectra = Spectra::new(&data, self.settings.smoothing);
        Ok(self.compare(&states, &data, &runs, &spectra))
    }
}

/// Which trial (first) each trajectory (second) is compared with.
fn pairs(name: &str, trials: usize, trajectories: usize) -> Result<Vec<(usize, usize)>> {
    match (trials, trajectories) {
        (_, 1) => Ok((0..trials).map(|r| (r, 0)).collect()),
        (1, _) => Ok((0..trajectories).map(|j| (0, j)).collect()),
        _ if trials == trajectories => Ok((0..trials).map(|r| (r, r)).collect()),
        _ => Err(Error::input(format!(
            "{name} holds {trajectories} trajectories where the data have {trials} trials"
        ))
        .with_hint("give one trajectory for each trial, in the same order, or a single one")),
    }
}
