//! Two equal ways to compute n steps: one by one, or in blocks through powers of `B = diag(A) + W`.
//!
//! With `u(z) = max(−z_P, 0)` for the `P` ReLU units, `F(z) = B z + W_P u(z) + h + C s`, so k steps from `z` are
//! `B^k z + Σ_{i<k} B^{k−1−i} (W_P u_i + C s_{i+1} + h)`. Nothing in between is needed but the `P` rows that give
//! `u_i`, and at the end nothing but `N` rows: for small `P` that is far less than `k M²`.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, concatenate, s};

use crate::model::{Dims, Theta};

/// Largest coefficient of a block: above this, f32 would lose too much to cancellation.
const MAX_COEFFICIENT: f64 = 100.0;
/// Rows of a matrix that are computed together.
pub const TILE: usize = 4;

/// `out = bias + matrix · input`, stored for tiles of rows.
#[derive(Clone, Debug)]
pub struct Affine {
    pub rows: usize,
    pub columns: usize,
    pub bias: Vec<f32>,
    /// Per tile of up to [`TILE`] rows: `[columns][rows of the tile]`.
    pub coefficients: Vec<f32>,
}

impl Affine {
    fn new(matrix: ArrayView2<'_, f64>, bias: ArrayView1<'_, f64>) -> Self {
        let mut coefficients = Vec::with_capacity(matrix.len());
        for tile in matrix.axis_chunks_iter(Axis(0), TILE) {
            coefficients.extend(tile.columns().into_iter().flatten().map(|&v| v as f32));
        }
        Self {
            rows: matrix.nrows(),
            columns: matrix.ncols(),
            bias: bias.iter().map(|&v| v as f32).collect(),
            coefficients,
        }
    }
}

/// k steps at once. Its input is the state, then per step `P` rows of `u` and `K` of `s`.
#[derive(Clone, Debug)]
pub struct Block {
    /// Before step i: `−z_P` from the state and the earlier steps' rows.
    pub relu: Vec<Affine>,
    /// The state (or its first `N` rows) after the last step.
    pub end: Affine,
}

/// Step by step: the input is `[φ(z) ; s]`.
#[derive(Clone, Debug)]
pub struct Plain {
    /// `[x ; L x]` from `x`.
    pub first: Affine,
    /// `A ∘ φ(z) + W φ(z) + h + C s`.
    pub step: Affine,
    /// The `N` observed rows of `step`.
    pub last: Affine,
    /// `A` of the ReLU units: they also get `A ∘ min(z, 0)`.
    pub A: Vec<f32>,
    pub steps: usize,
}

/// n steps of one model, from an observation to a prediction.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Distinct blocks, and the order they are run in.
    Blocked {
        blocks: Vec<Block>,
        order: Vec<usize>,
    },
    Plain(Plain),
}

#[derive(Clone, Debug)]
pub struct Form {
    pub dims: Dims,
    pub P: usize,
    pub kind: Kind,
}

impl Form {
    /// The form with the fewest multiply-adds whose coefficients stay small enough for f32.
    pub fn cheapest(theta: &Theta, P: usize, steps: usize) -> Self {
        let dims = theta.dims();
        let mut candidates: Vec<(usize, usize)> = (1..=steps)
            .map(|count| steps.div_ceil(count))
            .map(|k| (blocked_cost(dims, P, steps, k), k))
            .filter(|&(cost, _)| cost < plain_cost(dims, steps))
            .collect();
        candidates.sort_unstable();
        candidates.dedup();
        candidates
            .into_iter()
            .find_map(|(_, k)| Self::blocked(theta, P, steps, k))
            .unwrap_or_else(|| Self::plain(theta, P, steps))
    }

    /// Blocks of `k` steps; `None` where a coefficient is too large.
    pub fn blocked(theta: &Theta, P: usize, steps: usize, k: usize) -> Option<Self> {
        let dims = theta.dims();
        let (mut blocks, mut order) = (Vec::new(), Vec::new());
        for (done, k) in lengths(steps, k) {
            let last = done + k == steps;
            // All blocks between the first and the last are the same.
            if done <= k || last {
                let start = if done == 0 {
                    initial(theta)
                } else {
                    Array2::eye(dims.M)
                };
                let out = if last { dims.N } else { dims.M };
                blocks.push(block(theta, P, start, k, out)?);
            }
            order.push(blocks.len() - 1);
        }
        let kind = Kind::Blocked { blocks, order };
        Some(Self { dims, P, kind })
    }

    pub fn plain(theta: &Theta, P: usize, steps: usize) -> Self {
        let dims = theta.dims();
        let Dims { M, N, .. } = dims;
        let step = concatenate![Axis(1), &theta.W + &Array2::from_diag(&theta.A), theta.C];
        let kind = Kind::Plain(Plain {
            first: Affine::new(initial(theta).view(), Array1::zeros(M).view()),
            step: Affine::new(step.view(), theta.h.view()),
            last: Affine::new(step.slice(s![..N, ..]), theta.h.slice(s![..N])),
            A: theta.A.slice(s![M - P..]).iter().map(|&a| a as f32).collect(),
            steps,
        });
        Self { dims, P, kind }
    }
}

/// Multiply-adds of one prediction.
fn plain_cost(dims: Dims, steps: usize) -> usize {
    let Dims { M, N, K } = dims;
    (M - N) * N + (steps - 1) * M * (M + K) + N * (M + K)
}

fn blocked_cost(dims: Dims, P: usize, steps: usize, k: usize) -> usize {
    let Dims { M, N, K } = dims;
    lengths(steps, k)
        .map(|(done, k)| {
            let state = if done == 0 { N } else { M };
            let out = if done + k == steps { N } else { M };
            let relu: usize = (0..k).map(|i| P * (state + i * (P + K))).sum();
            relu + out * (state + k * (P + K))
        })
        .sum()
}

/// Blocks of `k` steps and a shorter last one: (steps done before, steps).
fn lengths(steps: usize, k: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..steps).step_by(k).map(move |done| (done, k.min(steps - done)))
}

/// `[1 ; L]`, which makes a state of an observation.
fn initial(theta: &Theta) -> Array2<f64> {
    let N = theta.L.ncols();
    concatenate![Axis(0), Array2::eye(N), theta.L]
}

/// k steps from `start · input`; `None` where a coefficient is too large (or not finite).
fn block(theta: &Theta, P: usize, start: Array2<f64>, k: usize, out: usize) -> Option<Block> {
    let M = theta.A.len();
    let B = &theta.W + &Array2::from_diag(&theta.A);
    let mut state = start;
    let mut bias = Array1::zeros(M);
    // The newest drive has the lowest power of B.
    let drive = concatenate![Axis(1), theta.W.slice(s![.., M - P..]), theta.C];
    let mut drives: Vec<Array2<f64>> = vec![drive];
    let mut relu = Vec::with_capacity(k);
    let assembled = |state: &Array2<f64>, drives: &[Array2<f64>]| {
        let parts: Vec<_> = [state.view()]
            .into_iter()
            .chain(drives.iter().rev().map(|d| d.view()))
            .collect();
        concatenate(Axis(1), &parts).expect("all parts have M rows")
    };
    for i in 0..k {
        let matrix = assembled(&state, &drives[..i]);
        let small = |v: &f64| v.abs() <= MAX_COEFFICIENT;
        if !(matrix.iter().all(small) && bias.iter().all(small)) {
            return None;
        }
        let rows = s![M - P.., ..];
        relu.push(Affine::new(
            (-&matrix.slice(rows)).view(),
            (-&bias.slice(s![M - P..])).view(),
        ));
        state = B.dot(&state);
        bias = B.dot(&bias) + &theta.h;
        drives.push(B.dot(&drives[i]));
    }
    let matrix = assembled(&state, &drives[..k]);
    let end = Affine::new(matrix.slice(s![..out, ..]), bias.slice(s![..out]));
    let small = |v: &f32| f64::from(v.abs()) <= MAX_COEFFICIENT;
    (end.coefficients.iter().all(small) && end.bias.iter().all(small)).then_some(Block { relu, end })
}
