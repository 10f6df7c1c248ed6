//! The two loops in which all the time goes.

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

/// `acc[i][j] += Σ_t left[t][i] · right[t][j]` over `steps` steps of two arrays with `stride` vectors a step:
/// one `I × J` tile of a sum of outer products.
#[inline(always)]
pub(super) fn outer<S: Simd, const I: usize, const J: usize>(
    simd: S,
    left: &[S::f32s],
    right: &[S::f32s],
    stride: usize,
    steps: usize,
    tile: &mut [S::f32s],
) {
    let tile = tile.as_chunks_mut::<J>().0;
    let mut acc = [[simd.splat_f32s(0.0); J]; I];
    acc.copy_from_slice(&tile[..I]);
    let pairs = left.chunks(stride).zip(right.chunks(stride)).take(steps);
    for (left, right) in pairs {
        let (left, right) = (&left[..I], &right[..J]);
        for i in 0..I {
            for j in 0..J {
                acc[i][j] = simd.mul_add_e_f32s(left[i], right[j], acc[i][j]);
            }
        }
    }
    tile[..I].copy_from_slice(&acc);
}
