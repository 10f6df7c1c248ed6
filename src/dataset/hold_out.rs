use std::ops::Range;

use ndarray::s;

use super::checks::Named;
use crate::error::{Error, Result};

/// Which rows of a study's data: the last share of them may be held out, to score on what no model was trained on.
///
/// Of one trial these are its last rows; of several, the last trials, whole, as many as come nearest to the share (one at
/// the least, not all).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Part {
    #[default]
    All,
    /// What is left where this share, in (0, 1), is held out.
    Training(f64),
    HeldOut(f64),
}

impl Part {
    /// The rows to train on where `share` is held out; all of them where that is 0.
    pub fn training(share: f64) -> Self {
        match share {
            0.0 => Self::All,
            share => Self::Training(share),
        }
    }

    /// Rows of each trial, of so many rows, that belong to the part.
    ///
    /// # Errors
    /// When one of the parts would be empty.
    pub(super) fn rows(self, lengths: &[usize]) -> Result<Vec<Range<usize>>> {
        let (share, held_out) = match self {
            Self::All => return Ok(lengths.iter().map(|&rows| 0..rows).collect()),
            Self::Training(share) => (share, false),
            Self::HeldOut(share) => (share, true),
        };
        let all: usize = lengths.iter().sum();
        let asked = all - (share * all as f64).round() as usize;
        let border = match lengths {
            [_] => asked,
            _ => {
                let ends = lengths.iter().scan(0, |end, rows| {
                    *end += rows;
                    Some(*end)
                });
                let inside = ends.take(lengths.len().saturating_sub(1));
                inside.min_by_key(|end| end.abs_diff(asked)).unwrap_or(asked)
            }
        };
        if border == 0 || border == all {
            return Err(Error::input(format!(
                "--hold-out {share}: of {all} rows nothing is left on one side"
            ))
            .with_hint("name other data to score on: --test FILE"));
        }
        let mut first = 0;
        let part = lengths.iter().map(|&rows| {
            let border = border.saturating_sub(first).min(rows);
            first += rows;
            if held_out { border..rows } else { 0..border }
        });
        Ok(part.collect())
    }
}

/// These rows of the trials; those without any are left out.
pub(super) fn taken(trials: Vec<Named>, rows: &[Range<usize>]) -> Vec<Named> {
    let pairs = trials.into_iter().zip(rows).filter(|(_, rows)| !rows.is_empty());
    let cut = |(mut trial, rows): (Named, &Range<usize>)| {
        if *rows == (0..trial.x.nrows()) {
            return trial;
        }
        if rows.start > 0 {
            trial.name = format!("{} (from row {})", trial.name, rows.start + 1);
        }
        trial.x = trial.x.slice(s![rows.clone(), ..]).to_owned();
        trial.lines = trial.lines.get(rows.clone()).unwrap_or_default().to_vec();
        trial
    };
    pairs.map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_make_the_whole() {
        let rows = |part: Part, lengths: &[usize]| {
            let rows = part.rows(lengths).expect("both sides").into_iter();
            rows.map(|rows| (rows.start, rows.end)).collect::<Vec<_>>()
        };
        assert_eq!(rows(Part::All, &[7, 3]), [(0, 7), (0, 3)]);
        assert_eq!(rows(Part::training(0.0), &[7]), [(0, 7)]);
        assert_eq!(rows(Part::training(0.25), &[100]), [(0, 75)]);
        assert_eq!(rows(Part::HeldOut(0.25), &[100]), [(75, 100)]);
        let trials = [10, 10, 10, 10];
        assert_eq!(
            rows(Part::Training(0.3), &trials),
            [(0, 10), (0, 10), (0, 10), (0, 0)]
        );
        assert_eq!(
            rows(Part::HeldOut(0.3), &trials),
            [(10, 10), (10, 10), (10, 10), (0, 10)]
        );
        assert_eq!(rows(Part::HeldOut(0.1), &[5, 95]), [(5, 5), (0, 95)]);
        for (share, lengths) in [(0.25, &[1][..]), (0.001, &[100]), (0.25, &[])] {
            Part::HeldOut(share)
                .rows(lengths)
                .expect_err("nothing on one side");
        }
    }
}
