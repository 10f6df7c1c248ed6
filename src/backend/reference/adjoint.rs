use ndarray::{Array1, Array3, s};

use super::forward::{States, is_forced};
use crate::backend::{Member, Windows};
use crate::model::Theta;

/// Gradient of the mean squared error, by walking each window back from `λ_T`:
///
/// `λ_t = e_t + f_t ∘ (A ∘ λ_{t+1} + d(z̃_t) ∘ Wᵀ λ_{t+1})`, `∂A = Σ λ_{t+1} ∘ z̃_t`, `∂W = Σ λ_{t+1} φ(z̃_t)ᵀ`,
/// `∂h = Σ λ_{t+1}`, `∂C = Σ λ_{t+1} s_{t+1}ᵀ`, `∂L = Σ λ_0[N:] x_0ᵀ`. Returns the gradient and `λ_1 … λ_T`, `[S, T, M]`.
pub fn adjoint(member: &Member, theta: &Theta, windows: &Windows, states: &States) -> (Theta, Array3<f64>) {
    let dims = theta.dims();
    let (M, N) = (dims.M, dims.N);
    let (S, rows, _) = windows.x.dim();
    let mut grad = Theta::zeros(dims);
    let mut adjoints = Array3::zeros(states.forced.dim());
    let observed = |s: usize, t: usize, n: usize| !windows.x[[s, t, n]].is_nan();
    for s in 0..S {
        let mut lambda = Array1::<f64>::zeros(M);
        for t in (0..rows).rev() {
            // Here lambda is what flows into the unforced z_t from step t; the loss at t comes on top.
            if t > 0 {
                for n in (0..N).filter(|&n| observed(s, t, n)) {
                    let residual = states.z[[s, t, n]] - windows.x[[s, t, n]];
                    lambda[n] += 2.0 / states.n_targets as f64 * residual;
                }
            } else {
                for n in (0..N).filter(|&n| observed(s, 0, n)) {
                    for i in N..M {
                        grad.L[[i - N, n]] += lambda[i] * windows.x[[s, 0, n]];
                    }
                }
                continue;
            }
            adjoints.slice_mut(s![s, t - 1, ..]).assign(&lambda);
            let z = states.forced.slice(s![s, t - 1, ..]);
            let relu = |j: usize| j >= M - member.P;
            let phi = |j: usize| if relu(j) { z[j].max(0.0) } else { z[j] };
            let slope = |j: usize| if relu(j) && z[j] <= 0.0 { 0.0 } else { 1.0 };
            for i in 0..M {
                grad.A[i] += lambda[i] * z[i];
                grad.h[i] += lambda[i];
                for j in 0..M {
                    grad.W[[i, j]] += lambda[i] * phi(j);
                }
                for k in 0..dims.K {
                    grad.C[[i, k]] += lambda[i] * windows.s[[s, t, k]];
                }
            }
            let mut back = &theta.A * &lambda;
            for j in 0..M {
                let through_W: f64 = (0..M).map(|i| theta.W[[i, j]] * lambda[i]).sum();
                back[j] += slope(j) * through_W;
            }
            if is_forced(member, t - 1) {
                for n in (0..N).filter(|&n| observed(s, t - 1, n)) {
                    back[n] *= 1.0 - member.alpha;
                }
            }
            lambda = back;
        }
    }
    (grad, adjoints)
}
