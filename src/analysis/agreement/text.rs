//! Agreement in words.

use std::fmt::Write as _;

use super::Agreement;
use crate::text::{listing, number, percent, shortened, vector};

/// Rows of each table, and the longest code printed whole.
const ROWS: usize = 20;
const CODE: usize = 24;

impl Agreement {
    /// The answer in one sentence.
    pub fn headline(&self) -> String {
        let (count, reference) = (self.models.len(), &self.models[self.reference].id);
        match self.median_information {
            None => format!("One model, {reference}: there is nothing to compare it with."),
            Some(information) => format!(
                "{} of {count} models have the commonest graph; their codes share an adjusted mutual information of {} (median of \
                 all pairs).",
                self.commonest,
                number(information)
            ),
        }
    }

    /// Everything, for the terminal.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n\nModels (graph 0 is the commonest)\n", self.headline());
        let rows = self.models.iter().take(ROWS).map(|model| {
            vec![
                model.id.clone(),
                model.P.to_string(),
                model.regions.to_string(),
                model.nodes.to_string(),
                model.edges.to_string(),
                model.fixed_points.to_string(),
                model.mean_information.map_or_else(|| "–".into(), number),
                model.graph.to_string(),
            ]
        });
        let heads = [
            "model",
            "P",
            "regions",
            "nodes",
            "edges",
            "fixed points",
            "mean AMI",
            "graph",
        ];
        text += &listing(&heads, &rows.collect::<Vec<_>>());
        if self.models.len() > ROWS {
            let _ = writeln!(text, "  … {} more", self.models.len() - ROWS);
        }
        let code = |node: usize| shortened(&self.nodes[node].code, CODE);
        let _ = writeln!(
            text,
            "\nRegions that hold 2 % of the rows or more, by the names of {}",
            self.models[self.reference].id
        );
        let rows = self
            .nodes
            .iter()
            .enumerate()
            .take(ROWS)
            .map(|(i, node)| vec![code(i), percent(node.share, 1), percent(node.support, 0)]);
        text += &listing(&["region", "rows", "models"], &rows.collect::<Vec<_>>());
        if !self.edges.is_empty() {
            text += "\nTransitions between them\n";
            let rows = self
                .edges
                .iter()
                .take(ROWS)
                .map(|edge| vec![code(edge.from), code(edge.to), percent(edge.support, 0)]);
            text += &listing(&["from", "to", "models"], &rows.collect::<Vec<_>>());
        }
        if !self.fixed_points.is_empty() {
            text += "\nReal fixed points that half the models share, or more\n";
            let rows = self.fixed_points.iter().map(|point| {
                vec![
                    vector(&point.observed, number),
                    percent(point.support, 0),
                    number(point.spread),
                ]
            });
            text += &listing(
                &["location (data units)", "models", "spread (sd)"],
                &rows.collect::<Vec<_>>(),
            );
        }
        text
    }
}
