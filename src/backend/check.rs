//! What every backend refuses alike: plans, states, models and windows whose sizes do not fit together.

use crate::backend::{EnsembleState, FreeModel, FreeRun, Member, Plan, TrainingData, Windows};
use crate::config::values::INFLATION;
use crate::error::{Error, Result};
use crate::model::{Dims, Shape, Theta};

/// Checks an ensemble's plan against its data and state.
pub(crate) fn plan(plan: &Plan, data: &TrainingData, state: &EnsembleState) -> Result<()> {
    let Dims { M, N, K } = plan.shape.dims;
    if (data.N, data.K) != (N, K) {
        return Err(Error::input(format!(
            "the model has N = {N} observed dimensions and K = {K} inputs, the data have {} and {}",
            data.N, data.K
        )));
    }
    let rows = data.x.len() / N;
    if data.x.len() != rows * N || data.s.len() != rows * K {
        return Err(Error::runtime("the training data are not a whole number of rows"));
    }
    if data.starts.is_empty() {
        return Err(Error::input(format!(
            "no window of T + 1 = {} rows with an observed target fits the data",
            plan.shape.T + 1
        ))
        .with_hint("use a smaller --T"));
    }
    let is_late = |&start: &u32| start as usize + plan.shape.T + 1 > rows;
    if data.starts.iter().any(is_late) {
        return Err(Error::runtime("a window start lies too near the end of the data"));
    }
    if plan.members.is_empty() {
        return Err(Error::input("there is nothing to train: no members"));
    }
    if plan.batches_per_epoch == 0 {
        return Err(Error::input("an epoch needs at least one batch"));
    }
    if state.members.len() != plan.members.len() {
        return Err(Error::runtime(format!(
            "the state holds {} members, the plan {}",
            state.members.len(),
            plan.members.len()
        )));
    }
    let n_params = plan.shape.dims.n_params();
    for (e, (member, state)) in plan.members.iter().zip(&state.members).enumerate() {
        self::member(member, M)?;
        let values = [&state.theta, &state.m, &state.v];
        if values.iter().any(|values| values.len() != n_params) {
            return Err(Error::runtime(format!(
                "the state of member {e} does not hold {n_params} parameters"
            )));
        }
    }
    Ok(())
}

/// Checks `P ≤ M`, `tau ≥ 1` and the inflation, by which a missing entry may not come near to observations.
pub(crate) fn member(member: &Member, M: usize) -> Result<()> {
    if member.P > M {
        return Err(Error::input(format!(
            "P = {} ReLU units do not fit M = {M} latent ones",
            member.P
        )));
    }
    if member.tau == 0 {
        return Err(Error::input(
            "the teacher-forcing interval tau must be at least 1",
        ));
    }
    INFLATION.require("inflation", member.inflation)
}

/// Checks explicit windows and parameters against their shape.
pub(crate) fn windows(shape: Shape, member: &Member, theta: &Theta, windows: &Windows) -> Result<()> {
    self::member(member, shape.dims.M)?;
    let Dims { N, K, .. } = shape.dims;
    if theta.dims() != shape.dims {
        return Err(Error::runtime(format!(
            "the parameters are those of {:?}, the shape is {:?}",
            theta.dims(),
            shape.dims
        )));
    }
    if windows.x.dim() != (shape.S, shape.T + 1, N) || windows.s.dim() != (shape.S, shape.T + 1, K) {
        return Err(Error::runtime(format!(
            "windows of shape {:?} and inputs of shape {:?} do not fit S = {}, T = {}, N = {N}, K = {K}",
            windows.x.dim(),
            windows.s.dim(),
            shape.S,
            shape.T
        )));
    }
    Ok(())
}

/// Checks models and starts of [`crate::backend::Backend::statistics`].
pub(crate) fn runs(dims: Dims, starts: &[(FreeModel<'_>, &[f32])]) -> Result<()> {
    let models: Vec<FreeModel<'_>> = starts.iter().map(|(model, _)| *model).collect();
    free_run(dims, &models, &[])?;
    if dims.K > 0 || starts.iter().any(|(_, x0)| x0.len() != dims.N) {
        return Err(Error::runtime(format!(
            "runs that are looked at need {} initial values and models without inputs",
            dims.N
        )));
    }
    Ok(())
}

/// Checks models and runs of [`crate::backend::Backend::free_run`].
pub(crate) fn free_run(dims: Dims, models: &[FreeModel<'_>], runs: &[FreeRun]) -> Result<()> {
    let Dims { M, N, K } = dims;
    let fits = |model: &FreeModel<'_>| model.P <= M && model.theta.len() == dims.n_params();
    if !models.iter().all(fits) {
        return Err(Error::runtime(format!(
            "a model to run freely does not have the sizes M = {M}, N = {N}, K = {K}"
        )));
    }
    for (index, run) in runs.iter().enumerate() {
        let inputs_fit = K == 0 || (run.s.ncols() == K && run.s.nrows() > run.steps);
        if run.x0.len() != N || !inputs_fit {
            return Err(Error::runtime(format!(
                "free run {index} needs {N} initial values and inputs of shape [{}, {K}]",
                run.steps + 1
            )));
        }
    }
    Ok(())
}
