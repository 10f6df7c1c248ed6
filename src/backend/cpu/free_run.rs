#![allow(non_snake_case, reason = "the paper's symbols")]
#![allow(clippy::needless_range_loop, reason = "loops over registers")]

use ndarray::Array2;
use pulp::{Simd, WithSimd};

use crate::backend::cpu::simd::buffer::{Buffer, vectors, vectors_mut};
use crate::backend::{FreeModel, FreeRun};
use crate::model::Dims;

/// One model left to itself, with the units as lanes: `z ← B φ(z) + A ∘ (z − φ(z)) + h + C s`, `B = diag(A) + W`.
pub(super) struct Run<'a> {
    pub dims: Dims,
    pub model: FreeModel<'a>,
    pub run: &'a FreeRun,
    pub latent: bool,
}

impl WithSimd for Run<'_> {
    type Output = Array2<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Array2<f32> {
        let Self {
            dims,
            model,
            run,
            latent,
        } = self;
        let columns = if latent { dims.M } else { dims.N };
        let mut state = State::new(dims, model, S::F32_LANES);
        state.start(dims, model.theta, &run.x0);
        let inputs = run.s.as_standard_layout();
        let inputs = inputs.as_slice().expect("standard layout is contiguous");
        let mut out = Array2::zeros((run.steps + 1, columns));
        let rows = out
            .as_slice_mut()
            .expect("a new array is contiguous")
            .chunks_exact_mut(columns);
        for (t, row) in rows.enumerate() {
            if t > 0 {
                let inputs = if dims.K > 0 {
                    &inputs[t * dims.K..(t + 1) * dims.K]
                } else {
                    &[]
                };
                state.step(simd, inputs);
            }
            row.copy_from_slice(&state.z.as_slice()[..columns]);
        }
        out
    }
}

/// Parameters by column, each padded to whole vectors, and the state.
struct State {
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
    z: Buffer,
    phi: Buffer,
}

impl State {
    fn new(dims: Dims, model: FreeModel<'_>, lanes: usize) -> Self {
        let Dims { M, K, .. } = dims;
        let height = M.div_ceil(lanes);
        let rows = height * lanes;
        let (A, W) = (&model.theta[..M], &model.theta[dims.range_W()]);
        let mut state = Self {
            M,
            height,
            B: Buffer::zeros(M * rows),
            C: Buffer::zeros(K * rows),
            h: Buffer::zeros(rows),
            A: Buffer::zeros(rows),
            floor: Buffer::zeros(rows),
            z: Buffer::zeros(rows),
            phi: Buffer::zeros(rows),
        };
        for (j, column) in state.B.as_mut_slice().chunks_exact_mut(rows).enumerate() {
            for (i, b) in column[..M].iter_mut().enumerate() {
                *b = W[i * M + j] + if i == j { A[i] } else { 0.0 };
            }
        }
        let C = &model.theta[dims.range_C()];
        for (k, column) in state.C.as_mut_slice().chunks_exact_mut(rows).enumerate() {
            for (i, c) in column[..M].iter_mut().enumerate() {
                *c = C[i * K + k];
            }
        }
        let relu = M - model.P..M;
        state.h.as_mut_slice()[..M].copy_from_slice(&model.theta[dims.range_h()]);
        state.A.as_mut_slice()[relu.clone()].copy_from_slice(&A[relu.clone()]);
        state.floor.as_mut_slice()[..relu.start].fill(f32::NEG_INFINITY);
        state
    }

    /// `z_0 = [x_0 ; L x_0]`, missing entries of `x_0` taken as 0.
    fn start(&mut self, dims: Dims, theta: &[f32], x0: &[f32]) {
        let Dims { M, N, .. } = dims;
        let z = self.z.as_mut_slice();
        for (z, &x) in z.iter_mut().zip(x0) {
            *z = if x.is_nan() { 0.0 } else { x };
        }
        let (x0, rest) = z.split_at_mut(N);
        for (z, row) in rest[..M - N]
            .iter_mut()
            .zip(theta[dims.range_L()].chunks_exact(N))
        {
            *z = row.iter().zip(&*x0).map(|(l, x)| l * x).sum();
        }
    }

    #[inline(always)]
    fn step<S: Simd>(&mut self, simd: S, inputs: &[f32]) {
        let z = vectors::<S>(self.z.as_slice());
        let floor = vectors::<S>(self.floor.as_slice());
        let phi = vectors_mut::<S>(self.phi.as_mut_slice());
        for ((phi, &z), &floor) in phi.iter_mut().zip(z).zip(floor) {
            *phi = simd.max_f32s(floor, z);
        }
        let mut first = 0;
        while first < self.height {
            // Eight accumulators in flight, as rows or, where there are few rows, as interleaved columns.
            first += match self.height - first {
                1 => self.rows::<S, 1, 8>(simd, inputs, first),
                2 | 3 => self.rows::<S, 2, 4>(simd, inputs, first),
                _ => self.rows::<S, 4, 2>(simd, inputs, first),
            };
        }
    }

    /// Next state of `ROWS` vectors from vector `first` on; returns `ROWS`.
    #[inline(always)]
    fn rows<S: Simd, const ROWS: usize, const WAYS: usize>(
        &mut self,
        simd: S,
        inputs: &[f32],
        first: usize,
    ) -> usize {
        let B = vectors::<S>(self.B.as_slice());
        let phi = &self.phi.as_slice()[..self.M];
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
        let phi = vectors::<S>(self.phi.as_slice());
        let (h, A) = (vectors::<S>(self.h.as_slice()), vectors::<S>(self.A.as_slice()));
        let z = &mut vectors_mut::<S>(self.z.as_mut_slice())[first..first + ROWS];
        for (row, z) in z.iter_mut().enumerate() {
            let at = first + row;
            let cut = simd.sub_f32s(*z, phi[at]);
            *z = simd.add_f32s(acc[0][row], simd.mul_add_e_f32s(A[at], cut, h[at]));
        }
        ROWS
    }
}
