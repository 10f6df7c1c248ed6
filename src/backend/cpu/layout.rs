//! How a shape is cut into vectors, blocks of rows and tiles; and the weights in the kernels' order.
#![allow(non_snake_case, reason = "the paper's symbols")]

use pulp::{Arch, Simd, WithSimd};

use crate::backend::cpu::buffers::{Buffer, MAX_LANES};
use crate::backend::cpu::kernel::{QUAD, tile_rows};
use crate::model::{Dims, Shape};

/// Row-block sizes for which the kernels are compiled.
pub(super) const ROW_BLOCKS: [usize; 4] = [4, 8, 10, 12];

/// What the instruction set offers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    pub lanes: usize,
    pub registers: usize,
}

struct Describe;

impl WithSimd for Describe {
    type Output = Machine;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Machine {
        Machine {
            lanes: S::F32_LANES,
            registers: S::REGISTER_COUNT,
        }
    }
}

pub(super) fn machine(arch: Arch) -> Machine {
    arch.dispatch(Describe)
}

/// Vectors of sequences: those of an instruction set, or of half its width.
#[derive(Clone, Copy)]
pub(super) enum Lanes {
    Whole(Arch),
    /// Eight lanes with the instructions and registers of AVX-512.
    #[cfg(target_arch = "x86_64")]
    Half(pulp::x86::V4, pulp::x86::V3),
}

impl Lanes {
    /// Half as many as `arch` has, where there is such a thing.
    pub fn half(arch: Arch) -> Option<Self> {
        match arch {
            #[cfg(target_arch = "x86_64")]
            Arch::V4(wide) => Some(Self::Half(wide, *wide)),
            _ => None,
        }
    }

    pub fn machine(self) -> Machine {
        match self {
            Self::Whole(arch) => machine(arch),
            #[cfg(target_arch = "x86_64")]
            Self::Half(wide, narrow) => Machine {
                lanes: machine(Arch::V3(narrow)).lanes,
                ..machine(Arch::V4(wide))
            },
        }
    }

    /// Runs `op`. What it does must not leave for a function compiled for its own instruction set.
    pub fn dispatch<Op: WithSimd>(self, op: Op) -> Op::Output {
        match self {
            Self::Whole(arch) => arch.dispatch(op),
            #[cfg(target_arch = "x86_64")]
            Self::Half(wide, narrow) => Simd::vectorize(wide, WithHalf { narrow, op }),
        }
    }
}

/// An operation on half vectors in a function compiled for whole ones.
#[cfg(target_arch = "x86_64")]
struct WithHalf<Op> {
    narrow: pulp::x86::V3,
    op: Op,
}

#[cfg(target_arch = "x86_64")]
impl<Op: WithSimd> WithSimd for WithHalf<Op> {
    type Output = Op::Output;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _wide: S) -> Op::Output {
        self.op.with_simd(self.narrow)
    }
}

/// Sizes derived from a shape for one instruction set.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub shape: Shape,
    pub lanes: usize,
    /// Groups of `lanes` sequences that hold all `S`.
    pub groups: usize,
    /// Rows of a matrix-vector product that are accumulated at once.
    pub rows: usize,
    /// Blocks of `rows` rows that hold all `M`.
    pub blocks: usize,
    /// Rows of a tile of `∂W`.
    pub tile_rows: usize,
    /// Vectors from one time step's units to the next one's.
    pub stride: usize,
}

impl Layout {
    pub fn new(shape: Shape, machine: Machine) -> Self {
        let M = shape.dims.M;
        // Few padded rows, and many accumulators to hide the latency of multiply-add and share a load.
        let cost = |rows: &usize| M.div_ceil(*rows) * (2 * rows + 3) * if *rows < 8 { 3 } else { 2 };
        let rows = ROW_BLOCKS
            .into_iter()
            .min_by_key(cost)
            .expect("there are row blocks");
        let blocks = M.div_ceil(rows);
        let tile_rows = tile_rows(machine.registers);
        Self {
            shape,
            lanes: machine.lanes,
            groups: shape.S.div_ceil(machine.lanes),
            rows,
            blocks,
            tile_rows,
            stride: (blocks * rows)
                .max(M.next_multiple_of(tile_rows))
                .max(M.next_multiple_of(QUAD)),
        }
    }
}

impl Layout {
    /// The same shape in groups of half as many lanes, twice as many of them: group `g` becomes `2g` and `2g + 1`.
    pub fn halved(&self, machine: Machine) -> Self {
        debug_assert!(self.lanes == 2 * machine.lanes);
        Self {
            groups: 2 * self.groups,
            ..Self::new(self.shape, machine)
        }
    }

    /// Sequences of a group's lanes. A lane too many repeats a real sequence, so that it stays as finite as that one.
    pub fn sequences(&self, group: usize) -> [u32; MAX_LANES] {
        std::array::from_fn(|lane| ((group * self.lanes + lane) % self.shape.S) as u32)
    }

    /// Weights of a group's lanes: 1, or 0 for one too many.
    pub fn weights(&self, group: usize) -> [f32; MAX_LANES] {
        std::array::from_fn(|lane| f32::from(u8::from(group * self.lanes + lane < self.shape.S)))
    }
}

/// A member's parameters as the kernels read them, refilled before every step.
pub(super) struct Weights {
    /// `B = diag(A) + W` in blocks of rows, `[block][column][row]`; rows beyond `M` are 0.
    pub forward: Buffer,
    /// `Bᵀ` likewise.
    pub backward: Buffer,
    /// `h`, padded to whole blocks.
    pub h: Buffer,
    /// `C` in blocks of rows, `[block][input][row]`.
    pub C: Buffer,
}

impl Weights {
    pub fn new(layout: &Layout) -> Self {
        let Dims { M, K, .. } = layout.shape.dims;
        let rows = layout.blocks * layout.rows;
        Self {
            forward: Buffer::zeros(rows * M),
            backward: Buffer::zeros(rows * M),
            h: Buffer::zeros(rows),
            C: Buffer::zeros(rows * K),
        }
    }

    pub fn fill(&mut self, layout: &Layout, theta: &[f32]) {
        let dims = layout.shape.dims;
        let Dims { M, K, .. } = dims;
        let R = layout.rows;
        let (A, W, C) = (
            &theta[dims.range_A()],
            &theta[dims.range_W()],
            &theta[dims.range_C()],
        );
        let forward = self.forward.as_mut_slice();
        let backward = self.backward.as_mut_slice();
        for i in 0..M {
            let row = &W[i * M..(i + 1) * M];
            let own = i / R * (R * M) + i % R;
            for (j, &w) in row.iter().enumerate() {
                forward[own + j * R] = w;
            }
            for (block, columns) in row.chunks(R).enumerate() {
                let at = block * (R * M) + i * R;
                backward[at..at + columns.len()].copy_from_slice(columns);
            }
            let diagonal = A[i] + row[i];
            forward[own + i * R] = diagonal;
            backward[own + i * R] = diagonal;
            let own = i / R * (R * K) + i % R;
            for k in 0..K {
                self.C.as_mut_slice()[own + k * R] = C[i * K + k];
            }
        }
        self.h.as_mut_slice()[..M].copy_from_slice(&theta[dims.range_h()]);
    }
}
