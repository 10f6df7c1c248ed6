//! Metrics against answers made with NumPy and SciPy, against plain independent implementations, and their
//! properties.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod dstsp;
mod gaps;
mod golden;
mod prediction;
mod roughness;
mod scorer;
mod spectra;

use alrnn_gpu::backend::FreeModel;
use alrnn_gpu::metrics::PredictionData;
use alrnn_gpu::model::{Dims, Theta};
use alrnn_gpu::rng::{Stream, normals, uniforms};
use ndarray::{Array2, ArrayView2};

fn close(name: &str, actual: f64, expected: f64, tolerance: f64) {
    let error = (actual - expected).abs() / expected.abs().max(1e-300);
    assert!(
        error <= tolerance,
        "{name}: {actual:e}, expected {expected:e}, relative error {error:e}"
    );
}

/// A wandering trajectory `[T, N]`.
fn walk(T: usize, N: usize, seed: u32) -> Array2<f64> {
    let mut x = Array2::zeros((T, N));
    let mut draws = normals(seed, Stream::System).map(f64::from);
    for t in 1..T {
        for n in 0..N {
            x[[t, n]] = 0.95 * x[[t - 1, n]] + 0.3 * draws.next().expect("endless");
        }
    }
    x
}

/// A model whose states neither vanish nor explode within a few steps.
fn theta(dims: Dims, seed: u32) -> Theta {
    let scale = 0.7 / (dims.M as f64).sqrt();
    let draws: Vec<f64> = normals(seed, Stream::InitW)
        .take(dims.n_params())
        .map(f64::from)
        .collect();
    let mut theta = Theta::unpack(dims, &draws);
    theta.W *= scale;
    theta.A *= 0.3;
    theta.h *= 0.1;
    theta.L *= 0.5;
    theta
}

/// The definition, in f64 and one step after the other: (mse, pairs).
fn plain_prediction_error(
    trials: &[(Array2<f64>, Array2<f64>)],
    theta: &Theta,
    P: usize,
    steps: usize,
) -> (f64, usize) {
    let (mut sum, mut entries, mut pairs) = (0.0, 0, 0);
    for (x, inputs) in trials {
        for t in 0..x.nrows().saturating_sub(steps) {
            let start = x.row(t).to_vec();
            if start.iter().any(|v| v.is_nan()) {
                continue;
            }
            let mut z = theta.initial_state(&start);
            for k in 1..=steps {
                z = theta.step(P, &z, &inputs.row(t + k).to_vec());
            }
            let observed: Vec<_> = (0..x.ncols()).filter(|&n| !x[[t + steps, n]].is_nan()).collect();
            entries += observed.len();
            pairs += usize::from(!observed.is_empty());
            sum += observed
                .iter()
                .map(|&n| (z[n] - x[[t + steps, n]]).powi(2))
                .sum::<f64>();
        }
    }
    (sum / entries as f64, pairs)
}

/// PE as the program makes it: (mse, pairs).
fn prediction_error(data: &PredictionData, theta: &Theta, P: usize) -> (f64, usize) {
    let model = FreeModel {
        theta: &theta.pack(),
        P,
    };
    let mse = alrnn_gpu::backend::prediction_error(
        theta.dims(),
        model,
        data.rows(),
        &data.rows().starts,
        data.steps(),
    );
    (mse, data.pairs())
}

fn views(trials: &[(Array2<f64>, Array2<f64>)]) -> Vec<(ArrayView2<'_, f64>, ArrayView2<'_, f64>)> {
    trials.iter().map(|(x, s)| (x.view(), s.view())).collect()
}

/// Trials of unequal length with inputs; a share of the values missing.
fn trials(lengths: &[usize], N: usize, K: usize, missing: f64, seed: u32) -> Vec<(Array2<f64>, Array2<f64>)> {
    let mut holes = uniforms(seed, Stream::System).map(f64::from);
    lengths
        .iter()
        .zip(seed..)
        .map(|(&T, seed)| {
            let x = walk(T, N, seed).mapv(|v| if holes.next() < Some(missing) { f64::NAN } else { v });
            (x, walk(T, K, seed + 77))
        })
        .collect()
}
