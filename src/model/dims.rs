use std::ops::Range;

use crate::error::{Error, Result};

/// Largest latent dimension and batch size that every backend supports.
pub const MAX_M: usize = 256;
pub const MAX_S: usize = 256;

/// Sizes of a model's parameters: `M` latent units, `N` observed ones, `K` external inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dims {
    pub M: usize,
    pub N: usize,
    pub K: usize,
}

impl Dims {
    /// Checks `1 ≤ N ≤ M ≤ 256`.
    pub fn new(M: usize, N: usize, K: usize) -> Result<Self> {
        if N == 0 {
            return Err(Error::input("the data have no columns (N = 0)"));
        }
        if M < N {
            return Err(Error::input(format!(
                "M = {M} latent units cannot hold N = {N} observed dimensions"
            ))
            .with_hint(format!("use --M {N} or more")));
        }
        if M > MAX_M {
            return Err(Error::input(format!(
                "M = {M} is above the largest supported latent dimension, {MAX_M}"
            ))
            .with_hint(format!("use --M {MAX_M} or less")));
        }
        Ok(Self { M, N, K })
    }

    /// Number of parameters of the packed vector `[A | W | h | L | C]`, matrices in row-major order.
    pub fn n_params(&self) -> usize {
        self.range_C().end
    }

    pub fn range_A(&self) -> Range<usize> {
        0..self.M
    }

    pub fn range_W(&self) -> Range<usize> {
        let start = self.range_A().end;
        start..start + self.M * self.M
    }

    pub fn range_h(&self) -> Range<usize> {
        let start = self.range_W().end;
        start..start + self.M
    }

    pub fn range_L(&self) -> Range<usize> {
        let start = self.range_h().end;
        start..start + (self.M - self.N) * self.N
    }

    pub fn range_C(&self) -> Range<usize> {
        let start = self.range_L().end;
        start..start + self.M * self.K
    }
}

/// What the members of one ensemble share: the model's sizes, `S` windows a batch, `T` predicted steps a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape {
    pub dims: Dims,
    pub S: usize,
    pub T: usize,
}

impl Shape {
    /// Checks `1 ≤ S ≤ 256`, `T ≥ 1` and that a batch's noise can be addressed by 32 bits.
    pub fn new(dims: Dims, S: usize, T: usize) -> Result<Self> {
        if S == 0 || S > MAX_S {
            return Err(
                Error::input(format!("the batch size S = {S} is outside 1..={MAX_S}"))
                    .with_hint(format!("use a --batch-size from 1 to {MAX_S}")),
            );
        }
        if T == 0 {
            return Err(Error::input("the window length T must be at least 1"));
        }
        let pairs = ((T as u128 + 1) * dims.N as u128).div_ceil(2) * S as u128;
        if pairs > u128::from(u32::MAX) {
            return Err(Error::input(format!(
                "a batch of S = {S} windows of T = {T} steps and N = {} columns is too large",
                dims.N
            ))
            .with_hint("use a smaller --batch-size or --T"));
        }
        Ok(Self { dims, S, T })
    }
}
