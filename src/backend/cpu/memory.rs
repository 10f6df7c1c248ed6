//! Memory of the passes over groups of sequences, taken once.
//!
//! A *vector* is one number for each sequence of a *group* (as many sequences as the instruction set has f32
//! lanes). All arrays of vectors have the unit innermost: `[time][unit][lane]`.

use pulp::Simd;

use crate::backend::blocked::Segments;
use crate::backend::cpu::blocked::{PowerSums, States};
use crate::backend::cpu::layout::Layout;
use crate::backend::cpu::simd::buffer::{Buffer, MAX_LANES, vectors};
use crate::backend::cpu::simd::kernel::{QUAD, Tiles, store_all_sums};
use crate::model::Dims;

/// Windows of one group of sequences.
pub(super) struct GroupWindows {
    /// Observations with noise `[T+1][N]`.
    pub x: Buffer,
    /// Inputs `[T+1][K]`.
    pub s: Buffer,
}

impl GroupWindows {
    pub fn new(layout: &Layout) -> Self {
        let (Dims { N, K, .. }, T) = (layout.shape.dims, layout.shape.T);
        let vectors = |count: usize| Buffer::zeros(count.next_multiple_of(QUAD) * layout.lanes);
        Self {
            x: vectors((T + 1) * N),
            s: vectors((T + 1) * K),
        }
    }
}

/// Memory of a pass over one group of sequences: its windows, trajectory and partial gradients.
pub(super) struct Pass {
    /// The forward pass leaves `z_t[:N] − x_t` in the place of `x_t` (t > 0).
    pub windows: GroupWindows,
    /// `φ(z̃_t)`, `[T+1][stride]`.
    pub phi: Buffer,
    /// `z̃_t − φ(z̃_t)` of the ReLU units, `[T+1][P]`.
    pub neg: Buffer,
    /// `λ_t` of a chunk of steps, `[CHUNK + 1][stride]`.
    pub lambda: Buffer,
    /// States of the blocked form.
    pub states: States,
    pub partial: Partial,
}

/// What a pass comes to.
pub(super) struct Outcome {
    /// Sum of squared errors, and number of targets, lane by lane.
    pub errors: [[f32; MAX_LANES]; 2],
    /// Sums over the lanes of what [`Partial`] holds, in the order in which the form takes them.
    pub sums: Vec<f32>,
}

impl Outcome {
    pub fn new(layout: &Layout, all: &[&Segments]) -> Self {
        Self {
            errors: [[0.0; MAX_LANES]; 2],
            sums: vec![0.0; n_sums(layout, all)],
        }
    }
}

/// Numbers that [`Outcome::sums`] takes in either form.
pub(super) fn n_sums(layout: &Layout, all: &[&Segments]) -> usize {
    let dims = layout.shape.dims;
    let blocked = |segments: &&Segments| PowerSums::len(layout, segments) + dims.range_L().len();
    all.iter().map(blocked).fold(dims.n_params(), usize::max)
}

/// Gradients, each a sum over the steps of a pass, lane by lane. A pass sets all that its form uses.
pub(super) struct Partial {
    /// `Σ λ_{t+1} φ(z̃_t)ᵀ`, and `Σ λ` as its sums.
    pub dW: Tiles,
    /// `Σ λ ∘ (z̃ − φ(z̃))` of the ReLU units, `[M]` (the last `P` used).
    pub dA: Buffer,
    /// `[M−N][N]`
    pub dL: Buffer,
    /// `[M][K]`
    pub dC: Buffer,
    /// Of what the blocked form applies.
    pub powers: PowerSums,
}

/// Steps whose `λ` are kept until `∂W` collects them, so that both factors come from the first-level cache.
pub(super) const CHUNK: usize = 20;

impl Pass {
    /// Takes memory for members with up to `max_P` ReLU units in the plain form, and for these segments.
    pub fn new(layout: &Layout, max_P: usize, all: &[&Segments]) -> Self {
        let T = layout.shape.T;
        let vectors = |count: usize| Buffer::zeros(count * layout.lanes);
        Self {
            windows: GroupWindows::new(layout),
            phi: vectors((T + 1) * layout.stride),
            neg: vectors((T + 1) * max_P),
            lambda: vectors((CHUNK + 1) * layout.stride),
            states: States::new(layout, all),
            partial: Partial::new(layout, all),
        }
    }
}

impl Partial {
    pub fn new(layout: &Layout, all: &[&Segments]) -> Self {
        let Dims { M, N, K } = layout.shape.dims;
        let vectors = |count: usize| Buffer::zeros(count.next_multiple_of(QUAD) * layout.lanes);
        Self {
            dW: Tiles::new(M, M, layout.tile_rows, layout.lanes),
            dA: vectors(M),
            dL: vectors((M - N) * N),
            dC: vectors(M * K),
            powers: PowerSums::new(layout, all),
        }
    }

    /// Sums the lanes of what the plain form collected, packed as the parameters; `A` lacks what `∂W` holds of it.
    #[inline(always)]
    pub fn sum_lanes<S: Simd>(&self, simd: S, dims: Dims, out: &mut [f32]) {
        self.dW.sum_lanes(simd, &mut out[dims.range_W()], dims.M);
        self.dW.sum_lanes_of_sums(simd, &mut out[dims.range_h()]);
        for (range, partial) in [
            (dims.range_A(), &self.dA),
            (dims.range_L(), &self.dL),
            (dims.range_C(), &self.dC),
        ] {
            store_all_sums(simd, vectors::<S>(partial.padded()), &mut out[range]);
        }
    }
}
