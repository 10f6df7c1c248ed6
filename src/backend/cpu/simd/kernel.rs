//! The loops over registers in which all the time goes.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over registers: copies by slice would go through memory"
)]

use pulp::Simd;

use crate::backend::cpu::simd::buffer::{Buffer, vectors, vectors_mut};

/// `acc[r] += Σ_j weights[j][r] · columns[j]`: a block of `R` rows of a matrix times a state vector, for all
/// sequences of a group. The matrix comes as scalars in the order in which they are used.
#[inline(always)]
pub fn rows<S: Simd, const R: usize>(
    simd: S,
    weights: &[f32],
    columns: &[S::f32s],
    mut acc: [S::f32s; R],
) -> [S::f32s; R] {
    let weights = weights.as_chunks::<R>().0;
    if R >= 4 {
        for (w, &column) in weights.iter().zip(columns) {
            for r in 0..R {
                acc[r] = simd.mul_add_e_f32s(simd.splat_f32s(w[r]), column, acc[r]);
            }
        }
        return acc;
    }
    // Few sums wait for themselves: even and odd columns apart.
    let mut odd = [simd.splat_f32s(0.0); R];
    let (weights, last) = weights[..columns.len().min(weights.len())].as_chunks::<2>();
    let (pairs, rest) = columns.as_chunks::<2>();
    for (w, pair) in weights.iter().zip(pairs) {
        for r in 0..R {
            acc[r] = simd.mul_add_e_f32s(simd.splat_f32s(w[0][r]), pair[0], acc[r]);
            odd[r] = simd.mul_add_e_f32s(simd.splat_f32s(w[1][r]), pair[1], odd[r]);
        }
    }
    for (w, &column) in last.iter().zip(rest) {
        for r in 0..R {
            acc[r] = simd.mul_add_e_f32s(simd.splat_f32s(w[r]), column, acc[r]);
        }
    }
    for r in 0..R {
        acc[r] = simd.add_f32s(acc[r], odd[r]);
    }
    acc
}

/// `R` scalars as vectors, from the front of `scalars`.
#[inline(always)]
pub fn splat<S: Simd, const R: usize>(simd: S, scalars: &[f32]) -> [S::f32s; R] {
    let scalars = scalars.first_chunk::<R>().expect("whole blocks of rows");
    let mut vectors = [simd.splat_f32s(0.0); R];
    for r in 0..R {
        vectors[r] = simd.splat_f32s(scalars[r]);
    }
    vectors
}

/// One `I × J` tile of a sum of outer products: `tile[i][j] += Σ_t left[t][i] · right[t][j]` over `steps` steps of
/// two arrays with `strides` vectors a step; `fresh` tiles start from 0. Where `sums` are given, also
/// `sums[i] += Σ_t left[t][i]`.
#[inline(always)]
fn outer<S: Simd, const I: usize, const J: usize>(
    simd: S,
    operands: Outer<'_, S>,
    tile: &mut [S::f32s],
    sums: Option<&mut [S::f32s]>,
) {
    let Outer {
        left,
        right,
        strides,
        steps,
        fresh,
    } = operands;
    let zero = simd.splat_f32s(0.0);
    let rows = tile.as_chunks_mut::<J>().0;
    let tile = rows.first_chunk_mut::<I>().expect("whole tiles");
    let mut acc = [[zero; J]; I];
    if !fresh {
        for i in 0..I {
            for j in 0..J {
                acc[i][j] = tile[i][j];
            }
        }
    }
    if let Some(sums) = sums {
        let sums = sums.first_chunk_mut::<I>().expect("whole tiles");
        let mut total = [zero; I];
        for step in 0..steps {
            let (left, right) = (&left[step * strides.0..][..I], &right[step * strides.1..][..J]);
            for i in 0..I {
                total[i] = simd.add_f32s(total[i], left[i]);
                for j in 0..J {
                    acc[i][j] = simd.mul_add_e_f32s(left[i], right[j], acc[i][j]);
                }
            }
        }
        for i in 0..I {
            sums[i] = if fresh {
                total[i]
            } else {
                simd.add_f32s(sums[i], total[i])
            };
        }
    } else {
        for step in 0..steps {
            let (left, right) = (&left[step * strides.0..][..I], &right[step * strides.1..][..J]);
            for i in 0..I {
                for j in 0..J {
                    acc[i][j] = simd.mul_add_e_f32s(left[i], right[j], acc[i][j]);
                }
            }
        }
    }
    for i in 0..I {
        for j in 0..J {
            tile[i][j] = acc[i][j];
        }
    }
}

/// Two arrays of vectors whose outer products are summed. A step's units may be followed by anything up to whole
/// tiles: it ends in entries that nobody reads.
#[derive(Clone, Copy)]
pub struct Outer<'a, S: Simd> {
    pub left: &'a [S::f32s],
    pub right: &'a [S::f32s],
    pub strides: (usize, usize),
    pub steps: usize,
    pub fresh: bool,
}

/// Rows and columns of a tile where there are 32 vector registers, and where there are 16.
const WIDE_TILE: (usize, usize) = (5, QUAD);
const NARROW_TILE: (usize, usize) = (2, QUAD);

pub fn tile_rows(registers: usize) -> usize {
    if registers >= 32 {
        WIDE_TILE.0
    } else {
        NARROW_TILE.0
    }
}

/// A matrix with one vector an entry, in tiles: what sums of outer products are collected in.
pub struct Tiles {
    rows: usize,
    columns: usize,
    tile_rows: usize,
    entries: Buffer,
    /// `[rows]`, the sums of the left factors.
    pub sums: Buffer,
}

impl Tiles {
    /// Room for a matrix of this size.
    pub fn new(rows: usize, columns: usize, tile_rows: usize, lanes: usize) -> Self {
        let whole_rows = rows.next_multiple_of(tile_rows);
        Self {
            rows,
            columns,
            tile_rows,
            entries: Buffer::zeros(whole_rows * columns.next_multiple_of(QUAD) * lanes),
            sums: Buffer::zeros(whole_rows.next_multiple_of(QUAD) * lanes),
        }
    }

    /// Makes it a matrix of another size that takes no more room.
    pub fn resize(&mut self, rows: usize, columns: usize) {
        (self.rows, self.columns) = (rows, columns);
    }

    /// Adds outer products, or begins with them where they are `fresh`.
    #[inline(always)]
    pub fn collect<S: Simd>(&mut self, simd: S, operands: Outer<'_, S>) {
        let (I, J) = (self.tile_rows, QUAD);
        let sums = vectors_mut::<S>(self.sums.padded_mut());
        let mut tiles = vectors_mut::<S>(self.entries.padded_mut()).chunks_exact_mut(I * J);
        for i in (0..self.rows).step_by(I) {
            for (j, tile) in (0..self.columns).step_by(J).zip(&mut tiles) {
                let sums = (j == 0).then_some(&mut sums[i..]);
                let operands = Outer {
                    left: &operands.left[i..],
                    right: &operands.right[j..],
                    ..operands
                };
                if I == WIDE_TILE.0 {
                    outer::<S, { WIDE_TILE.0 }, QUAD>(simd, operands, tile, sums);
                } else {
                    outer::<S, { NARROW_TILE.0 }, QUAD>(simd, operands, tile, sums);
                }
            }
        }
    }

    /// `out[i][j] = Σ_lanes`, with `pitch` numbers a row of `out`.
    #[inline(always)]
    pub fn sum_lanes<S: Simd>(&self, simd: S, out: &mut [f32], pitch: usize) {
        let (I, J) = (self.tile_rows, QUAD);
        let mut tiles = vectors::<S>(self.entries.padded()).chunks_exact(I * J);
        for i in (0..self.rows).step_by(I) {
            for (j, tile) in (0..self.columns).step_by(J).zip(&mut tiles) {
                for (i, quad) in (i..self.rows).zip(tile.as_chunks::<QUAD>().0) {
                    let row = &mut out[i * pitch + j..i * pitch + self.columns];
                    let width = row.len().min(J);
                    store_sums(simd, quad, &mut row[..width]);
                }
            }
        }
    }

    /// `out[i] = Σ_lanes sums[i]`.
    #[inline(always)]
    pub fn sum_lanes_of_sums<S: Simd>(&self, simd: S, out: &mut [f32]) {
        store_all_sums(simd, vectors::<S>(self.sums.padded()), out);
    }
}

/// `out[i] = Σ_lanes vectors[i]`; `vectors` are readable up to whole quads.
#[inline(always)]
pub fn store_all_sums<S: Simd>(simd: S, vectors: &[S::f32s], out: &mut [f32]) {
    for (out, quad) in out.chunks_mut(QUAD).zip(vectors.as_chunks::<QUAD>().0) {
        store_sums(simd, quad, out);
    }
}

/// `Σ_lanes` of (at most) four vectors. No closure: those are compiled without the instruction set.
#[inline(always)]
fn store_sums<S: Simd>(simd: S, quad: &[S::f32s; QUAD], to: &mut [f32]) {
    let sums = lane_sums(simd, *quad);
    match to.first_chunk_mut::<QUAD>() {
        Some(to) => *to = sums,
        None => to.copy_from_slice(&sums[..to.len()]),
    }
}

/// The sums over lanes of four vectors: of fours of lanes, of pairs of those, and so on, so that sixteen lanes give the
/// bits that two groups of eight give when their sums are added.
#[inline(always)]
fn lane_sums<S: Simd>(simd: S, quad: [S::f32s; QUAD]) -> [f32; QUAD] {
    if S::F32_LANES < QUAD {
        let [a, b, c, d] = quad;
        return [
            simd.reduce_sum_f32s(a),
            simd.reduce_sum_f32s(b),
            simd.reduce_sum_f32s(c),
            simd.reduce_sum_f32s(d),
        ];
    }
    let [a, b, c, d] = transpose_quad(simd, quad);
    let mut sum = simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d));
    let mut width = QUAD;
    while width < S::F32_LANES {
        sum = simd.add_f32s(sum, simd.rotate_left_f32s(sum, width));
        width *= 2;
    }
    let mut sums = [0.0; QUAD];
    simd.partial_store_f32s(&mut sums, sum);
    sums
}

/// Vectors that are transposed together.
pub const QUAD: usize = 4;

/// Transposes each 4 × 4 block of four vectors, which is what de-interleaving within 128 bits does; nothing to do
/// where a vector is a scalar.
#[inline(always)]
pub fn transpose_quad<S: Simd>(simd: S, rows: [S::f32s; QUAD]) -> [S::f32s; QUAD] {
    if S::F32_LANES < QUAD {
        rows
    } else {
        simd.deinterleave_shfl_f32s(rows)
    }
}
