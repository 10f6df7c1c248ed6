//! What both forms do with observations: the state that a window starts from, errors and forcing, and their adjoints.

use pulp::Simd;

use crate::backend::MISSING;
use crate::backend::cpu::simd::buffer::{Buffer, MAX_LANES, vectors, vectors_mut};
use crate::model::Dims;

/// What the kernels need of a [`crate::backend::Member`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Forcing {
    pub P: usize,
    pub tau: usize,
    pub alpha: f32,
}

impl Forcing {
    pub fn at(&self, t: usize) -> bool {
        t > 0 && t.is_multiple_of(self.tau)
    }
}

/// Squared errors of a batch and how many targets they are of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SquaredErrors {
    pub sum: f64,
    pub n_targets: f64,
}

impl SquaredErrors {
    /// Adds what a pass left, lane by lane and in their order, so that it matters not how many a group has.
    pub fn add(&mut self, lanes: &[[f32; MAX_LANES]; 2], n: usize) {
        let [sums, targets] = lanes;
        for (&sum, &n_targets) in sums.iter().zip(targets).take(n) {
            self.sum += f64::from(sum);
            self.n_targets += f64::from(n_targets);
        }
    }

    /// `2 / n_targets`, by which gradients of half the sum of squares are those of the mean.
    pub fn gradient_scale(self) -> f32 {
        (2.0 / self.n_targets.max(1.0)) as f32
    }
}

/// `z_0 = [x_0 ; L x_0]`; missing entries of `x_0` become 0, in `x` too, where the adjoint reads them again.
#[inline(always)]
pub(super) fn initial_state<S: Simd>(
    simd: S,
    dims: Dims,
    theta: &[f32],
    x: &mut [S::f32s],
    z: &mut [S::f32s],
) {
    let Dims { M, N, .. } = dims;
    let missing = simd.splat_f32s(0.5 * MISSING);
    let zero = simd.splat_f32s(0.0);
    for (x, z) in x[..N].iter_mut().zip(&mut *z) {
        *x = simd.select_f32s(simd.less_than_f32s(*x, missing), *x, zero);
        *z = *x;
    }
    for (row, z) in theta[dims.range_L()].chunks_exact(N).zip(&mut z[N..M]) {
        *z = zero;
        for (&l, &x) in row.iter().zip(&x[..N]) {
            *z = simd.mul_add_e_f32s(simd.splat_f32s(l), x, *z);
        }
    }
}

/// Running sums of `(z − x)²` and of the targets observed, lane by lane.
pub(super) struct Errors<S: Simd> {
    weight: S::f32s,
    sum: S::f32s,
    n_targets: S::f32s,
}

impl<S: Simd> Errors<S> {
    #[inline(always)]
    pub fn new(simd: S, weights: &[f32; MAX_LANES]) -> Self {
        let zero = simd.splat_f32s(0.0);
        Self {
            weight: vectors::<S>(weights)[0],
            sum: zero,
            n_targets: zero,
        }
    }

    /// Leaves `z − x` (or [`MISSING`]) in `x` and forces `z` towards it by `alpha` where it was observed.
    #[inline(always)]
    pub fn add(&mut self, simd: S, alpha: f32, z: &mut [S::f32s], x: &mut [S::f32s]) {
        let missing = simd.splat_f32s(0.5 * MISSING);
        let zero = simd.splat_f32s(0.0);
        for (z, x) in z.iter_mut().zip(x) {
            let observed = simd.less_than_f32s(*x, missing);
            let residual = simd.sub_f32s(*z, *x);
            let e = simd.mul_f32s(simd.select_f32s(observed, residual, zero), self.weight);
            self.sum = simd.mul_add_e_f32s(e, e, self.sum);
            self.n_targets = simd.add_f32s(self.n_targets, simd.select_f32s(observed, self.weight, zero));
            if alpha == 1.0 {
                *z = simd.select_f32s(observed, *x, *z);
            } else if alpha != 0.0 {
                let forced = simd.mul_add_e_f32s(simd.splat_f32s(-alpha), residual, *z);
                *z = simd.select_f32s(observed, forced, *z);
            }
            *x = simd.select_f32s(observed, e, simd.splat_f32s(MISSING));
        }
    }

    #[inline(always)]
    pub fn finish(self, simd: S, lanes: &mut [[f32; MAX_LANES]; 2]) {
        simd.partial_store_f32s(&mut lanes[0], self.sum);
        simd.partial_store_f32s(&mut lanes[1], self.n_targets);
    }
}

/// `λ += z[:N] − x` where observed.
#[inline(always)]
pub(super) fn add_residuals<S: Simd>(simd: S, residuals: &[S::f32s], lambda: &mut [S::f32s]) {
    let missing = simd.splat_f32s(0.5 * MISSING);
    for (&e, lambda) in residuals.iter().zip(lambda) {
        let sum = simd.add_f32s(*lambda, e);
        *lambda = simd.select_f32s(simd.less_than_f32s(e, missing), sum, *lambda);
    }
}

/// `g ← (1 − α) g` on observed rows of a forced step.
#[inline(always)]
pub(super) fn release<S: Simd>(simd: S, factor: f32, x: &[S::f32s], g: &mut [S::f32s]) {
    let missing = simd.splat_f32s(0.5 * MISSING);
    for (&x, g) in x.iter().zip(g) {
        let released = simd.mul_f32s(simd.splat_f32s(factor), *g);
        *g = simd.select_f32s(simd.less_than_f32s(x, missing), released, *g);
    }
}

/// `∂L = λ_0[N:] x_0ᵀ`.
#[inline(always)]
pub(super) fn collect_L<S: Simd>(simd: S, dims: Dims, lambda: &[S::f32s], x: &Buffer, dL: &mut Buffer) {
    let Dims { M, N, .. } = dims;
    let x0 = &vectors::<S>(x.padded())[..N];
    let dL = vectors_mut::<S>(dL.padded_mut());
    for (row, &lambda) in dL.chunks_exact_mut(N).zip(&lambda[N..M]) {
        for (dL, &x) in row.iter_mut().zip(x0) {
            *dL = simd.mul_f32s(lambda, x);
        }
    }
}
