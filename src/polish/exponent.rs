//! The data's own largest Lyapunov exponent: the growth of a tangent vector under linear maps fitted to neighbourhoods (Sano & Sawada,
//! Physical Review Letters 55, 1985; Eckmann et al., Physical Review A 34, 1986), where these agree with each other whatever the
//! number of neighbours and the time ahead; otherwise, as of noisy data, from how fast single neighbours part (Rosenstein, Collins &
//! De Luca, Physica D 65, 1993).

use kdtree::KdTree;
use kdtree::distance::squared_euclidean;
use nalgebra::{DMatrix, DVector};
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::stats::standard_error;

/// Pieces of the record that tangent vectors follow, the longest of a piece in rows, and its first rows, in which the vector turns into the
/// direction that grows most.
const PIECES: usize = 20;
const PIECE: usize = 2_000;
const SETTLES: usize = 200;
/// Neighbours to fit a map to, over the number of its columns, and rows that it goes ahead: the first is believed where all
/// agree.
const FITS: [Fit; 4] = [Fit::new(6, 2), Fit::new(3, 2), Fit::new(6, 5), Fit::new(6, 10)];
/// Growth, in nats, over which neighbourhoods are no longer small: no map is fitted that far ahead.
const NATS: f64 = 2.0;
/// Largest over smallest of estimates that agree, and standard errors (of the mean over pieces) that growth is above 0.
const AGREEMENT: f64 = 1.3;
const ERRORS: f64 = 3.0;
/// More columns than this have no neighbourhoods in a record.
const MOST_COLUMNS: usize = 10;
/// Added to the eigenvalues of a neighbourhood's covariance, in parts of their mean.
const DAMPING: f64 = 1e-9;

/// Rows that neighbours are looked for of, and rows about each that are no neighbours, being the same visit.
const REFERENCES: usize = 1_500;
const THEILER: usize = 100;
/// Rows that neighbours are looked for among, at most.
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
    growth_of_fits(x.view()).or_else(|| parting(x.view()))
}

/// How a map is fitted: neighbours over one more than the columns, and rows ahead.
#[derive(Clone, Copy)]
struct Fit {
    neighbours: usize,
    ahead: usize,
}

impl Fit {
    const fn new(neighbours: usize, ahead: usize) -> Self {
        Self { neighbours, ahead }
    }
}

/// By linear maps fitted to neighbourhoods; `None` where they disagree, or nothing grows.
fn growth_of_fits(x: ArrayView2<'_, f64>) -> Option<f64> {
    let (rows, columns) = x.dim();
    if columns > MOST_COLUMNS {
        return None;
    }
    let last = rows - FITS.iter().map(|fit| fit.ahead).max().unwrap_or(0);
    let mut tree = KdTree::with_capacity(columns, 32);
    for a in (0..last).step_by(last.div_ceil(SEARCHED)) {
        tree.add(row(x, a), a).ok()?;
    }
    let (rate, error) = growth(x, &tree, last, FITS[0])?;
    let (mut low, mut high) = (rate, rate);
    for fit in FITS[1..].iter().filter(|fit| fit.ahead as f64 * rate < NATS) {
        let (other, _) = growth(x, &tree, last, *fit)?;
        (low, high) = (low.min(other), high.max(other));
    }
    (low > 0.0 && high <= AGREEMENT * low && rate > ERRORS * error).then_some(rate)
}

fn row<'a>(x: ArrayView2<'a, f64>, a: usize) -> &'a [f64] {
    x.index_axis_move(Axis(0), a).to_slice().expect("standard layout")
}

/// Mean growth of tangent vectors along the record's pieces, in nats per row, and its standard error.
fn growth(
    x: ArrayView2<'_, f64>,
    tree: &KdTree<f64, usize, &[f64]>,
    last: usize,
    fit: Fit,
) -> Option<(f64, f64)> {
    let piece = PIECE.min(last / PIECES);
    let settles = SETTLES.min(piece / 4);
    let of_piece = |i: usize| {
        let start = i * (last - piece) / (PIECES - 1);
        let mut v = DVector::from_element(x.ncols(), 1.0);
        let (mut sum, mut followed) = (0.0, 0);
        for from in (0..piece).step_by(fit.ahead) {
            v.normalize_mut();
            v = mapped(x, tree, start + from, fit, &v)?;
            if from >= settles {
                sum += v.norm().ln();
                followed += fit.ahead;
            }
        }
        Some(sum / followed as f64)
    };
    let rates: Option<Vec<f64>> = (0..PIECES).into_par_iter().map(of_piece).collect();
    let rates = rates?;
    let rate = rates.iter().sum::<f64>() / PIECES as f64;
    rate.is_finite().then(|| (rate, standard_error(&rates)))
}

/// A tangent vector at row `a` under the map fitted to its neighbours.
fn mapped(
    x: ArrayView2<'_, f64>,
    tree: &KdTree<f64, usize, &[f64]>,
    a: usize,
    fit: Fit,
    v: &DVector<f64>,
) -> Option<DVector<f64>> {
    let columns = x.ncols();
    let count = fit.neighbours * (columns + 1);
    let near = tree.nearest(row(x, a), count, &squared_euclidean).ok()?;
    // Deviations from the neighbours' mean: the map is affine.
    let centred = |ahead: usize| {
        let mut y = DMatrix::from_fn(near.len(), columns, |i, n| x[[near[i].1 + ahead, n]]);
        let mean = y.row_mean();
        y.row_iter_mut().for_each(|mut row| row -= &mean);
        y
    };
    let (before, after) = (centred(0), centred(fit.ahead));
    let mut covariance = before.tr_mul(&before);
    let damping = DAMPING * covariance.trace() / columns as f64;
    (0..columns).for_each(|n| covariance[(n, n)] += damping);
    let weights = before * covariance.cholesky()?.solve(v);
    Some(after.tr_mul(&weights))
}

/// By single neighbours that part.
fn parting(x: ArrayView2<'_, f64>) -> Option<f64> {
    let rows = x.nrows();
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

/// Every column in units of its standard deviation, row by row in memory.
fn in_deviations(x: ArrayView2<'_, f64>) -> Array2<f64> {
    let deviations = x.std_axis(Axis(0), 1.0).mapv(|d| if d > 0.0 { d } else { 1.0 });
    (&x / &deviations).as_standard_layout().into_owned()
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

    /// 0.906 a unit of time, of which a row is a hundredth.
    #[test]
    fn lorenz_63_within_a_tenth() {
        let x: Array2<f32> = ndarray_npy::read_npy("data/lorenz.npy").expect("the repository's data");
        let found = largest_exponent(x.mapv(f64::from).view()).expect("chaotic");
        assert!((found / 0.00906 - 1.0).abs() < 0.1, "{found}");
    }

    #[test]
    fn the_henon_map_parts_neighbours_and_a_rotation_does_not() {
        // λ₁ of the Hénon map is 0.419.
        let henon = orbit(6_000, |[x, y]| [1.0 - 1.4 * x * x + y, 0.3 * x]);
        let found = largest_exponent(henon.view()).expect("chaotic");
        assert!((0.39..0.45).contains(&found), "{found}");
        // Noise much larger than the distance of neighbours: maps that are fitted to more of them say something else.
        let mut noisy = henon.clone();
        let noise = |i: usize| 0.2 * ((i as f64 * 12.9898).sin() * 43_758.547).fract();
        noisy.iter_mut().enumerate().for_each(|(i, v)| *v += noise(i));
        assert_eq!(growth_of_fits(in_deviations(noisy.view()).view()), None);
        let (sin, cos) = 0.3f64.sin_cos();
        let circle = orbit(6_000, |[x, y]| [cos * x - sin * y, sin * x + cos * y]);
        assert_eq!(largest_exponent(circle.view()), None);
    }
}
