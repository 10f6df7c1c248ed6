//! The few statistics that comparisons of models need.

/// Wilson score interval of a proportion at confidence 95 %: `(low, high)`.
///
/// `(k + z²/2 ± z √(k(n−k)/n + z²/4)) / (n + z²)` with `z = 1.96`; `(0, 1)` for no trials.
/// Source: Wilson, J. Am. Stat. Assoc. 22 (1927) 209.
pub fn wilson(successes: usize, trials: usize) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    let z = 1.959_963_984_540_054_f64;
    let (k, n) = (successes as f64, trials as f64);
    let middle = (k + 0.5 * z * z) / (n + z * z);
    let half = z * (k * (n - k) / n + 0.25 * z * z).max(0.0).sqrt() / (n + z * z);
    ((middle - half).clamp(0.0, 1.0), (middle + half).clamp(0.0, 1.0))
}

/// The `q`-quantile by linear interpolation between order statistics (type 7 of Hyndman and Fan); NaN values are
/// left out, NaN for nothing.
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    if sorted.is_empty() {
        return f64::NAN;
    }
    sorted.sort_by(f64::total_cmp);
    let at = q.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    let high = (low + 1).min(sorted.len() - 1);
    // Equal neighbours first: infinities must not turn into NaN.
    if part == 0.0 || sorted[low] == sorted[high] {
        sorted[low]
    } else {
        sorted[low] + part * (sorted[high] - sorted[low])
    }
}

/// Mean and standard deviation (divided by n) of the finite values.
pub fn mean_and_deviation(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let finite = values.filter(|v| v.is_finite());
    let n = finite.clone().count().max(1) as f64;
    let mean = finite.clone().sum::<f64>() / n;
    let variance = finite.map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

/// Exact p-value of Wilcoxon's signed-rank test, one-sided: how likely paired differences lie so far below zero by chance
/// alone. Differences of 0 and undefined ones are left out; 1 for none. Infinite ones have the highest ranks.
///
/// The sum of the ranks of the positive differences, over all 2ⁿ signs (equal magnitudes share the mean of their ranks).
/// Source: Wilcoxon, Biometrics Bull. 1 (1945) 80.
pub fn signed_rank_below_zero(differences: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = differences
        .iter()
        .copied()
        .filter(|d| !d.is_nan() && *d != 0.0)
        .collect();
    sorted.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    // Twice the ranks, which are whole numbers.
    let mut ranks: Vec<usize> = Vec::with_capacity(sorted.len());
    for equal in sorted.chunk_by(|a, b| a.abs() == b.abs()) {
        let first = ranks.len() + 1;
        ranks.extend(std::iter::repeat_n(2 * first + equal.len() - 1, equal.len()));
    }
    let positive = ranks.iter().zip(&sorted).filter(|(_, d)| **d > 0.0);
    let observed: usize = positive.map(|(rank, _)| rank).sum();
    // Probability of every sum.
    let mut sums = vec![0.0; ranks.iter().sum::<usize>() + 1];
    sums[0] = 1.0;
    for rank in ranks {
        for sum in (0..sums.len()).rev() {
            let with = if sum >= rank { sums[sum - rank] } else { 0.0 };
            sums[sum] = 0.5 * (sums[sum] + with);
        }
    }
    sums[..=observed].iter().sum::<f64>().min(1.0)
}

/// Standard error of the mean of independent values; NaN where one is not finite.
pub fn standard_error(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n * (n - 1.0))).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_error_of_known_values() {
        let d = standard_error(&[1.0, 2.0, 3.0]) - (1.0f64 / 3.0).sqrt();
        assert!(d.abs() <= 1e-15, "{d:e}");
    }

    /// Newcombe, Stat. Med. 17 (1998) 857, table I (method 3), to the four digits printed there.
    #[test]
    fn wilson_matches_published_intervals() {
        for (k, n, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let (l, h) = wilson(k, n);
            assert!((l - low).abs() <= 5e-5, "{k}/{n}: {l} {low}");
            assert!((h - high).abs() <= 5e-5, "{k}/{n}: {h} {high}");
        }
        assert_eq!(wilson(0, 0), (0.0, 1.0));
        assert_eq!(wilson(7, 7).1, 1.0);
    }

    #[test]
    fn quantiles_interpolate() {
        let v = [3.0, 1.0, f64::NAN, 2.0, 4.0];
        assert_eq!(quantile(&v, 0.5), 2.5);
        assert_eq!(quantile(&v, 0.25), 1.75);
        assert_eq!(quantile(&v, 1.0), 4.0);
        assert!(quantile(&[], 0.5).is_nan());
        assert_eq!(quantile(&[1.0, f64::INFINITY], 0.0), 1.0);
    }

    /// SciPy's `wilcoxon(…, alternative='less', mode='exact')`; the other two by counting signs.
    #[test]
    fn signed_ranks_agree_with_the_reference() {
        let p = signed_rank_below_zero(&[-1.2, 0.3, -2.5, -0.4, -3.1, 0.9, -0.8]);
        assert!((p - 0.078_125).abs() <= 1e-15, "{p}");
        assert_eq!(
            signed_rank_below_zero(&[-1.0, f64::NEG_INFINITY, 0.0, f64::NAN, -3.0]),
            0.125
        );
        // Ranks 1.5, 1.5, 3: of eight sums 0, 1.5, 1.5, 3, 3, 4.5, 4.5, 6 three are no more than 1.5.
        assert_eq!(signed_rank_below_zero(&[1.0, -1.0, -2.0]), 0.375);
        assert_eq!(signed_rank_below_zero(&[]), 1.0);
    }
}
