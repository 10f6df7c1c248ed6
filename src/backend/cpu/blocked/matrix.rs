//! Small dense matrices, lanes along columns: the powers of `B` and their gradients, once an optimiser step.
#![allow(clippy::needless_range_loop, reason = "loops over registers")]

use pulp::{Simd, WithSimd};

use crate::backend::cpu::simd::buffer::{vectors, vectors_mut};

/// `out = left · right` (or `+=`): `rows × inner` times `inner × pitch`.
pub(super) struct Multiply<'a> {
    /// Read one number at a time.
    pub left: &'a [f32],
    /// From a row of `left` to the next, and from an entry to the next.
    pub strides: (usize, usize),
    pub right: &'a [f32],
    pub out: &'a mut [f32],
    pub rows: usize,
    pub inner: usize,
    /// Of `right` and `out`, in whole lines; what the padding holds is of no consequence.
    pub pitch: usize,
    pub add: bool,
}

/// Rows accumulated together at most.
const ROWS: usize = 6;

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let mut row = 0;
        while row < self.rows {
            // Blocks of nearly equal heights.
            let left = self.rows - row;
            let height = left.div_ceil(left.div_ceil(ROWS));
            match height {
                1 => self.rows::<S, 1>(simd, row),
                2 => self.rows::<S, 2>(simd, row),
                3 => self.rows::<S, 3>(simd, row),
                4 => self.rows::<S, 4>(simd, row),
                5 => self.rows::<S, 5>(simd, row),
                _ => self.rows::<S, ROWS>(simd, row),
            }
            row += height;
        }
    }
}

impl Multiply<'_> {
    #[inline(always)]
    fn rows<S: Simd, const R: usize>(&mut self, simd: S, row: usize) {
        let width = self.pitch / S::F32_LANES;
        let mut column = 0;
        while column + 1 < width {
            self.block::<S, R, 2>(simd, row, column);
            column += 2;
        }
        if column < width {
            self.block::<S, R, 1>(simd, row, column);
        }
    }

    #[inline(always)]
    fn block<S: Simd, const R: usize, const V: usize>(&mut self, simd: S, row: usize, column: usize) {
        let width = self.pitch / S::F32_LANES;
        let (down, along) = self.strides;
        let left = &self.left[row * down..];
        let right = vectors::<S>(&self.right[..self.inner * self.pitch]);
        let out = &mut vectors_mut::<S>(self.out)[row * width + column..];
        let mut acc = [[simd.splat_f32s(0.0); V]; R];
        if self.add {
            for r in 0..R {
                for v in 0..V {
                    acc[r][v] = out[r * width + v];
                }
            }
        }
        for (k, right) in right.chunks_exact(width).enumerate() {
            let right = &right[column..column + V];
            for r in 0..R {
                let factor = simd.splat_f32s(left[r * down + k * along]);
                for v in 0..V {
                    acc[r][v] = simd.mul_add_e_f32s(factor, right[v], acc[r][v]);
                }
            }
        }
        for r in 0..R {
            for v in 0..V {
                out[r * width + v] = acc[r][v];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::simd::buffer::MAX_LANES;
    use pulp::Arch;

    #[test]
    fn products_are_those_of_the_definition() {
        for (rows, inner, columns) in [(1, 1, 1), (5, 20, 20), (7, 3, 33), (20, 20, 49), (13, 40, 16)] {
            let value = |i: usize, j: usize| ((i * 7 + j * 3) % 11) as f32 - 5.0;
            let pitch = usize::next_multiple_of(columns, MAX_LANES);
            let right: Vec<f32> = (0..inner * pitch)
                .map(|at| value(at / pitch + 2, at % pitch))
                .collect();
            for transposed in [false, true] {
                let width = if transposed { rows } else { inner };
                let left: Vec<f32> = (0..rows * inner)
                    .map(|at| value(at / width, at % width))
                    .collect();
                let mut out = vec![0.0; rows * pitch];
                for add in [false, true] {
                    Arch::new().dispatch(Multiply {
                        left: &left,
                        strides: if transposed { (1, width) } else { (width, 1) },
                        right: &right,
                        out: &mut out,
                        rows,
                        inner,
                        pitch,
                        add,
                    });
                }
                for i in 0..rows {
                    for j in 0..columns {
                        let entry = |k| if transposed { value(k, i) } else { value(i, k) };
                        let once: f32 = (0..inner).map(|k| entry(k) * value(k + 2, j)).sum();
                        assert_eq!(
                            out[i * pitch + j],
                            2.0 * once,
                            "({i}, {j}) of {rows} x {inner} x {columns}"
                        );
                    }
                }
            }
        }
    }
}
