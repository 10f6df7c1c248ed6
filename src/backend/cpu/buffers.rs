//! Memory of the kernels: cache-line aligned, taken once.
//!
//! A *vector* is one number for each sequence of a *group* (as many sequences as the instruction set has f32
//! lanes). All arrays of vectors have the unit innermost: `[time][unit][lane]`.
#![allow(non_snake_case, reason = "the paper's symbols")]

use bytemuck::{Pod, Zeroable, cast_slice, cast_slice_mut};
use pulp::Simd;

use crate::backend::cpu::kernel::{QUAD, Tiles};
use crate::backend::cpu::layout::Layout;
use crate::model::{Dims, Shape};

/// Widest vector of any instruction set, in f32.
pub(super) const MAX_LANES: usize = 16;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([f32; MAX_LANES]);

/// A zeroed array of f32 that starts on a cache line, so that no vector straddles two.
pub(super) struct Buffer {
    lines: Vec<Line>,
    len: usize,
}

impl Buffer {
    pub fn zeros(len: usize) -> Self {
        Self {
            lines: vec![Line([0.0; MAX_LANES]); len.div_ceil(MAX_LANES)],
            len,
        }
    }

    pub fn as_slice(&self) -> &[f32] {
        &cast_slice(&self.lines)[..self.len]
    }

    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut cast_slice_mut(&mut self.lines)[..self.len]
    }

    /// The whole lines: `len` rounded up, the rest stays 0 unless written through here.
    pub fn padded(&self) -> &[f32] {
        cast_slice(&self.lines)
    }

    pub fn padded_mut(&mut self) -> &mut [f32] {
        cast_slice_mut(&mut self.lines)
    }
}

/// An array of floats as vectors; its length is a multiple of the lane count.
#[inline(always)]
pub(super) fn vectors<S: Simd>(floats: &[f32]) -> &[S::f32s] {
    S::as_simd_f32s(floats).0
}

#[inline(always)]
pub(super) fn vectors_mut<S: Simd>(floats: &mut [f32]) -> &mut [S::f32s] {
    S::as_mut_simd_f32s(floats).0
}

/// Scratch memory of one thread: trajectory and partial gradients of one group of sequences at a time.
pub(super) struct Workspace {
    /// Observations with noise `[T+1][N]`; the forward pass leaves `z_t[:N] − x_t` in their place (t > 0).
    pub x: Buffer,
    /// Inputs `[T+1][K]`.
    pub s: Buffer,
    /// `φ(z̃_t)`, `[T+1][stride]`.
    pub phi: Buffer,
    /// `z̃_t − φ(z̃_t)` of the ReLU units, `[T+1][P]`.
    pub neg: Buffer,
    /// `λ_t` of a chunk of steps, `[CHUNK + 1][stride]`.
    pub lambda: Buffer,
    /// `Σ λ_{t+1} φ(z̃_t)ᵀ`, and `Σ λ` as its sums.
    pub dW: Tiles,
    /// `Σ λ ∘ (z̃ − φ(z̃))` of the ReLU units, `[M]` (the last `P` used).
    pub dA: Buffer,
    /// `[M−N][N]`
    pub dL: Buffer,
    /// `[M][K]`
    pub dC: Buffer,
    /// Lanes' sequences of every group, `[groups][lanes]`, and their weights: 1, or 0 for a filler.
    pub sequences: Vec<u32>,
    pub lane_weights: Buffer,
    /// First data row of each lane's window.
    pub starts: Vec<u32>,
    /// Gradient, packed as the parameters.
    pub gradient: Buffer,
    /// Parameters and moments after the step, until it is known that they are finite.
    pub updated: [Buffer; 3],
}

/// Steps whose `λ` are kept until `∂W` collects them, so that both factors come from the first-level cache.
pub(super) const CHUNK: usize = 20;

impl Workspace {
    /// Takes memory for members with up to `max_P` ReLU units.
    pub fn new(layout: &Layout, max_P: usize) -> Self {
        let Shape { dims, S, T } = layout.shape;
        let Dims { M, N, K } = dims;
        let vectors = |count: usize| Buffer::zeros(count * layout.lanes);
        let n_lanes = layout.groups * layout.lanes;
        let mut lane_weights = Buffer::zeros(n_lanes);
        lane_weights.as_mut_slice()[..S].fill(1.0);
        let packed = || Buffer::zeros(dims.n_params());
        Self {
            x: vectors(((T + 1) * N).next_multiple_of(QUAD)),
            s: vectors(((T + 1) * K).next_multiple_of(QUAD)),
            phi: vectors((T + 1) * layout.stride),
            neg: vectors((T + 1) * max_P),
            lambda: vectors((CHUNK + 1) * layout.stride),
            dW: Tiles::new(M, M, layout.tile_rows, layout.lanes),
            dA: vectors(M.next_multiple_of(QUAD)),
            dL: vectors(((M - N) * N).next_multiple_of(QUAD)),
            dC: vectors((M * K).next_multiple_of(QUAD)),
            // A filler repeats a real sequence, so that it stays as finite as that one.
            sequences: (0..n_lanes).map(|lane| (lane % S) as u32).collect(),
            lane_weights,
            starts: vec![0; n_lanes],
            gradient: packed(),
            updated: [packed(), packed(), packed()],
        }
    }

    /// Sets the partial gradients to 0, except `dW`, whose tiles start afresh.
    pub fn clear_gradients(&mut self) {
        for buffer in [&mut self.dA, &mut self.dL, &mut self.dC] {
            buffer.padded_mut().fill(0.0);
        }
    }
}
