//! The loops over registers in which all the time goes.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over registers: copies by slice would go through memory"
)]

use pulp::Simd;

/// `acc[r] += Σ_j weights[j][r] · columns[j]`: a block of `R` rows of a matrix times a state vector, for all
/// sequences of a group. The matrix comes as scalars in the order in which they are used.
#[inline(always)]
pub(super) fn rows<S: Simd, const R: usize>(
    simd: S,
    weights: &[f32],
    columns: &[S::f32s],
    mut acc: [S::f32s; R],
) -> [S::f32s; R] {
    for (w, &column) in weights.as_chunks::<R>().0.iter().zip(columns) {
        for r in 0..R {
            acc[r] = simd.mul_add_e_f32s(simd.splat_f32s(w[r]), column, acc[r]);
        }
    }
    acc
}

/// `R` scalars as vectors, from the front of `scalars`.
#[inline(always)]
pub(super) fn splat<S: Simd, const R: usize>(simd: S, scalars: &[f32]) -> [S::f32s; R] {
    let scalars = scalars.first_chunk::<R>().expect("whole blocks of rows");
    let mut vectors = [simd.splat_f32s(0.0); R];
    for r in 0..R {
        vectors[r] = simd.splat_f32s(scalars[r]);
    }
    vectors
}

/// `tile[i][j] += Σ_t left[t][i] · right[t][j]` over two arrays with `stride` vectors a step: one `I × J` tile of a
/// sum of outer products; `fresh` tiles start from 0. Where `sums` are given, also `sums[i] += Σ_t left[t][i]`.
#[inline(always)]
pub(super) fn outer<S: Simd, const I: usize, const J: usize>(
    simd: S,
    left: &[S::f32s],
    right: &[S::f32s],
    stride: usize,
    fresh: bool,
    tile: &mut [S::f32s],
    sums: Option<&mut [S::f32s]>,
) {
    let zero = simd.splat_f32s(0.0);
    let tile = tile
        .as_chunks_mut::<J>()
        .0
        .first_chunk_mut::<I>()
        .expect("whole tiles");
    let mut acc = [[zero; J]; I];
    if !fresh {
        for i in 0..I {
            for j in 0..J {
                acc[i][j] = tile[i][j];
            }
        }
    }
    let steps = left.chunks(stride).zip(right.chunks(stride));
    if let Some(sums) = sums {
        let sums = sums.first_chunk_mut::<I>().expect("whole tiles");
        let mut total = [zero; I];
        for (left, right) in steps {
            let (left, right) = (&left[..I], &right[..J]);
            for i in 0..I {
                total[i] = simd.add_f32s(total[i], left[i]);
                for j in 0..J {
                    acc[i][j] = simd.mul_add_e_f32s(left[i], right[j], acc[i][j]);
                }
            }
        }
        for i in 0..I {
            sums[i] = simd.add_f32s(sums[i], total[i]);
        }
    } else {
        for (left, right) in steps {
            let (left, right) = (&left[..I], &right[..J]);
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

/// The sums over lanes of four vectors.
#[inline(always)]
pub(super) fn lane_sums<S: Simd>(simd: S, quad: [S::f32s; QUAD]) -> [f32; QUAD] {
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
    let mut width = S::F32_LANES / 2;
    while width >= QUAD {
        sum = simd.add_f32s(sum, simd.rotate_right_f32s(sum, width));
        width /= 2;
    }
    let mut sums = [0.0; QUAD];
    simd.partial_store_f32s(&mut sums, sum);
    sums
}

/// Vectors that are transposed together.
pub(super) const QUAD: usize = 4;

/// Transposes each 4 × 4 block of four vectors, which is what de-interleaving within 128 bits does; nothing to do
/// where a vector is a scalar.
#[inline(always)]
pub(super) fn transpose_quad<S: Simd>(simd: S, rows: [S::f32s; QUAD]) -> [S::f32s; QUAD] {
    if S::F32_LANES < QUAD {
        rows
    } else {
        simd.deinterleave_shfl_f32s(rows)
    }
}
