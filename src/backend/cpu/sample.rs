use pulp::Simd;

use crate::backend::cpu::layout::Layout;
use crate::backend::cpu::memory::GroupWindows;
use crate::backend::cpu::simd::buffer::{MAX_LANES, vectors_mut};
use crate::backend::cpu::simd::kernel::{QUAD, transpose_quad};
use crate::backend::cpu::step::LoadWindows;
use crate::backend::{Member, TrainingData};
use crate::model::Dims;
use crate::rng::{Stream, index, normal_pair, threefry2x32};

/// Draws the batches of the member with this seed.
pub(super) struct Draw<'a> {
    data: &'a TrainingData,
    seed: u32,
    noise: f32,
    /// Forcing interval, and what observations there are multiplied by.
    tau: usize,
    shrinkage: f32,
}

impl<'a> Draw<'a> {
    /// With noise of this standard deviation.
    pub fn new(data: &'a TrainingData, member: &Member, noise: f64) -> Self {
        Self {
            data,
            seed: member.seed,
            noise: noise as f32,
            tau: member.tau,
            shrinkage: member.inflation.recip() as f32,
        }
    }
}

impl LoadWindows for Draw<'_> {
    /// `x[t·N + n]` is `x + σ n`, divided by the inflation where states are forced to it, and `s[t·K + k]`, addressed as
    /// [`Stream::Window`] and [`Stream::Noise`] say. A missing entry is so large that noise leaves it as it is.
    #[inline(always)]
    fn load<S: Simd>(&self, simd: S, layout: &Layout, step: u32, group: usize, to: &mut GroupWindows) {
        let Dims { N, K, .. } = layout.shape.dims;
        let rows = layout.shape.T + 1;
        let sequences = &layout.sequences(group)[..S::F32_LANES];
        let starts = &mut [0; MAX_LANES][..S::F32_LANES];
        for (start, &s) in starts.iter_mut().zip(sequences) {
            let words = threefry2x32([self.seed, Stream::Window as u32], [step, s]);
            *start = self.data.starts[index(words[0], self.data.starts.len() as u32) as usize];
        }
        let windows = Source {
            data: &self.data.x,
            columns: N,
            starts,
            length: rows * N,
        };
        let x = vectors_mut::<S>(to.x.padded_mut());
        if self.noise == 0.0 {
            windows.copy(simd, x);
        } else {
            windows.copy_with_noise(simd, x, self, step, layout.shape.S as u32, sequences);
        }
        if self.shrinkage != 1.0 {
            let shrinkage = simd.splat_f32s(self.shrinkage);
            for row in x[..(rows - 1) * N].chunks_mut(N).step_by(self.tau) {
                // What is missing stays far above any observation.
                row.iter_mut().for_each(|x| *x = simd.mul_f32s(*x, shrinkage));
            }
        }
        if K > 0 {
            let inputs = Source {
                data: &self.data.s,
                columns: K,
                starts,
                length: rows * K,
            };
            inputs.copy(simd, vectors_mut::<S>(to.s.padded_mut()));
        }
    }
}

/// Windows of `length` elements of a table, one for each lane, from these rows on.
pub(super) struct Source<'a> {
    pub data: &'a [f32],
    pub columns: usize,
    pub starts: &'a [u32],
    pub length: usize,
}

/// Elements that are copied for all lanes before the next: what they take stays in the first-level cache.
const CHUNK: usize = 16 * QUAD;

impl Source<'_> {
    /// `x[e]` is element `e` of every lane; writes whole quads.
    #[inline(always)]
    pub fn copy<S: Simd>(&self, simd: S, x: &mut [S::f32s]) {
        for first in (0..self.length).step_by(CHUNK) {
            for rows in self.gather::<S>(first, x) {
                *rows = transpose_quad(simd, *rows);
            }
        }
    }

    /// As [`Source::copy`], and `x[e] += σ n_e` for elements `e`, two from one draw and two draws side by side.
    #[inline(always)]
    fn copy_with_noise<S: Simd>(
        &self,
        simd: S,
        x: &mut [S::f32s],
        draw: &Draw<'_>,
        step: u32,
        batch: u32,
        sequences: &[u32],
    ) {
        const DRAWS: usize = QUAD / 2;
        let lanes = S::F32_LANES;
        let key = [draw.seed, Stream::Noise as u32];
        let sigma = simd.splat_f32s(draw.noise);
        let mut counters = [0; DRAWS * MAX_LANES];
        for (ahead, counters) in (0..).zip(counters.chunks_exact_mut(lanes).take(DRAWS)) {
            for (counter, &s) in counters.iter_mut().zip(sequences) {
                *counter = ahead * batch + s;
            }
        }
        let mut normals = [[0.0; DRAWS * MAX_LANES]; 2];
        for first in (0..self.length).step_by(CHUNK) {
            for rows in self.gather::<S>(first, x) {
                for lane in 0..DRAWS * lanes {
                    let pair = normal_pair(threefry2x32(key, [step, counters[lane]]));
                    (normals[0][lane], normals[1][lane]) = (pair[0], pair[1]);
                    counters[lane] = counters[lane].wrapping_add(DRAWS as u32 * batch);
                }
                *rows = transpose_quad(simd, *rows);
                for (row, x) in rows.iter_mut().enumerate() {
                    let normals = S::as_simd_f32s(&normals[row % 2]).0[row / 2];
                    *x = simd.mul_add_e_f32s(sigma, normals, *x);
                }
            }
        }
    }

    /// Copies a chunk of each lane's window, four elements at a time, to where a transposition of four vectors takes
    /// them from: element `4b + i` of lane `4c + k` to `[4b + k][4c + i]`. Copies of 16 bytes are several times as fast
    /// as a scatter.
    #[inline(always)]
    fn gather<'x, S: Simd>(&self, first: usize, x: &'x mut [S::f32s]) -> &'x mut [[S::f32s; QUAD]] {
        let lanes = S::F32_LANES;
        let length = CHUNK.min(self.length - first);
        let chunk = &mut x[first..first + length.next_multiple_of(QUAD)];
        let out: &mut [f32] = bytemuck::cast_slice_mut(chunk);
        for (lane, &start) in self.starts.iter().enumerate() {
            let window = &self.data[start as usize * self.columns + first..][..length];
            let place = if lanes < QUAD {
                0
            } else {
                lane % QUAD * lanes + lane / QUAD * QUAD
            };
            let (quads, rest) = window.as_chunks::<QUAD>();
            for (out, quad) in out.chunks_exact_mut(QUAD * lanes).zip(quads) {
                out[place..place + QUAD].copy_from_slice(quad);
            }
            if !rest.is_empty() {
                let last = quads.len() * QUAD * lanes + place;
                out[last..last + rest.len()].copy_from_slice(rest);
            }
        }
        chunk.as_chunks_mut::<QUAD>().0
    }
}
