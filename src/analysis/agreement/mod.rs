//! Whether models of one system agree: the same code of the same data up to names, the same graph, the same fixed points.

mod consensus;
mod information;
mod matching;
mod text;

use std::collections::HashMap;

use ndarray::Array2;
use rayon::prelude::*;
use serde::Serialize;

use super::reading::{Graph, Reading};
use crate::stats::quantile;
pub use consensus::{ConsensusEdge, ConsensusNode, SharedPoint, has_all, shared_points};
use consensus::{edges, nodes};
use information::adjusted_mutual_information;
use matching::{distance, heaviest, overlaps};

/// Two models, by their places in the list compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairAgreement {
    pub a: usize,
    pub b: usize,
    /// Of their codes of the data: 1 where each is the other by new names, 0 on average where they have nothing to do with each
    /// other (Vinh, Epps, Bailey, J. Mach. Learn. Res. 11 (2010) 2837).
    pub adjusted_mutual_information: f64,
    /// Share of the rows that lie in regions matched to each other.
    pub matched_share: f64,
    /// Whether the transition graphs are the same once regions are matched.
    pub equal_graphs: bool,
    /// Real fixed points of `a` and `b` that are each other's nearest, and how far they lie apart, in the data's standard
    /// deviations.
    pub fixed_points: Vec<MatchedPoints>,
}

/// Fixed points by their places in the models' lists.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MatchedPoints {
    pub a: usize,
    pub b: usize,
    pub distance: f64,
}

/// One of the models compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelAgreement {
    pub id: String,
    pub P: usize,
    /// Regions that the data visit, those of them that are nodes of the graph, and its edges.
    pub regions: usize,
    pub nodes: usize,
    pub edges: usize,
    /// Real fixed points in visited regions.
    pub fixed_points: usize,
    /// Mean over the other models; missing for a single one.
    pub mean_information: Option<f64>,
    /// Models with the same graph have the same number, 0 is the commonest.
    pub graph: usize,
}

/// What several models of the same data have in common.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agreement {
    pub models: Vec<ModelAgreement>,
    pub pairs: Vec<PairAgreement>,
    /// The model that agrees best with the others: regions below bear its names.
    pub reference: usize,
    /// Models that have the commonest graph.
    pub commonest: usize,
    /// Median over the pairs; missing for a single model.
    pub median_information: Option<f64>,
    /// Regions of the reference, and transitions between them, with the share of the models that have them.
    pub nodes: Vec<ConsensusNode>,
    pub edges: Vec<ConsensusEdge>,
    /// Fixed points that half the models have, or more.
    pub fixed_points: Vec<SharedPoint>,
}

/// How regions of one model are called in another: by the most rows that two have in common.
type Names = HashMap<u32, u32>;

impl Agreement {
    /// Compares models, at least one, that have read the same rows; `scale[N]` are the standard deviations of the data's
    /// columns, in the units of the fixed points.
    pub fn of(models: &[(String, Reading)], scale: &[f64]) -> Self {
        let count = models.len();
        let index: Vec<(usize, usize)> = (0..count)
            .flat_map(|a| (a + 1..count).map(move |b| (a, b)))
            .collect();
        let readings: Vec<&Reading> = models.iter().map(|(_, reading)| reading).collect();
        let pairs: Vec<PairAgreement> = (index.par_iter())
            .map(|&(a, b)| pair((a, readings[a]), (b, readings[b]), scale))
            .collect();
        let mean = |model: usize| {
            let with = pairs.iter().filter(|pair| pair.a == model || pair.b == model);
            let sum: f64 = with.map(|pair| pair.adjusted_mutual_information).sum();
            (count > 1).then(|| sum / (count - 1) as f64)
        };
        let means: Vec<Option<f64>> = (0..count).map(mean).collect();
        let worth = |model: &usize| means[*model].unwrap_or(0.0);
        // Of equals the first.
        let reference = (0..count)
            .rev()
            .max_by(|a, b| worth(a).total_cmp(&worth(b)))
            .unwrap_or(0);
        let names: Vec<Names> = readings
            .iter()
            .map(|model| names(model, readings[reference]))
            .collect();
        let graphs: Vec<Graph> = (readings.iter().zip(&names))
            .map(|(model, names)| renamed(&model.graph, names))
            .collect();
        let classes = classes(&graphs);
        let described = models
            .iter()
            .enumerate()
            .map(|(i, (id, reading))| ModelAgreement {
                id: id.clone(),
                P: reading.P,
                regions: reading.codes.len(),
                nodes: reading.graph.nodes.len(),
                edges: reading.graph.edges.len(),
                fixed_points: reading.fixed_points.len(),
                mean_information: means[i],
                graph: classes[i],
            });
        Self {
            models: described.collect(),
            reference,
            commonest: classes.iter().filter(|class| **class == 0).count(),
            median_information: (count > 1).then(|| {
                let each = pairs.iter().map(|pair| pair.adjusted_mutual_information);
                quantile(&each.collect::<Vec<_>>(), 0.5)
            }),
            nodes: nodes(readings[reference], &graphs),
            edges: edges(readings[reference], &graphs),
            fixed_points: shared_points(&readings, scale),
            pairs,
        }
    }
}

fn pair((a, first): (usize, &Reading), (b, second): (usize, &Reading), scale: &[f64]) -> PairAgreement {
    let overlaps = overlaps(&first.symbols, &second.symbols);
    let matched: i64 = heaviest(&overlaps).into_iter().map(|pair| overlaps[pair]).sum();
    PairAgreement {
        a,
        b,
        adjusted_mutual_information: adjusted_mutual_information(&overlaps),
        matched_share: matched as f64 / first.symbols.len() as f64,
        equal_graphs: renamed(&first.graph, &names(first, second)) == second.graph,
        fixed_points: matched_points(first, second, scale),
    }
}

fn names(model: &Reading, reference: &Reading) -> Names {
    let pairs = heaviest(&overlaps(&model.symbols, &reference.symbols)).into_iter();
    pairs.map(|(own, other)| (own as u32, other as u32)).collect()
}

/// A graph with the nodes' names in another model; nodes without one keep theirs, out of the other's way.
fn renamed(graph: &Graph, names: &Names) -> Graph {
    let name = |symbol: &u32| names.get(symbol).copied().unwrap_or(u32::MAX - symbol);
    let mut nodes: Vec<u32> = graph.nodes.iter().map(name).collect();
    let mut edges: Vec<(u32, u32)> = graph.edges.iter().map(|(i, j)| (name(i), name(j))).collect();
    nodes.sort_unstable();
    edges.sort_unstable();
    Graph { nodes, edges }
}

/// The number of each graph among the different ones, by falling count; of equally common ones the first.
fn classes(graphs: &[Graph]) -> Vec<usize> {
    let mut different: Vec<(&Graph, usize)> = Vec::new();
    for graph in graphs {
        match different.iter_mut().find(|(known, _)| *known == graph) {
            Some((_, count)) => *count += 1,
            None => different.push((graph, 1)),
        }
    }
    different.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let number = |graph: &Graph| different.iter().position(|(known, _)| *known == graph);
    graphs.iter().filter_map(number).collect()
}

/// Pairs of real fixed points that are each other's nearest.
fn matched_points(a: &Reading, b: &Reading, scale: &[f64]) -> Vec<MatchedPoints> {
    let distances = Array2::from_shape_fn((a.fixed_points.len(), b.fixed_points.len()), |(i, j)| {
        distance(&a.fixed_points[i].observed, &b.fixed_points[j].observed, scale)
    });
    let nearest = |lane: ndarray::ArrayView1<'_, f64>| {
        let order = lane.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
        order.map(|(place, _)| place)
    };
    let mutual = distances.rows().into_iter().enumerate().filter_map(|(i, row)| {
        let j = nearest(row)?;
        (nearest(distances.column(j)) == Some(i)).then(|| MatchedPoints {
            a: i,
            b: j,
            distance: distances[[i, j]],
        })
    });
    mutual.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::AnalysisInput;
    use crate::dataset::Trial;
    use crate::model::{Dims, Theta, init};

    /// A model of `M` 6, `N` 2, `P` 3 that moves about, and the same with its hidden units in another order and other units
    /// (powers of two: rounding stays the same).
    fn twins() -> (Theta, Theta) {
        let mut theta = init(Dims { M: 6, N: 2, K: 0 }, 3);
        theta.W *= 60.0;
        theta.A.fill(0.4);
        theta.h.fill(0.05);
        let (order, scale) = ([0, 1, 2, 5, 3, 4], [1.0, 1.0, 0.5, 4.0, 2.0, 0.25]);
        let mut twin = theta.reordered(&order);
        for (i, unit) in scale.into_iter().enumerate() {
            twin.h[i] *= unit;
            twin.W.row_mut(i).mapv_inplace(|w| w * unit);
            twin.W.column_mut(i).mapv_inplace(|w| w / unit);
            if i >= 2 {
                twin.L.row_mut(i - 2).mapv_inplace(|l| l * unit);
            }
        }
        (theta, twin)
    }

    fn trials() -> Vec<Trial> {
        let x = Array2::from_shape_fn((500, 2), |(t, n)| {
            (0.17 * t as f64 + n as f64).sin() + (0.031 * t as f64).cos()
        });
        vec![Trial {
            name: "waves".into(),
            s: Array2::zeros((500, 0)),
            x,
        }]
    }

    fn reading(theta: &Theta, P: usize, data: &[Trial]) -> Reading {
        let input = AnalysisInput {
            data,
            ..AnalysisInput::new(theta, P)
        };
        Reading::of(&input).expect("a model")
    }

    #[test]
    fn a_model_by_other_names_agrees_exactly() {
        let (theta, twin) = twins();
        let data = trials();
        let models = [&theta, &twin].map(|theta| reading(theta, 3, &data));
        assert!(
            models[0].codes.len() >= 3 && models[0].codes != models[1].codes,
            "{models:?}"
        );
        let named = models.map(|reading| ("m".to_owned(), reading));
        let agreement = Agreement::of(&named, &[1.0, 1.0]);
        let pair = &agreement.pairs[0];
        assert_eq!((pair.adjusted_mutual_information, pair.matched_share), (1.0, 1.0));
        assert!(pair.equal_graphs);
        assert_eq!((agreement.commonest, agreement.reference), (2, 0));
        assert!(agreement.nodes.iter().all(|node| node.support == 1.0));
        assert_eq!(pair.fixed_points.len(), agreement.models[0].fixed_points);
        assert!(
            pair.fixed_points.iter().all(|points| points.distance <= 1e-9),
            "{pair:?}"
        );
    }

    #[test]
    fn another_model_does_not_agree() {
        let (theta, mut other) = twins();
        other.W *= -1.0;
        other.h.fill(-0.3);
        let data = trials();
        let named = [&theta, &other].map(|theta| ("m".to_owned(), reading(theta, 3, &data)));
        let agreement = Agreement::of(&named, &[1.0, 1.0]);
        assert!(
            agreement.median_information.is_some_and(|ami| ami < 0.6),
            "{agreement:?}"
        );
        assert_eq!(agreement.commonest, 1);
    }
}
