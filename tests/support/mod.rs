//! A made-up run of 60 members and data of the Lorenz system, for the tests of the report.
#![allow(dead_code, reason = "each test binary uses its part")]

use ndarray::Array2;

/// `rows` observations of the Lorenz-63 system (RK4, 0.01 apart, transient dropped), standardised.
pub fn lorenz(rows: usize) -> Array2<f64> {
    let f = |[x, y, z]: [f64; 3]| [10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z];
    let along = |v: [f64; 3], k: [f64; 3], h: f64| [v[0] + h * k[0], v[1] + h * k[1], v[2] + h * k[2]];
    let mut v = [1.0, 1.0, 20.0];
    let mut x = Array2::zeros((rows, 3));
    for t in 0..rows + 1000 {
        let h = 0.01;
        let k1 = f(v);
        let k2 = f(along(v, k1, 0.5 * h));
        let k3 = f(along(v, k2, 0.5 * h));
        let k4 = f(along(v, k3, h));
        for j in 0..3 {
            v[j] += h / 6.0 * (k1[j] + 2.0 * k2[j] + 2.0 * k3[j] + k4[j]);
        }
        if t >= 1000 {
            x.row_mut(t - 1000).assign(&ndarray::aview1(&v));
        }
    }
    for mut column in x.columns_mut() {
        let (mean, deviation) = (column.mean().expect("rows"), column.std(1.0));
        column.mapv_inplace(|v| (v - mean) / deviation);
    }
    x
}
