use pulp::Simd;

use crate::backend::blocked::Segments;
use crate::backend::cpu::blocked::packed::SLACK;
use crate::backend::cpu::layout::Layout;
use crate::backend::cpu::simd::buffer::{Buffer, vectors};
use crate::backend::cpu::simd::kernel::{QUAD, Tiles, store_all_sums};

/// Vectors of sequences of one group.
pub(in crate::backend::cpu) struct States {
    /// States at the starts of blocks, forced, `[blocks][stride]`.
    pub z: Buffer,
    /// Gradients at the (unforced) ends of blocks, `[blocks][stride]`.
    pub lambda: Buffer,
    /// ReLU units before the cut at 0, forced, `[T][P]`.
    pub relu: Buffer,
    /// Drives `v_t = [u_t ; s_{t+1}]`, `[T][D]`.
    pub drive: Buffer,
    /// Units looked at within a block, `[J][Q]`.
    pub y: Buffer,
    /// Their gradients, latest step first: `y_j` of a block at `[block][J − j]`.
    pub y_bar: Buffer,
    /// Gradients of a block's `u`, latest step first, `[ℓ][P]`.
    pub u_bar: Buffer,
    /// `∂loss/∂z_0`, `[M]`.
    pub lambda_0: Buffer,
}

/// Gradients of what a block applies, lane by lane.
pub(in crate::backend::cpu) struct PowerSums {
    /// Of `G_j` (latest step first, as `y_bar`) and, as sums, of `c_j`.
    pub(super) G: Tiles,
    /// Of `K_l`: `[l][tile of Q][tile of D]`, see [`super::adjoint`].
    pub(super) K: Buffer,
    /// Of each end's `B^ℓ` and, as sums, of `g_ℓ`.
    pub(super) ends: Vec<Tiles>,
    /// Of each end's `[R_{ℓ−1} … R_0]`, `M × ℓ D`.
    pub(super) drives: Vec<Tiles>,
}

/// Largest of a size over all segments.
pub(super) fn most(all: &[&Segments], size: impl Fn(&Segments) -> usize) -> usize {
    all.iter().map(|segments| size(segments)).max().unwrap_or(0)
}

impl States {
    pub fn new(layout: &Layout, all: &[&Segments]) -> Self {
        let T = layout.shape.T;
        let vectors = |size: &dyn Fn(&Segments) -> usize| match all {
            [] => Buffer::zeros(0),
            _ => Buffer::zeros((most(all, size) + SLACK) * layout.lanes),
        };
        Self {
            z: vectors(&|segments| segments.blocks.len() * layout.stride),
            lambda: vectors(&|segments| segments.blocks.len() * layout.stride),
            relu: vectors(&|segments| T * segments.P),
            drive: vectors(&|segments| T * segments.D),
            y: vectors(&|segments| segments.J * segments.Y()),
            y_bar: vectors(&|segments| segments.blocks.len() * segments.J * segments.Y()),
            u_bar: vectors(&|segments| segments.length() * segments.P),
            lambda_0: vectors(&|_| layout.stride),
        }
    }
}

impl PowerSums {
    pub fn new(layout: &Layout, all: &[&Segments]) -> Self {
        let M = layout.shape.dims.M;
        let tiles = |rows, columns| Tiles::new(rows, columns, layout.tile_rows, layout.lanes);
        let n_ends = most(all, |segments| segments.ends.len());
        let drives = most(all, |segments| segments.longest_end() * segments.D);
        Self {
            G: tiles(most(all, |segments| segments.J * segments.Y()), M),
            K: Buffer::zeros(most(all, K_entries).next_multiple_of(QUAD) * layout.lanes),
            ends: (0..n_ends).map(|_| tiles(M, M)).collect(),
            drives: (0..n_ends).map(|_| tiles(M, drives)).collect(),
        }
    }

    /// Numbers that [`PowerSums::sum_lanes`] writes.
    pub fn len(layout: &Layout, segments: &Segments) -> usize {
        let M = layout.shape.dims.M;
        let end = |length: &usize| M * (M + 1 + length * segments.D);
        let ends: usize = segments.ends.iter().map(end).sum();
        segments.J * segments.Y() * (M + 1) + K_entries(segments) + ends
    }

    /// Sums over lanes: of `G` and `c`, of the tiles of `K`, and for each end of `B^ℓ`, `g` and `R`.
    #[inline(always)]
    pub fn sum_lanes<S: Simd>(&self, simd: S, layout: &Layout, segments: &Segments, out: &mut [f32]) {
        let M = layout.shape.dims.M;
        let rows = segments.J * segments.Y();
        let (G, out) = out.split_at_mut(rows * M);
        let (c, out) = out.split_at_mut(rows);
        self.G.sum_lanes(simd, G, M);
        self.G.sum_lanes_of_sums(simd, c);
        let (K, mut out) = out.split_at_mut(K_entries(segments));
        store_all_sums(simd, vectors::<S>(self.K.padded()), K);
        for (end, length) in segments.ends.iter().enumerate() {
            let width = length * segments.D;
            let (B, rest) = out.split_at_mut(M * M);
            let (g, rest) = rest.split_at_mut(M);
            let (R, rest) = rest.split_at_mut(M * width);
            self.ends[end].sum_lanes(simd, B, M);
            self.ends[end].sum_lanes_of_sums(simd, g);
            if width > 0 {
                self.drives[end].sum_lanes(simd, R, width);
            }
            out = rest;
        }
    }
}

/// Numbers that the gradients of all `K_l` take at most in tiles, see [`super::adjoint`].
pub(super) fn K_entries(segments: &Segments) -> usize {
    segments.J * (segments.Y() + 4) * (segments.D + 3)
}
