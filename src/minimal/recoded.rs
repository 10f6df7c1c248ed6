//! A model with fewer ReLUs made of the regions of a larger one.

use rayon::prelude::*;

use ndarray::s;

use super::hinges::{Hinges, Steps};
use super::recode::Regions;
use super::retrain::free_run;
use crate::analysis::{Code, Reading, Reduction};
use crate::backend::{Backend, FreeModel};
use crate::error::Result;
use crate::metrics::{Scorer, Standing};
use crate::model::{Model, Theta};
use crate::scoring::score_models;

/// Rows of the free run that hinges are fitted to.
const ROWS: usize = 100_000;
/// Sets of linear units whose regions are coded anew, and codings whose hinges are fitted and run freely.
const SETS: usize = 4;
const CODINGS: usize = 6;
/// Numbers at most that make hinges.
const NUMBERS: usize = 150;
/// Of what a linear map misses of the steps hinges may leave this share; more, and the observed columns do not make the
/// next step.
const LEFT: f64 = 0.1;

/// A model made anew, to be polished.
#[derive(Clone, Debug)]
pub struct Recoded {
    pub theta: Theta,
    pub P: usize,
    pub symbols: usize,
}

struct Candidate {
    theta: Theta,
    symbols: usize,
    error: f64,
}

/// The model with the fewest ReLUs, fewer than `sets` leave, that steps as the free run of `model` does.
///
/// The regions that a reduction leaves are coded anew with fewer bits (see [`Regions::codings`]); each bit becomes a hinge of
/// the observed columns and of the hinges before it, which first tells the regions apart and then moves to where the steps
/// are told best (see [`Hinges::fitted`]). Of those that tell nearly all of a step the one counts whose free run scores
/// best. `None` where there is none: hidden units may be needed to tell the next step.
///
/// # Errors
/// When the device fails.
pub fn recoded(
    model: &Model,
    reading: &Reading,
    sets: &[Reduction],
    x0: &[f64],
    scorer: &Scorer,
    backend: &dyn Backend,
) -> Result<Option<Recoded>> {
    let (dims, P) = (model.theta.dims(), model.P);
    let holders: Vec<Code> = (reading.fixed_points.iter())
        .map(|point| Code::of_text(&point.code))
        .collect();
    let fewest = holders.len().max(2).next_power_of_two().trailing_zeros() as usize;
    let most = sets.first().map_or(0, |set| set.P).min(dims.M - dims.N + 1);
    let fits = |P: usize| P * (dims.N + 1) + P * P <= NUMBERS;
    if dims.K > 0 || fewest >= most || !fits(fewest) {
        return Ok(None);
    }
    let run = free_run(model, x0, ROWS, backend)?;
    let Some(steps) = Steps::new(&run.slice(s![.., ..dims.N]).to_owned(), most) else {
        return Ok(None);
    };
    let codes: Vec<Code> = (run.rows().into_iter())
        .map(|z| Code::of(&z.to_vec()[dims.M - P..]))
        .collect();
    let regions: Vec<Regions> = (sets.iter().take(SETS))
        .filter_map(|set| {
            let mask = set
                .linear
                .iter()
                .fold(Code::default(), |mask, &unit| mask.with(unit));
            Regions::of(&codes, &mask, &holders)
        })
        .collect();
    let enough = LEFT * steps.linear_error();
    for P in (fewest..most).take_while(|&P| fits(P)) {
        let mut found = candidates(&steps, &regions, P, dims.M);
        found.retain(|candidate| candidate.error <= enough);
        if let Some(best) = best(found, P, scorer, backend)? {
            return Ok(Some(best));
        }
    }
    Ok(None)
}

/// Models with `P` ReLUs, the ones that tell steps best first.
fn candidates(steps: &Steps, regions: &[Regions], P: usize, M: usize) -> Vec<Candidate> {
    let codings = regions.iter().flat_map(|regions| {
        regions
            .codings(P)
            .into_iter()
            .map(move |coding| (regions, coding))
    });
    let fit = |(regions, coding): (&Regions, Vec<u32>)| {
        let (hinges, error) = Hinges::separating(steps, &regions.rows, &coding, P)?.fitted(steps)?;
        Some(Candidate {
            theta: hinges.model(steps, M)?,
            symbols: regions.len(),
            error,
        })
    };
    let mut found: Vec<Candidate> = codings
        .collect::<Vec<_>>()
        .into_par_iter()
        .filter_map(fit)
        .collect();
    found.sort_by(|a, b| a.error.total_cmp(&b.error));
    found.truncate(CODINGS);
    found
}

/// The one whose free run scores best.
fn best(found: Vec<Candidate>, P: usize, scorer: &Scorer, backend: &dyn Backend) -> Result<Option<Recoded>> {
    let packed: Vec<Vec<f32>> = found.iter().map(|candidate| candidate.theta.pack()).collect();
    let models: Vec<_> = (found.iter().zip(&packed))
        .map(|(candidate, theta)| (candidate.theta.dims(), FreeModel { theta, P }))
        .collect();
    let scores = score_models(&models, backend, scorer)?;
    let scored = found.into_iter().zip(scores.iter().map(Standing::from));
    let best = scored.min_by(|(_, a), (_, b)| a.compare(b));
    Ok(best.map(|(Candidate { theta, symbols, .. }, _)| Recoded { theta, P, symbols }))
}
