//! A model with some of its ReLU units made linear, as near to what it did before as it can be, step by step.

use nalgebra::{DMatrix, DVector};
use ndarray::ArrayView2;

use crate::error::{Error, Result};
use crate::model::Theta;

/// Weight of the smallest change, beside the mean square of what is weighted: states of a run lie near a surface of few
/// dimensions, beyond which they tell nothing.
const RIDGE: f64 = 3e-4;

/// The parameters next to `theta` whose model with `P` ReLUs leads from each of the states `[T, M]` of a run to the next, and
/// the mean squared error of its steps in variances of the units.
///
/// A unit that becomes linear hands on its negative values as well, with weights that were made for none: runs explode. The
/// step is linear in all parameters, so the best ones follow by ridge regression about those there are, unit by unit.
///
/// # Errors
/// When the states are not finite.
pub fn fitted(theta: &Theta, P: usize, states: ArrayView2<'_, f64>) -> Result<(Theta, f64)> {
    let (M, T) = (states.ncols(), states.nrows() - 1);
    let first = M - P;
    // What the recurrence multiplies: all units, the last `P` rectified; 1; these `P` as they are.
    let constant = M;
    let itself = |unit: usize| if unit < first { unit } else { M + 1 + unit - first };
    let features = DMatrix::from_fn(T, M + 1 + P, |t, c| match c {
        c if c < first => states[[t, c]],
        c if c < M => states[[t, c]].max(0.0),
        c if c == constant => 1.0,
        c => states[[t, c - (M + 1) + first]],
    });
    let mut weights = DMatrix::zeros(M + 1 + P, M);
    for i in 0..M {
        (0..M).for_each(|j| weights[(j, i)] = theta.W[[i, j]]);
        weights[(constant, i)] = theta.h[i];
        weights[(itself(i), i)] += theta.A[i];
    }
    let next = DMatrix::from_fn(T, M, |t, i| states[[t + 1, i]]);
    let missed = &next - &features * &weights;
    let squares = features.tr_mul(&features) / T as f64;
    let products = features.tr_mul(&missed) / T as f64;
    let ridge = RIDGE * squares.trace() / squares.nrows() as f64;

    let mut best = theta.clone();
    let mut changes = DMatrix::zeros(M + 1 + P, M);
    for i in 0..M {
        let own = (i >= first).then(|| itself(i));
        let used: Vec<usize> = (0..=constant).chain(own).collect();
        let n = used.len();
        let left = DMatrix::from_fn(n, n, |a, b| {
            squares[(used[a], used[b])] + if a == b { ridge } else { 0.0 }
        });
        let right = DVector::from_fn(n, |a, _| products[(used[a], i)]);
        let change = (left.cholesky())
            .ok_or_else(|| Error::runtime("the free run of a model to reduce does not stay finite"))?
            .solve(&right);
        (0..M).for_each(|j| best.W[[i, j]] += change[j]);
        best.h[i] += change[constant];
        if own.is_some() {
            best.A[i] += change[n - 1];
        }
        used.iter().zip(&change).for_each(|(&c, &v)| changes[(c, i)] = v);
    }
    let left = missed - features * changes;
    let share = |i: usize| {
        left.column(i).norm_squared() / T as f64 / next.column(i).variance().max(f64::MIN_POSITIVE)
    };
    Ok((best, (0..M).map(share).sum::<f64>() / M as f64))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2};

    use super::*;
    use crate::model::{Dims, init};

    fn run(theta: &Theta, P: usize, steps: usize) -> Array2<f64> {
        let mut z: Array1<f64> = theta.initial_state(&[1.0, 0.2]);
        let mut states = Array2::zeros((steps, z.len()));
        for mut row in states.rows_mut() {
            z = theta.step(P, &z, &[]);
            row.assign(&z);
        }
        states
    }

    /// A circle, whose hidden unit 2 keeps on one side of its ReLU while unit 3 crosses it.
    fn circle(h: f64) -> Theta {
        let mut theta = init(Dims { M: 4, N: 2, K: 0 }, 1);
        theta.W.fill(0.0);
        theta.h.fill(0.0);
        let (sine, cosine) = 0.1f64.sin_cos();
        theta.A.assign(&ndarray::arr1(&[cosine, cosine, 0.0, 0.3]));
        theta.W[[0, 1]] = -sine;
        theta.W[[1, 0]] = sine;
        theta.W[[2, 0]] = 0.4;
        theta.h[2] = h;
        theta.W[[3, 1]] = 0.5;
        theta
    }

    #[test]
    fn a_unit_that_is_always_on_changes_nothing() {
        let theta = circle(1.0);
        let (found, error) = fitted(&theta, 1, run(&theta, 2, 2_000).view()).expect("finite");
        let moved = found.iter().zip(theta.iter()).map(|(a, b)| (a - b).abs());
        assert!(moved.fold(0.0, f64::max) <= 1e-9 && error <= 1e-18, "{error}");
    }

    /// A unit that is always off hands on nothing, and what is handed on now goes elsewhere.
    #[test]
    fn a_unit_that_is_always_off_is_made_up_for() {
        let mut theta = circle(-1.0);
        theta.W[[0, 2]] = 0.3;
        let states = run(&theta, 2, 2_000);
        assert!(states.column(2).iter().all(|&z| z < 0.0));
        let after = |theta: &Theta| {
            let reduced = run(theta, 1, 200);
            (&reduced - &states.slice(ndarray::s![..200, ..]))
                .iter()
                .fold(0.0f64, |most, v| most.max(v.abs()))
        };
        assert!(after(&theta) > 0.5, "as it stands");
        let (found, error) = fitted(&theta, 1, states.view()).expect("finite");
        assert!(error <= 1e-6 && after(&found) <= 0.1, "{error} {}", after(&found));
    }

    #[test]
    fn a_run_that_explodes_is_refused() {
        let states = Array2::from_elem((10, 4), f64::NAN);
        let error = fitted(&circle(1.0), 1, states.view()).expect_err("NaN");
        assert!(error.to_string().contains("finite"), "{error}");
    }
}
