//! Learn, reduce, retrain: models of more ReLUs than needed find the dynamics more reliably; those of fewer are made of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::certificate::{Found, Reduced, Vote};
use super::judge::{Judge, JudgedModel};
use super::retrain::{Parent, retrain};
use crate::backend::open_checked;
use crate::config::{Grid, Settings};
use crate::error::{Error, Result};
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

/// Reduces the models of the study's largest `P` that succeed, lets them vote for a number of ReLUs, retrains those
/// that come down to it (see [`retrain`]) and polishes them in a run folder of their own, `out`; one that is there already is
/// finished and judged. `None` where `stop` was set.
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
    let reductions: Vec<_> = parents
        .iter()
        .filter_map(|parent| Some((*parent, parent.reading.as_ref()?.reductions().best)))
        .collect();
    let votes = votes(reductions.iter().map(|(_, best)| (best[0].symbols, best[0].P)));
    let mut outcome = Outcome {
        reduced: Reduced {
            parents: reductions.len(),
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
        let agreeing = reductions.into_iter().filter(|(_, best)| best[0].P == winner);
        let parents: Vec<Parent> = agreeing
            .map(|(parent, reductions)| {
                Ok(Parent {
                    model: Model::load(&parent.file)?,
                    seed: parent.row.settings.seed,
                    reductions,
                })
            })
            .collect::<Result<_>>()?;
        if !make(&parents, run, data, out, stop, observer)? {
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

/// By falling count; of equal ones the fewest symbols first, then the fewest ReLUs.
fn votes(results: impl Iterator<Item = (usize, usize)>) -> Vec<Vote> {
    let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    results.for_each(|result| *counts.entry(result).or_default() += 1);
    let mut votes: Vec<Vote> = (counts.into_iter())
        .map(|((symbols, P), parents)| Vote { symbols, P, parents })
        .collect();
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

/// Retrains and polishes; `false` where `stop` was set.
fn make(
    parents: &[Parent],
    run: &Run,
    data: &Data,
    out: &Path,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<bool> {
    let settings = settings(parents, &run.settings)?;
    let backend = open_checked(settings.backend, settings.device.as_deref())?;
    let trial = (data.training.trials.first()).ok_or_else(|| Error::input("there are no data"))?;
    let x0 = trial.x.row(trial.start()).to_vec();
    let models = retrain(parents, &x0, EPOCHS, backend.as_ref(), &mut |epoch| {
        observer.retrained(epoch, EPOCHS);
        !stop.load(Ordering::Relaxed)
    })?;
    let Some(models) = models else { return Ok(false) };
    let outcome = train::polish(&settings, data, &models, out, stop, observer)?;
    Ok(outcome.ending != Ending::Interrupted)
}

/// The study of the reduced models.
fn settings(parents: &[Parent], study: &Settings) -> Result<Settings> {
    let seeds: Vec<String> = parents.iter().map(|parent| parent.seed.to_string()).collect();
    // A single seed would be a count.
    let seeds = format!("{},", seeds.join(","));
    Ok(Settings {
        P: Grid::one(parents[0].reductions[0].P),
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

    #[test]
    fn most_votes_win_then_fewest_symbols() {
        let found = votes([(5, 3), (4, 2), (5, 3), (4, 2), (6, 3)].into_iter());
        let order: Vec<_> = found.iter().map(|v| (v.symbols, v.P, v.parents)).collect();
        assert_eq!(order, [(4, 2, 2), (5, 3, 2), (6, 3, 1)]);
        assert_eq!(elected(&found), Some(3), "three of five");
        assert_eq!(elected(&votes([(4, 2), (6, 3)].into_iter())), Some(2));
        assert_eq!(elected(&[]), None);
    }
}
