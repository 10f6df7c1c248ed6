#![allow(non_snake_case, reason = "the paper's symbols")]

use crate::backend::cpu::blocked::cut::Cut;
use crate::backend::cpu::blocked::matrix::Matrix;
use crate::backend::cpu::blocked::packed::{Packed, SLACK};
use crate::backend::cpu::buffers::Buffer;
use crate::backend::cpu::kernel::{QUAD, Tiles};
use crate::backend::cpu::layout::Layout;

/// What one thread needs for the blocked form, large enough for any of an ensemble's cuts.
pub(in crate::backend::cpu) struct Blocked {
    pub states: States,
    pub(super) packed: PackedPowers,
    pub(super) partial: Partial,
    pub(super) powers: Powers,
    pub(super) gradients: Powers,
    /// Lane sums that are not matrices yet.
    pub(super) sums: Buffer,
}

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
pub(super) struct Partial {
    /// Of `G_j` (latest step first, as `y_bar`) and, as sums, of `c_j`.
    pub G: Tiles,
    /// Of `K_l`: `[l][tile of Q][tile of D]`, see [`super::adjoint`].
    pub K: Buffer,
    /// Of each end's `B^ℓ` and, as sums, of `g_ℓ`.
    pub ends: Vec<Tiles>,
    /// Of each end's `[R_{ℓ−1} … R_0]`, `M × ℓ D`.
    pub drives: Vec<Tiles>,
}

/// Dense matrices: the parameters' powers, or their gradients.
pub(super) struct Powers {
    /// `B` and `Bᵀ`, `M × M`.
    pub B: Matrix,
    pub Bt: Matrix,
    /// `[W̃ | h]`, `M × (D+1)`, and its transpose.
    pub W: Matrix,
    pub Wt: Matrix,
    /// `G_0 … G_J`, each `Q × M`; `G_0 = O`.
    pub G: Matrix,
    /// `[K_l | G_l h]` for `l < J`, each `Q × (D+1)`.
    pub K: Matrix,
    /// `[R_l | B^l h]ᵀ` for `l <` the longest end, each `(D+1) × M`.
    pub Rt: Matrix,
    /// Each of [`Cut::products`] and its transpose.
    pub products: Vec<(Matrix, Matrix)>,
    /// `c_1 … c_J`, `[J][Q]` (gradients: latest step first).
    pub c: Buffer,
    /// Each end's `g_ℓ`, `[M]`.
    pub g: Vec<Buffer>,
}

/// What the kernels multiply with.
pub(super) struct PackedPowers {
    /// `G_1 … G_J` below each other.
    pub G: Packed,
    /// `[K_{J−1} … K_0]`.
    pub K: Packed,
    /// `[R_{ℓ−1} … R_0]` of the longest end.
    pub R: Packed,
    /// `B^ℓ` of each end, and its transpose.
    pub ends: Vec<(Packed, Packed)>,
    /// `[G_Jᵀ … G_1ᵀ]`.
    pub Gt: Packed,
    /// `[K_{J−1}ᵀ … K_0ᵀ]`, the ReLU units' rows.
    pub Kt: Packed,
    /// `R_0ᵀ, R_1ᵀ, …` below each other, the ReLU units' rows.
    pub Rt: Packed,
}

/// Largest of a size over the cuts.
fn most(cuts: &[&Cut], size: impl Fn(&Cut) -> usize) -> usize {
    cuts.iter().map(|cut| size(cut)).max().unwrap_or(0)
}

impl Blocked {
    pub fn new(layout: &Layout, cuts: &[&Cut]) -> Self {
        let M = layout.shape.dims.M;
        let T = layout.shape.T;
        let lanes = layout.lanes;
        let vectors = |size: &dyn Fn(&Cut) -> usize| Buffer::zeros((most(cuts, size) + SLACK) * lanes);
        let tiles = |rows, columns| Tiles::new(rows, columns, layout.tile_rows, lanes);
        let longest = most(cuts, |cut| {
            cut.blocks.iter().map(|block| block.length).max().unwrap_or(0)
        });
        let D = most(cuts, |cut| cut.D);
        let n_ends = most(cuts, |cut| cut.ends.len());
        let packed =
            |size: &dyn Fn(&Cut) -> (usize, usize)| Packed::with_room(cuts.iter().map(|cut| size(cut)));
        Self {
            states: States {
                z: vectors(&|cut| cut.blocks.len() * layout.stride),
                lambda: vectors(&|cut| cut.blocks.len() * layout.stride),
                relu: vectors(&|cut| T * cut.P),
                drive: vectors(&|cut| T * cut.D),
                y: vectors(&|cut| cut.J * cut.Q()),
                y_bar: vectors(&|cut| cut.blocks.len() * cut.J * cut.Q()),
                u_bar: vectors(&|cut| longest * cut.P),
                lambda_0: vectors(&|_| layout.stride),
            },
            packed: PackedPowers {
                G: packed(&|cut| (cut.J * cut.Q(), M)),
                K: packed(&|cut| (cut.Q(), cut.J * cut.D)),
                R: packed(&|cut| (M, cut.longest_end() * cut.D)),
                ends: (0..n_ends)
                    .map(|_| (packed(&|_| (M, M)), packed(&|_| (M, M))))
                    .collect(),
                Gt: packed(&|cut| (M, cut.J * cut.Q())),
                Kt: packed(&|cut| (cut.P, cut.J * cut.Q())),
                Rt: packed(&|cut| (cut.longest_end() * cut.P, M)),
            },
            partial: Partial {
                G: tiles(most(cuts, |cut| cut.J * cut.Q()), M),
                K: Buffer::zeros(
                    most(cuts, |cut| cut.J * (cut.Q() + 4) * (cut.D + 3)).next_multiple_of(QUAD) * lanes,
                ),
                ends: (0..n_ends).map(|_| tiles(M, M)).collect(),
                drives: (0..n_ends).map(|_| tiles(M, longest * D)).collect(),
            },
            powers: Powers::new(layout, cuts),
            gradients: Powers::new(layout, cuts),
            sums: Buffer::zeros(most(cuts, |cut| {
                (cut.J * (cut.Q() + 4) * (cut.D + 3)).max(M * cut.longest_end() * cut.D)
            })),
        }
    }
}

impl Powers {
    fn new(layout: &Layout, cuts: &[&Cut]) -> Self {
        let M = layout.shape.dims.M;
        let D = most(cuts, |cut| cut.D);
        let longest_end = most(cuts, Cut::longest_end);
        let square = || Matrix::zeros(M, M);
        Self {
            B: square(),
            Bt: square(),
            W: Matrix::zeros(M, D + 1),
            Wt: Matrix::zeros(D + 1, M),
            G: Matrix::zeros(most(cuts, |cut| (cut.J + 1) * cut.Q()), M),
            K: Matrix::zeros(most(cuts, |cut| cut.J * cut.Q()), D + 1),
            Rt: Matrix::zeros(longest_end * (D + 1), M),
            products: (0..most(cuts, |cut| cut.products.len()))
                .map(|_| (square(), square()))
                .collect(),
            c: Buffer::zeros(most(cuts, |cut| cut.J * cut.Q()) + SLACK),
            g: (0..most(cuts, |cut| cut.ends.len()))
                .map(|_| Buffer::zeros(M + SLACK))
                .collect(),
        }
    }
}
