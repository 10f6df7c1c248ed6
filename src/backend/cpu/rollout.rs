//! Free runs of many models of one shape from one start, the models as lanes, with a tangent vector each: the same products
//! take both a step further, so a weight is loaded once for two uses.
#![allow(clippy::needless_range_loop, reason = "loops over registers")]

use ndarray::{Array2, ShapeBuilder};
use pulp::{Simd, WithSimd};

use crate::backend::cpu::simd::buffer::{Buffer, vectors, vectors_mut};
use crate::backend::{FreeModel, FreeRun, Rollout, Tangent};
use crate::model::Dims;

/// Rows of the state that are made at once with their tangents: eight sums in flight.
const ROWS: usize = 4;

/// [`Rollout`]s of as many models as there are lanes, or fewer.
pub(super) struct Rollouts<'a> {
    pub dims: Dims,
    pub models: &'a [FreeModel<'a>],
    pub run: &'a FreeRun,
    pub tangent: Tangent,
}

impl WithSimd for Rollouts<'_> {
    type Output = Vec<Rollout>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<Rollout> {
        let (Dims { N, K, .. }, run) = (self.dims, self.run);
        let inputs = run.s.as_standard_layout();
        let inputs = inputs.as_slice().expect("standard layout is contiguous");
        let counted = self.tangent.counted();
        let mut walk = Walk::new(self.dims, self.models, &run.x0, S::F32_LANES);
        let mut sums = vec![0.0f64; self.models.len()];
        let rows = run.steps + 1;
        let mut columns = vec![vec![0.0f32; N * rows]; self.models.len()];
        for t in 0..=run.steps {
            for (n, seen) in walk
                .z
                .now
                .as_slice()
                .chunks_exact(S::F32_LANES)
                .take(N)
                .enumerate()
            {
                let all = columns.iter_mut().zip(seen);
                all.for_each(|(columns, &x)| columns[n * rows + t] = x);
            }
            if t == run.steps {
                break;
            }
            let s = if K == 0 {
                &[]
            } else {
                &inputs[(t + 1) * K..(t + 2) * K]
            };
            if t >= counted.end {
                walk.step::<S, false>(simd, s);
                continue;
            }
            walk.step::<S, true>(simd, s);
            if (t + 1) % Tangent::STRETCH == 0 {
                let norms = walk.normalise(simd);
                let norms = sums.iter_mut().zip(norms.as_slice());
                let counts = t >= counted.start;
                norms
                    .filter(|_| counts)
                    .for_each(|(sum, &norm)| *sum += f64::from(norm).ln());
            }
        }
        let rollout = |(x, sum): (Vec<f32>, f64)| Rollout {
            x: Array2::from_shape_vec((rows, N).f(), x).expect("a row a step"),
            growth: sum / counted.len() as f64,
        };
        columns.into_iter().zip(sums).map(rollout).collect()
    }
}

/// Where all models are.
struct Walk {
    weights: Weights,
    z: State,
    v: State,
}

/// Vectors of the latent space, `[M, lanes]`, rounded up to whole blocks of rows.
struct State {
    now: Buffer,
    /// What a step makes.
    next: Buffer,
    /// What φ does not let pass, of the units from the first ReLU on.
    rest: Buffer,
}

/// Parameters, the models as lanes.
struct Weights {
    dims: Dims,
    /// Units from here on are ReLUs in some model.
    first_relu: usize,
    /// `B = diag(A) + W`, `[blocks, M, ROWS]`; what is beyond row `M` is 0.
    B: Buffer,
    /// `[blocks · ROWS]` and `[blocks · ROWS, K]`.
    h: Buffer,
    C: Buffer,
    /// Of the units from the first ReLU on: `A`, and what φ cuts at, −∞ where the unit is linear in this model.
    A: Buffer,
    floor: Buffer,
}

/// Values `[rows, lanes]`: `value(model, row)`, 0 in lanes without a model and in rows from `filled` on.
fn by_lane(
    models: &[FreeModel<'_>],
    lanes: usize,
    (filled, rows): (usize, usize),
    value: impl Fn(&FreeModel<'_>, usize) -> f32,
) -> Buffer {
    let mut all = Buffer::zeros(rows * lanes);
    for (row, vector) in all
        .as_mut_slice()
        .chunks_exact_mut(lanes)
        .take(filled)
        .enumerate()
    {
        for (lane, model) in vector.iter_mut().zip(models) {
            *lane = value(model, row);
        }
    }
    all
}

impl Weights {
    fn new(dims: Dims, models: &[FreeModel<'_>], lanes: usize) -> Self {
        let Dims { M, K, .. } = dims;
        let rows = M.next_multiple_of(ROWS);
        let first_relu = M - models.iter().map(|model| model.P).max().unwrap_or(0);
        let relus = M - first_relu;
        let B = |model: &FreeModel<'_>, at: usize| {
            let (block, j, row) = (at / (M * ROWS), at / ROWS % M, at % ROWS);
            let i = block * ROWS + row;
            match i {
                i if i >= M => 0.0,
                i if i == j => model.theta[dims.range_W()][i * M + j] + model.theta[i],
                _ => model.theta[dims.range_W()][i * M + j],
            }
        };
        let linear = |model: &FreeModel<'_>, k: usize| first_relu + k < M - model.P;
        Self {
            dims,
            first_relu,
            B: by_lane(models, lanes, (rows * M, rows * M), B),
            h: by_lane(models, lanes, (M, rows), |model, i| {
                model.theta[dims.range_h()][i]
            }),
            C: by_lane(models, lanes, (M * K, rows * K), |model, at| {
                model.theta[dims.range_C()][at]
            }),
            A: by_lane(models, lanes, (relus, relus), |model, k| {
                model.theta[first_relu + k]
            }),
            floor: by_lane(models, lanes, (relus, relus), |model, k| {
                if linear(model, k) { f32::NEG_INFINITY } else { 0.0 }
            }),
        }
    }

    /// `h + C s` of the rows of a block.
    #[inline(always)]
    fn drive<S: Simd>(&self, simd: S, block: usize, s: &[f32]) -> [S::f32s; ROWS] {
        let (h, C) = (vectors::<S>(self.h.as_slice()), vectors::<S>(self.C.as_slice()));
        let mut drive = [simd.splat_f32s(0.0); ROWS];
        for row in 0..ROWS {
            let i = block * ROWS + row;
            drive[row] = h[i];
            for (k, &s) in s.iter().enumerate() {
                drive[row] = simd.mul_add_e_f32s(C[i * self.dims.K + k], simd.splat_f32s(s), drive[row]);
            }
        }
        drive
    }

    /// Weights of a block, `[M, ROWS]`.
    #[inline(always)]
    fn block<S: Simd>(&self, block: usize) -> &[S::f32s] {
        let size = self.dims.M * ROWS;
        &vectors::<S>(self.B.as_slice())[block * size..(block + 1) * size]
    }
}

impl State {
    #[inline(always)]
    fn carry<S: Simd>(&mut self, simd: S, A: &[S::f32s], first_relu: usize) {
        let rest = vectors::<S>(self.rest.as_slice());
        let next = &mut vectors_mut::<S>(self.next.as_mut_slice())[first_relu..];
        for ((next, &A), &rest) in next.iter_mut().zip(A).zip(rest) {
            *next = simd.mul_add_e_f32s(A, rest, *next);
        }
        std::mem::swap(&mut self.now, &mut self.next);
    }
}

impl Walk {
    /// At `z_0 = [x_0 ; L x_0]`, missing entries of `x_0` taken as 0.
    fn new(dims: Dims, models: &[FreeModel<'_>], x0: &[f32], lanes: usize) -> Self {
        let M = dims.M;
        let weights = Weights::new(dims, models, lanes);
        let rows = M.next_multiple_of(ROWS);
        let relus = M - weights.first_relu;
        let tangent: Vec<f32> = Tangent::start(M).map(|v| v as f32).collect();
        let state = |now| State {
            now,
            next: Buffer::zeros(rows * lanes),
            rest: Buffer::zeros(relus * lanes),
        };
        Self {
            z: state(by_lane(models, lanes, (M, rows), |model, i| {
                model.initial_unit(dims, x0, i)
            })),
            v: state(by_lane(models, lanes, (M, rows), |_, i| tangent[i])),
            weights,
        }
    }

    /// All models, and their tangents where asked for, a step further.
    #[inline(always)]
    fn step<S: Simd, const TANGENT: bool>(&mut self, simd: S, s: &[f32]) {
        self.cut::<S, TANGENT>(simd);
        let Self { weights, z, v } = self;
        let (from, to) = (
            vectors::<S>(z.now.as_slice()),
            vectors_mut::<S>(z.next.as_mut_slice()),
        );
        let blocks = to.len() / ROWS;
        let mut block = 0;
        if TANGENT {
            let (v_from, v_to) = (
                vectors::<S>(v.now.as_slice()),
                vectors_mut::<S>(v.next.as_mut_slice()),
            );
            while block < blocks {
                let sums = [weights.drive(simd, block, s), [simd.splat_f32s(0.0); ROWS]];
                let B = weights.block::<S>(block);
                let [z, v] = products(simd, [B, B], [from, v_from], sums);
                to[block * ROWS..(block + 1) * ROWS].copy_from_slice(&z);
                v_to[block * ROWS..(block + 1) * ROWS].copy_from_slice(&v);
                block += 1;
            }
        } else {
            while block + 1 < blocks {
                let sums = [weights.drive(simd, block, s), weights.drive(simd, block + 1, s)];
                let B = [weights.block::<S>(block), weights.block::<S>(block + 1)];
                let [first, second] = products(simd, B, [from, from], sums);
                to[block * ROWS..(block + 1) * ROWS].copy_from_slice(&first);
                to[(block + 1) * ROWS..(block + 2) * ROWS].copy_from_slice(&second);
                block += 2;
            }
            if block < blocks {
                let sums = [weights.drive(simd, block, s)];
                let [last] = products(simd, [weights.block::<S>(block)], [from], sums);
                to[block * ROWS..].copy_from_slice(&last);
            }
        }
        self.carry(simd, TANGENT);
    }

    /// `φ(z)` in the place of `z`, and of a tangent vector what the ReLUs let pass; the rest aside.
    #[inline(always)]
    fn cut<S: Simd, const TANGENT: bool>(&mut self, simd: S) {
        let Self { weights, z, v } = self;
        let floor = vectors::<S>(weights.floor.as_slice());
        let all = weights.first_relu..weights.dims.M;
        let z_now = &mut vectors_mut::<S>(z.now.as_mut_slice())[all.clone()];
        let z_rest = vectors_mut::<S>(z.rest.as_mut_slice());
        let v_now = &mut vectors_mut::<S>(v.now.as_mut_slice())[all];
        let v_rest = vectors_mut::<S>(v.rest.as_mut_slice());
        for k in 0..floor.len() {
            if TANGENT {
                let open = simd.greater_than_f32s(z_now[k], floor[k]);
                let passes = simd.select_f32s(open, v_now[k], simd.splat_f32s(0.0));
                v_rest[k] = simd.sub_f32s(v_now[k], passes);
                v_now[k] = passes;
            }
            let phi = simd.max_f32s(floor[k], z_now[k]);
            z_rest[k] = simd.sub_f32s(z_now[k], phi);
            z_now[k] = phi;
        }
    }

    /// Adds what `A` carries past φ, and makes the next state the present one.
    #[inline(always)]
    fn carry<S: Simd>(&mut self, simd: S, tangent: bool) {
        let Self { weights, z, v } = self;
        let A = vectors::<S>(weights.A.as_slice());
        z.carry::<S>(simd, A, weights.first_relu);
        if tangent {
            v.carry::<S>(simd, A, weights.first_relu);
        }
    }

    /// Divides the tangent vectors by their lengths, which are returned `[lanes]`.
    #[inline(always)]
    fn normalise<S: Simd>(&mut self, simd: S) -> Buffer {
        let all = &mut vectors_mut::<S>(self.v.now.as_mut_slice())[..self.weights.dims.M];
        let mut squares = simd.splat_f32s(0.0);
        for v in all.iter() {
            squares = simd.mul_add_e_f32s(*v, *v, squares);
        }
        let mut norms = Buffer::zeros(S::F32_LANES);
        let norm = vectors_mut::<S>(norms.as_mut_slice());
        norm[0] = simd.sqrt_f32s(squares);
        let factor = simd.div_f32s(simd.splat_f32s(1.0), norm[0]);
        all.iter_mut().for_each(|v| *v = simd.mul_f32s(*v, factor));
        norms
    }
}

/// `sums + B x` of as many blocks of rows, each with its own vectors.
#[inline(always)]
fn products<S: Simd, const MANY: usize>(
    simd: S,
    B: [&[S::f32s]; MANY],
    x: [&[S::f32s]; MANY],
    mut sums: [[S::f32s; ROWS]; MANY],
) -> [[S::f32s; ROWS]; MANY] {
    for j in 0..B[0].len() / ROWS {
        for many in 0..MANY {
            let (weights, x) = (&B[many][j * ROWS..(j + 1) * ROWS], x[many][j]);
            for row in 0..ROWS {
                sums[many][row] = simd.mul_add_e_f32s(weights[row], x, sums[many][row]);
            }
        }
    }
    sums
}
