#![allow(non_snake_case, reason = "the paper's symbols")]

use pulp::{Simd, WithSimd};

use crate::backend::MISSING;
use crate::backend::cpu::buffers::{MAX_LANES, Pass, vectors, vectors_mut};
use crate::backend::cpu::kernel::{rows, splat};
use crate::backend::cpu::layout::{Layout, Weights};
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

/// Runs one group of sequences through its windows: fills `phi`, `neg`, and `x` with the residuals; and `z` with
/// the unforced states `[T][M]`, where asked.
///
/// `z_{t+1} = B φ(z̃_t) + A ∘ (z̃_t − φ(z̃_t)) + h + C s_{t+1}` with `B = diag(A) + W`, which is `model.md`'s step.
#[inline(always)]
pub(super) fn forward<S: Simd>(simd: S, arguments: Arguments<'_>) {
    match arguments.layout.rows {
        4 => Forward::<4>(arguments).with_simd(simd),
        8 => Forward::<8>(arguments).with_simd(simd),
        10 => Forward::<10>(arguments).with_simd(simd),
        _ => Forward::<12>(arguments).with_simd(simd),
    }
}

pub(super) struct Arguments<'a> {
    pub layout: &'a Layout,
    pub forcing: Forcing,
    pub theta: &'a [f32],
    pub weights: &'a Weights,
    pub group: usize,
    pub pass: &'a mut Pass,
    /// See [`crate::backend::cpu::buffers::Outcome::errors`].
    pub errors: &'a mut [[f32; MAX_LANES]; 2],
    pub z: Option<&'a mut [f32]>,
}

struct Forward<'a, const R: usize>(Arguments<'a>);

impl<const R: usize> WithSimd for Forward<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Arguments {
            layout,
            forcing,
            theta,
            weights,
            group,
            pass,
            errors: lanes,
            z,
        } = self.0;
        let (dims, T, stride) = (layout.shape.dims, layout.shape.T, layout.stride);
        let Dims { M, N, K } = dims;
        let P = forcing.P;
        let A = &theta[M - P..M];
        let step = Step { layout, weights, A };
        let mut z = z.map(|z| vectors_mut::<S>(z));
        let x = vectors_mut::<S>(pass.windows.x.padded_mut());
        let inputs = vectors::<S>(pass.windows.s.padded());
        let phi = vectors_mut::<S>(pass.phi.padded_mut());
        let neg = vectors_mut::<S>(pass.neg.padded_mut());
        let mut errors = Errors::<S>::new(simd, &layout.weights(group));
        initial_state(simd, dims, theta, x, &mut phi[..stride]);
        split(simd, &mut phi[M - P..M], &mut neg[..P]);
        for t in 0..T {
            let (before, after) = phi.split_at_mut((t + 1) * stride);
            let (now, next) = (&before[t * stride..], &mut after[..stride]);
            let (neg_now, neg_next) = neg[t * P..].split_at_mut(P);
            step.run::<S, R>(simd, now, neg_now, &inputs[(t + 1) * K..(t + 2) * K], next);
            if let Some(z) = &mut z {
                z[t * M..(t + 1) * M].copy_from_slice(&next[..M]);
            }
            let alpha = if forcing.at(t + 1) { forcing.alpha } else { 0.0 };
            errors.add(simd, alpha, &mut next[..N], &mut x[(t + 1) * N..(t + 2) * N]);
            split(simd, &mut next[M - P..M], &mut neg_next[..P]);
        }
        errors.finish(simd, lanes);
    }
}

/// The step of a model.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub layout: &'a Layout,
    pub weights: &'a Weights,
    /// Of the ReLU units.
    pub A: &'a [f32],
}

impl Step<'_> {
    /// From `φ(z̃)` and, of the ReLU units, `z̃ − φ(z̃)` to the next, unforced `z`; `R` is [`Layout::rows`].
    #[inline(always)]
    pub fn run<S: Simd, const R: usize>(
        self,
        simd: S,
        phi: &[S::f32s],
        neg: &[S::f32s],
        inputs: &[S::f32s],
        z: &mut [S::f32s],
    ) {
        let Self { layout, weights, A } = self;
        let Dims { M, K, .. } = layout.shape.dims;
        let blocks = z[..layout.blocks * R].as_chunks_mut::<R>().0;
        for (block, out) in blocks.iter_mut().enumerate() {
            let B = &weights.forward.as_slice()[block * R * M..(block + 1) * R * M];
            let h = splat(simd, &weights.h.as_slice()[block * R..]);
            let mut acc = rows::<S, R>(simd, B, &phi[..M], h);
            if K > 0 {
                let C = &weights.C.as_slice()[block * R * K..(block + 1) * R * K];
                acc = rows(simd, C, inputs, acc);
            }
            *out = acc;
        }
        for ((z, &a), &n) in z[M - A.len()..M].iter_mut().zip(A).zip(neg) {
            *z = simd.mul_add_e_f32s(simd.splat_f32s(a), n, *z);
        }
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

/// `z → φ(z) = max(z, 0)` in place, `z − φ(z)` beside it. NaN survives in one of them.
#[inline(always)]
pub(super) fn split<S: Simd>(simd: S, z: &mut [S::f32s], neg: &mut [S::f32s]) {
    for (z, neg) in z.iter_mut().zip(neg) {
        let phi = simd.max_f32s(simd.splat_f32s(0.0), *z);
        *neg = simd.sub_f32s(*z, phi);
        *z = phi;
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
