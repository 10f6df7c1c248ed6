use pulp::Simd;

use crate::backend::blocked::{Block, Segments};
use crate::backend::cpu::blocked::memory::{PowerSums, States};
use crate::backend::cpu::blocked::powers::{PackedPowers, Powers};
use crate::backend::cpu::layout::Layout;
use crate::backend::cpu::memory::Pass;
use crate::backend::cpu::observed::{add_residuals, collect_L, release};
use crate::backend::cpu::pass::PassOver;
use crate::backend::cpu::simd::buffer::{vectors, vectors_mut};
use crate::backend::cpu::simd::kernel::{Outer, QUAD};

impl PassOver<'_> {
    /// Walks back, block by block, and leaves its gradients in `pass.partial`.
    ///
    /// With `Λ` the gradient at a block's end (0 for the last block), from its last step to its first
    /// `ū_i = Σ_{j>i} K_{j−1−i}ᵀ ȳ_j + R_{ℓ−1−i}ᵀ Λ`, `ȳ_j = residual_j − [z_P ≤ 0] ū_j` (on the ReLU units), and
    /// at its start `Σ_j G_jᵀ ȳ_j + (B^ℓ)ᵀ Λ − [z_P ≤ 0] ū_0`.
    #[inline(always)]
    pub fn adjoint_in_blocks<S: Simd>(&mut self, simd: S, segments: &Segments, powers: &Powers) {
        let (layout, forcing) = (self.layout, self.forcing);
        let (M, N) = (layout.shape.dims.M, layout.shape.dims.N);
        let (stride, Q) = (layout.stride, segments.Y());
        let packed = &powers.packed;
        let Pass {
            windows,
            states,
            partial,
            ..
        } = &mut *self.pass;
        let x = vectors::<S>(windows.x.padded());
        for (index, block) in segments.blocks.iter().enumerate().rev() {
            let y_bar =
                &mut vectors_mut::<S>(states.y_bar.padded_mut())[index * segments.J * Q..][..segments.J * Q];
            let (before, at) = vectors_mut::<S>(states.lambda.padded_mut()).split_at_mut(index * stride);
            let lambda = &at[..M];
            let sweep = Sweep {
                segments,
                packed,
                x,
                N,
                relu: vectors::<S>(states.relu.padded()),
            };
            let u_bar = vectors_mut::<S>(states.u_bar.padded_mut());
            sweep.block(simd, block, lambda, y_bar, u_bar);
            // Where the gradient at the block's start goes: to the end of the one before.
            let out = match index.checked_sub(1) {
                Some(previous) => &mut before[previous * stride..],
                None => vectors_mut::<S>(states.lambda_0.padded_mut()),
            };
            packed.Gt.assign(simd, M, None, y_bar, out);
            if let Some(end) = block.end {
                packed.ends[end].1.add(simd, 0, lambda, out);
            }
            let first = &u_bar[(block.length - 1) * segments.P..];
            let relu = &sweep.relu[block.start * segments.P..][..segments.P];
            subtract_where_off(simd, relu, first, &mut out[M - segments.P..M]);
            if index > 0 {
                let x = &x[block.start * N..(block.start + 1) * N];
                if forcing.at(block.start) {
                    release(simd, 1.0 - forcing.alpha, x, &mut out[..N]);
                }
                add_residuals(simd, x, &mut out[..N]);
            }
        }
        collect(simd, layout, segments, states, &mut partial.powers);
        let lambda_0 = vectors::<S>(states.lambda_0.padded());
        collect_L(simd, layout.shape.dims, lambda_0, &windows.x, &mut partial.dL);
    }
}

/// `g_p −= ū_p` where ReLU `p` was off.
#[inline(always)]
fn subtract_where_off<S: Simd>(simd: S, relu: &[S::f32s], u_bar: &[S::f32s], g: &mut [S::f32s]) {
    let zero = simd.splat_f32s(0.0);
    for ((&relu, &u_bar), g) in relu.iter().zip(u_bar).zip(g) {
        let on = simd.greater_than_f32s(relu, zero);
        *g = simd.select_f32s(on, *g, simd.sub_f32s(*g, u_bar));
    }
}

/// What the walk through a block reads.
struct Sweep<'a, S: Simd> {
    segments: &'a Segments,
    packed: &'a PackedPowers,
    /// Residuals, or [`crate::backend::MISSING`].
    x: &'a [S::f32s],
    N: usize,
    relu: &'a [S::f32s],
}

impl<S: Simd> Sweep<'_, S> {
    /// `ȳ_j` and `ū_i` of a block, latest step first in both.
    #[inline(always)]
    fn block(
        &self,
        simd: S,
        block: &Block,
        lambda: &[S::f32s],
        y_bar: &mut [S::f32s],
        u_bar: &mut [S::f32s],
    ) {
        let Segments { J, P, .. } = *self.segments;
        let (Q, N) = (self.segments.Y(), self.N);
        let zero = simd.splat_f32s(0.0);
        let length = block.length;
        if block.end.is_some() {
            self.packed.Rt.assign(simd, length * P, None, lambda, u_bar);
        } else {
            u_bar[..length * P].fill(zero);
        }
        let unused = (J - block.looked_at) * Q;
        y_bar[..unused].fill(zero);
        for j in (1..=block.looked_at).rev() {
            let t = block.start + j;
            let (later, own) = y_bar.split_at_mut((J - j) * Q);
            let own = &mut own[..Q];
            own.fill(zero);
            if j < length {
                let u_bar = &mut u_bar[(length - 1 - j) * P..];
                self.packed.Kt.add(simd, unused + j * Q, &later[unused..], u_bar);
                subtract_where_off(simd, &self.relu[t * P..(t + 1) * P], u_bar, &mut own[Q - P..]);
            }
            add_residuals(simd, &self.x[t * N..(t + 1) * N], &mut own[..N]);
        }
        self.packed
            .Kt
            .add(simd, unused, &y_bar[unused..], &mut u_bar[(length - 1) * P..]);
    }
}

/// Sums the outer products of all blocks.
#[inline(always)]
fn collect<S: Simd>(simd: S, layout: &Layout, segments: &Segments, states: &States, partial: &mut PowerSums) {
    let (stride, D, rows) = (layout.stride, segments.D, segments.J * segments.Y());
    let [z, lambda, drive, y_bar] =
        [&states.z, &states.lambda, &states.drive, &states.y_bar].map(|buffer| vectors::<S>(buffer.padded()));
    partial.G.resize(rows, layout.shape.dims.M);
    partial.G.collect(
        simd,
        Outer {
            left: y_bar,
            right: z,
            strides: (rows, stride),
            steps: segments.blocks.len(),
            fresh: true,
        },
    );
    for (end, &length) in segments.ends.iter().enumerate() {
        partial.drives[end].resize(layout.shape.dims.M, length * D);
        let mut fresh = true;
        let mut first = 0;
        while first < segments.blocks.len() {
            // Runs of blocks of this length lie evenly spaced.
            let run = segments.blocks[first..]
                .iter()
                .take_while(|block| block.end == Some(end))
                .count();
            let drives = (length * D, &drive[segments.blocks[first].start * D..]);
            let factors = [
                (&mut partial.ends[end], (stride, &z[first * stride..])),
                (&mut partial.drives[end], drives),
            ];
            for (tiles, (pitch, right)) in factors
                .into_iter()
                .filter(|(_, (pitch, _))| run > 0 && *pitch > 0)
            {
                let operands = Outer {
                    left: &lambda[first * stride..],
                    right,
                    strides: (stride, pitch),
                    steps: run,
                    fresh,
                };
                tiles.collect(simd, operands);
            }
            fresh &= run == 0;
            first += run.max(1);
        }
    }
    let entries = vectors_mut::<S>(partial.K.padded_mut());
    match (layout.tile_rows, D) {
        (_, 0) => {}
        (5, 1 | 2) => convolve::<S, 5, 2>(simd, segments, y_bar, drive, entries),
        (5, _) => convolve::<S, 5, QUAD>(simd, segments, y_bar, drive, entries),
        (_, 1 | 2) => convolve::<S, 2, 2>(simd, segments, y_bar, drive, entries),
        _ => convolve::<S, 2, QUAD>(simd, segments, y_bar, drive, entries),
    }
}

/// Rows and columns of a tile of the gradient of `K`.
pub(super) fn convolution_tile(tile_rows: usize, D: usize) -> (usize, usize) {
    (tile_rows, if D <= 2 { 2 } else { QUAD })
}

/// `∂K_l = Σ ȳ_j v_{j−1−l}ᵀ` over all blocks and their steps `j > l`, in tiles `[l][of Q][of D]`.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "loops over registers")]
fn convolve<S: Simd, const I: usize, const C: usize>(
    simd: S,
    segments: &Segments,
    y_bar: &[S::f32s],
    drive: &[S::f32s],
    entries: &mut [S::f32s],
) {
    let (Q, D, J) = (segments.Y(), segments.D, segments.J);
    let mut tiles = entries.as_chunks_mut::<C>().0.as_chunks_mut::<I>().0.iter_mut();
    for l in 0..J {
        for q in (0..Q).step_by(I) {
            for d in (0..D).step_by(C) {
                let tile = tiles.next().expect("room for every tile");
                let mut acc = [[simd.splat_f32s(0.0); C]; I];
                for (index, block) in segments.blocks.iter().enumerate() {
                    for j in l + 1..=block.looked_at {
                        let left = y_bar[(index * J + J - j) * Q + q..].first_chunk::<I>();
                        let right = drive[(block.start + j - 1 - l) * D + d..].first_chunk::<C>();
                        let (Some(left), Some(right)) = (left, right) else {
                            continue;
                        };
                        for i in 0..I {
                            for c in 0..C {
                                acc[i][c] = simd.mul_add_e_f32s(left[i], right[c], acc[i][c]);
                            }
                        }
                    }
                }
                for i in 0..I {
                    for c in 0..C {
                        tile[i][c] = acc[i][c];
                    }
                }
            }
        }
    }
}
