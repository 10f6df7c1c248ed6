//! Small dense matrices, lanes along columns: the powers of `B` and their gradients, once an optimiser step.
#![allow(clippy::needless_range_loop, reason = "loops over registers")]

use pulp::{Simd, WithSimd};

use crate::backend::cpu::simd::buffer::{Buffer, MAX_LANES, vectors, vectors_mut};

/// A row-major matrix with rows padded to whole lines; what the padding holds is of no consequence.
pub(super) struct Matrix {
    pub pitch: usize,
    pub data: Buffer,
}

impl Matrix {
    pub fn zeros(rows: usize, columns: usize) -> Self {
        let pitch = columns.next_multiple_of(MAX_LANES);
        Self {
            pitch,
            data: Buffer::zeros(rows * pitch),
        }
    }

    pub fn row(&self, i: usize) -> &[f32] {
        &self.data.as_slice()[i * self.pitch..(i + 1) * self.pitch]
    }

    pub fn row_mut(&mut self, i: usize) -> &mut [f32] {
        &mut self.data.as_mut_slice()[i * self.pitch..(i + 1) * self.pitch]
    }

    pub fn at(&self, i: usize, j: usize) -> f32 {
        self.data.as_slice()[i * self.pitch + j]
    }

    /// Rows from `first` on, as the right factor or the result of a product.
    pub fn rows(&self, first: usize) -> &[f32] {
        &self.data.as_slice()[first * self.pitch..]
    }

    pub fn rows_mut(&mut self, first: usize) -> &mut [f32] {
        &mut self.data.as_mut_slice()[first * self.pitch..]
    }

    /// Rows from `first` on as a left factor.
    pub fn left(&self, first: usize) -> Left<'_> {
        Left {
            data: self.rows(first),
            strides: (self.pitch, 1),
        }
    }

    /// Rows from `first` on, transposed, as a left factor.
    pub fn left_transposed(&self, first: usize) -> Left<'_> {
        Left {
            data: self.rows(first),
            strides: (1, self.pitch),
        }
    }
}

/// A left factor, read one number at a time.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    data: &'a [f32],
    strides: (usize, usize),
}

impl<'a> Left<'a> {
    /// The first rows of a slice with this pitch.
    pub fn rows(data: &'a [f32], pitch: usize) -> Self {
        Self {
            data,
            strides: (pitch, 1),
        }
    }
}

/// `out = left · right` (or `+=`): `rows × inner` times `inner × pitch`.
pub(super) struct Product<'a> {
    pub left: Left<'a>,
    pub right: &'a [f32],
    pub out: &'a mut [f32],
    pub rows: usize,
    pub inner: usize,
    /// Of `right` and `out`.
    pub pitch: usize,
    pub add: bool,
}

/// Rows accumulated together at most.
const ROWS: usize = 6;

impl WithSimd for Product<'_> {
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

impl Product<'_> {
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
        let (down, along) = self.left.strides;
        let left = &self.left.data[row * down..];
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
    use pulp::Arch;

    #[test]
    fn products_are_those_of_the_definition() {
        for (rows, inner, columns) in [(1, 1, 1), (5, 20, 20), (7, 3, 33), (20, 20, 49), (13, 40, 16)] {
            let value = |i: usize, j: usize| ((i * 7 + j * 3) % 11) as f32 - 5.0;
            let mut right = Matrix::zeros(inner, columns);
            for k in 0..inner {
                (0..columns).for_each(|j| right.row_mut(k)[j] = value(k + 2, j));
            }
            for transposed in [false, true] {
                let (down, along) = if transposed { (inner, rows) } else { (rows, inner) };
                let mut factor = Matrix::zeros(down, along);
                for i in 0..down {
                    (0..along).for_each(|j| factor.row_mut(i)[j] = value(i, j));
                }
                let mut out = Matrix::zeros(rows, columns);
                for add in [false, true] {
                    let pitch = out.pitch;
                    let left = if transposed {
                        factor.left_transposed(0)
                    } else {
                        factor.left(0)
                    };
                    Arch::new().dispatch(Product {
                        left,
                        right: right.rows(0),
                        out: out.rows_mut(0),
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
                            out.at(i, j),
                            2.0 * once,
                            "({i}, {j}) of {rows} x {inner} x {columns}"
                        );
                    }
                }
            }
        }
    }
}
