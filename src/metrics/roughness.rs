//! Roughness: how jagged a free run is beside its data. State-space divergence does not see the order of the rows, so
//! a model whose units switch every second step can score well in it.
#![allow(non_snake_case, reason = "the paper's symbols")]

use ndarray::{ArrayView1, ArrayView2};

/// `mean |x_{t+1} − 2 x_t + x_{t−1}|` of the free run over that of the data, of the column where it is furthest from 1 (as
/// a ratio: 1/3 is further than 2). 1 is as smooth as the data, more is rougher; infinite where the run is not finite.
///
/// Both means are taken over the same rows; differences that reach over a gap of the data (NaN) or from one trial into
/// the next do not count. Columns of the data that are as smooth as single precision can tell (a constant, a ramp) are
/// left out; NaN where there are no others. `generated` has the shapes of `trials`, `[T_r, N]`.
pub fn roughness<V: Copy + Into<f64>>(
    trials: &[ArrayView2<'_, f64>],
    generated: &[ArrayView2<'_, V>],
) -> f64 {
    let columns = trials.first().map_or(0, |x| x.ncols());
    let mut furthest = f64::NAN;
    for n in 0..columns {
        let (mut data, mut run, mut count, mut largest) = (0.0, 0.0, 0.0, 0.0f64);
        for (x, generated) in trials.iter().zip(generated) {
            let (x, generated) = (x.column(n), generated.column(n));
            largest = x.iter().fold(largest, |largest, v| largest.max(v.abs()));
            for (observed, own) in second_differences(x).zip(second_differences(generated)) {
                if !observed.is_nan() {
                    (data, run, count) = (data + observed.abs(), run + own.abs(), count + 1.0);
                }
            }
        }
        if data > f64::from(f32::EPSILON) * largest * count {
            let ratio = if run.is_finite() {
                run / data
            } else {
                f64::INFINITY
            };
            if furthest.is_nan() || ratio.ln().abs() > furthest.ln().abs() {
                furthest = ratio;
            }
        }
    }
    furthest
}

fn second_differences<'a, V: Copy + Into<f64> + 'a>(x: ArrayView1<'a, V>) -> impl Iterator<Item = f64> + 'a {
    let at = move |t: usize| -> f64 { x[t].into() };
    (1..x.len().saturating_sub(1)).map(move |t| at(t + 1) - 2.0 * at(t) + at(t - 1))
}
