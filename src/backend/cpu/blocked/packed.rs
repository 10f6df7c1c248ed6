//! Matrices that multiply vectors of sequences, in the order in which the multiplication reads them.
#![allow(
    clippy::manual_memcpy,
    reason = "loops over registers: copies by slice go through memory"
)]

use pulp::Simd;

use crate::backend::cpu::simd::buffer::Buffer;
use crate::backend::cpu::simd::kernel::rows;

/// Heights of row blocks for which the loops are compiled.
const HEIGHTS: [usize; 8] = [2, 4, 5, 6, 7, 8, 10, 12];

/// A matrix as `[row block][column][row]`.
pub(in crate::backend::cpu) struct Packed {
    height: usize,
    rows: usize,
    columns: usize,
    data: Buffer,
}

/// Height of the row blocks that waste least: padded rows, loads that too few rows share, and waits for the
/// previous multiply-add.
fn best_height(rows: usize) -> usize {
    let cost = |&height: &usize| rows.div_ceil(height) * (2 * height.max(4) + 3);
    HEIGHTS.into_iter().min_by_key(cost).expect("there are heights")
}

/// Numbers that a packed matrix of this size takes.
fn packed_len(rows: usize, columns: usize) -> usize {
    rows.next_multiple_of(best_height(rows)) * columns
}

/// Vectors that a product may write beyond its rows.
pub(in crate::backend::cpu) const SLACK: usize = 12;

impl Packed {
    /// Room for any of these sizes `(rows, columns)`.
    pub fn with_room(sizes: impl Iterator<Item = (usize, usize)>) -> Self {
        let len = sizes
            .map(|(rows, columns)| packed_len(rows, columns))
            .max()
            .unwrap_or(0);
        Self {
            height: HEIGHTS[0],
            rows: 0,
            columns: 0,
            data: Buffer::zeros(len),
        }
    }

    /// Sets size and entries.
    pub fn fill(&mut self, rows: usize, columns: usize, entry: impl Fn(usize, usize) -> f32) {
        (self.height, self.rows, self.columns) = (best_height(rows), rows, columns);
        let whole = &mut self.data.as_mut_slice()[..packed_len(rows, columns)];
        let blocks = whole.chunks_exact_mut((self.height * columns).max(1));
        for (first, block) in (0..rows).step_by(self.height).zip(blocks) {
            for (j, column) in block.chunks_exact_mut(self.height).enumerate() {
                for (i, slot) in (first..).zip(column) {
                    *slot = if i < rows { entry(i, j) } else { 0.0 };
                }
            }
        }
    }

    /// As [`Packed::fill`], from columns that lie in memory one after another.
    pub fn fill_columns<'c>(&mut self, rows: usize, columns: usize, column: impl Fn(usize) -> &'c [f32]) {
        (self.height, self.rows, self.columns) = (best_height(rows), rows, columns);
        match self.height {
            2 => self.copy_columns::<2>(column),
            4 => self.copy_columns::<4>(column),
            5 => self.copy_columns::<5>(column),
            6 => self.copy_columns::<6>(column),
            7 => self.copy_columns::<7>(column),
            8 => self.copy_columns::<8>(column),
            10 => self.copy_columns::<10>(column),
            _ => self.copy_columns::<12>(column),
        }
    }

    fn copy_columns<'c, const R: usize>(&mut self, column: impl Fn(usize) -> &'c [f32]) {
        let (rows, columns) = (self.rows, self.columns);
        let blocks = rows.div_ceil(R);
        let slots = &mut self.data.as_mut_slice().as_chunks_mut::<R>().0[..blocks * columns];
        for j in 0..columns {
            let (whole, rest) = column(j)[..rows].as_chunks::<R>();
            for (block, whole) in whole.iter().enumerate() {
                slots[block * columns + j] = *whole;
            }
            if !rest.is_empty() {
                let slot = &mut slots[(blocks - 1) * columns + j];
                *slot = [0.0; R];
                slot[..rest.len()].copy_from_slice(rest);
            }
        }
    }

    /// `out = bias + self[..rows] · columns`, writing whole blocks of rows; no bias is 0.
    #[inline(always)]
    pub fn assign<S: Simd>(
        &self,
        simd: S,
        rows: usize,
        bias: Option<&[f32]>,
        columns: &[S::f32s],
        out: &mut [S::f32s],
    ) {
        let start = match bias {
            Some(bias) => Start::Bias(bias),
            None => Start::Zero,
        };
        self.multiply(simd, rows, start, 0, columns, out);
    }

    /// `out += self[.., skip..] · columns`.
    #[inline(always)]
    pub fn add<S: Simd>(&self, simd: S, skip: usize, columns: &[S::f32s], out: &mut [S::f32s]) {
        self.multiply(simd, self.rows, Start::Out, skip, columns, out);
    }

    #[inline(always)]
    fn multiply<S: Simd>(
        &self,
        simd: S,
        rows: usize,
        start: Start<'_>,
        skip: usize,
        columns: &[S::f32s],
        out: &mut [S::f32s],
    ) {
        let blocks = rows.div_ceil(self.height);
        match self.height {
            2 => self.blocks::<S, 2>(simd, blocks, start, skip, columns, out),
            4 => self.blocks::<S, 4>(simd, blocks, start, skip, columns, out),
            5 => self.blocks::<S, 5>(simd, blocks, start, skip, columns, out),
            6 => self.blocks::<S, 6>(simd, blocks, start, skip, columns, out),
            7 => self.blocks::<S, 7>(simd, blocks, start, skip, columns, out),
            8 => self.blocks::<S, 8>(simd, blocks, start, skip, columns, out),
            10 => self.blocks::<S, 10>(simd, blocks, start, skip, columns, out),
            _ => self.blocks::<S, 12>(simd, blocks, start, skip, columns, out),
        }
    }

    #[inline(always)]
    fn blocks<S: Simd, const R: usize>(
        &self,
        simd: S,
        blocks: usize,
        start: Start<'_>,
        skip: usize,
        columns: &[S::f32s],
        out: &mut [S::f32s],
    ) {
        let size = R * self.columns;
        for block in 0..blocks {
            let weights = &self.data.as_slice()[block * size + skip * R..(block + 1) * size];
            let out = out[block * R..]
                .first_chunk_mut::<R>()
                .expect("whole blocks of rows");
            let mut acc = [simd.splat_f32s(0.0); R];
            match start {
                Start::Zero => {}
                Start::Bias(bias) => {
                    let bias = bias[block * R..]
                        .first_chunk::<R>()
                        .expect("whole blocks of rows");
                    for r in 0..R {
                        acc[r] = simd.splat_f32s(bias[r]);
                    }
                }
                Start::Out => {
                    for r in 0..R {
                        acc[r] = out[r];
                    }
                }
            }
            acc = rows::<S, R>(simd, weights, columns, acc);
            for r in 0..R {
                out[r] = acc[r];
            }
        }
    }
}

/// What a product is added to.
#[derive(Clone, Copy)]
enum Start<'a> {
    Zero,
    Bias(&'a [f32]),
    Out,
}
