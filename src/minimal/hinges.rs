//! ReLUs whose borders move: hinges fitted to the steps of a run.

use nalgebra::{DMatrix, DVector};
use ndarray::{Array2, s};

use super::separate::separate;
use crate::model::{Dims, Theta};

/// Rows at most that steps are taken from, evenly spread over the run.
const SAMPLES: usize = 20_000;
const ITERATIONS: usize = 30;
/// Weight of the smallest coefficients beside the mean square of each feature: for the solution only.
const RIDGE: f64 = 1e-8;
/// Iterations end where the error falls by less.
const SETTLED: f64 = 1e-3;

/// Steps of a run of observed columns.
#[derive(Debug)]
pub struct Steps {
    /// `[T, N]`
    x: DMatrix<f64>,
    /// Rows at which the next step is told.
    samples: Vec<usize>,
    /// What each column moves by from one row to the next, root mean square.
    scale: Vec<f64>,
    /// The steps from `samples` on, in these units.
    targets: DMatrix<f64>,
}

/// `P` hinges `u_p(t) = a_p · x(t) + Σ_{q<p} c_pq max(u_q(t−1), 0) + b_p`: each is bent where those before it are, so that its
/// zero may cross the same direction twice.
#[derive(Clone, Debug)]
pub struct Hinges {
    N: usize,
    /// `[a_p | c_p | b_p]`, one after another.
    values: DVector<f64>,
    P: usize,
}

/// The steps by these hinges: `x(t+1) − x(t)` as a sum of `x(t)`, `max(u(t), 0)` and a constant, by least squares.
struct Fit {
    features: DMatrix<f64>,
    coefficients: DMatrix<f64>,
    /// Inverse of the features' mean products.
    inverse: DMatrix<f64>,
    missed: DMatrix<f64>,
    /// Mean squared, in mean squared steps.
    error: f64,
}

impl Steps {
    /// `None` where the run is too short, does not stay finite, or a column never moves.
    pub fn new(run: &Array2<f64>, hinges: usize) -> Option<Self> {
        let (T, N) = run.dim();
        if T < 100 + hinges || run.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let stride = T.div_ceil(SAMPLES);
        let samples: Vec<usize> = (hinges..T - 1).step_by(stride).collect();
        let moves = |j: usize| (1..T).map(move |t| run[[t, j]] - run[[t - 1, j]]);
        let scale: Vec<f64> = (0..N)
            .map(|j| (moves(j).map(|v| v * v).sum::<f64>() / (T - 1) as f64).sqrt())
            .collect();
        let targets = DMatrix::from_fn(samples.len(), N, |k, j| {
            (run[[samples[k] + 1, j]] - run[[samples[k], j]]) / scale[j]
        });
        scale.iter().all(|&v| v > 0.0).then(|| Self {
            x: DMatrix::from_fn(T, N, |t, j| run[[t, j]]),
            samples,
            scale,
            targets,
        })
    }

    /// Mean squared error without hinges, in mean squared steps.
    pub fn linear_error(&self) -> f64 {
        let none = Hinges {
            N: self.x.ncols(),
            values: DVector::zeros(0),
            P: 0,
        };
        self.fit(&none.along(&self.x))
            .map_or(f64::INFINITY, |fit| fit.error)
    }

    fn fit(&self, u: &DMatrix<f64>) -> Option<Fit> {
        let (N, P, S) = (self.x.ncols(), u.ncols(), self.samples.len());
        let features = DMatrix::from_fn(S, N + P + 1, |k, c| match c {
            c if c < N => self.x[(self.samples[k], c)],
            c if c < N + P => u[(self.samples[k], c - N)].max(0.0),
            _ => 1.0,
        });
        let mut squares = features.tr_mul(&features) / S as f64;
        (0..N + P + 1).for_each(|c| squares[(c, c)] *= 1.0 + RIDGE);
        let inverse = squares.cholesky()?.inverse();
        let coefficients = &inverse * features.tr_mul(&self.targets) / S as f64;
        let missed = &self.targets - &features * &coefficients;
        let error = missed.norm_squared() / (S * N) as f64;
        error.is_finite().then_some(Fit {
            features,
            coefficients,
            inverse,
            missed,
            error,
        })
    }
}

impl Hinges {
    /// Hinges whose signs tell the regions apart by their codes, one for each bit, as well as hyperplanes do: those first that
    /// do it best. `None` where a bit never flips.
    pub fn separating(steps: &Steps, rows: &[Option<usize>], coding: &[u32], P: usize) -> Option<Self> {
        let N = steps.x.ncols();
        let known: Vec<(usize, u32)> = (steps.samples.iter())
            .filter_map(|&t| Some((t, coding[rows[t]?])))
            .collect();
        let mut left: Vec<usize> = (0..P).collect();
        let mut hinges = Self {
            N,
            values: DVector::zeros(0),
            P: 0,
        };
        while !left.is_empty() {
            let u = hinges.along(&steps.x);
            let features = DMatrix::from_fn(known.len(), N + hinges.P, |k, c| match c {
                c if c < N => steps.x[(known[k].0, c)],
                c => u[(known[k].0 - 1, c - N)].max(0.0),
            });
            let mut best = None;
            for (place, bit) in left.iter().enumerate() {
                let sides: Vec<bool> = known.iter().map(|(_, code)| code >> bit & 1 == 1).collect();
                let found = separate(&features, &sides)?;
                if best
                    .as_ref()
                    .is_none_or(|(_, accuracy, _)| found.accuracy > *accuracy)
                {
                    best = Some((place, found.accuracy, found.weights));
                }
            }
            let (place, _, weights) = best?;
            left.remove(place);
            let values = hinges.values.iter().copied().chain(weights);
            hinges = Self {
                N,
                P: hinges.P + 1,
                values: DVector::from_vec(values.collect()),
            };
        }
        Some(hinges)
    }

    /// Where the numbers of hinge `p` begin.
    fn first(&self, p: usize) -> usize {
        p * (self.N + 1) + p * p.saturating_sub(1) / 2
    }

    /// Their values along a run, `[T, P]`.
    fn along(&self, x: &DMatrix<f64>) -> DMatrix<f64> {
        let mut u = DMatrix::<f64>::zeros(x.nrows(), self.P);
        for p in 0..self.P {
            let own = &self.values.as_slice()[self.first(p)..self.first(p + 1)];
            let (a, rest) = own.split_at(self.N);
            for t in 0..x.nrows() {
                let direct: f64 = a.iter().enumerate().map(|(j, a)| a * x[(t, j)]).sum();
                let before = |q: usize| if t == 0 { 0.0 } else { u[(t - 1, q)].max(0.0) };
                let bent: f64 = (0..p).map(|q| rest[q] * before(q)).sum();
                u[(t, p)] = direct + bent + rest[p];
            }
        }
        u
    }

    /// Moves the hinges to where the steps are told best, and that error (mean squared, in mean squared steps): variable
    /// projection, which solves for all that is linear, with Levenberg–Marquardt steps for the rest (Kaufman, BIT 15, 1975).
    pub fn fitted(mut self, steps: &Steps) -> Option<(Self, f64)> {
        let mut u = self.along(&steps.x);
        let mut fit = steps.fit(&u)?;
        let mut damping = 1e-2;
        for _ in 0..ITERATIONS {
            let (curvature, slope) = self.normal_equations(steps, &u, &fit);
            let mut moved = None;
            while moved.is_none() && damping < 1e6 {
                let mut damped = curvature.clone();
                (0..slope.len()).for_each(|k| damped[(k, k)] += damping * (curvature[(k, k)] + 1e-12));
                let step = damped.cholesky().map(|c| c.solve(&slope));
                moved = step.and_then(|step| {
                    let hinges = Self {
                        values: &self.values + step,
                        ..self.clone()
                    };
                    let u = hinges.along(&steps.x);
                    let better = steps.fit(&u).filter(|new| new.error < fit.error)?;
                    Some((hinges, u, better))
                });
                damping *= if moved.is_some() { 0.2 } else { 4.0 };
            }
            let Some((hinges, values, better)) = moved else {
                break;
            };
            let settled = fit.error - better.error < SETTLED * fit.error;
            (self, u, fit) = (hinges, values, better);
            if settled {
                break;
            }
        }
        Some((self, fit.error))
    }

    /// `JᵀJ` and `−Jᵀr` of the residuals `r` by the hinges' numbers, once all that is linear is solved for.
    fn normal_equations(&self, steps: &Steps, u: &DMatrix<f64>, fit: &Fit) -> (DMatrix<f64>, DVector<f64>) {
        let (N, P, K, S) = (self.N, self.P, self.values.len(), steps.samples.len());
        // One column for each hinge and number that it depends on.
        let columns: Vec<(usize, usize)> = (0..P)
            .flat_map(|p| (0..self.first(p + 1)).map(move |k| (p, k)))
            .collect();
        let mut slopes = DMatrix::zeros(S, columns.len());
        let (mut before, mut now) = (DMatrix::zeros(K, P), DMatrix::zeros(K, P));
        for (row, &t) in steps.samples.iter().enumerate() {
            before.fill(0.0);
            // What a hinge depends on goes back a row for each hinge before it.
            for t in t + 1 - P..=t {
                self.slopes(steps, u, t, &before, &mut now);
                std::mem::swap(&mut before, &mut now);
            }
            for (c, &(p, k)) in columns.iter().enumerate() {
                slopes[(row, c)] = if u[(t, p)] > 0.0 { before[(k, p)] } else { 0.0 };
            }
        }
        let within = &fit.features * (&fit.inverse * fit.features.tr_mul(&slopes) / S as f64);
        let products = slopes.tr_mul(&(&slopes - within));
        let missed = slopes.tr_mul(&fit.missed);
        let weights = fit.coefficients.rows(N, P).into_owned();
        let shared = &weights * weights.transpose();
        let (mut curvature, mut slope) = (DMatrix::zeros(K, K), DVector::zeros(K));
        for (c, &(p, k)) in columns.iter().enumerate() {
            slope[k] += missed.row(c).dot(&weights.row(p));
            for (d, &(q, l)) in columns.iter().enumerate() {
                curvature[(k, l)] += shared[(p, q)] * products[(c, d)];
            }
        }
        (curvature, slope)
    }

    /// `now[k, p] = ∂u_p(t) / ∂values_k`, by those of the row before.
    fn slopes(
        &self,
        steps: &Steps,
        u: &DMatrix<f64>,
        t: usize,
        before: &DMatrix<f64>,
        now: &mut DMatrix<f64>,
    ) {
        now.fill(0.0);
        for p in 0..self.P {
            let first = self.first(p);
            (0..self.N).for_each(|j| now[(first + j, p)] = steps.x[(t, j)]);
            now[(first + self.N + p, p)] = 1.0;
            for q in (0..p).filter(|&q| u[(t - 1, q)] > 0.0) {
                now[(first + self.N + q, p)] = u[(t - 1, q)];
                let weight = self.values[first + self.N + q];
                (0..first).for_each(|k| now[(k, p)] += weight * before[(k, q)]);
            }
        }
    }

    /// The model of `M` units that steps so: its last `P` units are the hinges, those that neither are observed nor hinges stay
    /// 0. `M ≥ N + P`.
    pub fn model(&self, steps: &Steps, M: usize) -> Option<Theta> {
        let (N, P) = (self.N, self.P);
        let u = self.along(&steps.x);
        let fit = steps.fit(&u)?;
        let first = M - P;
        let place = |c: usize| if c < N { c } else { first + c - N };
        let mut theta = Theta::zeros(Dims { M, N, K: 0 });
        for i in 0..N {
            for c in 0..N + P {
                theta.W[[i, place(c)]] = steps.scale[i] * fit.coefficients[(c, i)];
            }
            theta.h[i] = steps.scale[i] * fit.coefficients[(N + P, i)];
            theta.A[i] = 1.0 + theta.W[[i, i]];
        }
        for p in 0..P {
            let own = &self.values.as_slice()[self.first(p)..self.first(p + 1)];
            let (a, rest) = own.split_at(N);
            // `a · x` of the next row, by its step.
            for (i, a) in a.iter().enumerate() {
                let step = theta.W.row(i).to_owned();
                theta.W.row_mut(first + p).scaled_add(*a, &step);
                theta.W[[first + p, i]] += a;
                theta.h[first + p] += a * theta.h[i];
            }
            (0..p).for_each(|q| theta.W[[first + p, first + q]] += rest[q]);
            theta.h[first + p] += rest[p];
        }
        (0..N).for_each(|i| theta.W[[i, i]] = 0.0);
        let initial = steps.x.clone().svd(true, true).solve(&u, 1e-9).ok()?;
        let mut L = theta.L.slice_mut(s![first - N.., ..]);
        L.indexed_iter_mut().for_each(|((p, j), l)| *l = initial[(j, p)]);
        theta.is_finite().then_some(theta)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;

    use super::*;

    /// A slow circle `x0, x1` drives `x2` through two hinges: one at `x0 = 0`, and one that is bent there and has zeros on
    /// either side, at −0.5 and 0.6. So `x2` has three kinks.
    fn folded() -> Theta {
        let mut theta = Theta::zeros(Dims { M: 5, N: 3, K: 0 });
        let (sine, cosine) = 0.0731f64.sin_cos();
        theta.A.assign(&ndarray::arr1(&[cosine, cosine, 0.9, 0.0, 0.0]));
        theta.W[[0, 1]] = -sine;
        theta.W[[1, 0]] = sine;
        for hinge in [3, 4] {
            theta.W[[hinge, 0]] = cosine;
            theta.W[[hinge, 1]] = -sine;
        }
        theta.W[[4, 3]] = -1.0 - 0.5 / 0.6;
        theta.h[4] = 0.5;
        theta.W[[2, 3]] = 0.35;
        theta.W[[2, 4]] = 0.5;
        theta
    }

    fn run(theta: &Theta, x0: &[f64], rows: usize) -> Array2<f64> {
        let mut z: Array1<f64> = theta.initial_state(x0);
        let mut x = Array2::zeros((rows, 3));
        for mut row in x.rows_mut() {
            row.assign(&z.slice(s![..3]));
            z = theta.step(2, &z, &[]);
        }
        x
    }

    #[test]
    fn two_hinges_make_three_kinks() {
        let x = run(&folded(), &[1.0, 0.0, 0.5], 6_000);
        let steps = Steps::new(&x, 2).expect("moves");
        // Four regions in a row, whose borders are not quite where the kinks are; the second bit flips at both ends.
        let region = |x: f64| usize::from(x > -0.42) + usize::from(x > 0.05) + usize::from(x > 0.53);
        let rows: Vec<Option<usize>> = x.column(0).iter().map(|&x| Some(region(x))).collect();
        let start = Hinges::separating(&steps, &rows, &[0b00, 0b10, 0b11, 0b01], 2).expect("two sides");
        let before = steps.fit(&start.along(&steps.x)).expect("finite").error;
        let (hinges, error) = start.fitted(&steps).expect("finite");
        let linear = steps.linear_error();
        assert!(
            error < 1e-8 && before > 100.0 * error && linear > before,
            "{linear} {before} {error}"
        );

        // As a model of more units than it needs it goes where the first one goes.
        let model = hinges.model(&steps, 9).expect("finite");
        let again = run(&model, &[1.0, 0.0, 0.5], 400);
        let apart = (&again - &x.slice(s![..400, ..])).mapv(f64::abs);
        let most = apart.slice(s![100.., ..]).fold(0.0, |most: f64, v| most.max(*v));
        assert!(most < 0.01, "{most}");
    }

    #[test]
    fn the_slopes_are_those_of_the_error() {
        let steps = Steps::new(&run(&folded(), &[1.0, 0.0, 0.5], 3_000), 2).expect("moves");
        let hinges = Hinges {
            N: 3,
            P: 2,
            values: DVector::from_vec(vec![1.0, 0.1, 0.05, -0.1, 0.9, -0.1, 0.1, -1.5, 0.4]),
        };
        let error = |hinges: &Hinges| steps.fit(&hinges.along(&steps.x)).expect("finite").error;
        let u = hinges.along(&steps.x);
        let (_, slope) = hinges.normal_equations(&steps, &u, &steps.fit(&u).expect("finite"));
        for k in 0..hinges.values.len() {
            let at = |by: f64| {
                let mut moved = hinges.clone();
                moved.values[k] += by;
                error(&moved)
            };
            // The error is a mean over samples and columns, of squares.
            let expected = (at(-1e-5) - at(1e-5)) / 2e-5 * (steps.samples.len() * 3) as f64 / 2.0;
            let off = (slope[k] - expected).abs();
            assert!(off <= 0.02 * slope.amax(), "{k}: {} {expected}", slope[k]);
        }
    }

    #[test]
    fn a_run_that_rests_is_refused() {
        assert!(Steps::new(&Array2::from_elem((500, 2), 1.0), 2).is_none());
        assert!(Steps::new(&Array2::from_elem((500, 2), f64::NAN), 2).is_none());
    }
}
