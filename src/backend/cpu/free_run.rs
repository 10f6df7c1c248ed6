//! Models left to themselves, with the units as lanes: `z ← B φ(z) + A ∘ (z − φ(z)) + h + C s`, `B = diag(A) + W`.
//!
//! A step waits for the one before, so a few models go side by side on a thread: while one waits, the others compute.
#![allow(non_snake_case, reason = "the paper's symbols")]
#![allow(clippy::needless_range_loop, reason = "loops over registers")]

use ndarray::{Array2, CowArray, Ix2};
use pulp::{Simd, WithSimd};

use crate::backend::cpu::simd::buffer::{Buffer, vectors, vectors_mut};
use crate::backend::{FreeModel, FreeRun};
use crate::model::Dims;

/// Models that go side by side where there are as many; more would not fit the first-level cache at usual sizes.
pub(super) const SIDE_BY_SIDE: usize = 4;

/// Free runs `[model][run]` of a few models.
pub(super) struct Runs<'a> {
    pub dims: Dims,
    pub models: &'a [FreeModel<'a>],
    pub runs: &'a [FreeRun],
    pub latent: bool,
}

impl WithSimd for Runs<'_> {
    type Output = Vec<Vec<Array2<f32>>>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let columns = if self.latent { self.dims.M } else { self.dims.N };
        let mut walkers = walkers::<S>(self.dims, self.models);
        let mut out: Vec<Vec<Array2<f32>>> = self.models.iter().map(|_| Vec::new()).collect();
        for run in self.runs {
            let s = run.s.as_standard_layout();
            let mut rows: Vec<Array2<f32>> = Vec::with_capacity(walkers.len());
            for walker in &mut walkers {
                walker.start(&run.x0);
                rows.push(Array2::zeros((run.steps + 1, columns)));
            }
            for t in 0..=run.steps {
                for (walker, rows) in walkers.iter_mut().zip(&mut rows) {
                    if t > 0 {
                        walker.step(simd, inputs(&s, self.dims.K, t));
                    }
                    let rows = rows.as_slice_mut().expect("a new array is contiguous");
                    rows[t * columns..(t + 1) * columns]
                        .copy_from_slice(&walker.state.z.as_slice()[..columns]);
                }
            }
            out.iter_mut().zip(rows).for_each(|(out, rows)| out.push(rows));
        }
        out
    }
}

/// The inputs of the step to row `t`, of `[rows, K]` in standard layout.
fn inputs<'a>(s: &'a CowArray<'_, f32, Ix2>, K: usize, t: usize) -> &'a [f32] {
    let all = s.as_slice().expect("standard layout is contiguous");
    if K == 0 { &[] } else { &all[t * K..(t + 1) * K] }
}

fn walkers<S: Simd>(dims: Dims, models: &[FreeModel<'_>]) -> Vec<Walker> {
    let walker = |&model| Walker::new(dims, model, S::F32_LANES);
    models.iter().map(walker).collect()
}

/// Parameters by column, each padded to whole vectors.
struct Columns {
    M: usize,
    /// Vectors in a column.
    height: usize,
    B: Buffer,
    C: Buffer,
    h: Buffer,
    /// `A` of the ReLU units, else 0.
    A: Buffer,
    /// What φ cuts at: 0 for ReLU units, −∞ for linear ones.
    floor: Buffer,
}

/// A latent state and what the product with `B` takes of it.
struct State {
    z: Buffer,
    phi: Buffer,
}

impl State {
    fn zeros(rows: usize) -> Self {
        Self {
            z: Buffer::zeros(rows),
            phi: Buffer::zeros(rows),
        }
    }
}

/// A model and where it is.
struct Walker {
    dims: Dims,
    model: Columns,
    /// `[M−N, N]`
    L: Vec<f32>,
    state: State,
}

impl Walker {
    fn new(dims: Dims, model: FreeModel<'_>, lanes: usize) -> Self {
        let columns = Columns::new(dims, model, lanes);
        let rows = columns.h.as_slice().len();
        Self {
            dims,
            L: model.theta[dims.range_L()].to_vec(),
            state: State::zeros(rows),
            model: columns,
        }
    }

    /// `z_0 = [x_0 ; L x_0]`, missing entries of `x_0` taken as 0.
    fn start(&mut self, x0: &[f32]) {
        let Dims { M, N, .. } = self.dims;
        let z = self.state.z.as_mut_slice();
        for (z, &x) in z.iter_mut().zip(x0) {
            *z = if x.is_nan() { 0.0 } else { x };
        }
        let (x0, rest) = z.split_at_mut(N);
        for (z, row) in rest[..M - N].iter_mut().zip(self.L.chunks_exact(N)) {
            *z = row.iter().zip(&*x0).map(|(l, x)| l * x).sum();
        }
    }

    #[inline(always)]
    fn step<S: Simd>(&mut self, simd: S, inputs: &[f32]) {
        let Self { model, state, .. } = self;
        model.cut(simd, state);
        model.advance(simd, inputs, state);
    }
}

impl Columns {
    fn new(dims: Dims, model: FreeModel<'_>, lanes: usize) -> Self {
        let Dims { M, K, .. } = dims;
        let height = M.div_ceil(lanes);
        let rows = height * lanes;
        let (A, W) = (&model.theta[..M], &model.theta[dims.range_W()]);
        let mut columns = Self {
            M,
            height,
            B: Buffer::zeros(M * rows),
            C: Buffer::zeros(K * rows),
            h: Buffer::zeros(rows),
            A: Buffer::zeros(rows),
            floor: Buffer::zeros(rows),
        };
        for (j, column) in columns.B.as_mut_slice().chunks_exact_mut(rows).enumerate() {
            for (i, b) in column[..M].iter_mut().enumerate() {
                *b = W[i * M + j] + if i == j { A[i] } else { 0.0 };
            }
        }
        let C = &model.theta[dims.range_C()];
        for (k, column) in columns.C.as_mut_slice().chunks_exact_mut(rows).enumerate() {
            for (i, c) in column[..M].iter_mut().enumerate() {
                *c = C[i * K + k];
            }
        }
        let relu = M - model.P..M;
        columns.h.as_mut_slice()[..M].copy_from_slice(&model.theta[dims.range_h()]);
        columns.A.as_mut_slice()[relu.clone()].copy_from_slice(&A[relu.clone()]);
        columns.floor.as_mut_slice()[..relu.start].fill(f32::NEG_INFINITY);
        columns
    }

    /// `φ(z)`.
    #[inline(always)]
    fn cut<S: Simd>(&self, simd: S, state: &mut State) {
        let z = vectors::<S>(state.z.as_slice());
        let floor = vectors::<S>(self.floor.as_slice());
        let phi = vectors_mut::<S>(state.phi.as_mut_slice());
        for ((phi, &z), &floor) in phi.iter_mut().zip(z).zip(floor) {
            *phi = simd.max_f32s(floor, z);
        }
    }

    /// `z ← B φ + A ∘ (z − φ) + h + C s`, with the `φ` of the state.
    #[inline(always)]
    fn advance<S: Simd>(&self, simd: S, inputs: &[f32], state: &mut State) {
        let mut first = 0;
        while first < self.height {
            // Eight accumulators in flight, as rows or, where there are few rows, as interleaved columns.
            first += match self.height - first {
                1 => self.rows::<S, 1, 8>(simd, inputs, state, first),
                2 | 3 => self.rows::<S, 2, 4>(simd, inputs, state, first),
                _ => self.rows::<S, 4, 2>(simd, inputs, state, first),
            };
        }
    }

    /// [`Columns::advance`] of `ROWS` vectors from vector `first` on; returns `ROWS`.
    #[inline(always)]
    fn rows<S: Simd, const ROWS: usize, const WAYS: usize>(
        &self,
        simd: S,
        inputs: &[f32],
        state: &mut State,
        first: usize,
    ) -> usize {
        let B = vectors::<S>(self.B.as_slice());
        let phi = &state.phi.as_slice()[..self.M];
        let mut acc = [[simd.splat_f32s(0.0); ROWS]; WAYS];
        let whole = self.M - self.M % WAYS;
        for (columns, phi) in B.chunks_exact(WAYS * self.height).zip(phi.chunks_exact(WAYS)) {
            for way in 0..WAYS {
                let column = &columns[way * self.height + first..][..ROWS];
                for row in 0..ROWS {
                    acc[way][row] =
                        simd.mul_add_e_f32s(simd.splat_f32s(phi[way]), column[row], acc[way][row]);
                }
            }
        }
        for j in whole..self.M {
            let column = &B[j * self.height + first..][..ROWS];
            for row in 0..ROWS {
                acc[j - whole][row] =
                    simd.mul_add_e_f32s(simd.splat_f32s(phi[j]), column[row], acc[j - whole][row]);
            }
        }
        let C = vectors::<S>(self.C.as_slice());
        for (&input, column) in inputs.iter().zip(C.chunks_exact(self.height)) {
            for row in 0..ROWS {
                acc[0][row] = simd.mul_add_e_f32s(simd.splat_f32s(input), column[first + row], acc[0][row]);
            }
        }
        let mut width = WAYS / 2;
        while width > 0 {
            for way in 0..width {
                for row in 0..ROWS {
                    acc[way][row] = simd.add_f32s(acc[way][row], acc[way + width][row]);
                }
            }
            width /= 2;
        }
        let phi = vectors::<S>(state.phi.as_slice());
        let (h, A) = (vectors::<S>(self.h.as_slice()), vectors::<S>(self.A.as_slice()));
        let z = &mut vectors_mut::<S>(state.z.as_mut_slice())[first..first + ROWS];
        for (row, z) in z.iter_mut().enumerate() {
            let at = first + row;
            let rest = simd.sub_f32s(*z, phi[at]);
            *z = simd.add_f32s(acc[0][row], simd.mul_add_e_f32s(A[at], rest, h[at]));
        }
        ROWS
    }
}
