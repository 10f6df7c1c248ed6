//! Learn, reduce, polish: models of more ReLUs than needed find the dynamics more reliably; those of fewer are made of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::certificate::{Found, Reduced, Vote};
use super::judge::{Judge, JudgedModel};
use super::recoded::{Recoded, recoded};
use super::retrain::{Parent, retrain};
use crate::analysis::Reduction;
use crate::backend::{Backend, open_checked};
use crate::config::{Grid, Settings};
use crate::error::{Error, Result};
use crate::metrics::{ScoreSettings, Scorer};
use crate::model::Model;
use crate::run::{Run, RunFolder};
use crate::train::{self, Data, Ending, Observer, Place};

/// Epochs of retraining, and generations of polishing after it where the study itself has none.
const EPOCHS: u32 = 500;
const GENERATIONS: u32 = 250;
/// Models reduced at most, the best ones.
const PARENTS: usize = 30;

/// What came of it.
pub struct Outcome {
    pub reduced: Reduced,
    pub found: Option<Found>,
}

/// A model to reduce, and what it comes down to.
struct Plan {
    model: Model,
    seed: u32,
    /// Sets of units, any of which may be made linear.
    linear: Vec<Reduction>,
    /// Made with fewer ReLUs than these leave.
    recoded: Option<Recoded>,
}

impl Plan {
    fn P(&self) -> usize {
        self.recoded.as_ref().map_or(self.linear[0].P, |made| made.P)
    }

    fn symbols(&self) -> usize {
        self.recoded
            .as_ref()
            .map_or(self.linear[0].symbols, |made| made.symbols)
    }
}

/// Reduces the models of the study's largest `P` that succeed, lets them vote for a number of ReLUs, makes models of those
/// that come down to it (with hinges of their own, or see [`retrain`]) and polishes them in a run folder of their own, `out`;
/// one that is there already is finished and judged. `None` where `stop` was set.
///
/// # Errors
/// As [`retrain`] and [`train::polish`].
pub fn reduce(
    judge: &Judge,
    run: &Run,
    data: &Data,
    out: &Path,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Option<Outcome>> {
    let mut parents = judge.parents();
    parents.sort_by(|a, b| a.dstsp().total_cmp(&b.dstsp()));
    parents.truncate(PARENTS);
    let parent_P = parents.first().map_or(0, |parent| parent.row.settings.P);
    let backend = open_checked(run.settings.backend, run.settings.device.as_deref())?;
    let Some(plans) = plans(&parents, run, data, backend.as_ref(), stop, observer)? else {
        return Ok(None);
    };
    let votes = votes(&plans);
    let mut outcome = Outcome {
        reduced: Reduced {
            parents: plans.len(),
            parent_P,
            votes: votes.clone(),
            size: None,
        },
        found: None,
    };
    let Some(winner) = elected(&votes).filter(|&P| P < parent_P) else {
        return Ok(Some(outcome));
    };
    if RunFolder::open(out).is_err() {
        let agreeing: Vec<Plan> = plans.into_iter().filter(|plan| plan.P() == winner).collect();
        if !make(&agreeing, run, data, backend.as_ref(), out, stop, observer)? {
            return Ok(None);
        }
    }
    let mut made = Run::read(out)?;
    if !made.is_finished() {
        let place = Place::Resume(out.to_path_buf());
        if train::run_on(&made.settings, data, &place, stop, observer)?.ending == Ending::Interrupted {
            return Ok(None);
        }
        made = Run::read(out)?;
    }
    let models = judge.read(&made, data)?;
    let models: Vec<&JudgedModel> = models.iter().collect();
    outcome.reduced.size = Some(judge.size(&models));
    outcome.found = judge.found(&models, true);
    Ok(Some(outcome))
}

/// What the parents come down to; `None` where `stop` was set.
fn plans(
    parents: &[&JudgedModel],
    run: &Run,
    data: &Data,
    backend: &dyn Backend,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Option<Vec<Plan>>> {
    let scorer = Scorer::new(&data.training, ScoreSettings::from(&run.settings))?;
    let x0 = first_row(data)?;
    let mut plans = Vec::new();
    for parent in parents {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let Some(reading) = &parent.reading else { continue };
        let model = Model::load(&parent.file)?;
        let linear = reading.reductions().best;
        plans.push(Plan {
            recoded: recoded(&model, reading, &linear, &x0, &scorer, backend)?,
            seed: parent.row.settings.seed,
            model,
            linear,
        });
        observer.reduced(plans.len(), parents.len());
    }
    Ok(Some(plans))
}

/// By falling count; of equal ones the fewest symbols first, then the fewest ReLUs.
fn votes(plans: &[Plan]) -> Vec<Vote> {
    let mut counts: BTreeMap<(usize, usize), (usize, usize)> = BTreeMap::new();
    for plan in plans {
        let (parents, recoded) = counts.entry((plan.symbols(), plan.P())).or_default();
        *parents += 1;
        *recoded += usize::from(plan.recoded.is_some());
    }
    let vote = |((symbols, P), (parents, recoded))| Vote {
        symbols,
        P,
        parents,
        recoded,
    };
    let mut votes: Vec<Vote> = counts.into_iter().map(vote).collect();
    votes.sort_by_key(|vote| std::cmp::Reverse(vote.parents));
    votes
}

/// The number of ReLUs that most models come to, whatever their symbols; of equal ones the fewest.
fn elected(votes: &[Vote]) -> Option<usize> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    votes
        .iter()
        .for_each(|vote| *counts.entry(vote.P).or_default() += vote.parents);
    let most = counts.into_iter().rev().max_by_key(|&(_, parents)| parents);
    most.map(|(P, _)| P)
}

/// Where the models' free runs start.
fn first_row(data: &Data) -> Result<Vec<f64>> {
    let trial = (data.training.trials.first()).ok_or_else(|| Error::input("there are no data"))?;
    Ok(trial.x.row(trial.start()).to_vec())
}

/// Makes the models, which all have as many ReLUs, and polishes them; `false` where `stop` was set.
fn make(
    plans: &[Plan],
    run: &Run,
    data: &Data,
    backend: &dyn Backend,
    out: &Path,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<bool> {
    let settings = settings(plans, &run.settings)?;
    let parents: Vec<Parent> = (plans.iter().filter(|plan| plan.recoded.is_none()))
        .map(|plan| Parent {
            model: plan.model.clone(),
            reductions: plan.linear.clone(),
            seed: plan.seed,
        })
        .collect();
    let retrained = retrain(&parents, &first_row(data)?, EPOCHS, backend, &mut |epoch| {
        observer.retrained(epoch, EPOCHS);
        !stop.load(Ordering::Relaxed)
    })?;
    let Some(retrained) = retrained else {
        return Ok(false);
    };
    let mut retrained = retrained.into_iter();
    let model = |plan: &Plan| match &plan.recoded {
        None => retrained.next().flatten(),
        Some(made) => Some(Model {
            theta: made.theta.clone(),
            P: made.P,
            ..plan.model.clone()
        }),
    };
    let models: Vec<Option<Model>> = plans.iter().map(model).collect();
    let outcome = train::polish(&settings, data, &models, out, stop, observer)?;
    Ok(outcome.ending != Ending::Interrupted)
}

/// The study of the reduced models.
fn settings(plans: &[Plan], study: &Settings) -> Result<Settings> {
    let seeds: Vec<String> = plans.iter().map(|plan| plan.seed.to_string()).collect();
    // A single seed would be a count.
    let seeds = format!("{},", seeds.join(","));
    Ok(Settings {
        P: Grid::one(plans[0].P()),
        seeds: seeds.parse().map_err(Error::input)?,
        polish: if study.polish > 0 {
            study.polish
        } else {
            GENERATIONS
        },
        shard: None,
        ..study.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Dims, Theta};

    fn plan(symbols: usize, P: usize, recoded: Option<Recoded>) -> Plan {
        let theta = Theta::zeros(Dims { M: 5, N: 1, K: 0 });
        Plan {
            model: Model {
                theta,
                P: 4,
                scaling: None,
                dt: None,
                columns: None,
                input_columns: None,
            },
            seed: 0,
            linear: vec![Reduction {
                linear: Vec::new(),
                P,
                symbols,
            }],
            recoded,
        }
    }

    #[test]
    fn most_votes_win_then_fewest_symbols() {
        let made = Recoded {
            theta: Theta::zeros(Dims { M: 5, N: 1, K: 0 }),
            P: 3,
            symbols: 5,
        };
        let recoded = plan(6, 4, Some(made));
        let plans = [
            recoded,
            plan(4, 2, None),
            plan(5, 3, None),
            plan(4, 2, None),
            plan(6, 3, None),
        ];
        let found = votes(&plans);
        let order: Vec<_> = found
            .iter()
            .map(|v| (v.symbols, v.P, v.parents, v.recoded))
            .collect();
        assert_eq!(order, [(4, 2, 2, 0), (5, 3, 2, 1), (6, 3, 1, 0)]);
        assert_eq!(elected(&found), Some(3), "three of five");
        assert_eq!(elected(&votes(&[plan(4, 2, None), plan(6, 3, None)])), Some(2));
        assert_eq!(elected(&[]), None);
    }
}
