//! The data's own largest Lyapunov exponent, from how fast neighbours in state space part.
//!
//! Source: Rosenstein, Collins & De Luca, Physica D 65, 1993.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

/// Rows that neighbours are looked for of, and rows about each that are no neighbours, being the same visit.
const REFERENCES: usize = 1_500;
const THEILER: usize = 100;
/// Rows that a neighbour is looked for among.
const SEARCHED: usize = 100_000;
/// Fewest rows to judge from.
const FEWEST_ROWS: usize = 2_000;
/// The slope is taken while the mean logarithm of the distance rises from this share to that of its way up to the distance
/// of unrelated rows.
const RISE: [f64; 2] = [0.2, 0.5];
/// Longest time over which neighbours are followed, in rows.
const LONGEST: usize = 2_000;

/// Largest exponent in nats per row of a trajectory `[T, N]`, the state being what is observed.
///
/// `None` where it cannot be told: fewer than 2,000 rows or 2 columns, missing values, or neighbours that do not part
/// (the data are periodic, or noise parts them at once).
pub fn largest_exponent(x: ArrayView2<'_, f64>) -> Option<f64> {
    let (rows, columns) = x.dim();
    if rows < FEWEST_ROWS || columns < 2 || x.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let x = &in_deviations(x);
    let x = x.view();
    let last = rows - rows / 4;
    let horizon = LONGEST.min(rows / 4);
    let references: Vec<usize> = (0..REFERENCES).map(|i| i * last / REFERENCES).collect();
    let pairs: Vec<(usize, usize)> = references
        .par_iter()
        .filter_map(|&a| Some((a, neighbour(x, a, last)?)))
        .collect();
    let curve: Vec<f64> = (0..horizon)
        .into_par_iter()
        .map(|k| mean_log_distance(x, pairs.iter().map(|&(a, b)| (a + k, b + k))))
        .collect();
    let apart = references
        .iter()
        .zip(references.iter().cycle().skip(REFERENCES / 2));
    let unrelated = mean_log_distance(x, apart.map(|(&a, &b)| (a, b)));
    let level = |share: f64| curve[0] + share * (unrelated - curve[0]);
    let from = curve.iter().position(|&d| d >= level(RISE[0]))?;
    let to = curve.iter().position(|&d| d >= level(RISE[1]))?;
    // Less than a few rows is noise that jumps, not growth.
    (to >= from + 3)
        .then(|| slope(&curve[from..=to]))
        .filter(|&slope| slope > 0.0)
}

/// Every column in units of its standard deviation.
fn in_deviations(x: ArrayView2<'_, f64>) -> Array2<f64> {
    let deviations = x.std_axis(Axis(0), 1.0);
    &x / &deviations.mapv(|d| if d > 0.0 { d } else { 1.0 })
}

/// The nearest row before `last` that is not of the same visit.
fn neighbour(x: ArrayView2<'_, f64>, a: usize, last: usize) -> Option<usize> {
    let others = (0..last).step_by(last.div_ceil(SEARCHED));
    let others = others.filter(|b| b.abs_diff(a) > THEILER);
    let near = others
        .map(|b| (squared_distance(x, a, b), b))
        .filter(|(d, _)| *d > 0.0);
    near.min_by(|p, q| p.0.total_cmp(&q.0)).map(|(_, b)| b)
}

fn squared_distance(x: ArrayView2<'_, f64>, a: usize, b: usize) -> f64 {
    let (a, b) = (x.index_axis(Axis(0), a), x.index_axis(Axis(0), b));
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// Of the pairs of rows that differ.
fn mean_log_distance(x: ArrayView2<'_, f64>, pairs: impl Iterator<Item = (usize, usize)>) -> f64 {
    let logs = pairs.map(|(a, b)| squared_distance(x, a, b)).filter(|d| *d > 0.0);
    let (sum, count) = logs.fold((0.0, 0.0), |(sum, count), d| (sum + 0.5 * d.ln(), count + 1.0));
    sum / count
}

/// Least-squares slope of equidistant values.
fn slope(values: &[f64]) -> f64 {
    let middle = (values.len() - 1) as f64 / 2.0;
    let (mut products, mut squares) = (0.0, 0.0);
    for (k, v) in values.iter().enumerate() {
        let t = k as f64 - middle;
        products += t * v;
        squares += t * t;
    }
    products / squares
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of an orbit of a map of the plane.
    fn orbit(rows: usize, map: impl Fn([f64; 2]) -> [f64; 2]) -> Array2<f64> {
        let mut z = [0.1, 0.2];
        let mut x = Array2::zeros((rows, 2));
        for mut row in x.rows_mut() {
            z = map(z);
            row[0] = z[0];
            row[1] = z[1];
        }
        x
    }

    #[test]
    fn the_henon_map_parts_neighbours_and_a_rotation_does_not() {
        // λ₁ of the Hénon map is 0.419.
        let henon = orbit(6_000, |[x, y]| [1.0 - 1.4 * x * x + y, 0.3 * x]);
        let found = largest_exponent(henon.view()).expect("chaotic");
        assert!((0.3..0.55).contains(&found), "{found}");
        let (sin, cos) = 0.3f64.sin_cos();
        let circle = orbit(6_000, |[x, y]| [cos * x - sin * y, sin * x + cos * y]);
        assert_eq!(largest_exponent(circle.view()), None);
    }
}
