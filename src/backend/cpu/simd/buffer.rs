//! Arrays of f32 that start on a cache line, and the vectors that they are.

use bytemuck::{Pod, Zeroable, cast_slice, cast_slice_mut};
use pulp::Simd;

/// Widest vector of any instruction set, in f32.
pub const MAX_LANES: usize = 16;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([f32; MAX_LANES]);

/// A zeroed array of f32 that starts on a cache line, so that no vector straddles two.
pub struct Buffer {
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
pub fn vectors<S: Simd>(floats: &[f32]) -> &[S::f32s] {
    S::as_simd_f32s(floats).0
}

#[inline(always)]
pub fn vectors_mut<S: Simd>(floats: &mut [f32]) -> &mut [S::f32s] {
    S::as_mut_simd_f32s(floats).0
}
