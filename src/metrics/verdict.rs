//! What a free run comes to in the end: a model whose run stops moving, or goes round in a circle where the data do not, has
//! not reconstructed them, whatever it scores.

use ndarray::{Array2, ArrayView2, s};
use serde::{Deserialize, Serialize};

use super::ROUGHNESS_BOUND;
use crate::dataset::{deviation, range};
use crate::model::Bounds;

/// A run rests where no column moves by more than this, in the data's standard deviations.
const REST: f64 = 1e-3;
/// A run is periodic where it comes back to its section within this distance, in the data's standard deviations.
const RETURN: f64 = 0.05;
/// Returns to the section that make a period, at most, and how many periods have to be seen.
const MOST_RETURNS: usize = 16;
const LEAST_PERIODS: usize = 4;

/// How the free run of a model ends, judged by its second half beside the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It moves on as the data do.
    #[serde(rename = "alive")]
    Alive,
    /// It moves on, but more than twice as jagged as the data.
    #[serde(rename = "rough")]
    Rough,
    /// It repeats itself, which the data do not.
    #[serde(rename = "periodic")]
    Periodic,
    /// It has come to rest.
    #[serde(rename = "fixed point")]
    FixedPoint,
    /// It is not finite, or beyond all bounds of the data.
    #[serde(rename = "diverged")]
    Diverged,
}

impl Verdict {
    /// From what is wanted to what is not.
    pub const ALL: [Self; 5] = [
        Self::Alive,
        Self::Rough,
        Self::Periodic,
        Self::FixedPoint,
        Self::Diverged,
    ];

    /// How many there are of each, in words: `10 alive, 2 periodic`.
    pub fn counted(verdicts: impl Iterator<Item = Self> + Clone) -> String {
        let counted =
            Self::ALL.map(|verdict| (verdicts.clone().filter(|v| *v == verdict).count(), verdict.word()));
        let some = counted.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = some.map(|(count, word)| format!("{count} {word}")).collect();
        parts.join(", ")
    }

    /// The word in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Rough => "rough",
            Self::Periodic => "periodic",
            Self::FixedPoint => "fixed point",
            Self::Diverged => "diverged",
        }
    }
}

/// Tells runs from each other beside one trial of the data.
pub(super) struct Judge {
    /// Standard deviations of the columns.
    scale: Vec<f64>,
    bounds: Bounds,
    /// The data repeat themselves.
    periodic: bool,
}

impl Judge {
    /// By the observations `[T, N]` of columns that vary. Gaps (NaN) make a record of which it cannot be told whether it
    /// repeats itself.
    pub fn new(x: &ArrayView2<'_, f64>) -> Self {
        let scale: Vec<f64> = x
            .columns()
            .into_iter()
            .map(|column| deviation(column.iter().copied()))
            .collect();
        let complete = !x.iter().any(|v| v.is_nan());
        Self {
            periodic: complete && is_periodic(&scaled(x, &scale)),
            bounds: Bounds::around(x),
            scale,
        }
    }

    /// The verdict on a free run `[T, N]` of this roughness.
    pub fn verdict<V: Copy + Into<f64>>(&self, run: &ArrayView2<'_, V>, roughness: f64) -> Verdict {
        let half = run.slice(s![run.nrows() / 2.., ..]);
        if !half.iter().all(|&v| self.bounds.hold([&v.into()])) {
            return Verdict::Diverged;
        }
        let half = scaled(&half, &self.scale);
        let rests = |column: ndarray::ArrayView1<'_, f64>| {
            let (low, high) = range(column.iter().copied());
            high - low <= REST
        };
        if half.columns().into_iter().all(rests) {
            Verdict::FixedPoint
        } else if !self.periodic && is_periodic(&half) {
            Verdict::Periodic
        } else if roughness > ROUGHNESS_BOUND {
            Verdict::Rough
        } else {
            Verdict::Alive
        }
    }
}

fn scaled<V: Copy + Into<f64>>(x: &ArrayView2<'_, V>, scale: &[f64]) -> Array2<f64> {
    Array2::from_shape_fn(x.dim(), |(t, n)| x[[t, n]].into() / scale[n])
}

/// Whether the last rows come back to where they were: every return to a section (Poincaré), the mean of the column that
/// varies most crossed upwards, lies beside the one a few returns before. Where rows lie apart, the crossing is
/// interpolated: what a period is need not be a number of steps.
fn is_periodic(x: &Array2<f64>) -> bool {
    let crossings = section(x);
    (1..=MOST_RETURNS)
        .take_while(|period| crossings.len() > LEAST_PERIODS * period)
        .any(|period| {
            let pairs = crossings.iter().zip(&crossings[period..]);
            let apart = |(a, b): (&Vec<f64>, &Vec<f64>)| {
                let squares = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
                squares.sum::<f64>().sqrt()
            };
            pairs.map(apart).all(|distance| distance <= RETURN)
        })
}

/// Where a trajectory crosses its section.
fn section(x: &Array2<f64>) -> Vec<Vec<f64>> {
    let spread = |n: usize| {
        let (low, high) = range(x.column(n).iter().copied());
        high - low
    };
    let Some(n) = (0..x.ncols()).max_by(|&a, &b| spread(a).total_cmp(&spread(b))) else {
        return Vec::new();
    };
    let level = x.column(n).mean().unwrap_or(0.0);
    let mut crossings = Vec::new();
    for t in 1..x.nrows() {
        let (before, after) = (x[[t - 1, n]] - level, x[[t, n]] - level);
        if before < 0.0 && after >= 0.0 {
            let share = before / (before - after);
            let rows = x.row(t - 1).into_iter().zip(x.row(t));
            crossings.push(rows.map(|(a, b)| a + share * (b - a)).collect());
        }
    }
    crossings
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: usize = 4_000;

    fn run(f: impl Fn(f64) -> [f64; 2]) -> Array2<f64> {
        let mut x = Array2::zeros((ROWS, 2));
        for (t, mut row) in x.rows_mut().into_iter().enumerate() {
            let [a, b] = f(t as f64);
            (row[0], row[1]) = (a, b);
        }
        x
    }

    /// Turns of 37.3 rows, whose radius goes from one to the next.
    fn turns(radius: impl Fn(usize) -> f64) -> Array2<f64> {
        run(|t| {
            let (turns, angle) = (t / 37.3, std::f64::consts::TAU * t / 37.3);
            let (from, to) = (radius(turns as usize), radius(turns as usize + 1));
            let r = from + (to - from) * turns.fract();
            [r * angle.cos(), r * angle.sin()]
        })
    }

    /// Radii of a logistic map: it never repeats itself.
    fn irregular() -> Array2<f64> {
        turns(|turn| (0..turn).fold(0.3, |r: f64, _| 3.9 * r * (1.0 - r)) + 0.5)
    }

    /// Several radii one after another, again and again.
    fn circles(radii: &[f64]) -> Array2<f64> {
        turns(|turn| radii[turn % radii.len()])
    }

    #[test]
    fn runs_are_told_apart() {
        let data = irregular();
        let judge = Judge::new(&data.view());
        let verdict = |x: &Array2<f64>| judge.verdict(&x.view(), 1.0);
        assert_eq!(verdict(&data), Verdict::Alive);
        assert_eq!(judge.verdict(&data.view(), 2.1), Verdict::Rough);
        assert_eq!(verdict(&circles(&[1.0])), Verdict::Periodic);
        assert_eq!(verdict(&circles(&[1.0, 0.6, 0.9])), Verdict::Periodic);
        assert_eq!(verdict(&run(|t| [(-t / 100.0).exp(), 0.2])), Verdict::FixedPoint);
        assert_eq!(verdict(&run(|t| [(t / 10.0).exp(), 0.2])), Verdict::Diverged);
        assert_eq!(verdict(&run(|_| [f64::NAN, 0.2])), Verdict::Diverged);
    }

    /// Of data that repeat themselves a model is to do so.
    #[test]
    fn a_circle_of_a_circle_is_alive() {
        let data = circles(&[1.0]);
        let judge = Judge::new(&data.view());
        assert_eq!(judge.verdict(&data.view(), 1.0), Verdict::Alive);
        assert_eq!(judge.verdict(&irregular().view(), 1.0), Verdict::Alive);
    }

    /// Nor is it told of data with gaps whether they repeat themselves.
    #[test]
    fn gaps_are_no_rest() {
        let mut data = irregular();
        data[[100, 0]] = f64::NAN;
        let judge = Judge::new(&data.view());
        assert_eq!(judge.verdict(&irregular().view(), 1.0), Verdict::Alive);
        assert_eq!(judge.verdict(&circles(&[1.0]).view(), 1.0), Verdict::Periodic);
    }
}
