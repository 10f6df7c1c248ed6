//! Roughness: how jagged a free run is beside its data. State-space divergence does not see the order of the rows, so
//! a model whose units switch every second step can score well in it.

use ndarray::ArrayView2;

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
    let mut sums = vec![Sums::default(); columns];
    for (x, run) in trials.iter().zip(generated) {
        for row in x.rows() {
            for (sums, v) in sums.iter_mut().zip(row) {
                sums.largest = sums.largest.max(v.abs());
            }
        }
        // Row by row, as both lie in memory.
        for t in 1..x.nrows().saturating_sub(1) {
            for (n, sums) in sums.iter_mut().enumerate() {
                let observed = second_difference(x, t, n);
                if !observed.is_nan() {
                    sums.data += observed.abs();
                    sums.run += second_difference(run, t, n).abs();
                    sums.count += 1.0;
                }
            }
        }
    }
    let ratios = sums.iter().filter_map(Sums::ratio);
    let further = |a: f64, b: f64| if b.ln().abs() > a.ln().abs() { b } else { a };
    ratios.reduce(further).unwrap_or(f64::NAN)
}

/// Mean |second difference| of each column of the data (`[T_r, N]`, NaN where missing); 0 where it is left out of [`roughness`].
pub(crate) fn data_roughness(trials: &[ArrayView2<'_, f64>]) -> Vec<f64> {
    let columns = trials.first().map_or(0, |x| x.ncols());
    let of = |n: usize| {
        let mut sums = Sums::default();
        for x in trials {
            sums.largest = x.column(n).iter().fold(sums.largest, |most, v| most.max(v.abs()));
            let differences = (1..x.nrows().saturating_sub(1)).map(|t| second_difference(x, t, n));
            for difference in differences.filter(|difference| !difference.is_nan()) {
                sums.data += difference.abs();
                sums.count += 1.0;
            }
        }
        if sums.is_rough() {
            sums.data / sums.count
        } else {
            0.0
        }
    };
    (0..columns).map(of).collect()
}

/// Of one column: sums of |second differences|, how many, and the largest value of the data.
#[derive(Clone, Default)]
struct Sums {
    data: f64,
    run: f64,
    count: f64,
    largest: f64,
}

impl Sums {
    /// Whether the data are less smooth than single precision can tell.
    fn is_rough(&self) -> bool {
        self.data > f64::from(f32::EPSILON) * self.largest * self.count
    }

    fn ratio(&self) -> Option<f64> {
        let ratio = self.run / self.data;
        self.is_rough()
            .then_some(if ratio.is_finite() { ratio } else { f64::INFINITY })
    }
}

fn second_difference<V: Copy + Into<f64>>(x: &ArrayView2<'_, V>, t: usize, n: usize) -> f64 {
    let at = |t: usize| -> f64 { x[[t, n]].into() };
    at(t + 1) - 2.0 * at(t) + at(t - 1)
}
