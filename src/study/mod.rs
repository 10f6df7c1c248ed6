//! A study: the grid of settings × seeds, grouped into ensembles of equal shape.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::collections::HashMap;

use crate::backend::{Member, Plan};
use crate::config::{AXES, Hyperparameters, Settings};
use crate::error::{Error, Result};
use crate::model::{Dims, Shape};

/// Most members one study may have.
const MAX_MEMBERS: usize = 1_000_000;

/// One model of a study: a point of the grid with a seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// `m000`, `m001`, … in grid order.
    pub id: String,
    pub shape: Shape,
    pub settings: Hyperparameters,
}

/// All models of a study in grid order (seeds vary fastest), and how they are trained together.
#[derive(Clone, Debug, PartialEq)]
pub struct Study {
    pub candidates: Vec<Candidate>,
    /// Indices into `candidates` of the members of each ensemble.
    pub groups: Vec<(Shape, Vec<usize>)>,
}

impl Study {
    /// Spreads the settings into members for data of `N` columns and `K` inputs.
    ///
    /// # Errors
    /// When a combination is impossible (`M < N`, `P > M`, a shape out of bounds) or there are too many.
    pub fn new(settings: &Settings, N: usize, K: usize) -> Result<Self> {
        let total = size(settings);
        if total > MAX_MEMBERS {
            return Err(Error::input(format!(
                "the grid has {total} members; at most {MAX_MEMBERS} are possible"
            ))
            .with_hint(format!("shorten a list or a range: {}", lists(settings))));
        }
        if let Some(shard) = settings.shard.filter(|shard| shard.count() > total) {
            return Err(Error::input(format!(
                "--shard {shard}: the study has {total} members, fewer than that many parts"
            ))
            .with_hint("use fewer parts"));
        }
        let width = (total - 1).to_string().len().max(3);
        let mut candidates = Vec::new();
        for (i, point) in settings.grid().into_iter().enumerate() {
            let shape = Shape::new(Dims::new(point.M, N, K)?, point.batch_size, point.T)?;
            if settings.shard.is_none_or(|shard| shard.holds(i)) {
                candidates.push(Candidate {
                    id: format!("m{i:0width$}"),
                    shape,
                    settings: point,
                });
            }
        }
        Ok(Self::group(candidates))
    }

    /// The study of just these members; shapes that several of them share become one ensemble.
    pub fn group(candidates: Vec<Candidate>) -> Self {
        let mut groups: Vec<(Shape, Vec<usize>)> = Vec::new();
        let mut known: HashMap<Shape, usize> = HashMap::new();
        for (i, candidate) in candidates.iter().enumerate() {
            let group = *known.entry(candidate.shape).or_insert(groups.len());
            if group == groups.len() {
                groups.push((candidate.shape, Vec::new()));
            }
            groups[group].1.push(i);
        }
        Self { candidates, groups }
    }

    /// The plan of one ensemble.
    pub fn plan(&self, group: usize, settings: &Settings) -> Plan {
        let (shape, indices) = &self.groups[group];
        Plan {
            shape: *shape,
            members: indices
                .iter()
                .map(|&i| Member::from(&self.candidates[i].settings))
                .collect(),
            optimizer: settings.optimizer,
            epochs: settings.epochs,
            batches_per_epoch: settings.batches_per_epoch,
            form: settings.form,
        }
    }
}

/// Members of the whole study, all its parts together; `usize::MAX` where there are more than can be counted.
pub fn size(settings: &Settings) -> usize {
    AXES.iter()
        .fold(1, |product, axis| product.saturating_mul(axis.len(settings)))
}

/// The flags that span the grid and how many values each has, for a message.
pub fn lists(settings: &Settings) -> String {
    let lengths = AXES.iter().map(|axis| (axis.name, axis.len(settings)));
    let texts: Vec<String> = lengths
        .filter(|(_, length)| *length > 1)
        .map(|(flag, length)| format!("--{flag} ({length} values)"))
        .collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        crate::config::resolve(None, format!("data = ['x']\n{text}").parse().expect("TOML")).expect("valid")
    }

    #[test]
    fn spreads_the_grid_with_seeds_fastest_and_groups_by_shape() {
        let study = Study::new(&settings("M = '10,20'\nP = '0..2'\nseeds = 4"), 3, 0).expect("valid");
        assert_eq!(study.candidates.len(), 24);
        assert_eq!(study.candidates[5].id, "m005");
        assert_eq!(
            (study.candidates[5].settings.P, study.candidates[5].settings.seed),
            (1, 1)
        );
        assert_eq!(study.groups.len(), 2);
        assert_eq!(study.groups[1].1, (12..24).collect::<Vec<_>>());
    }

    #[test]
    fn refuses_models_smaller_than_the_data() {
        let error = Study::new(&settings("M = 4\nP = 2"), 5, 0).expect_err("M < N");
        assert!(error.to_string().contains("M = 4"), "{error}");
    }

    #[test]
    fn counts_before_it_builds() {
        let huge = settings("M = '20..256'\nT = '1..100000'\nbatch-size = '1..256'\nseeds = 100000");
        assert_eq!(size(&huge), 237 * 100_000 * 256 * 100_000);
        let error = Study::new(&huge, 3, 0).expect_err("too many");
        assert!(
            error
                .to_string()
                .contains("606720000000000 members; at most 1000000"),
            "{error}"
        );
        assert!(
            error
                .hint()
                .is_some_and(|hint| hint.contains("--T (100000 values)")),
            "{error:?}"
        );
        let list = "'1..100000'";
        let beyond = settings(&format!(
            "M = {list}\nT = {list}\ntau = {list}\nseeds = 100000\nP = 1"
        ));
        assert_eq!(size(&beyond), usize::MAX);
    }

    #[test]
    fn a_million_shapes_are_grouped_at_once() {
        let many = settings("M = '20..256'\nT = '1..100'\nbatch-size = '1..40'");
        let study = Study::new(&many, 3, 0).expect("fewer than the most");
        assert_eq!(study.groups.len(), 237 * 100 * 40);
    }
}
