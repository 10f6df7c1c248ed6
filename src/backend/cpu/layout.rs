//! How a shape falls into vectors, blocks of rows and tiles.

use crate::backend::cpu::simd::buffer::MAX_LANES;
use crate::backend::cpu::simd::kernel::{QUAD, tile_rows};
use crate::backend::cpu::simd::machine::Machine;
use crate::model::Shape;

/// Row-block sizes for which the kernels are compiled.
pub(super) const ROW_BLOCKS: [usize; 4] = [4, 8, 10, 12];

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
