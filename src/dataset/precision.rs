//! What a column's numbers can tell apart, and what f32 leaves of that.

/// Steps of f64 within which values differ by rounding alone: those of a few additions.
const ROUNDING_F64: f64 = 16.0;
/// The same for data that were f32, which are rarely computed with before they are saved.
const ROUNDING_F32: f64 = 2.0;
/// f32's step may be this share of a column's standard deviation.
const FINE_ENOUGH: f64 = 1e-3;

/// The least and the largest of these values; NaN does not count.
pub fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    })
}

/// Whether values differ by no more than rounding: by few steps (`ε |x|`) of the precision they were kept in. That is
/// f32 where all of them are f32 numbers and not all are whole, which any precision holds; else f64. The least and the
/// largest value are returned as well.
pub(super) fn is_constant(values: &[f64]) -> (bool, f64, f64) {
    let (least, largest) = range(values.iter().copied());
    let was_f32 = values.iter().all(|&v| f64::from(v as f32) == v) && values.iter().any(|v| v.fract() != 0.0);
    let steps = if was_f32 {
        ROUNDING_F32 * f64::from(f32::EPSILON)
    } else {
        ROUNDING_F64 * f64::EPSILON
    };
    let rounding = steps * least.abs().max(largest.abs());
    (largest - least <= rounding, least, largest)
}

/// How a column varies, where f32, in which everything is computed, is too coarse for it at its offset.
pub(super) struct TooFine {
    pub mean: f64,
    pub deviation: f64,
    /// Distance of neighbouring f32 numbers at the mean.
    pub step: f64,
}

/// Looks whether `ε_f32 |mean|` passes a thousandth of the standard deviation; constant columns have no detail to lose.
pub(super) fn too_fine(values: &[f64]) -> Option<TooFine> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let deviation = (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n).sqrt();
    let coarse = f64::from(f32::EPSILON) * mean.abs() > FINE_ENOUGH * deviation;
    (coarse && !is_constant(values).0).then(|| TooFine {
        mean,
        deviation,
        step: f64::from((mean.abs() as f32).next_up() - mean.abs() as f32),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(offset: f64, size: f64) -> Vec<f64> {
        (0..200)
            .map(|t| offset + size * (0.3 * f64::from(t)).sin())
            .collect()
    }

    #[test]
    fn constant_is_judged_by_the_steps_of_the_precision() {
        for values in [
            vec![0.3, 0.1 + 0.2, 0.3],
            vec![7.0; 5],
            vec![1.0, (0..10).map(|_| 0.1).sum(), 1.0],
            vec![f64::from(0.3f32), f64::from(0.3f32.next_up())],
            vec![-1e-12, (-1e-12f64).next_up()],
            vec![0.0, -0.0],
        ] {
            assert!(is_constant(&values).0, "{values:?}");
        }
        let in_f32 = |values: Vec<f64>| values.iter().map(|&v| f64::from(v as f32)).collect();
        for values in [
            wave(101_325.0, 0.02),
            in_f32(wave(101_325.0, 0.02)),
            wave(0.0, 1e-12),
            wave(1.0, 1e-13),
            wave(0.0, 1e-300),
            // Whole numbers are exact in either precision.
            vec![16_000_000.0, 16_000_001.0],
            vec![1e15, 1e15 + 1.0, 1e15 + 20.0],
        ] {
            assert!(!is_constant(&values).0, "{:?}", &values[..2]);
        }
    }

    #[test]
    fn an_offset_is_too_large_where_f32_resolves_less_than_a_thousandth() {
        for (offset, size, expected) in [
            (1e6, 0.05, true),
            (101_325.0, 0.02, true),
            (-1e9, 100.0, true),
            (101_325.0, 500.0, false),
            (293.15, 0.5, false),
            (0.0, 1e-12, false),
            (1e-6, 1e-7, false),
            (1e6, 0.0, false),
        ] {
            assert_eq!(
                too_fine(&wave(offset, size)).is_some(),
                expected,
                "{offset} ± {size}"
            );
        }
    }
}
