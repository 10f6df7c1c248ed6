use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, s};

use super::cycles::smallest_rotation;
use super::free_run::ModelRun;
use super::input::KEPT_STATES;
use super::orbit::difference;
use super::turns::{Turn, TurnCode};

/// Turns of the free run among which returns are looked for.
const MOST_TURNS: usize = 4000;
/// Ends of a return are no farther apart than this, in standard deviations of the series.
const CLOSE: f64 = 0.15;

/// Words, the shorter ones first.
pub type Word = (usize, Vec<u8>);

/// A turn and its row.
type Passage = (Turn, Vec<f64>);

/// The turns of series without gaps, and which trial each is of.
pub struct Passages {
    series: Vec<(usize, Vec<Passage>)>,
    /// Root of the summed variances of the columns.
    pub spread: f64,
}

/// A close return: from one turn of a series to a later one by the same letter.
#[derive(Clone, Copy)]
pub struct Return<'a> {
    /// Of which trial.
    pub trial: usize,
    pub first: &'a Turn,
    pub last: &'a Turn,
    /// The row of the first turn.
    pub row: &'a [f64],
    /// How far apart the two rows are, relative to the series' spread.
    pub distance: f64,
}

impl Return<'_> {
    /// Rows between the two.
    pub fn steps(&self) -> usize {
        self.last.at - self.first.at
    }
}

impl Passages {
    /// The turns of trials `[rows, N]`.
    pub fn of_data(trials: &[ArrayView2<'_, f64>], code: &TurnCode) -> Self {
        let mut series = Vec::new();
        for (trial, x) in trials.iter().enumerate() {
            // A turn may go unseen beside a missing value.
            let column = x.column(code.column);
            let missing = column.iter().scan(0, |missing, v| {
                *missing += usize::from(v.is_nan());
                Some(*missing)
            });
            let missing: Vec<usize> = missing.collect();
            let turns = code.turns(*x);
            let whole = turns.chunk_by(|a, b| missing[a.at] == missing[b.at]);
            series.extend(whole.map(|turns| {
                let rows = turns.iter().map(|turn| (*turn, x.row(turn.at).to_vec()));
                (trial, rows.collect())
            }));
        }
        Self {
            series,
            spread: spread(trials),
        }
    }

    /// The turns of the free run with their states `[M]`, one series for each stretch of it.
    pub fn of_run(model: ModelRun<'_>, code: &TurnCode) -> Self {
        let (map, steps) = (model.map, model.settings.steps);
        let mut series: Vec<(usize, Vec<Passage>)> = Vec::new();
        let mut x = model.run.states.clone();
        let (mut passed, mut turns) = (x.nrows(), 0);
        loop {
            let found = code.turns(x.slice(s![.., ..model.N])).into_iter();
            let found: Vec<_> = found.map(|turn| (turn, x.row(turn.at).to_vec())).collect();
            turns += found.len();
            series.push((0, found));
            if passed >= steps || turns >= MOST_TURNS {
                break;
            }
            let rows = KEPT_STATES.min(steps - passed);
            let mut z = x.row(x.nrows() - 1).to_vec();
            x = Array2::zeros((rows, map.M));
            for mut row in x.rows_mut() {
                let mut next = vec![0.0; map.M];
                map.step(&z, &mut next);
                z = next;
                row.iter_mut().zip(&z).for_each(|(x, z)| *x = *z);
            }
            passed += rows;
        }
        Self {
            series,
            spread: spread(&[model.run.states.view()]),
        }
    }

    pub fn count(&self) -> usize {
        self.series.iter().map(|(_, turns)| turns.len()).sum()
    }

    /// Close returns of so many turns, each with its word.
    fn windows(&self, length: usize) -> impl Iterator<Item = (Vec<u8>, Return<'_>)> {
        let windows = self.series.iter().flat_map(move |(trial, turns)| {
            let windows = turns.windows(length + 1);
            windows.map(move |window| (*trial, window))
        });
        windows.filter_map(move |(trial, window)| {
            let ((first, row), (last, later)) = (&window[0], &window[length]);
            let distance = difference(later, row).norm() / self.spread;
            let word = || window[..length].iter().map(|(turn, _)| turn.letter).collect();
            let back = Return {
                trial,
                first,
                last,
                row,
                distance,
            };
            (distance <= CLOSE && first.letter == last.letter).then(|| (word(), back))
        })
    }

    /// Close returns of up to `longest` turns by their word, the closest first.
    pub fn returns(&self, longest: usize) -> BTreeMap<Word, Vec<Return<'_>>> {
        let mut all: BTreeMap<Word, Vec<Return<'_>>> = BTreeMap::new();
        for length in 1..=longest {
            for (word, back) in self.windows(length) {
                let word = smallest_rotation(&word);
                all.entry((length, word)).or_default().push(back);
            }
        }
        let closer = |a: &Return<'_>, b: &Return<'_>| a.distance.total_cmp(&b.distance);
        all.values_mut().for_each(|returns| returns.sort_by(closer));
        all
    }

    /// The closest return by a word, whichever of its letters comes first.
    pub fn closest(&self, word: &[u8]) -> Option<Return<'_>> {
        let windows = self.windows(word.len());
        let returns = windows.filter(|(found, _)| smallest_rotation(found) == word);
        let closest = returns.min_by(|a, b| a.1.distance.total_cmp(&b.1.distance));
        closest.map(|(_, back)| back)
    }
}

/// Root of the summed variances of the columns, missing values left out.
fn spread(series: &[ArrayView2<'_, f64>]) -> f64 {
    let columns = 0..series.first().map_or(0, |x| x.ncols());
    let variance = |j: usize| {
        let values = || series.iter().flat_map(|x| x.column(j)).filter(|v| v.is_finite());
        let n = values().count() as f64;
        let mean = values().sum::<f64>() / n;
        values().map(|v| (v - mean).powi(2)).sum::<f64>() / n
    };
    columns.map(variance).sum::<f64>().sqrt()
}
