use std::fmt::Write as _;

use super::regions::Regions;

/// A node of the transition graph: a listed region, or all the others together.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct GraphNode {
    /// The region's code, or `others`.
    pub label: String,
    /// Share of the free run's steps.
    pub share: f64,
}

/// Transitions between regions from one step to the next, a Markov chain of order 1.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct TransitionGraph {
    /// In the order of the symbols; the last one may stand for all regions that are not listed.
    pub nodes: Vec<GraphNode>,
    /// `counts[i][j]` steps from node `i` to node `j`.
    pub counts: Vec<Vec<u64>>,
    /// `P(next = j | now = i)`; a row sums to 1, or to 0 where the run never went on from `i`.
    pub probability: Vec<Vec<f64>>,
    /// The same among steps that change the node: `P(next = j | now = i, next ≠ i)`.
    pub change_probability: Vec<Vec<f64>>,
}

/// The transition graph of a symbol sequence.
pub fn transition_graph(regions: &Regions) -> TransitionGraph {
    let listed = regions.list.len();
    let mut nodes: Vec<GraphNode> = regions
        .list
        .iter()
        .map(|region| GraphNode {
            label: region.code.clone(),
            share: region.share,
        })
        .collect();
    if regions.visited > listed {
        nodes.push(GraphNode {
            label: "others".to_owned(),
            share: regions.unlisted_share,
        });
    }
    let mut counts = vec![vec![0u64; nodes.len()]; nodes.len()];
    for pair in regions.sequence.windows(2) {
        let [from, to] = [pair[0], pair[1]].map(|s| (s as usize).min(listed));
        counts[from][to] += 1;
    }
    let without_self = |i: usize| {
        let row = counts[i].iter().enumerate();
        row.map(|(j, &n)| if i == j { 0 } else { n })
            .collect::<Vec<u64>>()
    };
    TransitionGraph {
        probability: counts.iter().map(|row| normalised(row)).collect(),
        change_probability: (0..nodes.len()).map(|i| normalised(&without_self(i))).collect(),
        nodes,
        counts,
    }
}

fn normalised(row: &[u64]) -> Vec<f64> {
    let total = row.iter().sum::<u64>().max(1) as f64;
    row.iter().map(|&n| n as f64 / total).collect()
}

impl TransitionGraph {
    /// The graph in Graphviz' language: nodes by share (area), edges by probability (width and label).
    pub fn dot(&self) -> String {
        let mut dot = String::from("digraph transitions {\n  node [shape=circle, fixedsize=true];\n");
        for (i, node) in self.nodes.iter().enumerate() {
            let width = 0.4 + 1.6 * node.share.sqrt();
            let (label, share) = (&node.label, 100.0 * node.share);
            // Writing to a string cannot fail.
            let _ = writeln!(dot, "  {i} [label=\"{label}\\n{share:.1} %\", width={width:.3}];");
        }
        for (i, row) in self.probability.iter().enumerate() {
            for (j, &p) in row.iter().enumerate().filter(|(_, p)| **p > 0.0) {
                let width = 0.5 + 4.0 * p;
                let _ = writeln!(dot, "  {i} -> {j} [label=\"{p:.3}\", penwidth={width:.2}];");
            }
        }
        dot.push_str("}\n");
        dot
    }
}
