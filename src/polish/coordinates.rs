//! Coordinates in which equal steps change a model's forecasts about equally, so that a search over parameters need not
//! learn their scales and correlations first.
//!
//! The Fisher matrix of a layer is close to a product of two small ones (Martens & Grosse, ICML 2015): the second moments
//! `F = ⟨v vᵀ⟩` of what the matrix `[W | h | C]` is multiplied with, `v = [φ(z̃); 1; s]`, and `G = ⟨λ λᵀ⟩` of the adjoints of
//! what it yields. A step `u` in these coordinates is `Δ[W | h | C] = c Q U R` with `Q ≈ G^(−½)` and `R ≈ F^(−½)`.
#![allow(non_snake_case, reason = "the paper's symbols")]

use nalgebra::DMatrix;
use ndarray::{Array2, s};

use crate::backend::Curvature;
use crate::model::{Dims, Theta};

/// What is added to the eigenvalues of `F` and `G`, in parts of their mean: directions that the forecasts hardly see are
/// not stretched without limit. A third or three times of either is worse on Lorenz-63.
const DAMPING_F: f64 = 0.01;
const DAMPING_G: f64 = 0.1;
/// Added to the gradients' root mean square, for parameters that are scaled one by one.
const LEAST_GRADIENT: f64 = 1e-4;

/// A map from coordinates to parameters about a model's own (at 0).
///
/// `A` of the linear units stays: it does nothing that the diagonal of `W` does not. `A` of the ReLUs and `L` have
/// coordinates of their own, in units of `1/(rms of their gradient + 1e-4)`.
pub struct Coordinates {
    P: usize,
    base: Theta,
    /// `c Q`, `[M, M]`.
    left: Array2<f64>,
    /// `R`, `[M + 1 + K, M + 1 + K]`.
    right: Array2<f64>,
    /// Of `A` of the ReLUs, `[P]`, then of `L`, row by row.
    scales: Vec<f64>,
}

impl Coordinates {
    pub fn new(base: Theta, P: usize, curvature: &Curvature) -> Self {
        let Dims { M, K, .. } = base.dims();
        let gradients = &curvature.gradients;
        let Q = inverse_root(&curvature.adjoints, DAMPING_G);
        let right = inverse_root(&curvature.inputs, DAMPING_F);
        // The mean of (g · Δ)² over the gradients is that of as many independent unit steps.
        let sizes = gradients.iter().map(|g| {
            let step = Q.dot(&joined(g)).dot(&right);
            step.iter().map(|v| v * v).sum::<f64>()
        });
        let mean = sizes.sum::<f64>() / gradients.len() as f64;
        let c = ((M * (M + 1 + K)) as f64 / mean).sqrt();
        let rms = |of: &dyn Fn(&Theta) -> f64| {
            let sum: f64 = gradients.iter().map(|g| of(g) * of(g)).sum();
            (sum / gradients.len() as f64).sqrt()
        };
        let mut scales = Vec::with_capacity(P + base.L.len());
        scales.extend((M - P..M).map(|i| 1.0 / (rms(&|g| g.A[i]) + LEAST_GRADIENT)));
        for at in ndarray::indices(base.L.dim()) {
            scales.push(1.0 / (rms(&|g| g.L[at]) + LEAST_GRADIENT));
        }
        Self {
            P,
            left: Q * c,
            right,
            scales,
            base,
        }
    }

    /// Number of coordinates.
    pub fn dimension(&self) -> usize {
        let Dims { M, K, .. } = self.base.dims();
        M * (M + 1 + K) + self.scales.len()
    }

    /// The parameters at `u`, packed.
    pub fn theta(&self, u: &[f64]) -> Vec<f32> {
        let Dims { M, K, .. } = self.base.dims();
        let (U, rest) = u.split_at(M * (M + 1 + K));
        let U =
            ndarray::ArrayView2::from_shape((M, M + 1 + K), U).expect("as many coordinates as its dimension");
        let step = self.left.dot(&U).dot(&self.right);
        let mut theta = self.base.clone();
        theta.W += &step.slice(s![.., ..M]);
        theta.h += &step.column(M);
        theta.C += &step.slice(s![.., M + 1..]);
        let scaled = theta.A.iter_mut().skip(M - self.P).chain(&mut theta.L);
        for ((value, u), scale) in scaled.zip(rest).zip(&self.scales) {
            *value += u * scale;
        }
        theta.pack()
    }
}

/// `[W | h | C]`
fn joined(theta: &Theta) -> Array2<f64> {
    let h = theta.h.view().insert_axis(ndarray::Axis(1));
    ndarray::concatenate(ndarray::Axis(1), &[theta.W.view(), h, theta.C.view()]).expect("M rows each")
}

/// `(S + ρ tr(S)/n · I)^(−½)` of a symmetric positive semidefinite matrix.
fn inverse_root(S: &Array2<f64>, damping: f64) -> Array2<f64> {
    let n = S.nrows();
    let eigen = DMatrix::from_fn(n, n, |i, j| S[[i, j]]).symmetric_eigen();
    let values = eigen.eigenvalues.map(|v| v.max(0.0));
    let added = damping * values.sum() / n as f64;
    let roots = values.map(|v| 1.0 / (v + added).sqrt());
    let vectors = &eigen.eigenvectors;
    let root = vectors * DMatrix::from_diagonal(&roots) * vectors.transpose();
    Array2::from_shape_fn((n, n), |(i, j)| root[(i, j)])
}
