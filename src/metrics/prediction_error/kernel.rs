//! Runs a [`Form`] from many points at once, the points as lanes of vectors.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::PredictionData;
use super::form::{Affine, Block, Form, Kind, Plain, TILE};

/// Vectors of points carried together.
pub const UNROLL: usize = 4;
/// Partial sums of squared errors, so that the additions do not wait for each other.
const LANES: usize = 8;

/// One unit (or input) at all points of a group.
type Row<S> = [<S as Simd>::f32s; UNROLL];

/// Predictions from a range of rows within a trial; the output is the sum of squared errors over usable targets.
pub struct Task<'a> {
    pub form: &'a Form,
    pub data: &'a PredictionData,
    pub starts: Range<usize>,
}

impl WithSimd for Task<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let width = UNROLL * S::F32_LANES;
        let mut group = Group::new(simd, self.form, self.data);
        let mut sums = [0.0; LANES];
        for start in self.starts.clone().step_by(width) {
            group.load(0, &self.data.x, start);
            match &self.form.kind {
                Kind::Blocked { blocks, order } => group.run_blocks(blocks, order, start),
                Kind::Plain(plain) => group.run_plain(plain, start),
            }
            let count = width.min(self.starts.end - start);
            for n in 0..self.form.dims.N {
                let prediction: &[f32] = bytemuck::cast_slice(&group.state[n]);
                let target = start + self.data.steps;
                let target = &self.data.x[n][target..target + count];
                let usable = self
                    .data
                    .usable
                    .as_ref()
                    .map(|usable| &usable[n][start..start + count]);
                add_squares(&mut sums, &prediction[..count], target, usable);
            }
        }
        sums.iter().sum()
    }
}

/// Adds `(prediction − target)²` where usable.
#[inline(always)]
fn add_squares(sums: &mut [f64; LANES], prediction: &[f32], target: &[f32], usable: Option<&[bool]>) {
    match usable {
        None => {
            for (p, x) in prediction.chunks(LANES).zip(target.chunks(LANES)) {
                for ((sum, p), x) in sums.iter_mut().zip(p).zip(x) {
                    let e = f64::from(p - x);
                    *sum += e * e;
                }
            }
        }
        Some(usable) => {
            for ((p, x), &usable) in prediction.iter().zip(target).zip(usable) {
                let e = if usable { f64::from(p - x) } else { 0.0 };
                sums[0] += e * e;
            }
        }
    }
}

/// Working memory for one group of points.
struct Group<'a, S: Simd> {
    simd: S,
    data: &'a PredictionData,
    M: usize,
    P: usize,
    /// The state, then whatever else the next matrix multiplies.
    state: Vec<Row<S>>,
    next: Vec<Row<S>>,
}

impl<'a, S: Simd> Group<'a, S> {
    #[inline(always)]
    fn new(simd: S, form: &Form, data: &'a PredictionData) -> Self {
        let rows = match &form.kind {
            Kind::Blocked { blocks, .. } => blocks.iter().map(|b| b.end.columns).max().unwrap_or(0),
            Kind::Plain(plain) => plain.step.columns,
        };
        let zero = [simd.splat_f32s(0.0); UNROLL];
        let rows = rows.max(form.dims.M);
        Self {
            simd,
            data,
            M: form.dims.M,
            P: form.P,
            state: vec![zero; rows],
            next: vec![zero; rows],
        }
    }

    /// Copies the columns' values from row `start` on into the state's rows from `at` on.
    #[inline(always)]
    fn load(&mut self, at: usize, columns: &[Vec<f32>], start: usize) {
        for (row, column) in self.state[at..].iter_mut().zip(columns) {
            let (values, _) = S::as_simd_f32s(&column[start..start + UNROLL * S::F32_LANES]);
            row.copy_from_slice(values);
        }
    }

    #[inline(always)]
    fn run_blocks(&mut self, blocks: &[Block], order: &[usize], start: usize) {
        let zero = self.simd.splat_f32s(0.0);
        let mut time = start;
        for block in order.iter().map(|&i| &blocks[i]) {
            for relu in &block.relu {
                let (input, rest) = self.state.split_at_mut(relu.columns);
                apply(self.simd, relu, input, &mut rest[..self.P]);
                for value in rest[..self.P].iter_mut().flatten() {
                    // The value second: x86 returns it if it is NaN.
                    *value = self.simd.max_f32s(zero, *value);
                }
                time += 1;
                self.load(relu.columns + self.P, &self.data.s, time);
            }
            let (end, next) = (&block.end, &mut self.next);
            apply(self.simd, end, &self.state[..end.columns], &mut next[..end.rows]);
            std::mem::swap(&mut self.state, &mut self.next);
        }
    }

    #[inline(always)]
    fn run_plain(&mut self, plain: &Plain, start: usize) {
        let zero = self.simd.splat_f32s(0.0);
        let first = &plain.first;
        apply(
            self.simd,
            first,
            &self.state[..first.columns],
            &mut self.next[..first.rows],
        );
        std::mem::swap(&mut self.state, &mut self.next);
        let relu = self.M - self.P;
        let mut negative = vec![[zero; UNROLL]; self.P];
        for time in 1..=plain.steps {
            for (z, negative) in self.state[relu..self.M]
                .iter_mut()
                .flatten()
                .zip(negative.iter_mut().flatten())
            {
                *negative = self.simd.min_f32s(zero, *z);
                *z = self.simd.max_f32s(zero, *z);
            }
            self.load(self.M, &self.data.s, start + time);
            let step = if time == plain.steps {
                &plain.last
            } else {
                &plain.step
            };
            apply(
                self.simd,
                step,
                &self.state[..step.columns],
                &mut self.next[..step.rows],
            );
            let relus = self.next[..step.rows].iter_mut().skip(relu);
            for ((next, negative), &a) in relus.zip(&negative).zip(&plain.A) {
                let a = self.simd.splat_f32s(a);
                for (next, &negative) in next.iter_mut().zip(negative) {
                    *next = self.simd.mul_add_e_f32s(a, negative, *next);
                }
            }
            std::mem::swap(&mut self.state, &mut self.next);
        }
    }
}

/// `out = bias + matrix · input`.
#[inline(always)]
fn apply<S: Simd>(simd: S, affine: &Affine, input: &[Row<S>], out: &mut [Row<S>]) {
    let tiles = affine.coefficients.chunks(TILE * affine.columns.max(1));
    for ((tile, bias), out) in tiles.zip(affine.bias.chunks(TILE)).zip(out.chunks_mut(TILE)) {
        // With 16 registers, four rows of four vectors would not fit beside their operands.
        let narrow = S::REGISTER_COUNT < 32;
        match (bias.len(), narrow) {
            (1, _) => rows::<S, 1, UNROLL>(simd, tile, bias, input, out, 0),
            (2, _) => rows::<S, 2, UNROLL>(simd, tile, bias, input, out, 0),
            (3, false) => rows::<S, 3, UNROLL>(simd, tile, bias, input, out, 0),
            (3, true) => halves::<S, 3>(simd, tile, bias, input, out),
            (_, false) => rows::<S, 4, UNROLL>(simd, tile, bias, input, out, 0),
            (_, true) => halves::<S, 4>(simd, tile, bias, input, out),
        }
    }
}

#[inline(always)]
fn halves<S: Simd, const R: usize>(
    simd: S,
    tile: &[f32],
    bias: &[f32],
    input: &[Row<S>],
    out: &mut [Row<S>],
) {
    rows::<S, R, 2>(simd, tile, bias, input, out, 0);
    rows::<S, R, 2>(simd, tile, bias, input, out, 2);
}

/// `R` rows of [`apply`] for the `V` vectors from `first` on.
#[inline(always)]
fn rows<S: Simd, const R: usize, const V: usize>(
    simd: S,
    tile: &[f32],
    bias: &[f32],
    input: &[Row<S>],
    out: &mut [Row<S>],
    first: usize,
) {
    let mut sum: [[S::f32s; V]; R] = std::array::from_fn(|r| [simd.splat_f32s(bias[r]); V]);
    let (coefficients, _) = tile.as_chunks::<R>();
    for (coefficients, input) in coefficients.iter().zip(input) {
        for (sum, &coefficient) in sum.iter_mut().zip(coefficients) {
            let coefficient = simd.splat_f32s(coefficient);
            for (v, sum) in sum.iter_mut().enumerate() {
                *sum = simd.mul_add_e_f32s(coefficient, input[first + v], *sum);
            }
        }
    }
    for (out, sum) in out.iter_mut().zip(sum) {
        out[first..first + V].copy_from_slice(&sum);
    }
}
