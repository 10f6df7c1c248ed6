use pulp::Simd;

use crate::backend::cpu::layout::Layout;
use crate::backend::cpu::observed::{Errors, initial_state};
use crate::backend::cpu::pass::{PassOver, Prepared};
use crate::backend::cpu::plain::Weights;
use crate::backend::cpu::simd::buffer::{vectors, vectors_mut};
use crate::backend::cpu::simd::kernel::{rows, splat};
use crate::model::Dims;

impl PassOver<'_> {
    /// Fills `phi`, `neg`, and `x` with the residuals.
    ///
    /// `z_{t+1} = B φ(z̃_t) + A ∘ (z̃_t − φ(z̃_t)) + h + C s_{t+1}` with `B = diag(A) + W`.
    #[inline(always)]
    pub fn forward<S: Simd, const R: usize>(&mut self, simd: S) {
        let (layout, forcing, pass) = (self.layout, self.forcing, &mut *self.pass);
        let Prepared { theta, weights, .. } = self.prepared;
        let (dims, T, stride) = (layout.shape.dims, layout.shape.T, layout.stride);
        let Dims { M, N, K } = dims;
        let P = forcing.P;
        let A = &theta[M - P..M];
        let step = Step { layout, weights, A };
        let mut z = self.z.as_deref_mut().map(|z| vectors_mut::<S>(z));
        let x = vectors_mut::<S>(pass.windows.x.padded_mut());
        let inputs = vectors::<S>(pass.windows.s.padded());
        let phi = vectors_mut::<S>(pass.phi.padded_mut());
        let neg = vectors_mut::<S>(pass.neg.padded_mut());
        let mut errors = Errors::<S>::new(simd, &layout.weights(self.group));
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
        errors.finish(simd, &mut self.outcome.errors);
    }
}

/// The step of a model.
#[derive(Clone, Copy)]
pub struct Step<'a> {
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

/// `z → φ(z) = max(z, 0)` in place, `z − φ(z)` beside it. NaN survives in one of them.
#[inline(always)]
pub fn split<S: Simd>(simd: S, z: &mut [S::f32s], neg: &mut [S::f32s]) {
    for (z, neg) in z.iter_mut().zip(neg) {
        let phi = simd.max_f32s(simd.splat_f32s(0.0), *z);
        *neg = simd.sub_f32s(*z, phi);
        *z = phi;
    }
}
