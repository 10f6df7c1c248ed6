//! Which columns of the data can be scored: a column without spread says nothing about a model, and has neither a
//! range to put into bins nor a spectrum.

use ndarray::{ArrayBase, ArrayView2, Axis, CowArray, Data, Ix2};

use crate::dataset::range;
use crate::error::{Error, Result};

/// Columns of `trials` (`[_, N]`, NaN where missing) that vary: whose values spread over more than one unit of single
/// precision beside their size. Models compute in that precision, so what varies less is a constant up to rounding.
///
/// # Errors
/// When none does.
pub(super) fn varying(trials: &[ArrayView2<'_, f64>]) -> Result<Vec<usize>> {
    let columns = trials.first().map_or(0, |x| x.ncols());
    let varying: Vec<usize> = (0..columns)
        .filter(|&n| {
            let values = trials.iter().flat_map(|x| x.column(n).into_iter().copied());
            let (low, high) = range(values.filter(|v| !v.is_nan()));
            high - low > f64::from(f32::EPSILON) * low.abs().max(high.abs())
        })
        .collect();
    if varying.is_empty() {
        return Err(Error::input(
            "all columns of the data to score are constant, up to the single precision of models: there is nothing to \
             compare a model with",
        )
        .with_hint("if they vary beside a large offset, train with --standardize"));
    }
    Ok(varying)
}

/// Just these columns of `x`, which must be in ascending order.
pub(crate) fn only<'a, V: Copy>(x: ArrayView2<'a, V>, columns: &[usize]) -> CowArray<'a, V, Ix2> {
    if columns.len() == x.ncols() {
        x.into()
    } else {
        x.select(Axis(1), columns).into()
    }
}

pub(super) fn views<S: Data>(arrays: &[ArrayBase<S, Ix2>]) -> Vec<ArrayView2<'_, S::Elem>> {
    arrays.iter().map(|x| x.view()).collect()
}
