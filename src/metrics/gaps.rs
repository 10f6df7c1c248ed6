//! Missing values of one column, and how they are filled: what one side of a comparison lacks, the other is given too.

use std::ops::Range;

use ndarray::{ArrayView2, Axis, CowArray, Ix2};

/// Runs of missing values (NaN) of a column, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps(Vec<Range<usize>>);

impl Gaps {
    /// The gaps of these values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut gaps: Vec<Range<usize>> = Vec::new();
        for (i, value) in values.into_iter().enumerate() {
            match gaps.last_mut() {
                _ if !value.is_nan() => {}
                Some(last) if last.end == i => last.end += 1,
                _ => gaps.push(i..i + 1),
            }
        }
        Self(gaps)
    }

    /// Number of missing values.
    pub fn missing(&self) -> usize {
        self.0.iter().map(Range::len).sum()
    }

    /// Replaces what lies in the gaps by linear interpolation, at the ends by the nearest value outside them. Values
    /// without any outside the gaps stay as they are.
    pub fn fill(&self, values: &mut [f64]) {
        for gap in &self.0 {
            let before = gap.start.checked_sub(1).map(|i| values[i]);
            let after = values.get(gap.end).copied();
            let (Some(from), Some(to)) = (before.or(after), after.or(before)) else {
                return;
            };
            let width = gap.len() as f64 + 1.0;
            for (k, value) in values[gap.clone()].iter_mut().enumerate() {
                *value = from + (to - from) * (k as f64 + 1.0) / width;
            }
        }
    }
}

/// The values with their gaps (NaN) filled as [`Gaps::fill`] does.
pub fn interpolated(mut values: Vec<f64>) -> Vec<f64> {
    Gaps::of(values.iter().copied()).fill(&mut values);
    values
}

/// The rows of a trial `[T, N]` in which everything was observed; `None` where that is every row.
pub(super) fn complete_rows_of(x: &ArrayView2<'_, f64>) -> Option<Vec<usize>> {
    let complete = |t: &usize| !x.row(*t).iter().any(|v| v.is_nan());
    let rows: Vec<usize> = (0..x.nrows()).filter(complete).collect();
    (rows.len() < x.nrows()).then_some(rows)
}

/// A run `[_, N]` at the rows that are complete in its data, of `length` rows, and whatever follows after these: what is
/// missing may be so because of where the system was, and then the run has to miss it as well.
pub(super) fn at_rows<'a, V: Copy>(
    run: ArrayView2<'a, V>,
    complete: Option<&[usize]>,
    length: usize,
) -> CowArray<'a, V, Ix2> {
    let Some(complete) = complete else {
        return run.into();
    };
    let rows = run.nrows();
    let kept = complete.iter().copied().filter(|&t| t < rows);
    let kept: Vec<usize> = kept.chain(length..rows).collect();
    run.select(Axis(0), &kept).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: f64 = f64::NAN;

    #[test]
    fn gaps_are_bridged_and_ends_continued() {
        let values = vec![GAP, GAP, 1.0, GAP, GAP, 4.0, 0.0, GAP, 2.0, GAP];
        assert_eq!(
            interpolated(values),
            [1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 0.0, 1.0, 2.0, 2.0]
        );
        assert_eq!(interpolated(vec![1.0, 2.0]), [1.0, 2.0]);
        assert!(interpolated(vec![GAP, GAP]).iter().all(|v| v.is_nan()));
    }

    #[test]
    fn what_lies_in_a_gap_does_not_matter() {
        let gaps = Gaps::of([0.0, GAP, GAP, 0.0, GAP]);
        let mut values = [3.0, GAP, f64::INFINITY, 0.0, 9.0];
        gaps.fill(&mut values);
        assert_eq!(values, [3.0, 2.0, 1.0, 0.0, 0.0]);
        assert_eq!(gaps.missing(), 3);
    }
}
