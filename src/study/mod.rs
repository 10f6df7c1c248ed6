//! A study: the grid of settings × seeds, grouped into ensembles of equal shape.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::collections::HashMap;

use crate::backend::{Member, Plan};
use crate::config::Settings;
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
    pub member: Member,
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
        let mut shapes = Vec::new();
        for &M in settings.M.values() {
            for &T in settings.T.values() {
                for &S in settings.batch_size.values() {
                    shapes.push(Shape::new(Dims::new(M, N, K)?, S, T)?);
                }
            }
        }
        let members = members(settings);
        let width = (total - 1).to_string().len().max(3);
        let candidates: Vec<Candidate> = shapes
            .iter()
            .flat_map(|&shape| members.iter().map(move |member| (shape, member.clone())))
            .enumerate()
            .filter(|&(i, _)| settings.shard.is_none_or(|shard| shard.holds(i)))
            .map(|(i, (shape, member))| Candidate {
                id: format!("m{i:0width$}"),
                shape,
                member,
            })
            .collect();
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
                .map(|&i| self.candidates[i].member.clone())
                .collect(),
            optimizer: settings.optimizer,
            epochs: settings.epochs,
            batches_per_epoch: settings.batches_per_epoch,
            form: settings.form,
        }
    }
}

/// Lengths of the axes of the grid, by flag.
fn axes(settings: &Settings) -> [(&'static str, usize); 13] {
    [
        ("M", settings.M.values().len()),
        ("T", settings.T.values().len()),
        ("batch-size", settings.batch_size.values().len()),
        ("P", settings.P.values().len()),
        ("tau", settings.tau.values().len()),
        ("alpha", settings.alpha.values().len()),
        ("noise", settings.noise.values().len()),
        ("start-lr", settings.start_lr.values().len()),
        ("end-lr", settings.end_lr.values().len()),
        ("clip", settings.clip.values().len()),
        ("lambda-lat", settings.lambda_lat.values().len()),
        ("lambda-obs", settings.lambda_obs.values().len()),
        ("seeds", settings.seeds.values().len()),
    ]
}

/// Members of the whole study, all its parts together; `usize::MAX` where there are more than can be counted.
pub fn size(settings: &Settings) -> usize {
    axes(settings)
        .iter()
        .fold(1, |product, (_, length)| product.saturating_mul(*length))
}

/// The flags that span the grid and how many values each has, for a message.
pub fn lists(settings: &Settings) -> String {
    let long = axes(settings).into_iter().filter(|(_, length)| *length > 1);
    let texts: Vec<String> = long
        .map(|(flag, length)| format!("--{flag} ({length} values)"))
        .collect();
    texts.join(", ")
}

/// Every combination of the settings that may differ within one shape.
fn members(settings: &Settings) -> Vec<Member> {
    let first = Member {
        seed: 0,
        P: 0,
        tau: 1,
        alpha: 1.0,
        noise: 0.0,
        start_lr: 0.0,
        end_lr: 0.0,
        lambda_lat: 0.0,
        lambda_obs: 0.0,
        clip: None,
    };
    let mut members = vec![first];
    spread(&mut members, settings.P.values(), |m, v| m.P = v);
    spread(&mut members, settings.tau.values(), |m, v| m.tau = v);
    spread(&mut members, settings.alpha.values(), |m, v| m.alpha = v);
    spread(&mut members, settings.noise.values(), |m, v| m.noise = v);
    spread(&mut members, settings.start_lr.values(), |m, v| m.start_lr = v);
    spread(&mut members, settings.end_lr.values(), |m, v| m.end_lr = v);
    spread(&mut members, settings.clip.values(), |m, v| {
        m.clip = (v > 0.0).then_some(v)
    });
    spread(&mut members, settings.lambda_lat.values(), |m, v| {
        m.lambda_lat = v
    });
    spread(&mut members, settings.lambda_obs.values(), |m, v| {
        m.lambda_obs = v
    });
    spread(&mut members, settings.seeds.values(), |m, v| m.seed = v);
    members
}

fn spread<V: Copy>(members: &mut Vec<Member>, values: &[V], set: impl Fn(&mut Member, V)) {
    *members = members
        .iter()
        .flat_map(|member| {
            values.iter().map(|&value| {
                let mut member = member.clone();
                set(&mut member, value);
                member
            })
        })
        .collect();
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
            (study.candidates[5].member.P, study.candidates[5].member.seed),
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
