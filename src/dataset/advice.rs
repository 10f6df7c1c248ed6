//! Warnings of data that read well and would be learnt badly.

use ndarray::ArrayView1;

use crate::dataset::clock::{is_clock, is_time_name};
use crate::dataset::precision::{TooFine, too_fine};
use crate::dataset::{Dataset, Trial};

impl Dataset {
    /// Warns of every column that is a clock, by its name or by its even steps, and says how to leave it out.
    pub fn warn_of_clocks(&self) {
        for j in 0..self.N {
            let called = self.columns.as_ref().is_some_and(|names| is_time_name(&names[j]));
            let columns = self.trials.iter().map(|trial| trial.x.column(j));
            let judged: Vec<bool> = columns.filter_map(is_clock).collect();
            let even = !judged.is_empty() && judged.iter().all(|&clock| clock);
            if !called && !even {
                continue;
            }
            let why = if even {
                "goes one way in even steps"
            } else {
                "is called so"
            };
            log::warn!(
                "{} seems to be a clock ({why}) and would be learnt as a variable; leave it out with --drop {}",
                self.label(j),
                self.drop_argument(j)
            );
        }
    }

    /// Warns where columns, as they stand (standardised or not), vary too little at their offset for f32, in which
    /// models are trained and run.
    pub fn warn_of_offsets(&self) {
        let column = |j| too_fine(&self.observed(|trial| trial.x.column(j)));
        let columns = (0..self.N).map(|j| (self.label(j), column(j)));
        warn(columns, "--standardize in training keeps what varies");
        let input = |k| too_fine(&self.observed(|trial| trial.s.column(k)));
        let inputs = (0..self.K).map(|k| (self.input_label(k), input(k)));
        warn(inputs, "subtract their mean from the inputs");
    }

    /// The observed values of one column, of all trials.
    fn observed<'a>(&'a self, column: impl Fn(&'a Trial) -> ArrayView1<'a, f64>) -> Vec<f64> {
        let values = self.trials.iter().flat_map(|trial| column(trial).into_iter());
        values.copied().filter(|v| !v.is_nan()).collect()
    }

    fn input_label(&self, k: usize) -> String {
        match &self.input_columns {
            Some(names) => format!("input {} ({})", k + 1, names[k]),
            None => format!("input {}", k + 1),
        }
    }

    /// What to give `--drop` for column `j`: its name where it has one of its own, as a shell takes it, else its place.
    fn drop_argument(&self, j: usize) -> String {
        let own = |names: &'_ Vec<String>| {
            let name = names.get(j)?;
            let alone = !name.is_empty() && names.iter().filter(|other| *other == name).count() == 1;
            (alone && !name.starts_with('-')).then(|| name.clone())
        };
        let Some(name) = self.columns.as_ref().and_then(own) else {
            return self.places[j].to_string();
        };
        if name.chars().all(|c| c.is_alphanumeric() || "_.".contains(c)) {
            name
        } else {
            format!("'{}'", name.replace('\'', r"'\''"))
        }
    }
}

fn warn(columns: impl Iterator<Item = (String, Option<TooFine>)>, advice: &str) {
    let mut fine = columns.filter_map(|(label, fine)| Some((label, fine?)));
    let Some((label, one)) = fine.next() else {
        return;
    };
    let TooFine {
        mean,
        deviation,
        step,
    } = one;
    let others: Vec<String> = fine.map(|(label, _)| label).collect();
    let others = match others.len() {
        0 => String::new(),
        1..=5 => format!(" (and so for {})", others.join(", ")),
        n => format!(" (and so for {n} others)"),
    };
    log::warn!(
        "{label} varies by {deviation:.3e} about {mean:.6e}, where single precision, in which models are computed, has \
         steps of {step:.3e}{others}: {advice}"
    );
}
