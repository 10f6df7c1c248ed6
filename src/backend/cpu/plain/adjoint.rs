use std::ops::Range;

use pulp::Simd;

use crate::backend::cpu::layout::Layout;
use crate::backend::cpu::memory::{CHUNK, Pass};
use crate::backend::cpu::observed::{Forcing, add_residuals, collect_L, release};
use crate::backend::cpu::pass::{PassOver, Prepared};
use crate::backend::cpu::simd::buffer::{vectors, vectors_mut};
use crate::backend::cpu::simd::kernel::{Outer, rows};
use crate::model::Dims;

impl PassOver<'_> {
    /// Walks back and leaves the gradients in `pass.partial`.
    ///
    /// All of it is linear in the residuals, so the factor `2/(S·T·N)` comes last, in [`crate::backend::cpu::update`]:
    /// `λ_t = (z_t[:N] − x_t) + f_t ∘ g_t`, `g_t = Bᵀ λ_{t+1}` for linear and active units and `A ∘ λ_{t+1}` for others.
    #[inline(always)]
    pub fn adjoint<S: Simd, const R: usize>(&mut self, simd: S) {
        let (layout, forcing, pass) = (self.layout, self.forcing, &mut *self.pass);
        let Prepared { theta, weights, .. } = self.prepared;
        let (T, stride, N) = (layout.shape.T, layout.stride, layout.shape.dims.N);
        // Nothing flows into λ_T but its residual.
        let last = T.min(CHUNK) * stride;
        vectors_mut::<S>(pass.lambda.padded_mut())[last..last + stride].fill(simd.splat_f32s(0.0));
        let mut high = T;
        while high > 0 {
            // λ_t lies at slot t − low + 1; slot 0 takes what flows on to the next chunk.
            let low = high.saturating_sub(CHUNK) + 1;
            let lambda = vectors_mut::<S>(pass.lambda.padded_mut());
            let x = vectors::<S>(pass.windows.x.padded());
            let phi = vectors::<S>(pass.phi.padded());
            for t in (low..=high).rev() {
                let slot = t - low + 1;
                let (earlier, own) = lambda.split_at_mut(slot * stride);
                add_residuals(simd, &x[t * N..(t + 1) * N], &mut own[..N]);
                let out = &mut earlier[(slot - 1) * stride..];
                let M = layout.shape.dims.M;
                let blocks = out[..layout.blocks * R].as_chunks_mut::<R>().0;
                for (block, out) in blocks.iter_mut().enumerate() {
                    let B = &weights.backward.as_slice()[block * R * M..(block + 1) * R * M];
                    *out = rows(simd, B, &own[..M], [simd.splat_f32s(0.0); R]);
                }
                let relu = M - forcing.P..M;
                let phi = &phi[(t - 1) * stride + relu.start..][..forcing.P];
                let (A, lambda) = (&theta[relu.clone()], &own[relu.clone()]);
                gate(simd, phi, A, lambda, &mut out[relu]);
                if forcing.at(t - 1) {
                    let x = &x[(t - 1) * N..t * N];
                    release(simd, 1.0 - forcing.alpha, x, &mut out[..N]);
                }
            }
            collect(simd, layout, forcing, pass, low..high + 1, high == T);
            let next = (low - 1).min(CHUNK) * stride;
            vectors_mut::<S>(pass.lambda.padded_mut()).copy_within(0..stride, next);
            high = low - 1;
        }
        // λ_0 is left at slot 0.
        let lambda = vectors::<S>(pass.lambda.padded());
        let (dims, x, dL) = (layout.shape.dims, &pass.windows.x, &mut pass.partial.dL);
        collect_L(simd, dims, lambda, x, dL);
    }
}

/// Replaces `(Bᵀλ)_j` by `A_j λ_j` where ReLU `j` was off.
#[inline(always)]
fn gate<S: Simd>(simd: S, phi: &[S::f32s], A: &[f32], lambda: &[S::f32s], g: &mut [S::f32s]) {
    for (((&phi, &a), &lambda), g) in phi.iter().zip(A).zip(lambda).zip(g) {
        let on = simd.greater_than_f32s(phi, simd.splat_f32s(0.0));
        *g = simd.select_f32s(on, *g, simd.mul_f32s(simd.splat_f32s(a), lambda));
    }
}

/// Adds a chunk's outer products: `λ_t` (slots 1…) with `φ(z̃_{t−1})`, `s_t`, 1, for `t` in `times`.
#[inline(always)]
fn collect<S: Simd>(
    simd: S,
    layout: &Layout,
    forcing: Forcing,
    pass: &mut Pass,
    times: Range<usize>,
    fresh: bool,
) {
    let (low, steps, stride) = (times.start, times.len(), layout.stride);
    let Dims { M, K, .. } = layout.shape.dims;
    let lambda = &vectors::<S>(pass.lambda.padded())[stride..(steps + 1) * stride];
    let phi = &vectors::<S>(pass.phi.padded())[(low - 1) * stride..];
    pass.partial.dW.collect(
        simd,
        Outer {
            left: lambda,
            right: phi,
            strides: (stride, stride),
            steps,
            fresh,
        },
    );
    let P = forcing.P;
    let neg = &vectors::<S>(pass.neg.padded())[(low - 1) * P..];
    let dA = &mut vectors_mut::<S>(pass.partial.dA.padded_mut())[..M];
    if fresh {
        dA.fill(simd.splat_f32s(0.0));
    }
    for (p, dA) in dA[M - P..].iter_mut().enumerate() {
        for t in 0..steps {
            *dA = simd.mul_add_e_f32s(lambda[t * stride + M - P + p], neg[t * P + p], *dA);
        }
    }
    let inputs = &vectors::<S>(pass.windows.s.padded())[low * K..];
    let dC = &mut vectors_mut::<S>(pass.partial.dC.padded_mut())[..M * K];
    for (entry, dC) in dC.iter_mut().enumerate() {
        let (i, k) = (entry / K, entry % K);
        if fresh {
            *dC = simd.splat_f32s(0.0);
        }
        for t in 0..steps {
            *dC = simd.mul_add_e_f32s(lambda[t * stride + i], inputs[t * K + k], *dC);
        }
    }
}
