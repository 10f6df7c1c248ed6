//! Where an axis puts its marks, and how it writes a number.

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

/// A number as a reader wants it: `digits` significant ones, no trailing zeros, a power of ten where it is
/// very large or very small.
pub fn number(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "–".into()
        } else if value > 0.0 {
            "∞".into()
        } else {
            "−∞".into()
        };
    }
    if value == 0.0 {
        return "0".into();
    }
    let magnitude = value.abs().log10().floor() as i32;
    let text = if (-4..6).contains(&magnitude) {
        let decimals = (digits as i32 - 1 - magnitude).max(0) as usize;
        trim_zeros(&format!("{value:.decimals$}"))
    } else {
        let text = format!("{value:.*e}", digits.saturating_sub(1));
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mantissa = trim_zeros(mantissa);
        let power = superscript(exponent);
        match mantissa.as_str() {
            "1" => format!("10{power}"),
            "-1" => format!("-10{power}"),
            _ => format!("{mantissa}·10{power}"),
        }
    };
    text.replace('-', "−")
}

/// Whole numbers with a thin space between thousands.
pub fn count(value: usize) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) && digits.len() > 4 {
            out.push('\u{2009}');
        }
        out.push(c);
    }
    out
}

/// `10^k` for the marks of a logarithmic axis, plain numbers near 1.
pub fn log_label(value: f64) -> String {
    let power = value.log10();
    if (power - power.round()).abs() < 1e-9 && !(-3.0..=3.0).contains(&power.round()) {
        format!("10{}", superscript(&format!("{:.0}", power.round())))
    } else {
        number(value, 3)
    }
}

fn trim_zeros(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_string()
    } else {
        text.to_string()
    }
}

fn superscript(digits: &str) -> String {
    digits
        .chars()
        .map(|c| match c {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            '0' | '4'..='9' => char::from_u32('⁰' as u32 + (c as u32 - '0' as u32)).unwrap_or(c),
            _ => c,
        })
        .collect()
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
    fn numbers_read_well() {
        for (value, text) in [
            (0.0, "0"),
            (0.123_456, "0.123"),
            (-2.5, "−2.5"),
            (100_000.0, "100000"),
            (1.0e-7, "10⁻⁷"),
            (3.25e10, "3.25·10¹⁰"),
            (f64::NAN, "–"),
            (f64::INFINITY, "∞"),
        ] {
            assert_eq!(number(value, 3), text);
        }
        assert_eq!(log_label(1e-5), "10⁻⁵");
        assert_eq!(log_label(0.01), "0.01");
        assert_eq!(count(100_000), "100\u{2009}000");
        assert_eq!(count(2000), "2000");
    }
}
