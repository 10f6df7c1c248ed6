use ndarray::{Array2, ArrayView2};

use crate::dataset::precision::is_constant;
use crate::error::{Error, Result};
use crate::model::Scaling;
use crate::stats::mean_and_deviation;

/// Mean and standard deviation of every column over the observed (not NaN) values of all trials.
///
/// `mean_j = Σ x_ij / n_j`, `scale_j = √(Σ (x_ij − mean_j)² / (n_j − 1))` (Bessel's correction, as R, Julia and
/// pandas; NumPy's default divides by `n_j`). Two passes in f64.
///
/// # Errors
/// When a column has, up to rounding, one and the same value wherever it was observed: it has no scale. `label` names
/// column `j`.
pub fn column_scaling(trials: &[ArrayView2<'_, f64>], label: impl Fn(usize) -> String) -> Result<Scaling> {
    let columns = trials.first().map_or(0, |t| t.ncols());
    let mut scaling = Scaling {
        mean: Vec::with_capacity(columns),
        scale: Vec::with_capacity(columns),
    };
    for j in 0..columns {
        let values = trials.iter().flat_map(|t| t.column(j)).copied();
        let observed: Vec<f64> = values.filter(|v| !v.is_nan()).collect();
        let mean = observed.iter().sum::<f64>() / observed.len() as f64;
        let squares: f64 = observed.iter().map(|v| (v - mean) * (v - mean)).sum();
        let scale = (squares / (observed.len() as f64 - 1.0)).sqrt();
        let (constant, least, largest) = is_constant(&observed);
        if constant || !(scale > 0.0 && scale.is_finite()) {
            let values = if least == largest {
                format!("({least})")
            } else {
                format!("up to rounding ({least} to {largest})")
            };
            return Err(Error::input(format!(
                "{} is constant {values}, so it cannot be standardised",
                label(j)
            ))
            .with_hint("leave the column out (--drop), or train without --standardize"));
        }
        scaling.mean.push(mean);
        scaling.scale.push(scale);
    }
    Ok(scaling)
}

/// Standard deviation of the values that are there (not NaN); 1 where they have no spread.
pub fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let (_, deviation) = mean_and_deviation(values);
    if deviation > 0.0 { deviation } else { 1.0 }
}

/// `x ← (x − mean) / scale`, column by column; NaN stays NaN.
pub fn standardize(x: &mut Array2<f64>, scaling: &Scaling) {
    for ((mut column, mean), scale) in x.columns_mut().into_iter().zip(&scaling.mean).zip(&scaling.scale) {
        column.mapv_inplace(|v| (v - mean) / scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn pools_trials_and_skips_gaps() {
        let a = array![[1.0, 10.0], [f64::NAN, 20.0]];
        let b = array![[3.0, 30.0], [8.0, f64::NAN]];
        let scaling = column_scaling(&[a.view(), b.view()], |j| format!("column {}", j + 1))
            .expect("both columns vary");
        assert_eq!(scaling.mean, [4.0, 20.0]);
        assert_eq!(scaling.scale, [13f64.sqrt(), 10.0]);
        let mut x = a;
        standardize(&mut x, &scaling);
        assert_eq!(x[(0, 1)], -1.0);
        assert!(x[(1, 0)].is_nan());
    }

    #[test]
    fn a_constant_column_is_named() {
        let a = array![[1.0, 0.1], [2.0, 0.1], [2.5, f64::NAN]];
        let error = column_scaling(&[a.view()], |j| format!("column {}", j + 1)).expect_err("constant");
        assert!(
            error.to_string().starts_with("column 2 is constant (0.1)"),
            "{error}"
        );
    }
}
