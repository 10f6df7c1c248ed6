use ndarray::Array1;
use pulp::Simd;

use crate::backend::blocked::Segments;
use crate::backend::cpu::blocked::memory::States;
use crate::backend::cpu::blocked::powers::Powers;
use crate::backend::cpu::layout::Layout;
use crate::backend::cpu::memory::Pass;
use crate::backend::cpu::observed::{Errors, initial_state};
use crate::backend::cpu::pass::PassOver;
use crate::backend::cpu::simd::buffer::{vectors, vectors_mut};
use crate::model::Dims;

impl PassOver<'_> {
    /// Block by block: fills `pass.states` and leaves the residuals in `x`.
    #[inline(always)]
    pub fn forward_in_blocks<S: Simd>(&mut self, simd: S, segments: &Segments, powers: &Powers) {
        let (layout, forcing, theta) = (self.layout, self.forcing, &self.prepared.theta);
        let Dims { M, N, K } = layout.shape.dims;
        let (stride, Q, D) = (layout.stride, segments.Y(), segments.D);
        let packed = &powers.packed;
        let Pass { windows, states, .. } = &mut *self.pass;
        let x = vectors_mut::<S>(windows.x.padded_mut());
        let inputs = vectors::<S>(windows.s.padded());
        let mut errors = Errors::<S>::new(simd, &layout.weights(self.group));
        let z = vectors_mut::<S>(states.z.padded_mut());
        initial_state(simd, layout.shape.dims, theta, x, z);
        for (index, block) in segments.blocks.iter().enumerate() {
            let (z, after) = vectors_mut::<S>(states.z.padded_mut())[index * stride..].split_at_mut(stride);
            let y = vectors_mut::<S>(states.y.padded_mut());
            let relu = vectors_mut::<S>(states.relu.padded_mut());
            let drive = vectors_mut::<S>(states.drive.padded_mut());
            let mut drives = Drives {
                P: segments.P,
                K,
                inputs,
                relu,
                drive,
            };
            let z = &z[..M];
            packed
                .G
                .assign(simd, block.looked_at * Q, Some(powers.c.padded()), z, y);
            drives.set(simd, block.start, &z[M - segments.P..]);
            for j in 1..=block.looked_at {
                let t = block.start + j;
                let so_far = &drives.drive[block.start * D..t * D];
                let y = &mut y[(j - 1) * Q..];
                packed.K.add(simd, (segments.J - j) * D, so_far, y);
                errors.add(simd, 0.0, &mut y[..N], &mut x[t * N..(t + 1) * N]);
                if j < block.length {
                    drives.set(simd, t, &y[Q - segments.P..Q]);
                }
            }
            if let Some(end) = block.end {
                let t = block.start + block.length;
                let skip = (segments.longest_end() - block.length) * D;
                packed.ends[end]
                    .0
                    .assign(simd, M, Some(powers.g[end].padded()), z, after);
                packed
                    .R
                    .add(simd, skip, &drives.drive[block.start * D..t * D], after);
                let alpha = if forcing.at(t) { forcing.alpha } else { 0.0 };
                errors.add(simd, alpha, &mut after[..N], &mut x[t * N..(t + 1) * N]);
            }
        }
        errors.finish(simd, &mut self.outcome.errors);
    }
}

/// Where the ReLU units and the drives of every step are kept.
struct Drives<'a, S: Simd> {
    P: usize,
    K: usize,
    inputs: &'a [S::f32s],
    relu: &'a mut [S::f32s],
    drive: &'a mut [S::f32s],
}

impl<S: Simd> Drives<'_, S> {
    /// `v_t = [max(−z_P, 0) ; s_{t+1}]` of the step from `z_t`, of which `relu` are the ReLU units.
    #[inline(always)]
    fn set(&mut self, simd: S, t: usize, relu: &[S::f32s]) {
        let (P, K) = (self.P, self.K);
        let zero = simd.splat_f32s(0.0);
        let drive = &mut self.drive[t * (P + K)..(t + 1) * (P + K)];
        let kept = &mut self.relu[t * P..(t + 1) * P];
        for p in 0..P {
            kept[p] = relu[p];
            // NaN comes through, as in the plain form.
            drive[p] = simd.sub_f32s(simd.max_f32s(zero, relu[p]), relu[p]);
        }
        drive[P..].copy_from_slice(&self.inputs[(t + 1) * K..(t + 2) * K]);
    }
}

impl States {
    /// State of a lane at the start of a block.
    pub fn start_of(&self, layout: &Layout, block: usize, lane: usize) -> Array1<f32> {
        let z = &self.z.as_slice()[block * layout.stride * layout.lanes..];
        (0..layout.shape.dims.M)
            .map(|i| z[i * layout.lanes + lane])
            .collect()
    }
}
