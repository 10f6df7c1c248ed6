//! What models have in common.

use serde::Serialize;

use super::matching::distance;
use crate::analysis::reading::{Graph, Reading};
use crate::stats::quantile;

/// Fixed points of different models are the same one where they lie within so many standard deviations of the data.
const SAME_POINT: f64 = 0.4;
/// No fixed point so many standard deviations away is another model's, however far the others are.
const FURTHEST: f64 = 1.0;

/// A region of the reference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConsensusNode {
    /// Its code there.
    pub code: String,
    /// Share of the rows.
    pub share: f64,
    /// Share of the models in whose graph it is.
    pub support: f64,
}

/// A transition between two regions, by their places among the nodes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConsensusEdge {
    pub from: usize,
    pub to: usize,
    /// Share of the models in whose graph it is.
    pub support: f64,
}

/// A fixed point that models share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SharedPoint {
    /// Median over the models, observed units, in the data's units.
    pub observed: Vec<f64>,
    /// Largest distance of a model's point from there, in the data's standard deviations.
    pub spread: f64,
    /// Share of the models that have it.
    pub support: f64,
}

fn support<'a>(graphs: &'a [Graph], has: impl Fn(&&'a Graph) -> bool) -> f64 {
    graphs.iter().filter(has).count() as f64 / graphs.len() as f64
}

/// The reference's nodes, with what the models' graphs (in its names) make of them.
pub fn nodes(reference: &Reading, graphs: &[Graph]) -> Vec<ConsensusNode> {
    let rows = reference.symbols.len() as f64;
    let node = |&symbol: &u32| ConsensusNode {
        code: reference.codes[symbol as usize].text(reference.P),
        share: reference.counts[symbol as usize] as f64 / rows,
        support: support(graphs, |graph| graph.nodes.contains(&symbol)),
    };
    reference.graph.nodes.iter().map(node).collect()
}

/// All transitions between nodes of the reference that any model has.
pub fn edges(reference: &Reading, graphs: &[Graph]) -> Vec<ConsensusEdge> {
    let nodes = &reference.graph.nodes;
    let place = |symbol: u32| nodes.iter().position(|&node| node == symbol);
    let mut all: Vec<(u32, u32)> = graphs
        .iter()
        .flat_map(|graph| graph.edges.iter().copied())
        .collect();
    all.sort_unstable();
    all.dedup();
    let edge = |edge: (u32, u32)| {
        Some(ConsensusEdge {
            from: place(edge.0)?,
            to: place(edge.1)?,
            support: support(graphs, |graph| graph.edges.contains(&edge)),
        })
    };
    all.into_iter().filter_map(edge).collect()
}

/// Fixed points that at least half the models have, the commonest first: again and again the point that most models have
/// one beside, with the nearest of each.
pub fn shared_points(models: &[&Reading], scale: &[f64]) -> Vec<SharedPoint> {
    let mut left: Vec<Vec<&[f64]>> = (models.iter())
        .map(|model| {
            model
                .fixed_points
                .iter()
                .map(|point| point.observed.as_slice())
                .collect()
        })
        .collect();
    let mut shared = Vec::new();
    loop {
        let beside = |centre: &[f64]| -> Vec<(usize, usize)> {
            let nearest = |(model, points): (usize, &Vec<&[f64]>)| {
                let all = points
                    .iter()
                    .enumerate()
                    .map(|(i, point)| (i, distance(point, centre, scale)));
                let (i, apart) = all.min_by(|a, b| a.1.total_cmp(&b.1))?;
                (apart <= SAME_POINT).then_some((model, i))
            };
            left.iter().enumerate().filter_map(nearest).collect()
        };
        let groups = left.iter().flatten().map(|centre| beside(centre));
        // Of equals the first.
        let Some(group) = groups.rev().max_by_key(Vec::len) else {
            break;
        };
        if 2 * group.len() < models.len() {
            break;
        }
        let points: Vec<&[f64]> = group.iter().map(|&(model, i)| left[model][i]).collect();
        let observed = centre(&points);
        let apart = points.iter().map(|point| distance(point, &observed, scale));
        shared.push(SharedPoint {
            spread: apart.fold(0.0, f64::max),
            support: group.len() as f64 / models.len() as f64,
            observed,
        });
        for (model, i) in group {
            left[model].remove(i);
        }
    }
    shared
}

/// Median of each column.
fn centre(points: &[&[f64]]) -> Vec<f64> {
    let columns = points.first().map_or(0, |point| point.len());
    let median = |n: usize| quantile(&points.iter().map(|point| point[n]).collect::<Vec<_>>(), 0.5);
    (0..columns).map(median).collect()
}

/// Whether a model has all of these fixed points: beside each one of its own, nearer than half way to the next of them, so
/// that none counts for two, and than one standard deviation.
///
/// Where exactly a model's point lies depends on how few affine pieces it has; which one it is shows beside the others.
pub fn has_all(points: &[SharedPoint], model: &Reading, scale: &[f64]) -> bool {
    let own: Vec<&[f64]> = model.fixed_points.iter().map(|p| p.observed.as_slice()).collect();
    let all: Vec<&[f64]> = points.iter().map(|p| p.observed.as_slice()).collect();
    are_all_matched(&all, &own, scale)
}

fn are_all_matched(points: &[&[f64]], own: &[&[f64]], scale: &[f64]) -> bool {
    let nearest = |point: &[f64], others: &mut dyn Iterator<Item = &&[f64]>| {
        others
            .map(|other| distance(other, point, scale))
            .fold(f64::INFINITY, f64::min)
    };
    points.iter().enumerate().all(|(i, point)| {
        let mut others = points[..i].iter().chain(&points[i + 1..]);
        let reach = (nearest(point, &mut others) / 2.0).min(FURTHEST);
        nearest(point, &mut own.iter()) < reach
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(points: &[f64], own: &[f64]) -> bool {
        are_all_matched(
            &points.chunks(1).collect::<Vec<_>>(),
            &own.chunks(1).collect::<Vec<_>>(),
            &[2.0],
        )
    }

    /// In one dimension, of standard deviation 2.
    #[test]
    fn which_point_it_is_shows_beside_the_others() {
        assert!(matched(&[0.0, 3.0], &[1.4, 4.4]));
        assert!(!matched(&[0.0, 3.0], &[1.5]), "half way is neither");
        assert!(!matched(&[0.0, 3.0], &[1.4]), "one of two");
        assert!(matched(&[0.0, 9.0], &[1.9, 7.1]), "far from each other");
        assert!(!matched(&[0.0, 9.0], &[2.1, 9.0]), "a standard deviation away");
        assert!(matched(&[0.0], &[1.9]) && !matched(&[0.0], &[]));
        assert!(matched(&[], &[]));
    }
}
