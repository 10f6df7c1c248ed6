//! n-step predictions from many rows of the data at once, the starts as lanes: one block of the almost-linear form of
//! which nobody looks at more than the ReLU units before a step and the observed ones at the end, or step by step.

use ndarray::{Array2, s};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::backend::cpu::blocked::{Packed, SLACK};
use crate::backend::cpu::layout::Layout;
use crate::backend::cpu::observed::initial_state;
use crate::backend::cpu::plain::{Step, Weights, split};
use crate::backend::cpu::sample::Source;
use crate::backend::cpu::simd::buffer::{Buffer, MAX_LANES, vectors, vectors_mut};
use crate::backend::cpu::simd::kernel::QUAD;
use crate::backend::cpu::simd::machine::machine;
use crate::backend::{FreeModel, TrainingData, is_missing};
use crate::model::{Dims, Shape, Theta};

/// Largest coefficient of a block: above this, f32 would lose too much to cancellation.
const MAX_COEFFICIENT: f64 = 100.0;
/// Predictions that one task makes: enough to be worth a task, few enough to spread over cores.
const TASK: usize = 4096;

/// Mean squared error of the predictions `steps` rows ahead from the rows `starts`, over the targets that were observed; NaN
/// without any, not finite where a prediction overflows f32. A start is the whole state `[x ; L x]`, so it must be complete
/// for an exact model to be right; inputs are those of the data's own rows.
///
/// Predictions are f32; relative accuracy is about 1e-4 or better unless the model itself amplifies rounding within
/// `steps` steps. Works on rayon's current pool. Panics unless model and data agree in `N` and `K`.
pub fn prediction_error(
    dims: Dims,
    model: FreeModel<'_>,
    data: &TrainingData,
    starts: &[u32],
    steps: usize,
) -> f64 {
    assert_eq!(
        (dims.N, dims.K),
        (data.N, data.K),
        "model and data differ in N or K"
    );
    if starts.is_empty() {
        return f64::NAN;
    }
    Predictor::new(Arch::new(), dims, model, steps).mean_squared_error(data, starts)
}

/// One model, ready to predict.
struct Predictor<'a> {
    arch: Arch,
    dims: Dims,
    model: FreeModel<'a>,
    steps: usize,
    form: Form,
}

enum Form {
    Block(Block),
    Plain { layout: Layout, weights: Weights },
}

impl<'a> Predictor<'a> {
    /// In the form with the fewest multiply-adds whose coefficients stay small enough for f32.
    fn new(arch: Arch, dims: Dims, model: FreeModel<'a>, steps: usize) -> Self {
        let Dims { M, N, K } = dims;
        let (P, D) = (model.P, model.P + K);
        let plain = steps as f64 * (M * (M + K)) as f64;
        let block = steps as f64 * (P * N + N * D) as f64 + (P * D) as f64 * (steps as f64).powi(2) / 2.0;
        let block = (block < plain).then(|| Block::new(&Theta::unpack(dims, model.theta), P, steps));
        let form = block
            .flatten()
            .map_or_else(|| Self::plain(arch, dims, model), Form::Block);
        Self {
            arch,
            dims,
            model,
            steps,
            form,
        }
    }

    fn plain(arch: Arch, dims: Dims, model: FreeModel<'_>) -> Form {
        let layout = Layout::new(Shape { dims, S: 1, T: 1 }, machine(arch));
        let mut weights = Weights::new(&layout);
        weights.fill(&layout, model.theta);
        Form::Plain { layout, weights }
    }

    fn mean_squared_error(&self, data: &TrainingData, starts: &[u32]) -> f64 {
        let predictor = self;
        let task = |starts| {
            let task = Task {
                predictor,
                data,
                starts,
            };
            self.arch.dispatch(task)
        };
        // Collected in order, so the sum does not depend on how tasks were spread.
        let sums: Vec<(f64, usize)> = starts.par_chunks(TASK).map(task).collect();
        let n_targets: usize = sums.iter().map(|(_, n)| n).sum();
        sums.iter().map(|(sum, _)| sum).sum::<f64>() / n_targets as f64
    }
}

/// Predictions from some starts: the sum of squared errors over observed targets, and their number.
struct Task<'a> {
    predictor: &'a Predictor<'a>,
    data: &'a TrainingData,
    starts: &'a [u32],
}

impl WithSimd for Task<'_> {
    type Output = (f64, usize);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (f64, usize) {
        let (predictor, data) = (self.predictor, self.data);
        let (Dims { N, K, .. }, steps) = (predictor.dims, predictor.steps);
        let lanes = S::F32_LANES;
        let buffer = |count: usize| Buffer::zeros(count.next_multiple_of(QUAD) * lanes);
        let (mut x, mut inputs) = (buffer(N), buffer((steps + 1) * K));
        let mut scratch = Scratch::new(predictor, lanes);
        let (mut sum, mut n_targets) = (0.0, 0);
        for starts in self.starts.chunks(lanes) {
            // Lanes too many repeat the first.
            let mut all = [starts[0]; MAX_LANES];
            all[..starts.len()].copy_from_slice(starts);
            let source = |data, columns, rows| Source {
                data,
                columns,
                starts: &all[..lanes],
                length: rows * columns,
            };
            source(&data.x, N, 1).copy(simd, vectors_mut::<S>(x.padded_mut()));
            if K > 0 {
                source(&data.s, K, steps + 1).copy(simd, vectors_mut::<S>(inputs.padded_mut()));
            }
            let (x, inputs) = (vectors_mut::<S>(x.padded_mut()), vectors::<S>(inputs.padded()));
            match &predictor.form {
                Form::Block(block) => block.predict(simd, &x[..N], inputs, &mut scratch),
                Form::Plain { layout, .. } => match layout.rows {
                    4 => predictor.step_by_step::<S, 4>(simd, x, inputs, &mut scratch),
                    8 => predictor.step_by_step::<S, 8>(simd, x, inputs, &mut scratch),
                    10 => predictor.step_by_step::<S, 10>(simd, x, inputs, &mut scratch),
                    _ => predictor.step_by_step::<S, 12>(simd, x, inputs, &mut scratch),
                },
            }
            for (n, predictions) in scratch.z.as_slice().chunks_exact(lanes).take(N).enumerate() {
                for (&start, &prediction) in starts.iter().zip(predictions) {
                    let target = data.x[(start as usize + steps) * N + n];
                    if !is_missing(target) {
                        let e = f64::from(prediction - target);
                        sum += e * e;
                        n_targets += 1;
                    }
                }
            }
        }
        (sum, n_targets)
    }
}

/// Vectors of starts.
struct Scratch {
    /// The state, in the end its observed part.
    z: Buffer,
    next: Buffer,
    /// ReLU units before every step, `[n][P]`, or what φ takes off them.
    relu: Buffer,
    /// `[n][D]`.
    drive: Buffer,
}

impl Scratch {
    fn new(predictor: &Predictor<'_>, lanes: usize) -> Self {
        let (P, K) = (predictor.model.P, predictor.dims.K);
        let (state, steps) = match &predictor.form {
            Form::Block(_) => (predictor.dims.N, predictor.steps),
            Form::Plain { layout, .. } => (layout.stride, 1),
        };
        let vectors = |count: usize| Buffer::zeros((count + SLACK) * lanes);
        Self {
            z: vectors(state),
            next: vectors(state),
            relu: vectors(steps * P),
            drive: vectors(steps * (P + K)),
        }
    }
}

impl Predictor<'_> {
    #[inline(always)]
    fn step_by_step<S: Simd, const R: usize>(
        &self,
        simd: S,
        x: &mut [S::f32s],
        inputs: &[S::f32s],
        scratch: &mut Scratch,
    ) {
        let Form::Plain { layout, weights } = &self.form else {
            return;
        };
        let (Dims { M, K, .. }, P) = (self.dims, self.model.P);
        let A = &self.model.theta[M - P..M];
        let step = Step { layout, weights, A };
        let neg = vectors_mut::<S>(scratch.relu.padded_mut());
        let z = vectors_mut::<S>(scratch.z.padded_mut());
        initial_state(simd, self.dims, self.model.theta, x, z);
        for t in 1..=self.steps {
            let z = vectors_mut::<S>(scratch.z.padded_mut());
            split(simd, &mut z[M - P..M], &mut neg[..P]);
            let next = vectors_mut::<S>(scratch.next.padded_mut());
            step.run::<S, R>(simd, z, &neg[..P], &inputs[t * K..(t + 1) * K], next);
            std::mem::swap(&mut scratch.z, &mut scratch.next);
        }
    }
}

/// `n` steps at once ([`crate::backend::blocked`]) from `[1 ; L] x`, of which only the ReLU units are looked at.
struct Block {
    P: usize,
    D: usize,
    steps: usize,
    /// The ReLU units' rows of `B^j [1 ; L]` for `j < n` below each other, and of `Σ_{i<j} B^i h`.
    G: Packed,
    c: Buffer,
    /// The ReLU units' rows of `[R_{n−1} … R_0]`, `R_l = B^l W̃`.
    K: Packed,
    /// The observed units' rows of `B^n [1 ; L]`, of `Σ_{i<n} B^i h` and of `[R_{n−1} … R_0]`.
    end: Packed,
    g: Buffer,
    R: Packed,
}

impl Block {
    /// `None` where a coefficient is too large (or not finite).
    fn new(theta: &Theta, P: usize, steps: usize) -> Option<Self> {
        let Dims { M, N, K } = theta.dims();
        let D = P + K;
        let B = &theta.W + &Array2::from_diag(&theta.A);
        // B^j [[1 ; L] | W̃ | 0] + [0 | 0 | Σ_{i<j} B^i h], one product a step.
        let mut columns = Array2::zeros((M, N + D + 1));
        columns.slice_mut(s![..N, ..N]).diag_mut().fill(1.0);
        columns.slice_mut(s![N.., ..N]).assign(&theta.L);
        (columns.slice_mut(s![.., N..N + P])).assign(&theta.W.slice(s![.., M - P..]));
        columns.slice_mut(s![.., N + P..N + D]).assign(&theta.C);
        let (mut G, mut c) = (Array2::zeros((steps * P, N)), Array2::zeros((steps * P, 1)));
        let (mut K, mut R) = (Array2::zeros((P, steps * D)), Array2::zeros((N, steps * D)));
        for j in 0..steps {
            let rows = s![j * P..(j + 1) * P, ..];
            let relu = columns.slice(s![M - P.., ..]);
            G.slice_mut(rows).assign(&relu.slice(s![.., ..N]));
            c.slice_mut(rows).assign(&relu.slice(s![.., N + D..]));
            // The newest drive has the lowest power of B.
            let newest = s![.., (steps - 1 - j) * D..(steps - j) * D];
            K.slice_mut(newest).assign(&relu.slice(s![.., N..N + D]));
            R.slice_mut(newest).assign(&columns.slice(s![..N, N..N + D]));
            columns = B.dot(&columns);
            let mut bias = columns.column_mut(N + D);
            bias += &theta.h;
        }
        let end = columns.slice(s![..N, ..N]).to_owned();
        let g = columns.slice(s![..N, N + D..]).to_owned();
        let small = |matrix: &Array2<f64>| matrix.iter().all(|v| v.abs() <= MAX_COEFFICIENT);
        let all_small = [&G, &c, &K, &end, &g, &R].into_iter().all(small);
        all_small.then(|| Self {
            P,
            D,
            steps,
            G: packed(&G),
            c: padded(&c),
            K: packed(&K),
            end: packed(&end),
            g: padded(&g),
            R: packed(&R),
        })
    }

    /// From `x`, `[N]`, to predictions in `scratch.z`; row `t` of `inputs` drives the step to `t`.
    #[inline(always)]
    fn predict<S: Simd>(&self, simd: S, x: &[S::f32s], inputs: &[S::f32s], scratch: &mut Scratch) {
        let Self { P, D, steps, .. } = *self;
        let zero = simd.splat_f32s(0.0);
        let relu = vectors_mut::<S>(scratch.relu.padded_mut());
        let drive = vectors_mut::<S>(scratch.drive.padded_mut());
        self.G.assign(simd, steps * P, Some(self.c.padded()), x, relu);
        for j in 0..steps {
            let (so_far, own) = drive.split_at_mut(j * D);
            let relu = &mut relu[j * P..];
            self.K.add(simd, (steps - j) * D, so_far, relu);
            for (u, &z) in own.iter_mut().zip(&relu[..P]) {
                // NaN comes through.
                *u = simd.sub_f32s(simd.max_f32s(zero, z), z);
            }
            own[P..D].copy_from_slice(&inputs[(j + 1) * (D - P)..(j + 2) * (D - P)]);
        }
        let out = vectors_mut::<S>(scratch.z.padded_mut());
        self.end.assign(simd, x.len(), Some(self.g.padded()), x, out);
        self.R.add(simd, 0, &drive[..steps * D], out);
    }
}

fn packed(matrix: &Array2<f64>) -> Packed {
    let mut packed = Packed::with_room([matrix.dim()].into_iter());
    packed.fill(matrix.nrows(), matrix.ncols(), |i, j| matrix[[i, j]] as f32);
    packed
}

/// With room for whole blocks of rows.
fn padded(column: &Array2<f64>) -> Buffer {
    let mut buffer = Buffer::zeros(column.len() + SLACK);
    let values = buffer.as_mut_slice().iter_mut().zip(column);
    values.for_each(|(to, &v)| *to = v as f32);
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::simd::machine::instruction_sets;
    use crate::model::init;
    use crate::rng::{Stream, normals};

    #[test]
    fn both_forms_predict_the_same() {
        let dims = Dims { M: 9, N: 2, K: 1 };
        let mut theta = init(dims, 3);
        theta.W *= 15.0;
        theta.h.fill(0.1);
        let packed = theta.pack();
        let data = TrainingData {
            N: 2,
            K: 1,
            x: normals(1, Stream::System).take(300).collect(),
            s: normals(2, Stream::System).take(150).collect(),
            starts: (0..130).collect(),
            has_missing: false,
        };
        for (steps, P) in [1, 7, 20]
            .into_iter()
            .flat_map(|steps| [0, 1, 4, 9].map(|P| (steps, P)))
        {
            let model = FreeModel { theta: &packed, P };
            let mut expected = None;
            for arch in instruction_sets() {
                let block = Block::new(&theta, P, steps).expect("small coefficients");
                for form in [Form::Block(block), Predictor::plain(arch, dims, model)] {
                    let predictor = Predictor {
                        arch,
                        dims,
                        model,
                        steps,
                        form,
                    };
                    let actual = predictor.mean_squared_error(&data, &data.starts);
                    let expected = *expected.get_or_insert(actual);
                    assert!(actual.is_finite() && actual > 0.0);
                    assert!(
                        (actual - expected).abs() <= 1e-5 * expected,
                        "P {P}, {steps} steps: {actual:e}, the first was {expected:e}"
                    );
                }
            }
        }
    }
}
