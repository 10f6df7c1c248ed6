#![allow(non_snake_case, reason = "the paper's symbols")]

use pulp::{Simd, WithSimd};

use crate::backend::TrainingData;
use crate::backend::cpu::buffers::{MAX_LANES, Pass, vectors_mut};
use crate::backend::cpu::kernel::{QUAD, transpose_quad};
use crate::backend::cpu::layout::Layout;
use crate::backend::cpu::step::Windows;
use crate::model::Dims;
use crate::rng::{Stream, index, normal_pair, threefry2x32};

/// Draws the batches of the member with this seed.
pub(super) struct Draw<'a> {
    pub data: &'a TrainingData,
    pub seed: u32,
    pub noise: f32,
}

impl Windows for Draw<'_> {
    /// `x[t·N + n]` is `x + σ n`, and `s[t·K + k]`, addressed as [`Stream::Window`] and [`Stream::Noise`] say. A missing
    /// entry is so large that noise leaves it as it is.
    #[inline(always)]
    fn load<S: Simd>(&self, simd: S, layout: &Layout, step: u32, group: usize, pass: &mut Pass) {
        let sample = Sample {
            layout,
            draw: self,
            step,
            group,
            pass,
        };
        sample.with_simd(simd);
    }
}

struct Sample<'a> {
    layout: &'a Layout,
    draw: &'a Draw<'a>,
    step: u32,
    group: usize,
    pass: &'a mut Pass,
}

impl WithSimd for Sample<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            layout,
            draw,
            step,
            group,
            pass,
        } = self;
        let Dims { N, K, .. } = layout.shape.dims;
        let rows = layout.shape.T + 1;
        let lanes = S::F32_LANES;
        let sequences = &layout.sequences(group)[..lanes];
        let starts = &mut [0; MAX_LANES][..lanes];
        for (start, &s) in starts.iter_mut().zip(sequences) {
            let words = threefry2x32([draw.seed, Stream::Window as u32], [step, s]);
            *start = draw.data.starts[index(words[0], draw.data.starts.len() as u32) as usize];
        }
        let x = &mut pass.x.padded_mut()[..(rows * N).next_multiple_of(QUAD) * lanes];
        gather::<S>(&draw.data.x, N, starts, rows * N, x);
        if draw.noise == 0.0 {
            transpose(simd, x);
        } else {
            transpose_and_add_noise(simd, draw, step, layout.shape.S as u32, sequences, x);
        }
        if K > 0 {
            let s = &mut pass.s.padded_mut()[..(rows * K).next_multiple_of(QUAD) * lanes];
            gather::<S>(&draw.data.s, K, starts, rows * K, s);
            transpose(simd, s);
        }
    }
}

/// Copies each lane's window of `length` elements, four at a time, to where [`transpose`] takes them from: element
/// `4b + i` of lane `4c + k` to `out[4b + k][4c + i]`. Copies of 16 bytes are several times as fast as a scatter.
#[inline(always)]
fn gather<S: Simd>(data: &[f32], columns: usize, starts: &[u32], length: usize, out: &mut [f32]) {
    let lanes = S::F32_LANES;
    for (lane, &start) in starts.iter().enumerate() {
        let window = &data[start as usize * columns..][..length];
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
}

/// Makes rows of lanes of what [`gather`] left.
#[inline(always)]
fn transpose<S: Simd>(simd: S, x: &mut [f32]) {
    for rows in vectors_mut::<S>(x).as_chunks_mut::<QUAD>().0 {
        *rows = transpose_quad(simd, *rows);
    }
}

/// As [`transpose`], and `x[e] += σ n_e` for elements `e`, two from one draw and two draws side by side.
#[inline(always)]
fn transpose_and_add_noise<S: Simd>(
    simd: S,
    draw: &Draw<'_>,
    step: u32,
    batch: u32,
    sequences: &[u32],
    x: &mut [f32],
) {
    const DRAWS: usize = QUAD / 2;
    let lanes = S::F32_LANES;
    let key = [draw.seed, Stream::Noise as u32];
    let noise = simd.splat_f32s(draw.noise);
    let mut counters = [0; DRAWS * MAX_LANES];
    for (ahead, counters) in (0..).zip(counters.chunks_exact_mut(lanes).take(DRAWS)) {
        for (counter, &s) in counters.iter_mut().zip(sequences) {
            *counter = ahead * batch + s;
        }
    }
    let mut normals = [[0.0; DRAWS * MAX_LANES]; 2];
    for rows in vectors_mut::<S>(x).as_chunks_mut::<QUAD>().0 {
        for lane in 0..DRAWS * lanes {
            let pair = normal_pair(threefry2x32(key, [step, counters[lane]]));
            (normals[0][lane], normals[1][lane]) = (pair[0], pair[1]);
            counters[lane] = counters[lane].wrapping_add(DRAWS as u32 * batch);
        }
        *rows = transpose_quad(simd, *rows);
        for (row, x) in rows.iter_mut().enumerate() {
            let normals = S::as_simd_f32s(&normals[row % 2]).0[row / 2];
            *x = simd.mul_add_e_f32s(noise, normals, *x);
        }
    }
}
