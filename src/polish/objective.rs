//! What polishing minimises: how a free run differs from the data in what scores look at, of runs short enough to be made
//! thousands of times.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::borrow::Cow;
use std::sync::Arc;

use ndarray::{Array2, Axis};
use realfft::{RealFftPlanner, RealToComplex};

use super::exponent::largest_exponent;
use super::search::POPULATION;
use crate::backend::{DataStatistics, FreeModel, Rollout, RunStatistics, Tangent, prediction_error};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::metrics::{Amplitudes, DstspKind, Histogram, Scorer, data_roughness, hellinger, only};
use crate::model::{Dims, FreeRun};
use crate::rng::{Stream, index, threefry2x32};

/// Steps of the free run that a candidate is judged by, and of them those that the tangent vector follows, the first of
/// which turn it into the direction that grows most.
pub(super) const STEPS: usize = 20_480;
const TANGENT: Tangent = Tangent {
    steps: 10_240,
    settles: 1_000,
};
/// Rows that forecasts start from, drawn anew every generation.
const FORECASTS: usize = 256;
/// Longest segment of the averaged spectra (Welch, 1967).
const SEGMENT: usize = 2_048;
/// Columns that are binned where there are too many for bins of each: the leading principal components.
const COMPONENTS: usize = 3;

/// Weights of the parts of [`Objective::costs`].
const SPECTRUM: f64 = 4.0;
const FORECAST: f64 = 4.0;
const EXPONENT: f64 = 4.0;
const ROUGHNESS: f64 = 2.0;
const OUTSIDE: f64 = 20.0;
/// What is free: a forecast error up to this much (in logarithms) above the start's, a free run this much rougher than the data.
const FREE_FORECAST: f64 = 0.05;
const FREE_ROUGHNESS: f64 = 1.5;
/// More roughness costs no more, that of a run which is not finite neither: such runs are told apart by how late they leave the data.
const MOST_ROUGHNESS: f64 = 10.0;

/// Bytes of main memory that a generation of a model of `N` observed columns takes, at least: its candidates' free runs, once as
/// they are made and once row by row.
pub fn demand(N: usize) -> u64 {
    (POPULATION * (STEPS + 1) * N * 2 * size_of::<f32>()) as u64
}

/// The data's side, made once and shared by threads.
pub struct Objective {
    /// Of the same data: columns that vary, predictions.
    scorer: Arc<Scorer>,
    /// Axes that rows are projected on before they are binned, `[columns, ≤ 3]`, where the columns are too many.
    axes: Option<Array2<f64>>,
    histogram: Histogram,
    spectra: WelchSpectra,
    /// Mean |second difference| of each column that varies; 0 where the data are as smooth as f32.
    roughness: Vec<f64>,
    /// Nats per step; `None` where the data do not tell it.
    exponent: Option<f64>,
    /// The same for a device that looks at runs by itself.
    statistics: DataStatistics,
}

/// What the candidates of one generation share.
pub struct Draw {
    pub run: FreeRun,
    pub tangent: Tangent,
    /// Rows of the scorer's predictions that forecasts start from.
    pub forecasts: Vec<u32>,
}

/// The parts of a candidate's cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parts {
    /// D_stsp over bins, in nats.
    pub divergence: f64,
    /// Mean Hellinger distance of averaged spectra.
    pub spectrum: f64,
    /// Largest Lyapunov exponent over the data's, minus 1.
    pub exponent: f64,
    /// Mean squared error of the forecasts.
    pub forecast: f64,
    /// The largest column's mean |second difference| over that of the data.
    pub roughness: f64,
    /// Share of the run's rows that lie outside of the bins.
    pub outside: f64,
}

impl Objective {
    /// What `scorer` says of the `dataset` that it was made of.
    ///
    /// # Errors
    /// When there are external inputs, or the data have no row to start a forecast from.
    pub fn new(dataset: &Dataset, scorer: Arc<Scorer>) -> Result<Self> {
        let (columns, settings) = (scorer.columns(), scorer.settings());
        if dataset.K > 0 {
            return Err(Error::input(
                "models with external inputs are not polished: a free run under one stretch of inputs is not to look like \
                 the whole record",
            ));
        }
        if scorer.predictions().pairs() == 0 {
            let steps = settings.pe_steps;
            return Err(Error::input(format!(
                "polishing holds the error of forecasts {steps} steps ahead, and no complete row has an observation then"
            ))
            .with_hint("use a smaller --pe-steps"));
        }
        let trials = &dataset.trials;
        let seen: Vec<Array2<f64>> = trials.iter().map(|t| t.x.select(Axis(1), columns)).collect();
        let axes = (scorer.dstsp_kind() == DstspKind::Gmm && columns.len() > COMPONENTS)
            .then(|| principal_axes(&seen, COMPONENTS));
        let projected: Option<Vec<Array2<f64>>> = axes
            .as_ref()
            .map(|axes| seen.iter().map(|x| x.dot(axes)).collect());
        let binned: Vec<_> = projected
            .as_ref()
            .unwrap_or(&seen)
            .iter()
            .map(|x| x.view())
            .collect();
        let record = seen
            .iter()
            .max_by_key(|x| x.nrows())
            .expect("a scorer has trials");
        let histogram = Histogram::new(&binned, settings.bins)?;
        let spectra = WelchSpectra::new(&seen);
        Ok(Self {
            statistics: DataStatistics {
                columns: columns.to_vec(),
                axes: directions(columns, axes.as_ref(), dataset.N),
                bins: histogram.bins(),
                ranges: (histogram.ranges())
                    .map(|(low, per_unit)| [low as f32, per_unit as f32])
                    .collect(),
                visits: histogram.visits().to_vec(),
                pseudo_count: Histogram::SMOOTHING,
                window: spectra.window.clone(),
                amplitudes: spectra.single(),
            },
            histogram,
            spectra,
            roughness: data_roughness(&seen.iter().map(|x| x.view()).collect::<Vec<_>>()),
            exponent: largest_exponent(record.view()),
            scorer,
            axes,
        })
    }

    /// Of the data that it is made of.
    pub fn scorer(&self) -> &Scorer {
        &self.scorer
    }

    /// The data's side for [`crate::backend::Backend::statistics`].
    pub fn statistics(&self) -> &DataStatistics {
        &self.statistics
    }

    /// The data's largest exponent in nats per step, where it can be told.
    pub fn exponent(&self) -> Option<f64> {
        self.exponent
    }

    /// What the candidates of draw `draw` of this seed are judged by.
    pub fn draw(&self, seed: u32, draw: u32) -> Draw {
        // The last counters: the first are those of the candidates.
        let word = |i: usize| threefry2x32([seed, Stream::Polish as u32], [draw, u32::MAX - i as u32])[0];
        let rows = self.scorer.predictions().rows();
        let pick = |i| rows.starts[index(word(i), rows.starts.len() as u32) as usize];
        let start = pick(0) as usize;
        let run = FreeRun {
            x0: rows.x[start * rows.N..(start + 1) * rows.N].to_vec(),
            s: Array2::zeros((0, 0)),
            steps: STEPS,
        };
        Draw {
            run,
            tangent: self.exponent.map_or(Tangent::NONE, |_| TANGENT),
            forecasts: (1..=FORECASTS).map(pick).collect(),
        }
    }

    /// Mean squared error of a model's forecasts from the rows of a draw.
    pub fn forecast_error(&self, draw: &Draw, dims: Dims, model: FreeModel<'_>) -> f64 {
        let predictions = self.scorer.predictions();
        prediction_error(
            dims,
            model,
            predictions.rows(),
            &draw.forecasts,
            predictions.steps(),
        )
    }

    /// [`Objective::judge`] where a device has looked at the run of a draw.
    pub fn parts(&self, run: &RunStatistics, forecast: f64) -> Parts {
        let rows = (STEPS + 1) as f64;
        let bends = run.columns.iter().map(|column| column.bend);
        Parts {
            divergence: self.histogram.divergence_of(run.terms, run.inside),
            spectrum: self.spectra.mean(|n| run.columns[n].distance),
            exponent: self.excess(run.growth),
            forecast,
            roughness: self.roughness_of(bends),
            outside: 1.0 - run.inside as f64 / rows,
        }
    }

    /// Judges a candidate's run and the error of its forecasts.
    pub fn judge(&self, run: &Rollout, forecast: f64) -> Parts {
        let seen = only(run.x.view(), self.scorer.columns());
        let states = match &self.axes {
            None => self.histogram.divergence(&[seen.view()]),
            Some(axes) => self
                .histogram
                .divergence(&[seen.mapv(f64::from).dot(axes).view()]),
        };
        let columns: Vec<Cow<'_, [f32]>> = (seen.columns().into_iter())
            .map(|column| {
                column
                    .to_slice()
                    .map_or_else(|| column.to_vec().into(), Cow::Borrowed)
            })
            .collect();
        Parts {
            divergence: states.value,
            spectrum: self.spectra.distance(&columns),
            exponent: self.excess(run.growth),
            forecast,
            roughness: self.roughness_of(columns.iter().map(|column| mean_second_difference(column))),
            outside: 1.0 - states.rows as f64 / seen.nrows() as f64,
        }
    }

    /// The costs of a generation's candidates, whose start has the forecast error `start`; NaN where no row of a run is near the data.
    ///
    /// The exponent of so short a run is off by a tenth or more, so that a penalty on each candidate's would rank them by chance.
    /// All of them together tell on which side of the data's they are, and how far: candidates on the other side pay less, in
    /// proportion. A run that is not finite counts as one that grows too fast.
    pub fn costs(all: &[Parts], start: f64) -> Vec<f64> {
        let mut exponents: Vec<f64> = all.iter().map(|parts| parts.exponent).collect();
        exponents.retain(|exponent| exponent.is_finite());
        exponents.sort_by(f64::total_cmp);
        let middle = exponents
            .get(exponents.len() / 2)
            .map_or(0.0, |e| e.clamp(-1.0, 1.0));
        let beyond = |exponent: f64| {
            if exponent.is_nan() {
                1.0
            } else {
                (exponent - middle).clamp(-1.0, 1.0)
            }
        };
        let cost = |parts: &Parts| {
            let forecast = (rise(parts.forecast, start) - FREE_FORECAST).max(0.0);
            parts.divergence
                + SPECTRUM * parts.spectrum
                + FORECAST * forecast
                + EXPONENT * middle * beyond(parts.exponent)
                + ROUGHNESS * (parts.roughness.min(MOST_ROUGHNESS) - FREE_ROUGHNESS).max(0.0)
                + OUTSIDE * parts.outside
        };
        all.iter().map(cost).collect()
    }

    /// A run's exponent over the data's, minus 1; 0 where the data do not tell theirs.
    fn excess(&self, growth: f64) -> f64 {
        self.exponent.map_or(0.0, |exponent| growth / exponent - 1.0)
    }

    /// Of the mean |second differences| of a run's columns, the largest ratio to the data's.
    fn roughness_of(&self, bends: impl Iterator<Item = f64>) -> f64 {
        let columns = bends.zip(&self.roughness);
        let ratios = columns
            .filter(|(_, data)| **data > 0.0)
            .map(|(bend, data)| bend / data);
        // Not finite is as rough as can be; f64::max would drop NaN.
        ratios.fold(
            0.0,
            |most, ratio| if ratio <= most { most } else { ratio.min(f64::MAX) },
        )
    }
}

/// Power spectra averaged over half-overlapping segments of a Hann window, normalised to sum 1.
struct WelchSpectra {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// `√p` of every column that varies; `None` where the data have no spectrum.
    data: Vec<Option<Amplitudes>>,
}

impl WelchSpectra {
    fn new(trials: &[Array2<f64>]) -> Self {
        let longest = trials.iter().map(|x| x.nrows()).max().unwrap_or(0).min(STEPS);
        let mut segment = SEGMENT;
        while segment > 16 && 4 * segment > longest {
            segment /= 2;
        }
        let angle = |i: usize| std::f64::consts::TAU * (i as f64 + 0.5) / segment as f64;
        let mut spectra = Self {
            fft: RealFftPlanner::new().plan_fft_forward(segment),
            window: (0..segment)
                .map(|i| (0.5 - 0.5 * angle(i).cos()) as f32)
                .collect(),
            data: Vec::new(),
        };
        let columns = trials.first().map_or(0, |x| x.ncols());
        let data = (0..columns).map(|n| {
            let signals: Vec<Vec<f32>> = (trials.iter())
                .map(|x| x.column(n).iter().map(|&v| v as f32).collect())
                .collect();
            spectra.amplitudes(&signals)
        });
        spectra.data = data.collect();
        spectra
    }

    /// `√p` of all segments without a gap (NaN), the signals pooled; `None` where there is no such segment, or none varies.
    fn amplitudes(&self, signals: &[impl AsRef<[f32]>]) -> Option<Amplitudes> {
        let segment = self.window.len();
        let mut power = vec![0.0f64; segment / 2 + 1];
        let (mut values, mut spectrum) = (self.fft.make_input_vec(), self.fft.make_output_vec());
        let mut scratch = self.fft.make_scratch_vec();
        for signal in signals {
            let signal = signal.as_ref();
            let seen = signal.iter().filter(|v| !v.is_nan());
            let (sum, count) = seen.fold((0.0, 0.0), |(sum, n), &v| (sum + f64::from(v), n + 1.0));
            let mean = (sum / count) as f32;
            let parts = (0..).map(|i| i * segment / 2);
            let parts = parts.map_while(|from| signal.get(from..from + segment));
            for part in parts.filter(|part| !part.iter().any(|v| v.is_nan())) {
                for ((value, x), w) in values.iter_mut().zip(part).zip(&self.window) {
                    *value = (x - mean) * w;
                }
                self.fft
                    .process_with_scratch(&mut values, &mut spectrum, &mut scratch)
                    .expect("lengths are the plan's");
                for (p, c) in power.iter_mut().zip(&spectrum) {
                    *p += f64::from(c.norm_sqr());
                }
            }
        }
        let total: f64 = power.iter().sum();
        let defined = total > 0.0 && total.is_finite();
        defined.then(|| power.iter().map(|p| (p / total).sqrt()).collect())
    }

    /// Mean Hellinger distance of the columns of a run from the data's; 1 for one without a spectrum.
    fn distance(&self, run: &[Cow<'_, [f32]>]) -> f64 {
        self.mean(|n| {
            let amplitudes = self.amplitudes(std::slice::from_ref(&run[n]));
            let data = self.data[n].as_ref();
            let pair = amplitudes.as_ref().zip(data);
            pair.map_or(1.0, |(run, data)| hellinger(run, data))
        })
    }

    /// Mean over the columns of which the data have a spectrum.
    fn mean(&self, distance: impl Fn(usize) -> f64) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0f64);
        for n in (0..self.data.len()).filter(|&n| self.data[n].is_some()) {
            sum += distance(n);
            count += 1.0;
        }
        sum / count.max(1.0)
    }

    /// Of all columns in single precision, 0 where the data have no spectrum.
    fn single(&self) -> Vec<Vec<f32>> {
        let zeros = || vec![0.0; self.window.len() / 2 + 1];
        let single = |data: &Amplitudes| data.iter().map(|&amplitude| amplitude as f32).collect();
        (self.data.iter())
            .map(|data| data.as_ref().map_or_else(zeros, single))
            .collect()
    }
}

/// Mean |second difference| of a run; not finite where a value is not.
fn mean_second_difference(values: &[f32]) -> f64 {
    const LANES: usize = 16;
    let count = values.len().saturating_sub(2);
    let from = |first: usize| values[first.min(values.len())..].chunks(LANES);
    // Sums side by side, as processors add.
    let mut sums = [0.0f32; LANES];
    for ((before, middle), after) in values[..count].chunks(LANES).zip(from(1)).zip(from(2)) {
        let triples = before.iter().zip(middle).zip(after);
        for (sum, ((before, middle), after)) in sums.iter_mut().zip(triples) {
            *sum += (after - 2.0 * middle + before).abs();
        }
    }
    f64::from(sums.iter().sum::<f32>()) / count as f64
}

/// Directions along which rows of all `N` columns are binned, `[axes, N]`: those of `axes`, `[columns, axes]`, or the columns.
fn directions(columns: &[usize], axes: Option<&Array2<f64>>, N: usize) -> Array2<f32> {
    let count = axes.map_or(columns.len(), Array2::ncols);
    let mut directions = Array2::zeros((count, N));
    for (c, &column) in columns.iter().enumerate() {
        match axes {
            None => directions[[c, column]] = 1.0,
            Some(axes) => (0..count).for_each(|k| directions[[k, column]] = axes[[c, k]] as f32),
        }
    }
    directions
}

/// Leading eigenvectors of the covariance of the complete rows, as columns `[N, q]`.
fn principal_axes(trials: &[Array2<f64>], q: usize) -> Array2<f64> {
    let N = trials[0].ncols();
    let rows: Vec<_> = trials
        .iter()
        .flat_map(|x| x.rows())
        .filter(|row| row.iter().all(|v| !v.is_nan()))
        .collect();
    let mean = rows
        .iter()
        .fold(ndarray::Array1::<f64>::zeros(N), |sum, row| sum + row)
        / rows.len() as f64;
    let mut covariance = nalgebra::DMatrix::<f64>::zeros(N, N);
    for row in rows {
        for i in 0..N {
            for j in 0..N {
                covariance[(i, j)] += (row[i] - mean[i]) * (row[j] - mean[j]);
            }
        }
    }
    let eigen = covariance.symmetric_eigen();
    let mut order: Vec<usize> = (0..N).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    Array2::from_shape_fn((N, q), |(i, k)| eigen.eigenvectors[(i, order[k])])
}

/// Logarithm of an error over another; infinite where it cannot be told, as of a model that diverges.
pub(super) fn rise(error: f64, before: f64) -> f64 {
    let rise = (error / before).ln();
    if rise.is_nan() { f64::INFINITY } else { rise }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALIVE: Parts = Parts {
        divergence: 1.0,
        spectrum: 0.2,
        exponent: 0.0,
        forecast: 0.1,
        roughness: 1.2,
        outside: 0.0,
    };

    fn costs(all: &[Parts]) -> Vec<f64> {
        Objective::costs(all, ALIVE.forecast)
    }

    #[test]
    fn exponents_count_on_the_side_on_which_most_candidates_are() {
        let with = |exponent| Parts { exponent, ..ALIVE };
        let above = costs(&[with(-0.2), with(0.2), with(0.4)]);
        assert!(above.is_sorted() && above[0] < above[2], "{above:?}");
        let below = costs(&[with(0.2), with(-0.2), with(-0.4)]);
        assert!(below.is_sorted() && below[0] < below[2], "{below:?}");
        // Right as a whole: that single ones are off is chance.
        let right = costs(&[with(-0.3), with(0.0), with(0.3)]);
        assert!(right.iter().all(|&cost| cost == right[1]), "{right:?}");
    }

    #[test]
    fn the_later_a_run_leaves_the_data_the_less_it_costs() {
        let leaves = |outside, exponent| Parts {
            divergence: 3.0 + outside,
            spectrum: 1.0,
            exponent,
            forecast: 0.1,
            roughness: f64::MAX,
            outside,
        };
        let all = [
            ALIVE,
            leaves(0.1, 0.4),
            leaves(0.5, f64::NAN),
            leaves(0.9, f64::NAN),
        ];
        let costs = costs(&all);
        assert!(
            costs.is_sorted() && costs.iter().all(|cost| cost.is_finite()),
            "{costs:?}"
        );
        assert!(costs.windows(2).all(|pair| pair[0] < pair[1]), "{costs:?}");
    }
}
