//! What polishing scales its steps by, collected from forward and adjoint passes.

use ndarray::{Array1, Array2, s};
use rayon::prelude::*;

use super::{adjoint, forward, sample};
use crate::backend::{Curvature, Member, TrainingData};
use crate::model::{Shape, Theta};

/// Second moments and gradients of the first `batches` batches of this shape, with the member's forcing and noise, at
/// `theta`.
pub fn curvature(
    shape: Shape,
    member: &Member,
    data: &TrainingData,
    theta: &Theta,
    batches: u32,
) -> Curvature {
    let parts: Vec<Curvature> = (0..batches)
        .into_par_iter()
        .map(|step| of_batch(shape, member, data, theta, step))
        .collect();
    let n = parts.len() as f64;
    let mean = |of: &dyn Fn(&Curvature) -> &Array2<f64>| {
        let mut parts = parts.iter().map(of);
        let first = parts.next().expect("at least one batch").clone();
        parts.fold(first, |sum, part| sum + part) / n
    };
    Curvature {
        inputs: mean(&|part| &part.inputs),
        adjoints: mean(&|part| &part.adjoints),
        gradients: parts.into_iter().flat_map(|part| part.gradients).collect(),
    }
}

fn of_batch(shape: Shape, member: &Member, data: &TrainingData, theta: &Theta, step: u32) -> Curvature {
    // As the model saw them last.
    let windows = sample::sample(shape, member, member.last_noise(), data, step);
    let states = forward::forward(member, theta, &windows);
    let (gradient, lambda) = adjoint::adjoint(member, theta, &windows, &states);
    let (S, T, M) = lambda.dim();
    let K = shape.dims.K;
    let mut inputs = Array2::zeros((S * T, M + 1 + K));
    let mut rows = inputs.rows_mut().into_iter();
    for s in 0..S {
        for t in 0..T {
            let mut row = rows.next().expect("a row for each step");
            let z = states.forced.slice(s![s, t, ..]);
            let phi: Array1<f64> = z
                .iter()
                .enumerate()
                .map(|(i, &z)| if i >= M - member.P { z.max(0.0) } else { z })
                .collect();
            row.slice_mut(s![..M]).assign(&phi);
            row[M] = 1.0;
            row.slice_mut(s![M + 1..])
                .assign(&windows.s.slice(s![s, t + 1, ..]));
        }
    }
    let lambda = lambda.into_shape_with_order((S * T, M)).expect("standard layout");
    let count = (S * T) as f64;
    Curvature {
        inputs: inputs.t().dot(&inputs) / count,
        adjoints: lambda.t().dot(&lambda) / count,
        gradients: vec![gradient],
    }
}
