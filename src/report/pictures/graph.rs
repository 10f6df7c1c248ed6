//! The transition graph of the symbolic code.

use std::f64::consts::{PI, TAU};

use serde::Serialize;

use crate::error::Result;
use crate::report::plot::{Figure, Panel, text_width, titled};
use crate::report::svg::{Anchor, polyline, px};
use crate::report::theme::color_class;

/// Nodes drawn at most; the rest become one.
const MOST: usize = 16;
const SIZE: (f64, f64) = (480.0, 480.0);

/// Symbols in falling order of their share, and row-stochastic transition probabilities.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Transitions {
    pub labels: Vec<String>,
    pub share: Vec<f64>,
    /// `[n][n]`, with self-loops.
    pub probability: Vec<Vec<f64>>,
}

/// What several models' graphs have in common; see [`consensus_graph`].
#[derive(Clone, Debug, Default, Serialize)]
pub struct Consensus {
    pub labels: Vec<String>,
    pub share: Vec<f64>,
    pub support: Vec<Vec<f64>>,
    pub models: usize,
}

impl Transitions {
    /// The most frequent nodes, the rest merged into `other`: shares add up, outgoing probabilities are
    /// averaged with the shares as weights.
    pub fn merged(&self, most: usize) -> Self {
        let n = self.labels.len();
        if n <= most {
            return self.clone();
        }
        let kept = most.saturating_sub(1);
        let slot = |i: usize| i.min(kept);
        let mut share = vec![0.0; kept + 1];
        let mut flow = vec![vec![0.0; kept + 1]; kept + 1];
        for i in 0..n {
            share[slot(i)] += self.share[i];
            for j in 0..n {
                flow[slot(i)][slot(j)] += self.share[i] * self.probability[i][j];
            }
        }
        for row in &mut flow {
            let sum: f64 = row.iter().sum();
            row.iter_mut()
                .for_each(|v| *v = if sum > 0.0 { *v / sum } else { 0.0 });
        }
        let mut labels = self.labels[..kept].to_vec();
        labels.push(format!("{} others", n - kept));
        Self {
            labels,
            share,
            probability: flow,
        }
    }

    /// Order around the circle: each next node is the one most strongly tied to the last, so that strong edges
    /// run along the rim.
    fn ring_order(&self) -> Vec<usize> {
        let n = self.labels.len();
        let tie = |i: usize, j: usize| {
            self.share[i] * self.probability[i][j] + self.share[j] * self.probability[j][i]
        };
        let mut order: Vec<usize> = (0..n.min(1)).collect();
        while order.len() < n {
            let last = order[order.len() - 1];
            let next = (0..n)
                .filter(|i| !order.contains(i))
                .max_by(|&a, &b| tie(last, a).total_cmp(&tie(last, b)));
            order.extend(next);
        }
        order
    }
}

/// Nodes on a circle, area by share; arrows by the probability of going there when the region is left.
pub fn transition_graph(name: &str, input: &Transitions) -> Result<Figure> {
    let graph = input.merged(MOST);
    let n = graph.labels.len();
    let leaving = |i: usize| 1.0 - graph.probability[i][i];
    let pairs = (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
    let exits = pairs.filter(|&(i, j)| i != j && leaving(i) > 0.0);
    let arrows = exits.map(|(i, j)| (i, j, graph.probability[i][j] / leaving(i)));
    let arrows: Vec<_> = arrows.filter(|(_, _, p)| *p >= 0.02).collect();
    let title = |i: usize| {
        format!(
            "{}: {:.1} % of all steps; stays with probability {:.3}",
            graph.labels[i],
            100.0 * graph.share[i],
            graph.probability[i][i]
        )
    };
    let panel = drawn("Transitions between regions", &graph, &arrows, title);
    let merged = if n < input.labels.len() {
        format!(" The {} rarest are drawn as one.", input.labels.len() - n + 1)
    } else {
        String::new()
    };
    let caption = format!(
        "Symbolic code of the free run. Area: share of all steps. Arrows: probability of the next region once a region is left (below 2 % left out).{merged}"
    );
    Figure::new(name, caption, vec![panel], input)
}

/// Regions of several models' common graph: nodes by share of the rows, arrows by the share of the models that have the
/// transition (`support[n][n]`).
pub fn consensus_graph(name: &str, input: &Consensus) -> Result<Figure> {
    let n = input.labels.len();
    let graph = Transitions {
        labels: input.labels.clone(),
        share: input.share.clone(),
        probability: input.support.clone(),
    };
    let pairs = (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
    let arrows = pairs.map(|(i, j)| (i, j, input.support[i][j]));
    let arrows: Vec<_> = arrows.filter(|(_, _, support)| *support > 0.0).collect();
    let title = |i: usize| format!("{}: {:.1} % of the rows", graph.labels[i], 100.0 * graph.share[i]);
    let panel = drawn("Graph that the models share", &graph, &arrows, title);
    let caption = format!(
        "Regions that hold 2 % of the data's rows or more. Area: share of the rows. Arrows: share of {} models that have the \
         transition (5 % of a region's or more).",
        input.models
    );
    Figure::new(name, caption, vec![panel], input)
}

/// Nodes on a circle, and arrows between them by a share each.
fn drawn(
    heading: &str,
    graph: &Transitions,
    arrows: &[(usize, usize, f64)],
    title: impl Fn(usize) -> String,
) -> Panel {
    let n = graph.labels.len();
    let (mut panel, _) = titled(SIZE, heading, &[]);
    let place = places(graph);
    let radius = |i: usize| 11.0 + 34.0 * graph.share[i].max(0.0).sqrt();
    let mut texts = Vec::new();
    for &(i, j, p) in arrows {
        let (from, to) = ((place[i], radius(i)), (place[j], radius(j)));
        let middle = arrow(&mut panel, &color_class(i), from, to, p);
        texts.push((middle, format!("{:.0} %", 100.0 * p)));
    }
    for (i, &at) in place.iter().enumerate() {
        let class = color_class(i);
        let title = title(i);
        let radius = radius(i);
        panel.disc("paper", at, radius, 1.0, None);
        panel.disc(&class, at, radius, 0.25, Some(&title));
        panel.ring(&class, at, radius, 1.8);
        label(&mut panel, graph, i, at, radius);
    }
    if n <= 6 {
        for (at, text) in texts {
            panel.rect("paper", (at.0 - 15.0, at.1 - 8.0), (30.0, 14.0), 0.85);
            panel.text("muted n", (at.0, at.1 + 3.0), Anchor::Middle, &text);
        }
    }
    panel
}

fn places(graph: &Transitions) -> Vec<(f64, f64)> {
    let n = graph.labels.len();
    let center = (0.5 * SIZE.0, 0.5 * SIZE.1 + 10.0);
    let ring = match n {
        0 | 1 => 0.0,
        2 | 3 => 120.0,
        _ => 158.0,
    };
    let mut place = vec![center; n];
    for (k, i) in graph.ring_order().into_iter().take(n).enumerate() {
        // Two nodes side by side, more with the largest on top.
        let turn = if n == 2 { PI } else { -0.5 * PI } + TAU * k as f64 / n as f64;
        place[i] = (center.0 + ring * turn.cos(), center.1 + ring * turn.sin());
    }
    place
}

/// The symbol in its node, or outside where it does not fit; the share below.
fn label(panel: &mut Panel, graph: &Transitions, i: usize, at: (f64, f64), radius: f64) {
    let text = &graph.labels[i];
    let share = format!("{:.1} %", 100.0 * graph.share[i]);
    let width = text_width(text);
    if width + 10.0 <= 2.0 * radius && radius >= 25.0 {
        panel.text("ink b", (at.0, at.1 + 1.0), Anchor::Middle, text);
        panel.text("ink n", (at.0, at.1 + 14.0), Anchor::Middle, &share);
        return;
    }
    let center = (0.5 * SIZE.0, 0.5 * SIZE.1 + 10.0);
    let (dx, dy) = (at.0 - center.0, at.1 - center.1);
    let length = dx.hypot(dy).max(1.0);
    let below = if dy > 0.0 { 16.0 } else { 10.0 };
    let out = (
        at.0 + (radius + 8.0) * dx / length,
        at.1 + (radius + below) * dy / length,
    );
    let anchor = if dx.abs() < 0.35 * length {
        Anchor::Middle
    } else if dx > 0.0 {
        Anchor::Start
    } else {
        Anchor::End
    };
    let short: String = if text.chars().count() > 12 {
        text.chars().take(11).chain(['…']).collect()
    } else {
        text.clone()
    };
    panel.text("ink n", (out.0, out.1 - 2.0), anchor, &short);
    panel.text("muted n", (out.0, out.1 + 10.0), anchor, &share);
}

/// A curved arrow from one disc's rim to another's, to the right of the straight line, so that the way there and
/// the way back are two; returns the middle of the curve.
fn arrow(
    panel: &mut Panel,
    class: &str,
    from: ((f64, f64), f64),
    to: ((f64, f64), f64),
    p: f64,
) -> (f64, f64) {
    let ((a, ra), (b, rb)) = (from, to);
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = dx.hypot(dy).max(1.0);
    let normal = (-dy / length, dx / length);
    let bend = 0.16 * length;
    let control = (
        0.5 * (a.0 + b.0) + bend * normal.0,
        0.5 * (a.1 + b.1) + bend * normal.1,
    );
    let toward = |p: (f64, f64), by: f64| {
        let (x, y) = (control.0 - p.0, control.1 - p.1);
        let l = x.hypot(y).max(1.0);
        (p.0 + by * x / l, p.1 + by * y / l)
    };
    let width = 0.8 + 3.4 * p;
    let head = 6.0 + 1.6 * width;
    let start = toward(a, ra + 1.0);
    let (tip, base) = (toward(b, rb + 2.0), toward(b, rb + 2.0 + head));
    let [s, c, e] = [start, control, base].map(|p| format!("{} {}", px(p.0), px(p.1)));
    let d = format!("M{s}Q{c} {e}");
    panel.path(class, &d, width, 0.25 + 0.65 * p);
    let side = (
        (tip.1 - base.1) / head * 0.45 * head,
        -(tip.0 - base.0) / head * 0.45 * head,
    );
    let [left, right] = [1.0, -1.0].map(|s| (base.0 + s * side.0, base.1 + s * side.1));
    let corners = [tip, left, right];
    panel.area(class, &polyline(&corners), 0.35 + 0.6 * p);
    let middle = |s: f64, c: f64, e: f64| 0.25 * s + 0.5 * c + 0.25 * e;
    let x = middle(start.0, control.0, base.0);
    (x, middle(start.1, control.1, base.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_keeps_shares_and_rows_whole() {
        let n = 40;
        let share: Vec<f64> = (0..n).map(|i| f64::from(n - i) / 820.0).collect();
        let graph = Transitions {
            labels: (0..n).map(|i| format!("{i:06b}")).collect(),
            share,
            probability: vec![vec![1.0 / f64::from(n); n as usize]; n as usize],
        };
        let merged = graph.merged(16);
        assert_eq!(merged.labels.len(), 16);
        assert_eq!(merged.labels[15], "25 others");
        assert!((merged.share.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        for row in &merged.probability {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        assert!((merged.probability[0][15] - 25.0 / 40.0).abs() < 1e-12);
    }

    #[test]
    fn every_node_has_a_place_of_its_own() {
        for n in [0usize, 1, 2, 5, 16] {
            let graph = Transitions {
                labels: vec!["01".into(); n],
                share: vec![1.0 / n.max(1) as f64; n],
                probability: vec![vec![1.0 / n.max(1) as f64; n]; n],
            };
            let place = places(&graph);
            for i in 0..n {
                for j in 0..i {
                    let apart = (place[i].0 - place[j].0).hypot(place[i].1 - place[j].1);
                    assert!(apart > 30.0, "{n} nodes: {i} and {j} are {apart} px apart");
                }
            }
        }
    }
}
