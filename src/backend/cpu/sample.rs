#![allow(non_snake_case, reason = "the paper's symbols")]

use pulp::{Simd, WithSimd};

use crate::backend::TrainingData;
use crate::backend::cpu::buffers::{MAX_LANES, Workspace, vectors_mut};
use crate::backend::cpu::layout::Layout;
use crate::model::Dims;
use crate::rng::{Stream, index, normal_pair, threefry2x32};

/// The batch of optimiser step `step` (counted from 0) of the member with this seed.
#[derive(Clone, Copy)]
pub(super) struct Draw<'a> {
    pub data: &'a TrainingData,
    pub seed: u32,
    pub noise: f32,
    pub step: u32,
}

/// Draws the windows of one group: fills `x[t·N + n]` with `x + σ n` and `s[t·K + k]`, addressed as
/// [`Stream::Window`] and [`Stream::Noise`] say. A missing entry is so large that noise leaves it as it is.
pub(super) fn sample<S: Simd>(simd: S, layout: &Layout, draw: Draw<'_>, group: usize, work: &mut Workspace) {
    simd.vectorize(Sample {
        layout,
        draw,
        group,
        work,
    });
}

struct Sample<'a> {
    layout: &'a Layout,
    draw: Draw<'a>,
    group: usize,
    work: &'a mut Workspace,
}

impl WithSimd for Sample<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            layout,
            draw,
            group,
            work,
        } = self;
        let Dims { N, K, .. } = layout.shape.dims;
        let rows = layout.shape.T + 1;
        let lanes = S::F32_LANES;
        let sequences = &work.sequences[group * lanes..(group + 1) * lanes];
        let starts = &mut work.starts[..lanes];
        for (start, &s) in starts.iter_mut().zip(sequences) {
            let words = threefry2x32([draw.seed, Stream::Window as u32], [draw.step, s]);
            *start = draw.data.starts[index(words[0], draw.data.starts.len() as u32) as usize];
        }
        let x = work.x.padded_mut();
        gather::<S>(&draw.data.x, N, starts, &mut x[..rows * N * lanes]);
        if K > 0 {
            gather::<S>(
                &draw.data.s,
                K,
                starts,
                &mut work.s.padded_mut()[..rows * K * lanes],
            );
        }
        if draw.noise != 0.0 {
            add_noise(simd, draw, layout.shape.S as u32, sequences, rows * N, x);
        }
    }
}

/// `out[e][lane] = data[starts[lane] · columns + e]`.
#[inline(always)]
fn gather<S: Simd>(data: &[f32], columns: usize, starts: &[u32], out: &mut [f32]) {
    let lanes = S::F32_LANES;
    for (lane, &start) in starts.iter().enumerate() {
        let window = &data[start as usize * columns..];
        for (row, &value) in out.chunks_exact_mut(lanes).zip(window) {
            row[lane] = value;
        }
    }
}

/// `x[e] += σ n_e`, two elements from one draw.
#[inline(always)]
fn add_noise<S: Simd>(
    simd: S,
    draw: Draw<'_>,
    batch: u32,
    sequences: &[u32],
    elements: usize,
    x: &mut [f32],
) {
    let lanes = S::F32_LANES;
    let key = [draw.seed, Stream::Noise as u32];
    let noise = simd.splat_f32s(draw.noise);
    let mut counters = [0; MAX_LANES];
    counters[..lanes].copy_from_slice(sequences);
    let (mut first, mut second) = ([0.0; MAX_LANES], [0.0; MAX_LANES]);
    let pairs = vectors_mut::<S>(x)[..elements.next_multiple_of(2)]
        .as_chunks_mut::<2>()
        .0;
    for pair in pairs {
        for lane in 0..lanes {
            [first[lane], second[lane]] = normal_pair(threefry2x32(key, [draw.step, counters[lane]]));
            counters[lane] = counters[lane].wrapping_add(batch);
        }
        for (x, normals) in pair.iter_mut().zip([&first, &second]) {
            *x = simd.mul_add_e_f32s(noise, S::as_simd_f32s(normals).0[0], *x);
        }
    }
}
