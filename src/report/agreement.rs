//! Whether a study's models agree, and how many ReLUs they need, as pictures.
#![allow(non_snake_case, reason = "the paper's symbols")]

use rayon::prelude::*;
use serde::Deserialize;

use super::pictures::{Consensus, Groups, Success, consensus_graph, metric_by_setting, success_by_setting};
use super::plot::Figure;
use super::reading::short;
use super::thin::evenly;
use crate::analysis::{Agreement, AnalysisInput, Reading};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::run::Run;

/// Members compared at most, and nodes drawn.
const COMPARED: usize = 50;
const NODES: usize = 16;

/// Agreement of a run's members, at their best states; of many, some evenly chosen from best to worst. `None` for fewer
/// than three.
///
/// # Errors
/// When a model cannot be read.
pub fn agreement(run: &Run, data: &Dataset) -> Result<Option<Agreement>> {
    let models = run.models()?;
    let compared = evenly(models.len(), COMPARED);
    if compared.len() < 3 {
        return Ok(None);
    }
    let read = |&i: &usize| {
        let (id, path) = &models[i];
        Ok((
            id.clone(),
            Reading::of(&AnalysisInput::of_model(&Model::load(path)?, Some(data)))?,
        ))
    };
    let readings: Vec<_> = compared.par_iter().map(read).collect::<Result<_>>()?;
    Ok(Some(Agreement::of(&readings, &data.deviations())))
}

/// The graph that models share.
pub fn agreement_figure(agreement: &Agreement) -> Result<Figure> {
    let nodes = &agreement.nodes[..agreement.nodes.len().min(NODES)];
    let mut support = vec![vec![0.0; nodes.len()]; nodes.len()];
    for edge in agreement
        .edges
        .iter()
        .filter(|edge| edge.from.max(edge.to) < nodes.len())
    {
        support[edge.from][edge.to] = edge.support;
    }
    let input = Consensus {
        labels: nodes.iter().map(|node| short(&node.code)).collect(),
        share: nodes.iter().map(|node| node.share).collect(),
        support,
        models: agreement.models.len(),
    };
    consensus_graph("agreement", &input)
}

/// What pictures need of a certificate's JSON (see `minimal.json`).
#[derive(Deserialize)]
struct Certificate {
    threshold: f64,
    sizes: Vec<Size>,
}

#[derive(Deserialize)]
struct Size {
    P: usize,
    scores: Vec<Option<f64>>,
    succeed: usize,
    models: usize,
}

/// D_stsp and the share of successes over the number of ReLUs, from what `minimal.json` holds.
///
/// # Errors
/// When it holds something else.
pub fn minimal_figures(certificate: &serde_json::Value) -> Result<Vec<Figure>> {
    let certificate = Certificate::deserialize(certificate)
        .map_err(|error| Error::input(format!("minimal.json is not what `minimal` writes: {error}")))?;
    let sizes = &certificate.sizes;
    let names: Vec<String> = sizes.iter().map(|size| size.P.to_string()).collect();
    let scores = sizes.iter().map(|size| {
        size.scores
            .iter()
            .map(|score| score.unwrap_or(f64::NAN))
            .collect()
    });
    let groups = Groups {
        setting: "P".into(),
        names: names.clone(),
        values: scores.collect(),
    };
    let title = "Last states' D_stsp by number of ReLUs";
    let plateau = metric_by_setting(
        "minimal-D_stsp",
        title,
        "D_stsp",
        &groups,
        (certificate.threshold, "reconstructs below"),
    )?;
    let success = Success {
        setting: "P".into(),
        names,
        counts: sizes.iter().map(|size| (size.succeed, size.models)).collect(),
        rule: "A model succeeds where it is below the threshold, its free run goes on as the data do, and it has the fixed \
               points that good models share."
            .into(),
    };
    Ok(vec![plateau, success_by_setting("minimal-success", &success)?])
}
