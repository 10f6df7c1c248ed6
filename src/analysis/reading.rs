//! What models of the same data are compared by.

use std::collections::{BTreeMap, HashSet};

use ndarray::s;
use serde::Serialize;

use super::analyze::{Attractor, attractor, start_state};
use super::encode::encode;
use super::fixed_points::{FixedPoint, fixed_points};
use super::free_run::{ModelRun, free_run, settled_period};
use super::input::{AnalysisInput, AnalysisSettings};
use super::lyapunov::lyapunov;
use super::map::Map;
use super::reduce::{Reductions, reductions};
use super::symbols::{Code, Codebook};
use crate::dataset::{Trial, range};
use crate::error::Result;
use crate::model::Bounds;

/// Rows encoded at most, the first of the data.
const ROWS: usize = 20_000;
/// Regions of fewer rows are no nodes of the graph, transitions that are fewer of a region's exits no edges: where exactly
/// a border lies decides about them.
const NODE: f64 = 0.02;
const EDGE: f64 = 0.05;
/// The data's ranges, widened by this share of them at each end, is where the data reach.
const REACH: f64 = 0.1;

/// The code that a model gives the data, and what it does by itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    pub P: usize,
    /// Code of each symbol, by falling share of the rows.
    #[serde(skip)]
    pub codes: Vec<Code>,
    /// Rows of each symbol.
    pub counts: Vec<u64>,
    /// One symbol a row of the data (see [`super::analyze()`] for how rows are encoded), the first 20,000 rows.
    #[serde(skip)]
    pub symbols: Vec<u32>,
    /// Rows of each trial among them.
    #[serde(skip)]
    pub lengths: Vec<usize>,
    /// Transition graph of the rows.
    pub graph: Graph,
    /// Real fixed points in regions that the free run, or the data, visit, where the data reach: of those beyond the data say
    /// nothing.
    pub fixed_points: Vec<FixedPoint>,
    /// Where the free run ends up.
    pub attractor: Attractor,
}

/// Which regions follow each other along the data: regions that hold at least 2 % of the rows, and transitions from one to
/// the next of these that make up at least 5 % of a region's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// Symbols, ascending.
    pub nodes: Vec<u32>,
    /// From one symbol to another, ascending.
    pub edges: Vec<(u32, u32)>,
}

impl Reading {
    /// Reads a model beside data, which are to be there, in its units.
    ///
    /// # Errors
    /// As [`super::analyze()`].
    pub fn of(input: &AnalysisInput<'_>) -> Result<Self> {
        input.check()?;
        let data = leading(input.data);
        let input = &AnalysisInput {
            data: &data,
            ..*input
        };
        let settings = AnalysisSettings {
            transient: 2_000,
            max_period: 1,
            lyapunov_steps: 10_000,
            ..AnalysisSettings::with_steps(20_000)
        };
        let (theta, P) = (input.theta, input.P);
        let constant = input
            .input
            .map_or_else(|| vec![0.0; theta.dims().K], <[f64]>::to_vec);
        let map = Map::new(theta, P, &constant);
        let bounds = Bounds::around(data.iter().flat_map(|trial| &trial.x));
        let run = free_run(&map, &start_state(input, settings.seed), &settings, bounds);
        let encoded = encode(input, settings.forcing_interval, bounds).unwrap_or_default();
        let mut book = Codebook::default();
        let mut symbols: Vec<u32> = encoded.codes.iter().map(|&code| book.number(code)).collect();
        let counts = book.sort_by_count(&mut symbols);
        let model = ModelRun {
            map: &map,
            run: &run,
            settings: &settings,
            N: theta.dims().N,
            scaling: input.scaling,
        };
        let visited: HashSet<String> = (run.book.codes.iter().chain(&book.codes))
            .map(|code| code.text(P))
            .collect();
        let reach = reach(input.data);
        let counts_for = |point: &FixedPoint| {
            let reached = point
                .z
                .iter()
                .zip(&reach)
                .all(|(z, (low, high))| (low..=high).contains(&z));
            point.real && visited.contains(&point.code) && reached
        };
        let points = fixed_points(model, &book.codes).points.into_iter();
        let (settled, spectrum) = match run.diverged_at {
            None => (
                settled_period(&map, &run.last, 1_000),
                lyapunov(&map, &run.last, &settings),
            ),
            Some(_) => (None, None),
        };
        let lengths: Vec<usize> = data.iter().map(|trial| trial.x.nrows()).collect();
        Ok(Self {
            P,
            graph: Graph::of(&symbols, &lengths, &counts),
            fixed_points: points.filter(counts_for).collect(),
            attractor: attractor(&run, settled, spectrum.as_ref()),
            codes: book.codes,
            counts,
            symbols,
            lengths,
        })
    }
}

impl Reading {
    /// Which ReLU units may be made linear, by the symbols of the data.
    pub fn reductions(&self) -> Reductions {
        let mut first = 0;
        let trials = self.lengths.iter().map(|rows| {
            first += rows;
            &self.symbols[first - rows..first]
        });
        let holders = self.fixed_points.iter().map(|point| point.code.as_str());
        reductions(&self.codes, &trials.collect::<Vec<_>>(), holders, self.P)
    }
}

/// See [`REACH`]; by column.
fn reach(trials: &[Trial]) -> Vec<(f64, f64)> {
    let columns = trials.first().map_or(0, |trial| trial.x.ncols());
    let of = |j: usize| {
        let values = trials.iter().flat_map(|trial| trial.x.column(j)).copied();
        let (low, high) = range(values.filter(|v| !v.is_nan()));
        let beyond = REACH * (high - low);
        (low - beyond, high + beyond)
    };
    (0..columns).map(of).collect()
}

/// The first rows of the trials, all together at most [`ROWS`].
fn leading(trials: &[Trial]) -> Vec<Trial> {
    let mut left = ROWS;
    let mut first = Vec::new();
    for trial in trials {
        let rows = trial.x.nrows().min(left);
        left -= rows;
        if rows > 0 {
            first.push(Trial {
                name: trial.name.clone(),
                x: trial.x.slice(s![..rows, ..]).to_owned(),
                s: trial.s.slice(s![..rows, ..]).to_owned(),
            });
        }
    }
    first
}

impl Graph {
    /// Of rows of symbols, trial by trial.
    fn of(symbols: &[u32], lengths: &[usize], counts: &[u64]) -> Self {
        let least = NODE * symbols.len() as f64;
        let is_node = |&symbol: &u32| counts[symbol as usize] as f64 >= least;
        let nodes: Vec<u32> = (0..counts.len() as u32).filter(is_node).collect();
        let mut exits: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        let mut first = 0;
        for rows in lengths {
            let trial = &symbols[first..first + rows];
            first += rows;
            let kept: Vec<u32> = trial.iter().copied().filter(|symbol| is_node(symbol)).collect();
            for pair in kept.windows(2).filter(|pair| pair[0] != pair[1]) {
                *exits.entry((pair[0], pair[1])).or_default() += 1;
            }
        }
        let all = |from: u32| -> u64 {
            exits
                .iter()
                .filter(|((f, _), _)| *f == from)
                .map(|(_, n)| n)
                .sum()
        };
        let often = |((from, _), n): &(&(u32, u32), &u64)| **n as f64 >= EDGE * all(*from) as f64;
        Self {
            edges: exits.iter().filter(often).map(|(edge, _)| *edge).collect(),
            nodes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Region 3 is rare, so it is passed over; 2 follows 0 once in a hundred times.
    #[test]
    fn what_is_rare_is_no_part_of_the_graph() {
        let mut symbols = Vec::new();
        for turn in 0..100 {
            symbols.extend([0, 0, 0]);
            symbols.extend(if turn == 7 { vec![3, 2, 2] } else { vec![1, 1, 1] });
            symbols.extend(if turn % 2 == 0 { vec![2, 2] } else { vec![1, 1] });
        }
        let mut counts = vec![0; 4];
        symbols.iter().for_each(|&s: &u32| counts[s as usize] += 1);
        let graph = Graph::of(&symbols, &[symbols.len()], &counts);
        assert_eq!(graph.nodes, [0, 1, 2]);
        assert_eq!(graph.edges, [(0, 1), (1, 0), (1, 2), (2, 0)]);
        // No transition leads from one trial to the next.
        let apart = Graph::of(&[0, 0, 1, 1], &[2, 2], &[2, 2]);
        assert_eq!((apart.nodes, apart.edges), (vec![0, 1], vec![]));
    }
}
