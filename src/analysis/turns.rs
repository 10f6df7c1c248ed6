use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use crate::stats::mean_and_deviation;
use crate::text::number;

/// A maximum counts once the column has fallen from it by this many standard deviations.
const PROMINENCE: f64 = 0.25;
/// Turns below which no code can be chosen.
const FEWEST: usize = 10;
/// Pieces of the section are farther apart than this, as a share of its width and of the column's standard deviation (turns
/// are placed between rows to within less), and hold at least this share of the turns.
const GAP: f64 = 0.1;
const SHARE: f64 = 0.02;
/// Rank correlation of each branch of a fold.
const MONOTONE: f64 = 0.8;
/// Change of a step from one to the next, relative to the step, up to which a series is a curve.
const CURVE: f64 = 0.5;

/// Names the course of a flow, one letter a turn.
///
/// A *turn* lasts from one maximum of a column to the next, of the column in which they come most regularly. Letters tell
/// the *pieces* apart in which the maxima lie: the gaps between them in the column that has the widest ones (the wings of
/// the Lorenz attractor, the scrolls of a Chua circuit). Where all maxima are one piece and the next maximum is a folded
/// function of this one, letters tell the sides of the fold (Rössler's attractor).
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct TurnCode {
    /// Whose maxima are counted (from 0).
    pub column: usize,
    /// By which column letters are told (from 0), and its values between them, in the data's units.
    pub by: usize,
    pub cuts: Vec<f64>,
    /// Whether the cut is a fold's.
    pub fold: bool,
    /// The cuts, and by how much the column falls after a maximum, in the model's units.
    #[serde(skip)]
    pub(super) inner_cuts: Vec<f64>,
    #[serde(skip)]
    pub(super) prominence: f64,
}

/// A maximum along a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    /// Its row.
    pub at: usize,
    /// Its place between the rows, by the parabola through it and its neighbours.
    pub place: f64,
    pub letter: u8,
}

impl TurnCode {
    /// Chooses the code of a series of trials, `[rows, N]` each; `None` where they turn too seldom.
    pub fn choose(trials: &[ArrayView2<'_, f64>]) -> Option<Self> {
        let columns = trials.first()?.ncols();
        let clocks: Vec<Clock> = (0..columns)
            .filter_map(|column| Clock::of(trials, column))
            .collect();
        let most = clocks.iter().map(|clock| clock.rows.len()).max()?;
        let frequent = clocks.into_iter().filter(|clock| 2 * clock.rows.len() >= most);
        let clock = frequent.min_by(|a, b| a.irregularity.total_cmp(&b.irregularity))?;
        let column = clock.column;
        let value = |at: &(usize, usize), by: usize| {
            let x = trials[at.0];
            value_at(x.column(by), place(x.column(column), at.1))
        };
        let deviation = |by: usize| {
            let values = trials.iter().flat_map(|x| x.column(by).to_vec());
            mean_and_deviation(values).1
        };
        let pieces = (0..columns).filter_map(|by| {
            let values = clock.rows.iter().map(|at| value(at, by)).collect();
            gaps(values, deviation(by)).map(|(widest, cuts)| (widest, by, cuts))
        });
        let widest = pieces.max_by(|a, b| a.0.total_cmp(&b.0));
        let folded = || {
            let maxima = |pair: &[(usize, usize)]| [value(&pair[0], column), value(&pair[1], column)];
            let pairs = clock.rows.windows(2).filter(|pair| pair[0].0 == pair[1].0);
            fold(pairs.map(maxima).collect(), deviation(column))
        };
        let (by, inner_cuts, fold) = match widest {
            Some((_, by, cuts)) => (by, cuts, false),
            None => match folded() {
                Some(cut) => (column, vec![cut], true),
                None => (column, Vec::new(), false),
            },
        };
        Some(Self {
            column,
            by,
            cuts: inner_cuts.clone(),
            fold,
            inner_cuts,
            prominence: clock.prominence,
        })
    }

    /// The code with its cuts in the units that `observed` makes of a model's, given a column.
    pub fn restored(mut self, observed: impl Fn(f64, usize) -> f64) -> Self {
        self.cuts = self
            .inner_cuts
            .iter()
            .map(|&cut| observed(cut, self.by))
            .collect();
        self
    }

    /// The turns of a series `[rows, N]`, in order.
    pub fn turns(&self, x: ArrayView2<'_, f64>) -> Vec<Turn> {
        let column = x.column(self.column);
        let turn = |at: usize| {
            let place = place(column, at);
            Turn {
                at,
                place,
                letter: self.letter(value_at(x.column(self.by), place)),
            }
        };
        maxima(column.iter().copied(), self.prominence)
            .into_iter()
            .map(turn)
            .collect()
    }

    /// The letters of a closed curve `[rows, N]`, once around.
    pub fn closed_word(&self, x: ArrayView2<'_, f64>) -> Vec<u8> {
        let rows = x.nrows();
        let around = Array2::from_shape_fn((3 * rows, x.ncols()), |(t, j)| x[(t % rows, j)]);
        let turns = self.turns(around.view()).into_iter();
        let middle = turns.filter(|turn| (rows..2 * rows).contains(&turn.at));
        middle.map(|turn| turn.letter).collect()
    }

    /// A missing value has a letter of its own, which no word has.
    fn letter(&self, value: f64) -> u8 {
        if value.is_nan() {
            return u8::MAX;
        }
        self.inner_cuts.iter().filter(|&&cut| value > cut).count() as u8
    }

    /// What a letter means.
    pub fn sentence(&self) -> String {
        let [column, by] = [self.column, self.by].map(|column| format!("x{}", column + 1));
        let cuts: Vec<String> = self.cuts.iter().map(|&cut| number(cut)).collect();
        let how = match (&cuts[..], self.fold) {
            ([], _) => return format!("A letter for each maximum of {column}: all are alike"),
            ([cut], true) => {
                format!("left (L) or right (R) of {cut}, where the next maximum's dependence on it folds")
            }
            ([cut], false) => format!("L where {by} < {cut} there, R where it is larger"),
            (cuts, _) => format!("A, B, … by {by} there, with {} between them", cuts.join(", ")),
        };
        format!("A letter for each maximum of {column}: {how}")
    }

    /// The letters as they are written: L and R of two, A, B, C, … of another number.
    pub fn text(&self, word: &[u8]) -> String {
        let name = |&letter: &u8| match self.inner_cuts.len() {
            1 => ['L', 'R'][usize::from(letter)],
            _ => char::from(b'A' + letter),
        };
        word.iter().map(name).collect()
    }
}

/// The maxima of one column of several trials.
struct Clock {
    column: usize,
    prominence: f64,
    /// Trial and row of each.
    rows: Vec<(usize, usize)>,
    /// Standard deviation of the times between them over their mean.
    irregularity: f64,
}

impl Clock {
    fn of(trials: &[ArrayView2<'_, f64>], column: usize) -> Option<Self> {
        let columns = || trials.iter().map(|trial| trial.column(column));
        let prominence = PROMINENCE * mean_and_deviation(columns().flatten().copied()).1;
        let mut rows = Vec::new();
        let mut times = Vec::new();
        for (trial, values) in columns().enumerate() {
            let found = maxima(values.iter().copied(), prominence);
            times.extend(found.windows(2).map(|pair| (pair[1] - pair[0]) as f64));
            rows.extend(found.into_iter().map(|row| (trial, row)));
        }
        let (mean, spread) = mean_and_deviation(times.iter().copied());
        (prominence > 0.0 && rows.len() >= FEWEST && !times.is_empty()).then_some(Self {
            column,
            prominence,
            rows,
            irregularity: spread / mean,
        })
    }
}

/// Places of the maxima between a rise and a fall by `prominence` each. A missing value starts anew.
fn maxima(values: impl Iterator<Item = f64>, prominence: f64) -> Vec<usize> {
    let mut found = Vec::new();
    // The highest value of a rise that has been seen to begin, or the lowest since the last maximum.
    let (mut rising, mut extreme, mut at) = (false, f64::INFINITY, 0);
    for (t, v) in values.enumerate() {
        if v.is_nan() {
            (rising, extreme) = (false, f64::INFINITY);
        } else if rising && v > extreme || !rising && v < extreme {
            (extreme, at) = (v, t);
        } else if rising && v < extreme - prominence {
            found.push(at);
            (rising, extreme) = (false, v);
        } else if !rising && v > extreme + prominence {
            (rising, extreme, at) = (true, v, t);
        }
    }
    found
}

/// Where a maximum at row `at` lies between the rows.
fn place(column: ArrayView1<'_, f64>, at: usize) -> f64 {
    at as f64 + peak(column[at - 1], column[at], column[at + 1])
}

/// The value between two rows, by the line through them.
fn value_at(column: ArrayView1<'_, f64>, place: f64) -> f64 {
    let (row, rest) = (place as usize, place.fract());
    match rest > 0.0 {
        true => column[row] + rest * (column[row + 1] - column[row]),
        false => column[row],
    }
}

/// Where the parabola through three values, the middle one the largest, has its peak, in steps from the middle.
fn peak(before: f64, now: f64, after: f64) -> f64 {
    let bend = before - 2.0 * now + after;
    match bend < 0.0 {
        true => 0.5 * (before - after) / bend,
        false => 0.0,
    }
}

/// The widest gap, relative to the width of all, and the middles of all that are wide; `None` where there is none.
fn gaps(mut values: Vec<f64>, deviation: f64) -> Option<(f64, Vec<f64>)> {
    values.retain(|v| v.is_finite());
    values.sort_by(f64::total_cmp);
    let n = values.len();
    if n < FEWEST {
        return None;
    }
    let width = values[n - 1] - values[0];
    let fewest = (SHARE * n as f64).ceil() as usize;
    // The widest gap of n even draws is about ln n / n.
    let least = GAP
        .max(3.0 * (n as f64).ln() / n as f64)
        .max(GAP * deviation / width);
    let inside = (1..n).filter(|&i| i >= fewest && n - i >= fewest);
    let wide: Vec<(f64, f64)> = inside
        .map(|i| {
            (
                (values[i] - values[i - 1]) / width,
                0.5 * (values[i] + values[i - 1]),
            )
        })
        .filter(|(gap, _)| *gap > least)
        .collect();
    let widest = wide.iter().map(|(gap, _)| *gap).reduce(f64::max)?;
    Some((widest, wide.into_iter().map(|(_, cut)| cut).collect()))
}

/// The value at which the second of each pair, as a function of the first, turns from rising to falling or the other way.
fn fold(mut pairs: Vec<[f64; 2]>, deviation: f64) -> Option<f64> {
    pairs.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let width = pairs.last()?[0] - pairs[0][0];
    if width <= GAP * deviation {
        return None;
    }
    let next: Vec<f64> = pairs.iter().map(|pair| pair[1]).collect();
    let places = 0..next.len();
    let extremes = [
        places.clone().max_by(|&i, &j| next[i].total_cmp(&next[j]))?,
        places.min_by(|&i, &j| next[i].total_cmp(&next[j]))?,
    ];
    let folded = |&i: &usize| {
        let [left, right] = [order(&next[..i]), order(&next[i + 1..])];
        left * right < 0.0 && left.abs() >= MONOTONE && right.abs() >= MONOTONE
    };
    extremes.into_iter().find(folded).map(|i| pairs[i][0])
}

/// Spearman's rank correlation of values with their place; 0 of fewer than five.
fn order(values: &[f64]) -> f64 {
    let n = values.len();
    if n < 5 {
        return 0.0;
    }
    let mut places: Vec<usize> = (0..n).collect();
    places.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let squares: f64 = (0..n)
        .map(|rank| (rank as f64 - places[rank] as f64).powi(2))
        .sum();
    let n = n as f64;
    1.0 - 6.0 * squares / (n * (n * n - 1.0))
}

/// Whether the rows follow a curve that is sampled finely, as those of a flow do: a step is mostly like the one before. A
/// circle is one from 13 rows a turn on.
pub fn is_curve(x: ArrayView2<'_, f64>) -> bool {
    let rows: Vec<_> = x.axis_iter(Axis(0)).collect();
    let size = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
    let ratio = |w: &[ArrayView1<'_, f64>]| {
        let step = size(&mut w[0].iter().zip(w[1]).map(|(a, b)| b - a));
        let change = size(&mut w[0].iter().zip(w[1]).zip(w[2]).map(|((a, b), c)| a - 2.0 * b + c));
        change / step
    };
    let ratios = rows.windows(3).map(ratio).filter(|ratio| ratio.is_finite());
    let mut ratios: Vec<f64> = ratios.collect();
    ratios.sort_by(f64::total_cmp);
    ratios
        .get(ratios.len() / 2)
        .is_some_and(|median| *median <= CURVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    #[test]
    fn maxima_are_counted_once() {
        let wave = |t: usize| (t as f64 * TAU / 20.0).sin() + 0.1 * (t as f64 * TAU / 3.0).sin();
        let found = maxima((0..100).map(wave), 0.5);
        assert_eq!(found.len(), 5);
        assert!(
            found
                .iter()
                .enumerate()
                .all(|(i, &at)| at.abs_diff(5 + 20 * i) <= 2),
            "{found:?}"
        );
        let broken = maxima((0..100).map(|t| if t == 23 { f64::NAN } else { wave(t) }), 0.5);
        assert_eq!(broken.len(), 4, "the rise to the second maximum is not seen");
        assert!(maxima((0..100).map(|_| 1.0), 0.0).is_empty());
        assert!((peak(0.75, 1.0, 0.75)).abs() < 1e-15);
        // 1 − (t − 0.3)².
        assert!((peak(1.0 - 1.69, 1.0 - 0.09, 1.0 - 0.49) - 0.3).abs() < 1e-15);
    }

    /// Two circles by turns, at x = ±3: the height has a maximum a turn, x tells the circles.
    #[test]
    fn letters_tell_the_pieces_of_the_maxima() {
        let side = |turn: usize| if turn.is_multiple_of(3) { 3.0 } else { -3.0 };
        let x = Array2::from_shape_fn((40 * 60, 2), |(t, j)| {
            let (sin, cos) = (t as f64 * TAU / 40.0).sin_cos();
            [side(t / 40) + 0.2 * cos, sin][j]
        });
        let code = TurnCode::choose(&[x.view()]).expect("turns");
        assert_eq!((code.column, code.by, code.fold), (1, 0, false));
        assert!(code.cuts.len() == 1 && code.cuts[0].abs() < 0.5, "{code:?}");
        let turns = code.turns(x.view());
        assert_eq!(turns.len(), 60);
        let word: Vec<u8> = turns.iter().map(|turn| turn.letter).collect();
        assert_eq!(code.text(&word[..4]), "RLLR");
        assert!(
            turns
                .iter()
                .all(|turn| (turn.place - turn.at as f64).abs() < 1e-9)
        );
        assert!(is_curve(x.slice(ndarray::s![..40, ..])));
        assert!(!is_curve(x.slice(ndarray::s![..;10, ..])));
    }

    #[test]
    fn a_fold_is_cut_at_its_peak() {
        let mut x = 0.3f64;
        let pairs: Vec<[f64; 2]> = (0..500)
            .map(|_| {
                let next = 3.9 * x * (1.0 - x);
                [std::mem::replace(&mut x, next), next]
            })
            .collect();
        let cut = fold(pairs.clone(), 0.3).expect("a fold");
        assert!((cut - 0.5).abs() < 0.02, "{cut}");
        assert_eq!(fold(pairs, 10.0), None, "narrow beside the column's deviation");
        assert_eq!(fold((0..500).map(|i| [f64::from(i); 2]).collect(), 100.0), None);
    }
}
