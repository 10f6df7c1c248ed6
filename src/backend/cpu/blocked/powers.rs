use pulp::{Simd, WithSimd};

use crate::backend::blocked::{Factor, Places, Program, Segments};
use crate::backend::cpu::blocked::matrix::Multiply;
use crate::backend::cpu::blocked::memory::most;
use crate::backend::cpu::blocked::packed::{Packed, SLACK};
use crate::backend::cpu::layout::Layout;
use crate::backend::cpu::simd::buffer::{Buffer, MAX_LANES};
use crate::model::Dims;

/// The powers of `B` that the blocks apply, and their gradients: large enough for any member of an ensemble.
pub(in crate::backend::cpu) struct Powers {
    pub(super) packed: PackedPowers,
    pub(super) places: Places,
    pub(super) matrices: Matrices,
    /// What makes the powers and what pulls back, for each of the members' segments.
    programs: Vec<(Segments, [Program; 2])>,
    /// `c_1 … c_J`, `[J][Y]`, and their gradients.
    pub(super) c: Buffer,
    pub(super) dc: Buffer,
    /// Each end's `g_ℓ`, `[M]`.
    pub(super) g: Vec<Buffer>,
    /// Sums of squares of the `R_l` so far, `[M]`.
    drives: Buffer,
}

/// Matrices at their places, rows padded to whole lines.
pub(super) struct Matrices(Buffer);

impl Matrices {
    pub fn row(&self, matrix: Factor, i: usize) -> &[f32] {
        &self.0.as_slice()[matrix.at + i * matrix.down..][..matrix.down]
    }

    pub fn row_mut(&mut self, matrix: Factor, i: usize) -> &mut [f32] {
        &mut self.0.as_mut_slice()[matrix.at + i * matrix.down..][..matrix.down]
    }

    pub fn clear(&mut self, matrix: Factor, rows: usize) {
        self.0.as_mut_slice()[matrix.at..][..rows * matrix.down].fill(0.0);
    }

    fn transpose(&mut self, from: Factor, (rows, columns): (usize, usize), to: Factor) {
        let data = self.0.as_mut_slice();
        for j in 0..columns {
            for i in 0..rows {
                data[to.at + j * to.down + i] = data[from.at + i * from.down + j];
            }
        }
    }

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S, program: &Program) {
        for product in program.0.iter().flatten() {
            let (rows, inner, _) = product.sizes;
            let Factor { at, down: pitch, .. } = product.out;
            let (before, rest) = self.0.as_mut_slice().split_at_mut(at);
            let (out, after) = rest.split_at_mut(rows * pitch);
            let [left, right] = [product.left, product.right].map(|factor| match factor.at.checked_sub(at) {
                Some(beyond) => &after[beyond - rows * pitch..],
                None => &before[factor.at..],
            });
            simd.vectorize(Multiply {
                left,
                strides: (product.left.down, product.left.along),
                right,
                out,
                rows,
                inner,
                pitch,
                add: product.add,
            });
        }
    }
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

/// Computes the powers of `B` that the blocks apply, and packs them unless they grow beyond `most_growth` (see
/// [`crate::backend::blocked::MOST_GROWTH`]); whether they do not.
pub(in crate::backend::cpu) struct Prepare<'a> {
    pub dims: Dims,
    pub segments: &'a Segments,
    pub theta: &'a [f32],
    pub most_growth: f32,
    pub powers: &'a mut Powers,
}

impl WithSimd for Prepare<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        let Self { powers, segments, .. } = self;
        powers.fill(self.dims, segments, self.theta);
        powers.run(simd, segments, 0);
        powers.complete(segments);
        let in_bounds = powers.growth(simd, segments) <= self.most_growth;
        if in_bounds {
            powers.pack(segments);
        }
        in_bounds
    }
}

/// Pulls the gradients of what the blocks apply back through the powers of `B`.
pub(in crate::backend::cpu) struct PullBack<'a> {
    pub dims: Dims,
    pub segments: &'a Segments,
    pub powers: &'a mut Powers,
    /// Packed as the parameters; `L` is left as it is.
    pub gradient: &'a mut [f32],
}

impl WithSimd for PullBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { powers, segments, .. } = self;
        powers.begin_pulling_back(segments);
        powers.run(simd, segments, 1);
        powers.unpack(self.dims, segments, self.gradient);
    }
}

impl Powers {
    pub fn new(layout: &Layout, all: &[&Segments]) -> Self {
        let M = layout.shape.dims.M;
        let (pitch, wide) = (padded(M), padded(most(all, |segments| segments.D) + 1));
        let H = most(all, |segments| segments.D) + 1;
        let (longest, made) = (
            most(all, Segments::longest_end).max(1),
            1 + most(all, |segments| segments.products.len()),
        );
        let (G, K) = (
            most(all, |segments| (segments.J + 1) * segments.Y()),
            most(all, |segments| segments.J * segments.Y()),
        );
        let n_ends = most(all, |segments| segments.ends.len());
        let mut len = 0;
        let mut take = |rows: usize, pitch: usize| {
            len += rows * pitch;
            Factor::rows(len - rows * pitch, pitch)
        };
        let places = Places {
            M,
            powers: (0..made).map(|_| take(M, pitch)).collect(),
            dpowers: (0..made).map(|_| take(M, pitch)).collect(),
            transposed: (0..made).map(|_| take(M, pitch)).collect(),
            W: take(M, wide),
            Wt: take(H, pitch),
            G: take(G, pitch),
            dG: take(G, pitch),
            K: take(K, wide),
            dK: take(K, wide),
            Rt: take(longest * H, pitch),
            dRt: take(longest * H, pitch),
            dB_of_R: take(M, pitch),
        };
        let programs = |segments: &&Segments| {
            let programs = [places.preparation(segments), places.pulling_back(segments)];
            (Segments::clone(segments), programs)
        };
        Self {
            packed: PackedPowers::new(M, all),
            programs: all.iter().map(programs).collect(),
            places,
            matrices: Matrices(Buffer::zeros(len)),
            c: Buffer::zeros(K + SLACK),
            dc: Buffer::zeros(K),
            g: (0..n_ends).map(|_| Buffer::zeros(M + SLACK)).collect(),
            drives: Buffer::zeros(M),
        }
    }

    /// Works through the first or second program of these segments.
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S, segments: &Segments, which: usize) {
        let own = self.programs.iter().find(|(of, _)| of == segments);
        let (_, programs) = own.expect("there are programs for all segments");
        self.matrices.run(simd, &programs[which]);
    }

    /// `B`, `[W̃ | h]`, their transposes, and `G_0` from the parameters.
    fn fill(&mut self, dims: Dims, segments: &Segments, theta: &[f32]) {
        let Dims { M, K, .. } = dims;
        let (P, D) = (segments.P, segments.D);
        let (A, W) = (&theta[..M], &theta[dims.range_W()]);
        let (h, C) = (&theta[dims.range_h()], &theta[dims.range_C()]);
        let Self { matrices, places, .. } = self;
        for i in 0..M {
            let row = matrices.row_mut(places.powers[0], i);
            row[..M].copy_from_slice(&W[i * M..(i + 1) * M]);
            row[i] += A[i];
            let row = matrices.row_mut(places.W, i);
            row[..P].copy_from_slice(&W[(i + 1) * M - P..(i + 1) * M]);
            row[P..D].copy_from_slice(&C[i * K..(i + 1) * K]);
            row[D] = h[i];
        }
        matrices.transpose(places.powers[0], (M, M), places.transposed[0]);
        matrices.transpose(places.W, (M, D + 1), places.Wt);
        matrices.transpose(places.W, (M, D + 1), places.Rt);
        for (q, &unit) in segments.looked_at.iter().enumerate() {
            let row = matrices.row_mut(places.G, q);
            row.fill(0.0);
            row[unit] = 1.0;
        }
    }

    /// What the products leave out: transposes, `c_{j+1} = c_j + G_j h` and `g_ℓ`.
    fn complete(&mut self, segments: &Segments) {
        let (M, Y, D) = (self.places.M, segments.Y(), segments.D);
        let Self { matrices, places, .. } = self;
        for index in 1..=segments.products.len() {
            matrices.transpose(places.powers[index], (M, M), places.transposed[index]);
        }
        let c = self.c.as_mut_slice();
        for row in 0..segments.J * Y {
            let before = if row >= Y { c[row - Y] } else { 0.0 };
            c[row] = before + matrices.row(places.K, row)[D];
        }
        for (g, &length) in self.g.iter_mut().zip(&segments.ends) {
            let g = &mut g.as_mut_slice()[..M];
            g.fill(0.0);
            for l in 0..length {
                let row = matrices.row(places.Rt, l * (D + 1) + D);
                g.iter_mut().zip(row).for_each(|(g, r)| *g += r);
            }
        }
    }

    /// See [`crate::backend::blocked::MOST_GROWTH`]; NaN where an entry is.
    #[inline(always)]
    fn growth<S: Simd>(&mut self, simd: S, segments: &Segments) -> f32 {
        let (M, Y, D) = (self.places.M, segments.Y(), segments.D);
        let Self { matrices, places, .. } = self;
        let mut largest = Largest(0.0);
        let c = self.c.as_slice();
        for q in 0..Y {
            let mut drives = 0.0;
            for row in (0..segments.J).map(|j| j * Y + q) {
                drives += squares(simd, &matrices.row(places.K, row)[..D]);
                let G = squares(simd, &matrices.row(places.G, Y + row)[..M]);
                largest.add(G + drives + c[row] * c[row]);
            }
        }
        for &product in &places.powers[1..=segments.products.len()] {
            for m in 0..M {
                largest.add(squares(simd, &matrices.row(product, m)[..M]));
            }
        }
        let drives = &mut self.drives.as_mut_slice()[..M];
        drives.fill(0.0);
        for l in 0..segments.longest_end() {
            for row in l * (D + 1)..l * (D + 1) + D {
                let squares = drives.iter_mut().zip(matrices.row(places.Rt, row));
                squares.for_each(|(sum, r)| *sum += r * r);
            }
            if let Ok(end) = segments.ends.binary_search(&(l + 1)) {
                let power = places.powers[segments.power(l + 1)];
                for (m, (drives, g)) in drives.iter().zip(self.g[end].as_slice()).enumerate() {
                    largest.add(squares(simd, &matrices.row(power, m)[..M]) + drives + g * g);
                }
            }
        }
        largest.0.sqrt()
    }

    fn pack(&mut self, segments: &Segments) {
        let (packed, matrices, places) = (&mut self.packed, &self.matrices, &self.places);
        let (M, P, D, J, Y) = (places.M, segments.P, segments.D, segments.J, segments.Y());
        let (H, longest) = (D + 1, segments.longest_end());
        let G = |row| matrices.row(places.G, row);
        let K = |row| matrices.row(places.K, row);
        let Rt = |row| matrices.row(places.Rt, row);
        packed.G.fill(J * Y, M, |row, m| G(Y + row)[m]);
        packed
            .Gt
            .fill_columns(M, J * Y, |column| G((J - column / Y) * Y + column % Y));
        packed
            .K
            .fill(Y, J * D, |q, column| K((J - 1 - column / D) * Y + q)[column % D]);
        packed
            .Kt
            .fill(P, J * Y, |p, column| K((J - 1 - column / Y) * Y + column % Y)[p]);
        packed.R.fill_columns(M, longest * D, |column| {
            Rt((longest - 1 - column / D) * H + column % D)
        });
        packed
            .Rt
            .fill(longest * P, M, |row, m| Rt(row / P * H + row % P)[m]);
        for ((end, transposed), &length) in packed.ends.iter_mut().zip(&segments.ends) {
            let power = segments.power(length);
            end.fill_columns(M, M, |column| matrices.row(places.transposed[power], column));
            transposed.fill_columns(M, M, |column| matrices.row(places.powers[power], column));
        }
    }

    /// Gradients that start from nothing, and `G_l h` as a part of every later `c_j`.
    fn begin_pulling_back(&mut self, segments: &Segments) {
        let (M, Y, D) = (self.places.M, segments.Y(), segments.D);
        let Self { matrices, places, .. } = self;
        matrices.clear(places.dB_of_R, M);
        // A product that is no end has no gradient of its own.
        let made = segments.products.iter().map(|&(e, _, _)| e);
        for (&power, e) in places.dpowers.iter().zip([1].into_iter().chain(made)) {
            if !segments.ends.contains(&e) {
                matrices.clear(power, M);
            }
        }
        let dc = self.dc.as_mut_slice();
        for row in (0..segments.J * Y).rev() {
            if row + Y < segments.J * Y {
                dc[row] += dc[row + Y];
            }
            matrices.row_mut(places.dK, row)[D] = dc[row];
        }
    }

    /// Gradients of `A`, `W`, `h`, `C` from those of `B` and `[W̃ | h]ᵀ`.
    fn unpack(&self, dims: Dims, segments: &Segments, gradient: &mut [f32]) {
        let Dims { M, K, .. } = dims;
        let (P, D) = (segments.P, segments.D);
        let row = |matrix, i| self.matrices.row(matrix, i);
        let dWt = |d: usize| row(self.places.dRt, d);
        let W = dims.range_W().start;
        for i in 0..M {
            let of_B = row(self.places.dpowers[0], i);
            let of_R = row(self.places.dB_of_R, i);
            for j in 0..M {
                let of_B = of_B[j] + of_R[j];
                let of_W = if j >= M - P { dWt(j - (M - P))[i] } else { 0.0 };
                gradient[W + i * M + j] = of_B + of_W;
                if i == j {
                    gradient[i] = of_B;
                }
            }
            for k in 0..K {
                gradient[dims.range_C().start + i * K + k] = dWt(P + k)[i];
            }
        }
        gradient[dims.range_h()].copy_from_slice(&dWt(D)[..M]);
    }
}

impl PackedPowers {
    fn new(M: usize, all: &[&Segments]) -> Self {
        let packed = |size: &dyn Fn(&Segments) -> (usize, usize)| {
            Packed::with_room(all.iter().map(|segments| size(segments)))
        };
        let n_ends = most(all, |segments| segments.ends.len());
        Self {
            G: packed(&|segments| (segments.J * segments.Y(), M)),
            K: packed(&|segments| (segments.Y(), segments.J * segments.D)),
            R: packed(&|segments| (M, segments.longest_end() * segments.D)),
            ends: (0..n_ends)
                .map(|_| (packed(&|_| (M, M)), packed(&|_| (M, M))))
                .collect(),
            Gt: packed(&|segments| (M, segments.J * segments.Y())),
            Kt: packed(&|segments| (segments.P, segments.J * segments.Y())),
            Rt: packed(&|segments| (segments.longest_end() * segments.P, M)),
        }
    }
}

fn padded(columns: usize) -> usize {
    columns.next_multiple_of(MAX_LANES)
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
