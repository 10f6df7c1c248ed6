//! How much two codes of the same rows know of each other.

use ndarray::{Array2, Axis};

/// Adjusted mutual information of two codes of the same rows: 1 where each is the other by new names, 0 on average
/// where they have nothing to do with each other.
///
/// `(I − E[I]) / (½ (H_a + H_b) − E[I])`, where the expectation is over all codes with regions of the same sizes
/// (hypergeometric). Source: Vinh, Epps, Bailey, J. Mach. Learn. Res. 11 (2010) 2837. `overlaps[a, b]`: rows.
pub fn adjusted_mutual_information(overlaps: &Array2<i64>) -> f64 {
    if is_renaming(overlaps) {
        return 1.0;
    }
    let sums =
        |axis: usize| -> Vec<f64> { overlaps.sum_axis(Axis(axis)).iter().map(|&n| n as f64).collect() };
    let (a, b) = (sums(1), sums(0));
    let rows: f64 = a.iter().sum();
    let mean_entropy = 0.5 * (entropy(&a, rows) + entropy(&b, rows));
    let shared = overlaps.indexed_iter().filter(|(_, n)| **n > 0);
    let information: f64 = shared
        .map(|((i, j), &n)| n as f64 / rows * (n as f64 * rows / (a[i] * b[j])).ln())
        .sum();
    let expected = expected_information(&a, &b, rows);
    (information - expected) / (mean_entropy - expected)
}

/// Whether no region of one code has rows in two of the other.
fn is_renaming(overlaps: &Array2<i64>) -> bool {
    let one = |lane: ndarray::ArrayView1<'_, i64>| lane.iter().filter(|n| **n > 0).count() <= 1;
    overlaps.rows().into_iter().all(one) && overlaps.columns().into_iter().all(one)
}

fn entropy(counts: &[f64], rows: f64) -> f64 {
    let shares = counts.iter().filter(|n| **n > 0.0).map(|n| n / rows);
    -shares.map(|p| p * p.ln()).sum::<f64>()
}

fn expected_information(a: &[f64], b: &[f64], rows: f64) -> f64 {
    // ln n!
    let mut factorial = vec![0.0; rows as usize + 1];
    for n in 1..factorial.len() {
        factorial[n] = factorial[n - 1] + (n as f64).ln();
    }
    let ln = |n: f64| factorial[n as usize];
    let mut sum = 0.0;
    for &a in a {
        for &b in b {
            let fixed = ln(a) + ln(b) + ln(rows - a) + ln(rows - b) - ln(rows);
            let mut n = (a + b - rows).max(1.0);
            while n <= a.min(b) {
                let probability = fixed - ln(n) - ln(a - n) - ln(b - n) - ln(rows - a - b + n);
                sum += n / rows * (rows * n / (a * b)).ln() * probability.exp();
                n += 1.0;
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::matching::overlaps;
    use super::*;

    fn of(a: &[u32], b: &[u32]) -> f64 {
        adjusted_mutual_information(&overlaps(a, b))
    }

    /// Values of scikit-learn's `adjusted_mutual_info_score`.
    #[test]
    fn agrees_with_the_reference() {
        for (a, b, expected) in [
            (
                &[0, 0, 1, 1, 2, 2][..],
                &[0, 0, 1, 2, 2, 2][..],
                0.502_360_702_720_273_8,
            ),
            (
                &[0, 1, 0, 1, 0, 1, 2],
                &[0, 0, 0, 1, 1, 1, 1],
                -0.124_047_810_497_316_2,
            ),
            (
                &[0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2],
                &[3, 3, 3, 1, 1, 1, 1, 1, 0, 0, 0, 2],
                0.432_666_106_843_210_9,
            ),
        ] {
            let found = of(a, b);
            assert!((found - expected).abs() <= 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn another_name_is_no_other_code() {
        assert_eq!(of(&[0, 0, 1, 2], &[2, 2, 0, 1]), 1.0);
        assert_eq!(of(&[0, 0, 0], &[0, 0, 0]), 1.0);
        assert_eq!(of(&[0, 0, 0, 0], &[0, 1, 0, 1]), 0.0);
    }
}
