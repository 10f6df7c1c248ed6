//! Where an axis puts its marks.

use crate::text::{superscript, typeset};

/// At most about `target` round numbers (1, 2, 2.5, 5 × 10^k) within `lo..=hi`.
///
/// Empty where the range is empty or not finite.
pub fn linear_ticks(lo: f64, hi: f64, target: usize) -> Vec<f64> {
    if !(hi - lo).is_finite() || hi <= lo || target == 0 {
        return Vec::new();
    }
    let rough = (hi - lo) / target as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|m| m * power)
        .find(|&step| step >= rough * (1.0 - 1e-9))
        .unwrap_or(10.0 * power);
    // A hair of tolerance, or rounding loses a tick that lies exactly on an end of the axis.
    let (first, last) = ((lo / step - 1e-9).ceil(), (hi / step + 1e-9).floor());
    (0..=(last - first) as usize)
        .map(|i| (first + i as f64) * step)
        .collect()
}

/// Marks of a logarithmic axis: powers of ten (every k-th where there are many), with 2 and 5 (or 3) between
/// them where the range spans less than two and a half decades.
pub fn log_ticks(lo: f64, hi: f64, target: usize) -> Vec<f64> {
    if !(lo > 0.0 && hi > lo && hi.is_finite()) || target == 0 {
        return Vec::new();
    }
    let (low, high) = (lo.log10(), hi.log10());
    if high - low < 0.5 {
        return linear_ticks(lo, hi, target);
    }
    let multiples: &[f64] = match high - low {
        span if span < 1.6 => &[1.0, 2.0, 5.0],
        span if span < 2.5 => &[1.0, 3.0],
        _ => &[1.0],
    };
    let every = ((high - low) / target as f64).ceil().max(1.0) as i32;
    let (first, last) = (low.floor() as i32, high.ceil() as i32);
    (first..=last)
        .filter(|k| k.rem_euclid(every) == 0)
        .flat_map(|k| multiples.iter().map(move |m| m * 10f64.powi(k)))
        .filter(|v| (lo * (1.0 - 1e-9)..=hi * (1.0 + 1e-9)).contains(v))
        .collect()
}

/// `10^k` for the marks of a logarithmic axis, plain numbers near 1.
pub fn log_label(value: f64) -> String {
    let power = value.log10();
    if (power - power.round()).abs() < 1e-9 && !(-3.0..=3.0).contains(&power.round()) {
        format!("10{}", superscript(&format!("{:.0}", power.round())))
    } else {
        typeset(value, 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(actual: &[f64], expected: &[f64]) {
        assert_eq!(actual.len(), expected.len(), "{actual:?} {expected:?}");
        for (a, e) in actual.iter().zip(expected) {
            assert!(
                (a - e).abs() <= 1e-12 * e.abs().max(1.0),
                "{actual:?} {expected:?}"
            );
        }
    }

    #[test]
    fn linear_ticks_are_round_and_inside() {
        close(&linear_ticks(0.0, 1.0, 5), &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        close(&linear_ticks(-2.9, 3.1, 6), &[-2.0, -1.0, 0.0, 1.0, 2.0, 3.0]);
        close(&linear_ticks(0.0, 0.3, 3), &[0.0, 0.1, 0.2, 0.3]);
        close(
            &linear_ticks(12_000.0, 90_000.0, 4),
            &[20_000.0, 40_000.0, 60_000.0, 80_000.0],
        );
        assert!(linear_ticks(1.0, 1.0, 5).is_empty());
        assert!(linear_ticks(f64::NAN, 1.0, 5).is_empty());
        assert!(linear_ticks(0.0, f64::INFINITY, 5).is_empty());
    }

    #[test]
    fn log_ticks_follow_the_span() {
        close(&log_ticks(0.01, 10.0, 5), &[0.01, 0.1, 1.0, 10.0]);
        close(&log_ticks(0.3, 4.0, 5), &[0.5, 1.0, 2.0]);
        close(&log_ticks(1e-9, 1.0, 5), &[1e-8, 1e-6, 1e-4, 1e-2, 1.0]);
        close(
            &log_ticks(2.0, 3.0, 5),
            &[2.0, 2.2, 2.4, 2.6, 2.8, 3.0].map(|v: f64| v)[..],
        );
        assert!(log_ticks(0.0, 1.0, 5).is_empty());
        assert!(log_ticks(-1.0, 1.0, 5).is_empty());
    }

    #[test]
    fn powers_of_ten_are_written_as_such() {
        assert_eq!(log_label(1e-5), "10⁻⁵");
        assert_eq!(log_label(0.01), "0.01");
    }
}
