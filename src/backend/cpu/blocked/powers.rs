#![allow(non_snake_case, reason = "the paper's symbols")]

use pulp::{Simd, WithSimd};

use crate::backend::blocked::Segments;
use crate::backend::cpu::blocked::matrix::{Left, Matrix, Product};
use crate::backend::cpu::blocked::memory::{Blocked, PackedPowers, Powers};
use crate::model::Dims;

/// `out = left · right`, or `+=`, on whole rows of `right` and `out`, which have the same pitch.
#[inline(always)]
fn multiply<S: Simd>(
    simd: S,
    left: Left<'_>,
    (rows, inner): (usize, usize),
    right: &[f32],
    (out, pitch): (&mut [f32], usize),
    add: bool,
) {
    simd.vectorize(Product {
        left,
        right,
        out,
        rows,
        inner,
        pitch,
        add,
    });
}

/// Computes the powers of `B` that the blocks apply, and packs them unless they grow beyond `most_growth` (see
/// [`crate::backend::blocked::MOST_GROWTH`]); whether they do not.
pub(in crate::backend::cpu) struct Prepare<'a> {
    pub dims: Dims,
    pub segments: &'a Segments,
    pub theta: &'a [f32],
    pub most_growth: f32,
    pub blocked: &'a mut Blocked,
}

impl WithSimd for Prepare<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        let Self {
            dims,
            segments,
            theta,
            most_growth,
            blocked,
        } = self;
        let powers = &mut blocked.powers;
        powers.fill(dims, segments, theta);
        powers.compute(simd, dims.M, segments);
        let in_bounds = powers.growth(simd, dims.M, segments) <= most_growth;
        if in_bounds {
            blocked.packed.fill(dims.M, segments, powers);
        }
        in_bounds
    }
}

impl Powers {
    /// `B`, `[W̃ | h]` and `G_0` from the parameters.
    fn fill(&mut self, dims: Dims, segments: &Segments, theta: &[f32]) {
        let Dims { M, K, .. } = dims;
        let (A, W) = (&theta[..M], &theta[dims.range_W()]);
        let (h, C) = (&theta[dims.range_h()], &theta[dims.range_C()]);
        for i in 0..M {
            let row = self.B.row_mut(i);
            row[..M].copy_from_slice(&W[i * M..(i + 1) * M]);
            row[i] += A[i];
            let row = self.W.row_mut(i);
            row[..segments.P].copy_from_slice(&W[(i + 1) * M - segments.P..(i + 1) * M]);
            row[segments.P..segments.D].copy_from_slice(&C[i * K..(i + 1) * K]);
            row[segments.D] = h[i];
        }
        transpose(&self.B, M, M, &mut self.Bt);
        transpose(&self.W, M, segments.D + 1, &mut self.Wt);
        for (q, &unit) in segments.looked_at.iter().enumerate() {
            let row = self.G.row_mut(q);
            row.fill(0.0);
            row[unit] = 1.0;
        }
    }

    #[inline(always)]
    fn compute<S: Simd>(&mut self, simd: S, M: usize, segments: &Segments) {
        let (Q, Dh) = (segments.Y(), segments.D + 1);
        let pitch = self.B.pitch;
        for j in 1..=segments.J {
            let (done, next) = self.G.rows_mut(0).split_at_mut(j * Q * pitch);
            if j == 1 {
                for (row, &unit) in next.chunks_exact_mut(pitch).zip(&segments.looked_at) {
                    row.copy_from_slice(self.B.row(unit));
                }
            } else {
                let left = Left::rows(&done[(j - 1) * Q * pitch..], pitch);
                multiply(simd, left, (Q, M), self.B.rows(0), (next, pitch), false);
            }
        }
        let wide = self.W.pitch;
        multiply(
            simd,
            self.G.left(0),
            (segments.J * Q, M),
            self.W.rows(0),
            (self.K.rows_mut(0), wide),
            false,
        );
        // c_{j+1} = c_j + G_j h
        let c = self.c.as_mut_slice();
        for row in 0..segments.J * Q {
            let before = if row >= Q { c[row - Q] } else { 0.0 };
            c[row] = before + self.K.at(row, segments.D);
        }
        for &(e, a, b) in &segments.products {
            let index = product_index(segments, e);
            let (done, next) = self.products.split_at_mut(index);
            let power = |e: usize| match e {
                1 => &self.B,
                _ => &done[product_index(segments, e)].0,
            };
            let (product, transposed) = &mut next[0];
            multiply(
                simd,
                power(a).left(0),
                (M, M),
                power(b).rows(0),
                (product.rows_mut(0), pitch),
                false,
            );
            transpose(product, M, M, transposed);
        }
        if segments.longest_end() > 0 {
            let first = &mut self.Rt.rows_mut(0)[..Dh * pitch];
            first.copy_from_slice(&self.Wt.rows(0)[..Dh * pitch]);
        }
        for l in 1..segments.longest_end() {
            let (done, next) = self.Rt.rows_mut(0).split_at_mut(l * Dh * pitch);
            let left = Left::rows(&done[(l - 1) * Dh * pitch..], pitch);
            multiply(simd, left, (Dh, M), self.Bt.rows(0), (next, pitch), false);
        }
        for (g, &length) in self.g.iter_mut().zip(&segments.ends) {
            let g = &mut g.as_mut_slice()[..M];
            g.fill(0.0);
            for l in 0..length {
                g.iter_mut()
                    .zip(self.Rt.row(l * Dh + segments.D))
                    .for_each(|(g, r)| *g += r);
            }
        }
    }

    /// See [`crate::backend::blocked::MOST_GROWTH`]; NaN where an entry is.
    #[inline(always)]
    fn growth<S: Simd>(&mut self, simd: S, M: usize, segments: &Segments) -> f32 {
        let (Q, D) = (segments.Y(), segments.D);
        let mut largest = Largest(0.0);
        let c = self.c.as_slice();
        for q in 0..Q {
            let mut drives = 0.0;
            for row in (0..segments.J).map(|j| j * Q + q) {
                drives += squares(simd, &self.K.row(row)[..D]);
                largest.add(squares(simd, &self.G.row(Q + row)[..M]) + drives + c[row] * c[row]);
            }
        }
        for (product, _) in &self.products[..segments.products.len()] {
            for m in 0..M {
                largest.add(squares(simd, &product.row(m)[..M]));
            }
        }
        let drives = &mut self.drives.as_mut_slice()[..M];
        drives.fill(0.0);
        for l in 0..segments.longest_end() {
            for row in l * (D + 1)..l * (D + 1) + D {
                let squares = drives.iter_mut().zip(self.Rt.row(row));
                squares.for_each(|(sum, r)| *sum += r * r);
            }
            if let Ok(end) = segments.ends.binary_search(&(l + 1)) {
                let power = match l {
                    0 => &self.B,
                    _ => &self.products[product_index(segments, l + 1)].0,
                };
                for (m, (drives, g)) in drives.iter().zip(self.g[end].as_slice()).enumerate() {
                    largest.add(squares(simd, &power.row(m)[..M]) + drives + g * g);
                }
            }
        }
        largest.0.sqrt()
    }

    fn power(&self, segments: &Segments, e: usize) -> &Matrix {
        if e == 1 {
            &self.B
        } else {
            &self.products[product_index(segments, e)].0
        }
    }

    fn power_transposed(&self, segments: &Segments, e: usize) -> &Matrix {
        if e == 1 {
            &self.Bt
        } else {
            &self.products[product_index(segments, e)].1
        }
    }
}

/// A maximum that does not pass over NaN.
struct Largest(f32);

impl Largest {
    fn add(&mut self, value: f32) {
        if value > self.0 || value.is_nan() {
            self.0 = value;
        }
    }
}

#[inline(always)]
fn squares<S: Simd>(simd: S, row: &[f32]) -> f32 {
    let (whole, rest) = S::as_simd_f32s(row);
    let mut lanes = simd.splat_f32s(0.0);
    for &v in whole {
        lanes = simd.mul_add_e_f32s(v, v, lanes);
    }
    let mut sum = simd.reduce_sum_f32s(lanes);
    for v in rest {
        sum += v * v;
    }
    sum
}

pub(super) fn product_index(segments: &Segments, e: usize) -> usize {
    segments
        .products
        .iter()
        .position(|&(made, _, _)| made == e)
        .expect("every power used is made")
}

/// `B^e` among `B` and the products made so far.
fn power_mut<'a>(
    B: &'a mut Matrix,
    products: &'a mut [(Matrix, Matrix)],
    segments: &Segments,
    e: usize,
) -> &'a mut [f32] {
    if e == 1 {
        B.rows_mut(0)
    } else {
        products[product_index(segments, e)].0.rows_mut(0)
    }
}

fn transpose(from: &Matrix, rows: usize, columns: usize, to: &mut Matrix) {
    for j in 0..columns {
        let pitch = from.pitch;
        let column = from.rows(0)[j..].iter().step_by(pitch);
        to.row_mut(j)[..rows]
            .iter_mut()
            .zip(column)
            .for_each(|(to, &from)| *to = from);
    }
}

impl PackedPowers {
    fn fill(&mut self, M: usize, segments: &Segments, powers: &Powers) {
        let (P, D, J, Q, Dh) = (segments.P, segments.D, segments.J, segments.Y(), segments.D + 1);
        let longest = segments.longest_end();
        self.G.fill(J * Q, M, |row, m| powers.G.at(Q + row, m));
        self.Gt
            .fill_columns(M, J * Q, |column| powers.G.row((J - column / Q) * Q + column % Q));
        self.K.fill(Q, J * D, |q, column| {
            powers.K.at((J - 1 - column / D) * Q + q, column % D)
        });
        self.Kt.fill(P, J * Q, |p, column| {
            powers.K.at((J - 1 - column / Q) * Q + column % Q, p)
        });
        self.R.fill_columns(M, longest * D, |column| {
            powers.Rt.row((longest - 1 - column / D) * Dh + column % D)
        });
        self.Rt
            .fill(longest * P, M, |row, m| powers.Rt.at(row / P * Dh + row % P, m));
        for ((ends, transposed), &length) in self.ends.iter_mut().zip(&segments.ends) {
            let (power, power_transposed) = (
                powers.power(segments, length),
                powers.power_transposed(segments, length),
            );
            ends.fill_columns(M, M, |column| power_transposed.row(column));
            transposed.fill_columns(M, M, |column| power.row(column));
        }
    }
}

/// Pulls the gradients of what the blocks apply back through the powers of `B`.
pub(in crate::backend::cpu) struct PullBack<'a> {
    pub dims: Dims,
    pub segments: &'a Segments,
    pub blocked: &'a mut Blocked,
    /// Packed as the parameters; `L` is left as it is.
    pub gradient: &'a mut [f32],
}

impl WithSimd for PullBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            dims,
            segments,
            blocked,
            gradient,
        } = self;
        let Blocked {
            powers, gradients, ..
        } = blocked;
        gradients.pull_back_ends(simd, dims.M, segments, powers);
        gradients.pull_back_looked_at(simd, dims.M, segments, powers);
        gradients.unpack(dims, segments, gradient);
    }
}

impl Powers {
    /// From gradients of `B^ℓ`, `R_l` and `g_ℓ` to those of `B`, `Bᵀ` (kept apart until the end) and `[W̃ | h]ᵀ`.
    #[inline(always)]
    fn pull_back_ends<S: Simd>(&mut self, simd: S, M: usize, segments: &Segments, powers: &Powers) {
        let (Dh, pitch) = (segments.D + 1, self.B.pitch);
        if !segments.ends.contains(&1) {
            self.B.rows_mut(0).fill(0.0);
        }
        // A product that is no end has no gradient of its own.
        for (index, (e, _, _)) in segments.products.iter().enumerate() {
            if !segments.ends.contains(e) {
                self.products[index].0.rows_mut(0).fill(0.0);
            }
        }
        for (index, &(_, a, b)) in segments.products.iter().enumerate().rev() {
            let (earlier, own) = self.products.split_at_mut(index);
            let own = &own[0].0;
            // d(P_a P_b): ∂P_a += ∂P P_bᵀ, ∂P_b += P_aᵀ ∂P.
            let right = powers.power_transposed(segments, b).rows(0);
            let out = power_mut(&mut self.B, earlier, segments, a);
            multiply(simd, own.left(0), (M, M), right, (out, pitch), true);
            let left = powers.power(segments, a).left_transposed(0);
            let out = power_mut(&mut self.B, earlier, segments, b);
            multiply(simd, left, (M, M), own.rows(0), (out, pitch), true);
        }
        self.Bt.rows_mut(0).fill(0.0);
        for l in (1..segments.longest_end()).rev() {
            let (earlier, own) = self.Rt.rows_mut(0).split_at_mut(l * Dh * pitch);
            let left = Left::rows(own, pitch);
            let out = &mut earlier[(l - 1) * Dh * pitch..];
            multiply(simd, left, (Dh, M), powers.B.rows(0), (out, pitch), true);
        }
        let rows = segments.longest_end().saturating_sub(1) * Dh;
        if rows > 0 {
            let left = powers.Rt.left_transposed(0);
            multiply(
                simd,
                left,
                (M, rows),
                self.Rt.rows(Dh),
                (self.Bt.rows_mut(0), pitch),
                true,
            );
        }
        let Wt = &mut self.Wt.rows_mut(0)[..Dh * pitch];
        if segments.longest_end() > 0 {
            Wt.copy_from_slice(&self.Rt.rows(0)[..Dh * pitch]);
        } else {
            Wt.fill(0.0);
        }
    }

    /// From gradients of `K_l`, `c_j` and `G_j` to those of `B` and `[W̃ | h]ᵀ`, added to what the ends left.
    #[inline(always)]
    fn pull_back_looked_at<S: Simd>(&mut self, simd: S, M: usize, segments: &Segments, powers: &Powers) {
        let (J, Q, D, Dh, pitch) = (segments.J, segments.Y(), segments.D, segments.D + 1, self.B.pitch);
        // G_l h is part of every later c_j.
        let c = self.c.as_mut_slice();
        for row in (0..J * Q).rev() {
            if row + Q < J * Q {
                c[row] += c[row + Q];
            }
            self.K.row_mut(row)[D] = c[row];
        }
        let left = self.K.left(0);
        multiply(
            simd,
            left,
            (J * Q, Dh),
            powers.Wt.rows(0),
            (self.G.rows_mut(0), pitch),
            true,
        );
        let left = self.K.left_transposed(0);
        multiply(
            simd,
            left,
            (Dh, J * Q),
            powers.G.rows(0),
            (self.Wt.rows_mut(0), pitch),
            true,
        );
        for j in (2..=J).rev() {
            let (earlier, own) = self.G.rows_mut(0).split_at_mut(j * Q * pitch);
            let left = Left::rows(own, pitch);
            let out = &mut earlier[(j - 1) * Q * pitch..];
            multiply(simd, left, (Q, M), powers.Bt.rows(0), (out, pitch), true);
        }
        let left = powers.G.left_transposed(0);
        multiply(
            simd,
            left,
            (M, J * Q),
            self.G.rows(Q),
            (self.B.rows_mut(0), pitch),
            true,
        );
    }

    /// Gradients of `A`, `W`, `h`, `C` from those of `B` and `[W̃ | h]ᵀ`.
    fn unpack(&mut self, dims: Dims, segments: &Segments, gradient: &mut [f32]) {
        let Dims { M, K, .. } = dims;
        let (P, D) = (segments.P, segments.D);
        let W = dims.range_W().start;
        for i in 0..M {
            for j in 0..M {
                let of_B = self.B.at(i, j) + self.Bt.at(j, i);
                let of_W = if j >= M - P {
                    self.Wt.at(j - (M - P), i)
                } else {
                    0.0
                };
                gradient[W + i * M + j] = of_B + of_W;
                if i == j {
                    gradient[i] = of_B;
                }
            }
            for k in 0..K {
                gradient[dims.range_C().start + i * K + k] = self.Wt.at(P + k, i);
            }
        }
        gradient[dims.range_h()].copy_from_slice(&self.Wt.row(D)[..M]);
    }
}
