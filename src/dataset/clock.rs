//! Clocks among the observations: a model would learn them as variables, and scores would be spread over time.

use ndarray::ArrayView1;

use crate::dataset::range;

/// Fewest rises, and fewest rows, from which an uneven column is judged.
const FEWEST_RISES: usize = 10;
const FEWEST_ROWS: usize = 50;
/// Share of steps that may be gaps (nights, weekends, missing rows) among equal ones, and among uneven ones.
const MOST_GAPS: f64 = 0.25;
const MOST_GAPS_UNEVEN: f64 = 0.1;

/// Whether a name is that of a time axis: `time`, `Date`, `timeStamp`, `time (ms)`, `unix_time`, but not `reaction_time`.
pub(super) fn is_time_name(name: &str) -> bool {
    const TIMES: &str = "time times timestamp timestamps date dates datetime unixtime clock";
    const BESIDE: &str = "s sec secs second seconds ms msec us ns min mins minute minutes h hr hour hours d day days utc gmt \
                          local unix epoch iso stamp axis index";
    let among = |list: &str, word: &str| list.split(' ').any(|known| known == word);
    let lower = name.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let is_known = |word: &&str| among(TIMES, word) || among(BESIDE, word);
    words.iter().any(|word| among(TIMES, word)) && words.iter().all(is_known)
}

/// Whether a column goes one way in even steps, as a clock does; `None` where there are fewer than 3 values.
///
/// Steps are even where all but a quarter of them, which are larger (gaps), lie within 2 % of each other; or where
/// their errors do not add up: apart from gaps, the column is nowhere further from a straight line than a single step
/// shows. That is what rounding and jitter do. The steps of a count or a walk add up to more, and so does the bend of a
/// growth curve.
pub(super) fn is_clock(column: ArrayView1<'_, f64>) -> Option<bool> {
    let points = column.iter().enumerate().map(|(t, &v)| (t as f64, v));
    let seen: Vec<(f64, f64)> = points.filter(|(_, v)| !v.is_nan()).collect();
    let (&(_, first), &(_, last)) = (seen.first()?, seen.last()?);
    if seen.len() < 3 {
        return None;
    }
    let sign = (last - first).signum();
    let steps: Vec<f64> = seen.windows(2).map(|w| step(&w[0], &w[1], sign)).collect();
    let mut rises: Vec<f64> = steps.iter().copied().filter(|&d| d > 0.0).collect();
    if rises.is_empty() || steps.iter().any(|&d| d < 0.0) {
        return Some(false);
    }
    rises.sort_by(f64::total_cmp);
    let typical = rises[rises.len() / 2];
    // What f64 can tell apart here.
    let blur = 4.0 * f64::EPSILON * first.abs().max(last.abs());
    Some(
        are_equal(&steps, typical, blur)
            || (seen.len() >= FEWEST_ROWS
                && rises.len() >= FEWEST_RISES
                && [f64::INFINITY, 2.5, 1.5]
                    .into_iter()
                    .any(|gap| errors_stay(&seen, &steps, sign, gap * typical, blur))),
    )
}

/// The rise a row from one value to the next.
fn step(a: &(f64, f64), b: &(f64, f64), sign: f64) -> f64 {
    sign * (b.1 - a.1) / (b.0 - a.0)
}

/// Whether steps are equal to 2 % (to 0.1 % where there are few), apart from larger ones.
fn are_equal(steps: &[f64], typical: f64, blur: f64) -> bool {
    let few = steps.len() < FEWEST_RISES;
    let tolerance = if few { 1e-3 } else { 0.02 } * typical + blur;
    let equal = |d: f64| (d - typical).abs() <= tolerance;
    let gaps = steps.iter().filter(|&&d| !equal(d)).count();
    let gaps_are_larger = steps.iter().all(|&d| equal(d) || d > 1.4 * typical);
    gaps_are_larger && gaps as f64 <= if few { 0.0 } else { MOST_GAPS * steps.len() as f64 }
}

/// Whether the column stays within one step's error of straight lines of one slope, of which a new one starts after every
/// step from `gap` on.
fn errors_stay(seen: &[(f64, f64)], steps: &[f64], sign: f64, gap: f64, blur: f64) -> bool {
    let within: Vec<f64> = steps.iter().copied().filter(|&d| d < gap).collect();
    if (steps.len() - within.len()) as f64 > MOST_GAPS_UNEVEN * steps.len() as f64 {
        return false;
    }
    let stretches: Vec<_> = seen.chunk_by(|a, b| step(a, b, sign) < gap).collect();
    let slope = sign * common_slope(&stretches);
    let allowed = 1.05 * spread(within.into_iter()) + blur;
    stretches
        .iter()
        .all(|stretch| spread(stretch.iter().map(|&(t, v)| sign * v - slope * t)) <= allowed)
}

/// The least-squares slope of all stretches, each about its own mean.
fn common_slope(stretches: &[&[(f64, f64)]]) -> f64 {
    let (mut products, mut squares) = (0.0, 0.0);
    for stretch in stretches {
        let n = stretch.len() as f64;
        let (t0, v0) = stretch
            .iter()
            .fold((0.0, 0.0), |(t0, v0), &(t, v)| (t0 + t / n, v0 + v / n));
        for &(t, v) in *stretch {
            products += (t - t0) * (v - v0);
            squares += (t - t0) * (t - t0);
        }
    }
    products / squares
}

/// How far values lie apart.
fn spread(values: impl Iterator<Item = f64>) -> f64 {
    let (low, high) = range(values);
    high - low
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array1;

    /// Numbers in 0..1 that repeat.
    fn random(t: usize, seed: u64) -> f64 {
        let mut x =
            (t as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed.wrapping_mul(0xd1b5_4a32_d192_ed03);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn judge(rows: usize, f: impl Fn(usize) -> f64) -> Option<bool> {
        is_clock((0..rows).map(f).collect::<Array1<f64>>().view())
    }

    fn sums(rows: usize, step: impl Fn(usize) -> f64) -> Option<bool> {
        let mut sum = 0.0;
        let column: Array1<f64> = (0..rows)
            .map(|t| {
                sum += step(t);
                sum
            })
            .collect();
        is_clock(column.view())
    }

    #[test]
    fn clocks_are_recognised() {
        let round = |v: f64, digits: i32| (v * 10f64.powi(digits)).round() / 10f64.powi(digits);
        for rows in [60, 150, 5000] {
            let t = |t: usize| t as f64;
            assert_eq!(judge(rows, |i| 7.0 + 0.1 * t(i)), Some(true), "exact");
            assert_eq!(judge(rows, |i| -0.1 * t(i)), Some(true), "falling");
            for hertz in [24.0, 300.0, 333.0, 666.0, 999.0] {
                assert_eq!(
                    judge(rows, |i| round(t(i) / hertz, 3)),
                    Some(true),
                    "{hertz} Hz in ms"
                );
            }
            let far = |i: usize| 1.7e12 + (3.4 * t(i)).round() + (3.0 * random(i, 1)).floor() - 1.0;
            assert_eq!(judge(rows, far), Some(true), "milliseconds since 1970, ± 1");
            assert_eq!(judge(rows, |i| t(i) + 0.4 * random(i, 2)), Some(true), "jitter");
            assert_eq!(
                sums(rows, |i| 0.01 + 1e-4 * random(i, 3)),
                Some(true),
                "a loop that sleeps"
            );
            assert_eq!(
                judge(rows, |i| t(i + if i > rows / 2 { 40 } else { 0 })),
                Some(true),
                "one gap"
            );
            assert_eq!(judge(rows, |i| t(i + 2 * (i / 5))), Some(true), "weekends");
            assert_eq!(
                sums(rows, |i| if random(i, 4) < 0.1 { 2.0 } else { 1.0 }),
                Some(true),
                "lost rows"
            );
            let jitter = |i: usize| t(i) + 0.3 * random(i, 5) + if i > rows / 3 { 40.0 } else { 0.0 };
            assert_eq!(judge(rows, jitter), Some(true), "jitter and a gap");
        }
        assert_eq!(
            judge(500, |i| (i / 10) as f64),
            Some(true),
            "ten rows a second, in seconds"
        );
        assert_eq!(
            judge(500, |i| (i as f64 / 7.3).floor()),
            Some(true),
            "uneven rows a second"
        );
        let months = [
            31.0, 28.0, 31.0, 30.0, 31.0, 30.0, 31.0, 31.0, 30.0, 31.0, 30.0, 31.0,
        ];
        assert_eq!(sums(120, |i| months[i % 12]), Some(true), "days of months");
        assert_eq!(judge(3, |i| i as f64), Some(true), "few rows, equal steps");
        let gappy = |i: usize| if i % 7 == 3 { f64::NAN } else { i as f64 };
        assert_eq!(judge(100, gappy), Some(true), "missing values");
    }

    #[test]
    fn what_rises_in_steps_of_its_own_is_data() {
        for rows in [60, 150, 5000] {
            let u = |i: usize| i as f64 / rows as f64;
            assert_eq!(judge(rows, |i| (i as f64).powi(2)), Some(false), "square");
            assert_eq!(
                judge(rows, |i| (3.0 * u(i)).exp()),
                Some(false),
                "exponential growth"
            );
            assert_eq!(
                judge(rows, |i| 1.0 / (1.0 + (-8.0 * (u(i) - 0.5)).exp())),
                Some(false),
                "logistic"
            );
            assert_eq!(judge(rows, |i| (1.0 + i as f64).ln()), Some(false), "logarithm");
            assert_eq!(
                judge(rows, |i| u(i) + 0.02 * (12.0 * u(i)).sin()),
                Some(false),
                "trend with a season"
            );
            assert_eq!(
                judge(rows, |i| i as f64 + 3.0 * random(i, 1)),
                Some(false),
                "noisy trend"
            );
            assert_eq!(judge(rows, |i| (i % 12) as f64), Some(false), "sawtooth");
            assert_eq!(
                judge(rows, |i| (0.3 * i as f64).sin()),
                Some(false),
                "oscillation"
            );
            assert_eq!(judge(rows, |_| 3.0), Some(false), "constant");
            assert_eq!(judge(rows, |i| f64::from(i > rows / 2)), Some(false), "a switch");
        }
        for (seed, rows) in [(1, 100), (2, 150), (3, 150), (4, 1000), (5, 5000)] {
            let r = |i: usize| random(i, seed);
            assert_eq!(sums(rows, r), Some(false), "sums of uniform steps {seed}");
            assert_eq!(
                sums(rows, |i| 1.0 + (2.0 * r(i)).floor()),
                Some(false),
                "1 or 2 {seed}"
            );
            assert_eq!(sums(rows, |i| (2.0 * r(i)).floor()), Some(false), "0 or 1 {seed}");
            assert_eq!(
                sums(rows, |i| -(1.0 - r(i)).ln()),
                Some(false),
                "waiting times {seed}"
            );
            assert_eq!(
                sums(rows, |i| 100.0 + (40.0 * r(i)).floor()),
                Some(false),
                "large counts {seed}"
            );
        }
        assert_eq!(judge(2, |i| i as f64), None, "too few to tell");
    }

    #[test]
    fn names_of_time() {
        for name in [
            "time",
            "Time",
            "DATE",
            "timestamp",
            "Time (s)",
            "time_ms",
            "unix_time",
            "dateTime",
            "date/time",
        ] {
            assert!(is_time_name(name), "{name}");
        }
        for name in [
            "reaction_time",
            "timer",
            "update",
            "sometimes",
            "s",
            "min",
            "day",
            "v",
            "",
            "time constant",
        ] {
            assert!(!is_time_name(name), "{name}");
        }
    }
}
