//! Fewer points, the same picture: what is left out is either below a fraction of a pixel or said in words.

use crate::text::typeset_count;

/// Removes points of a line that lie within `tolerance` of the simplified one (Douglas and Peucker 1973).
///
/// Non-finite points break the line and are kept as breaks.
pub fn simplify(points: &[(f64, f64)], tolerance: f64) -> Vec<(f64, f64)> {
    let mut out = Vec::with_capacity(points.len() / 2);
    for (i, piece) in points.split(|p| !is_finite(*p)).enumerate() {
        if i > 0 {
            out.push((f64::NAN, f64::NAN));
        }
        simplify_piece(piece, tolerance, &mut out);
    }
    out
}

/// Whether both coordinates are finite.
pub fn is_finite(p: (f64, f64)) -> bool {
    p.0.is_finite() && p.1.is_finite()
}

fn simplify_piece(points: &[(f64, f64)], tolerance: f64, out: &mut Vec<(f64, f64)>) {
    if points.len() < 3 {
        out.extend_from_slice(points);
        return;
    }
    let mut keep = vec![false; points.len()];
    (keep[0], keep[points.len() - 1]) = (true, true);
    // Long lines are cut first: the search is quadratic in the worst case, and recursion would be deep.
    const PIECE: usize = 256;
    let mut stack: Vec<(usize, usize)> = (0..points.len() - 1)
        .step_by(PIECE)
        .map(|a| (a, (a + PIECE).min(points.len() - 1)))
        .collect();
    while let Some((a, b)) = stack.pop() {
        (keep[a], keep[b]) = (true, true);
        let farthest = (a + 1..b)
            .map(|i| (i, distance(points[i], points[a], points[b])))
            .max_by(|l, r| l.1.total_cmp(&r.1));
        if let Some((i, d)) = farthest
            && d > tolerance
        {
            stack.push((a, i));
            stack.push((i, b));
        }
    }
    out.extend(points.iter().zip(keep).filter(|(_, k)| *k).map(|(p, _)| *p));
}

/// Distance of `p` from the segment `a`–`b`.
fn distance(p: (f64, f64), a: (f64, f64), b: (f64, f64)) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length2 = dx * dx + dy * dy;
    let t = if length2 > 0.0 {
        ((p.0 - a.0) * dx + (p.1 - a.1) * dy) / length2
    } else {
        0.0
    };
    let t = t.clamp(0.0, 1.0);
    (p.0 - a.0 - t * dx).hypot(p.1 - a.1 - t * dy)
}

/// How many rows of a long trajectory are drawn: a contiguous stretch from its start, with the words that say so.
pub fn stretch(total: usize, most: usize) -> (usize, String) {
    let (rows, all) = (total.min(most), typeset_count(total));
    let note = match rows == total {
        true => format!("all {all} steps"),
        false => format!("first {} of {all} steps", typeset_count(rows)),
    };
    (rows, note)
}

/// Means of `y` in bins of equal width in log `x`, with the mean of `x` in each; empty bins are left out.
///
/// `x` must be positive and ascending.
pub fn log_bins(x: &[f64], y: &[f64], bins: usize) -> (Vec<f64>, Vec<f64>) {
    let (Some(&lo), Some(&hi)) = (x.first(), x.last()) else {
        return (Vec::new(), Vec::new());
    };
    let width = (hi / lo).ln() / bins.max(1) as f64;
    let mut sums: Vec<(f64, f64, f64)> = Vec::new();
    let mut current = usize::MAX;
    for (&x, &y) in x.iter().zip(y) {
        let bin = if width > 0.0 {
            ((x / lo).ln() / width) as usize
        } else {
            0
        };
        if bin.min(bins - 1) != current {
            current = bin.min(bins - 1);
            sums.push((0.0, 0.0, 0.0));
        }
        if let Some(sum) = sums.last_mut() {
            *sum = (sum.0 + x, sum.1 + y, sum.2 + 1.0);
        }
    }
    sums.into_iter().map(|(x, y, n)| (x / n, y / n)).unzip()
}

/// Five significant digits of what varies: enough for any picture, half the file. `span` is how far the values lie apart;
/// those of an offset beside it are kept in addition.
pub fn rounded(v: f64, span: f64) -> f64 {
    if v == 0.0 || !v.is_finite() {
        return v;
    }
    format!("{v:.*e}", 4 + offset_digits(v, span))
        .parse()
        .unwrap_or(v)
}

/// Digits by which `v` is longer than the `span` of the values around it.
pub fn offset_digits(v: f64, span: f64) -> usize {
    let ratio = (v / span).abs();
    if ratio.is_finite() && ratio > 1.0 {
        ratio.log10().ceil().min(17.0) as usize
    } else {
        0
    }
}

/// At most `most` indices of `0..len`, evenly spaced, first and last included.
pub fn evenly(len: usize, most: usize) -> Vec<usize> {
    if len <= most {
        return (0..len).collect();
    }
    if most < 2 {
        return (0..most).collect();
    }
    (0..most).map(|i| i * (len - 1) / (most - 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simplified_line_stays_within_the_tolerance() {
        let curve: Vec<(f64, f64)> = (0..5000)
            .map(|i| f64::from(i) * 0.01)
            .map(|t| (100.0 * (0.7 * t).cos(), 80.0 * (1.1 * t).sin()))
            .collect();
        let simple = simplify(&curve, 0.2);
        assert!(simple.len() < curve.len() / 4, "{} points left", simple.len());
        assert_eq!(simple.first(), curve.first());
        assert_eq!(simple.last(), curve.last());
        for &p in &curve {
            let nearest = simple
                .windows(2)
                .map(|w| distance(p, w[0], w[1]))
                .fold(f64::INFINITY, f64::min);
            assert!(nearest <= 0.2 + 1e-9, "{p:?} is {nearest} away");
        }
    }

    #[test]
    fn breaks_survive() {
        let nan = (f64::NAN, f64::NAN);
        let line = [
            (0.0, 0.0),
            (1.0, 0.0),
            (2.0, 0.0),
            nan,
            (3.0, 0.0),
            (4.0, 0.0),
            (5.0, 0.0),
        ];
        let simple = simplify(&line, 0.1);
        assert_eq!(simple.len(), 5);
        assert!(simple[2].0.is_nan());
    }

    #[test]
    fn stretches_say_what_they_leave_out() {
        assert_eq!(stretch(100, 500), (100, "all 100 steps".into()));
        let long = "first 5000 of 100\u{2009}000 steps";
        assert_eq!(stretch(100_000, 5000), (5000, long.into()));
    }

    #[test]
    fn log_bins_keep_the_mean() {
        let x: Vec<f64> = (1..=1000).map(f64::from).collect();
        let (bx, by) = log_bins(&x, &x, 30);
        assert!(bx.len() <= 30 && bx.len() > 15);
        for (a, b) in bx.iter().zip(&by) {
            assert!((a - b).abs() < 1e-9);
        }
        assert_eq!(log_bins(&[2.0], &[3.0], 10), (vec![2.0], vec![3.0]));
        assert_eq!(log_bins(&[], &[], 10), (vec![], vec![]));
    }

    #[test]
    fn rounding_keeps_what_varies_beside_an_offset() {
        for (v, span, expected) in [
            (0.123_456_7, 1.0, 0.12346),
            (101_325.012_345_67, 0.04, 101_325.012_346),
            (-1e6 - 0.05, 0.1, -1e6 - 0.05),
            (3.0, 0.0, 3.0),
        ] {
            assert!((rounded(v, span) - expected).abs() <= 1e-5 * span, "{v} {span}");
        }
        assert_eq!(rounded(0.123_456_7, f64::NAN), 0.12346);
    }

    #[test]
    fn even_choices_include_both_ends() {
        assert_eq!(evenly(5, 10), [0, 1, 2, 3, 4]);
        assert_eq!(evenly(101, 3), [0, 50, 100]);
        assert_eq!(evenly(9, 1), [0]);
    }
}
