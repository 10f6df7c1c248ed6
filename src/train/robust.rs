//! Settings for data of which nothing is known but themselves.
#![allow(non_snake_case, reason = "the paper's symbols")]

use ndarray::ArrayView1;

use crate::config::{Grid, Settings};
use crate::dataset::{Dataset, deviation};
use crate::metrics::PredictionData;
use crate::polish::DEFAULT_GENERATIONS;

/// Forcing interval over the time in which the data decorrelate, before polishing and without. (The published ones are 0.7 times it
/// for Lorenz-63, 0.6 for Rössler, more than 1 for recordings that decorrelate within a few rows.)
const FORCING: [f64; 2] = [0.6, 0.43];
const LEAST_TAU: usize = 7;
/// A column that changes sides now and then (scrolls, wings) stays correlated for far longer than any forecast lasts.
const SLOWEST: usize = 2;
/// Lags up to this part of a trial are looked at. (A straight line falls below 1/e at a quarter of its rows.)
const TOLD: usize = 8;
/// The decorrelation of a column that stays correlated for as long as can be told.
const NEVER: usize = usize::MAX;
/// Predicted steps of a window, likewise: the published ones, or what data of slow motion or few rows need. (Twice as long, and so half as
/// many, windows are worse to polish from.)
const T: [usize; 2] = [200, 400];
const BATCH_STEPS: f64 = 200.0;
const WINDOW: usize = 6;
const MOST_T: usize = 1_000;

/// Epochs where nothing is said: half of the published ones, or all.
const EPOCHS: [u32; 2] = [1_000, 2_000];
/// Noise over the way from one row to the next, and the most, by the thousands of epochs. (Twice the published one at most: with
/// less, longer training forecasts better and reconstructs worse; with more, shorter training does. More than the data move
/// in a few rows hides where a run is on its way to.)
const NOISE: f64 = 1.4;
const MOST_NOISE: [f64; 2] = [0.05, 0.1];
/// Learning rate times `M` and the thousands of epochs, and the most: what a step of the optimiser changes in a prediction grows
/// with the width (Yang et al., Tensor Programs V, 2022). Faster or longer, models of Lorenz-63 end where forecasts are better
/// and free runs wrong (`benches/RECIPE.md`).
const RATE: f64 = 0.08;
const MOST_RATE: f64 = 5e-3;
/// Where nothing follows training: the learning rate times `M`, what remains of the noise at the end, and by how much models are to
/// expand from forcing to forcing (`benches/RECIPE.md`).
const RATE_ALONE: f64 = 0.014;
const LEFT_OF_NOISE: f64 = 0.05;
const INFLATION: f64 = 1.015;
/// Forecasts reach no further than this many times the decorrelation.
const HORIZON: usize = 2;

/// What is said already, of what else would be chosen by the data.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    pub M: &'a Grid<usize>,
    /// Epochs of training, and generations of polishing after them.
    pub epochs: Option<u32>,
    pub polish: Option<u32>,
}

/// Settings that suit these data, of which only `P` remains to be chosen: the default of the command line, where it is the
/// preset `robust`.
///
/// Training for 1,000 epochs where nothing is said, half of the published ones, then polishing (see [`crate::polish`]; not
/// where there are external inputs, or no observation to forecast), of standardised data. The learning rate is 0.08 over the largest `M` and the thousands of epochs, at most 0.005 (the published
/// one is 0.001). `tau` is 0.6 times the lag at which autocorrelations fall below 1/e (median over the columns, at most twice
/// the shortest), at least 7; the published one where none does, as of data that drift. `T` is 200, longer where that is
/// less than 6 `tau`, never more than a quarter of the longest trial, and batches are fewer by as much as windows are
/// longer. Forecasts are scored, and held by polishing, over 20 rows or twice that lag, whichever is shorter. The noise is 1.4
/// times the way from one row to the next, at most 0.1 standard deviations for 1,000 epochs or more, 0.05 for 500 or fewer, and
/// in proportion between; the published one where data are not standardised.
///
/// Where no polishing follows, training has to end with models that run by themselves: 2,000 epochs, `tau` 0.43 times that lag,
/// windows of 400 rows, the learning rate 0.014 over the largest `M`, noise that falls to a twentieth, an inflation of
/// 1.015, and the best state of each model is restored at the end.
pub fn robust(data: &Dataset, said: Said<'_>) -> Settings {
    let published = Settings::default();
    let longest = data.trials.iter().map(|trial| trial.x.nrows()).max().unwrap_or(0);
    let lag = decorrelation(data);
    let pe_steps = lag.map_or(published.pe_steps, |lag| (HORIZON * lag).min(published.pe_steps));
    let polish = match said.polish {
        _ if !is_polished(data, pe_steps) => 0,
        generations => generations.unwrap_or(DEFAULT_GENERATIONS),
    };
    let alone = polish == 0;
    let which = usize::from(alone);
    let tau = lag.map_or(published.tau.values()[0], |lag| {
        ((FORCING[which] * lag as f64).round() as usize).max(LEAST_TAU)
    });
    let window = (WINDOW * tau).clamp(T[which], MOST_T).min((longest / 4).max(1));
    let widest = said.M.values().iter().max().map_or(1.0, |&M| M as f64);
    let batches = f64::from(published.batches_per_epoch) * BATCH_STEPS / (window as f64).max(BATCH_STEPS);
    let epochs = said.epochs.unwrap_or(EPOCHS[which]);
    let thousands = f64::from(epochs) / 1_000.0;
    let [least, most] = MOST_NOISE;
    let standardize = data.column_scaling().is_ok();
    let step = motion(data).filter(|_| standardize);
    let noise = step.map_or(published.noise.values()[0], |step| {
        rounded((NOISE * step).min((most * thousands).clamp(least, most)))
    });
    let rate = match alone {
        true => RATE_ALONE / widest,
        false => RATE / (widest * thousands),
    };
    let alone_with_mean_0 = alone && standardize;
    Settings {
        M: said.M.clone(),
        standardize,
        noise: Grid::one(noise),
        noise_end: (alone && noise > 0.0).then(|| Grid::one(rounded(LEFT_OF_NOISE * noise))),
        inflation: Grid::one(if alone_with_mean_0 { INFLATION } else { 1.0 }),
        restore_best: alone,
        tau: Grid::one(tau),
        T: Grid::one(window),
        start_lr: Grid::one(rounded(rate.min(MOST_RATE))),
        epochs,
        batches_per_epoch: batches.round() as u32,
        pe_steps,
        polish,
        ..published
    }
}

/// Whether polishing takes these data.
fn is_polished(data: &Dataset, pe_steps: usize) -> bool {
    let trials: Vec<_> = (data.trials.iter())
        .map(|trial| (trial.x.view(), trial.s.view()))
        .collect();
    data.K == 0 && PredictionData::new(&trials, pe_steps).pairs() > 0
}

/// The first lag at which the autocorrelation falls below 1/e, in the longest trial: the median over the columns that vary,
/// but no more than [`SLOWEST`] times the shortest. `None` where no column's does.
fn decorrelation(data: &Dataset) -> Option<usize> {
    let trial = data.trials.iter().max_by_key(|trial| trial.x.nrows())?;
    let mut lags: Vec<usize> = (trial.x.columns().into_iter())
        .filter_map(decorrelation_of)
        .collect();
    lags.sort_unstable();
    let (&middle, &shortest) = (lags.get(lags.len() / 2)?, lags.first()?);
    (shortest < NEVER).then(|| middle.min(SLOWEST * shortest).min(MOST_T))
}

/// By how much the data move from one row to the next: root mean square in standard deviations, median over the columns.
fn motion(data: &Dataset) -> Option<f64> {
    let step = |j: usize| {
        let columns = data.trials.iter().map(|trial| trial.x.column(j));
        let pairs = columns.flat_map(|column| column.into_iter().zip(column.into_iter().skip(1)));
        let squares = pairs
            .map(|(a, b)| (b - a).powi(2))
            .filter(|square| !square.is_nan());
        let (sum, count) = squares.fold((0.0, 0.0f64), |(sum, n), square| (sum + square, n + 1.0));
        let deviation = deviation(data.trials.iter().flat_map(|trial| trial.x.column(j)).copied());
        (count > 0.0).then(|| (sum / count).sqrt() / deviation)
    };
    let mut steps: Vec<f64> = (0..data.N).filter_map(step).collect();
    steps.sort_unstable_by(f64::total_cmp);
    steps.get(steps.len() / 2).copied()
}

/// To two digits, as settings are written.
fn rounded(value: f64) -> f64 {
    format!("{value:.1e}").parse().unwrap_or(value)
}

/// Of one column, over the pairs of values that are there; `None` for a constant, [`NEVER`] where there is no such lag
/// within an eighth of the trial.
fn decorrelation_of(column: ArrayView1<'_, f64>) -> Option<usize> {
    let seen = column.iter().filter(|v| !v.is_nan());
    let (sum, count) = seen.clone().fold((0.0, 0.0f64), |(sum, n), v| (sum + v, n + 1.0));
    let mean = sum / count;
    let variance = seen.map(|v| (v - mean).powi(2)).sum::<f64>() / count;
    let longest = (column.len() / TOLD).min(MOST_T);
    (variance > 0.0).then(|| {
        let falls = |lag: &usize| {
            let pairs = column.iter().zip(column.iter().skip(*lag));
            let products = pairs
                .map(|(a, b)| (a - mean) * (b - mean))
                .filter(|p| !p.is_nan());
            let (sum, count) = products.fold((0.0, 0.0f64), |(sum, n), p| (sum + p, n + 1.0));
            // Without a pair nothing can be told of this lag.
            sum / count < variance / std::f64::consts::E
        };
        (1..longest).find(falls).unwrap_or(NEVER)
    })
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::dataset::{LoadRequest, Trial, from_arrays};

    fn data(rows: usize, inputs: usize, f: impl Fn(f64) -> f64) -> Dataset {
        let trial = Trial {
            name: "x".into(),
            x: Array2::from_shape_fn((rows, 2), |(t, n)| f(t as f64 + 3.0 * n as f64)),
            s: Array2::zeros((rows, inputs)),
        };
        let request = LoadRequest {
            allow_missing: true,
            ..LoadRequest::default()
        };
        from_arrays(vec![trial], &request).expect("data")
    }

    /// For models of 20 dimensions.
    fn settings(data: &Dataset) -> Settings {
        said(data, "20", None, None)
    }

    fn said(data: &Dataset, M: &str, epochs: Option<u32>, polish: Option<u32>) -> Settings {
        let M = &M.parse().expect("a grid");
        robust(data, Said { M, epochs, polish })
    }

    fn sine(period: f64) -> impl Fn(f64) -> f64 {
        move |t| 50.0 + 3.0 * (std::f64::consts::TAU * t / period).sin()
    }

    /// The cosine, which is a sine's autocorrelation, falls below 1/e at 0.19 periods.
    #[test]
    fn settings_follow_from_the_data() {
        let chosen = settings(&data(20_000, 0, sine(100.0)));
        let values = |chosen: &Settings| (chosen.tau.values()[0], chosen.T.values()[0]);
        assert_eq!((values(&chosen), chosen.batches_per_epoch), ((12, 200), 50));
        assert!(chosen.standardize && chosen.polish == DEFAULT_GENERATIONS);
        let slow = settings(&data(20_000, 0, sine(400.0)));
        assert_eq!((values(&slow), slow.batches_per_epoch), ((46, 276), 36));
        let short = settings(&data(120, 0, sine(10.0)));
        assert_eq!((values(&short), short.batches_per_epoch), ((7, 30), 50));
        assert_eq!(settings(&data(2_000, 1, sine(100.0))).polish, 0, "inputs");
        assert_eq!(
            settings(&data(15, 0, sine(100.0))).polish,
            0,
            "nothing to forecast"
        );
        assert!(!settings(&data(2_000, 0, |_| 1.0)).standardize);
        let gaps = settings(&data(20_000, 0, |t| {
            if t % 7.0 == 0.0 { f64::NAN } else { sine(100.0)(t) }
        }));
        assert_eq!(values(&gaps), (12, 200));
        // One column changes sides every 500 rows.
        let sides = settings(
            &from_arrays(
                vec![Trial {
                    name: "x".into(),
                    x: Array2::from_shape_fn((20_000, 2), |(t, n)| {
                        let side = [0.0, 5.0][n] * if t / 500 % 2 == 0 { 1.0 } else { -1.0 };
                        side + sine(100.0)(t as f64)
                    }),
                    s: Array2::zeros((20_000, 0)),
                }],
                &LoadRequest::default(),
            )
            .expect("data"),
        );
        assert_eq!(values(&sides), (24, 200));
        // A straight line never decorrelates, and moves little from row to row.
        let line = settings(&data(4_000, 0, |t| t));
        assert_eq!((values(&line), line.noise.values()[0]), ((16, 200), 0.0012));
        let noise = [&chosen, &slow, &short].map(|chosen| chosen.noise.values()[0]);
        assert_eq!(noise, [0.088, 0.022, 0.1]);
        let horizon = [&chosen, &slow, &short, &line].map(|chosen| chosen.pe_steps);
        assert_eq!(horizon, [20, 20, 4, 20]);
        // The shorter, the faster, and with less noise.
        let pace = |(M, epochs): (&str, Option<u32>)| {
            let chosen = said(&data(2_000, 0, sine(10.0)), M, epochs, None);
            (
                chosen.start_lr.values()[0],
                chosen.noise.values()[0],
                chosen.epochs,
            )
        };
        assert_eq!(pace(("6", None)), (0.005, 0.1, 1_000));
        assert_eq!(pace(("20,30", None)), (0.0027, 0.1, 1_000));
        assert_eq!(pace(("20", Some(750))), (0.005, 0.075, 750));
        assert_eq!(pace(("30", Some(125))), (0.005, 0.05, 125));
        assert_eq!(pace(("20", Some(2_000))), (0.002, 0.1, 2_000));
        // Small beside their offset, but not constant.
        assert!(settings(&data(2_000, 0, |t| 1e6 + 0.01 * sine(100.0)(t))).standardize);
        for chosen in [chosen, slow, short, gaps, sides, line] {
            chosen.validate().expect("valid");
        }
    }

    #[test]
    fn training_that_nothing_follows_has_settings_of_its_own() {
        let alone = |data: &Dataset| said(data, "20", None, Some(0));
        let chosen = alone(&data(20_000, 0, sine(100.0)));
        assert_eq!((chosen.tau.values()[0], chosen.T.values()[0]), (9, 400));
        assert_eq!(
            (chosen.epochs, chosen.batches_per_epoch, chosen.polish),
            (2_000, 25, 0)
        );
        assert_eq!(
            (chosen.start_lr.values()[0], chosen.noise.values()[0]),
            (7e-4, 0.088)
        );
        assert_eq!(chosen.noise_end.as_ref().map(|end| end.values()[0]), Some(0.0044));
        assert_eq!(
            (chosen.inflation.values()[0], chosen.restore_best),
            (INFLATION, true)
        );
        // As where polishing is not possible.
        assert_eq!(settings(&data(20_000, 1, sine(100.0))), chosen);
        // Nothing to expand about, and nothing that could fall.
        let constant = alone(&data(2_000, 0, |_| 1.0));
        assert_eq!(constant.inflation.values(), [1.0]);
        let polished = said(&data(20_000, 0, sine(100.0)), "20", None, Some(7));
        assert_eq!(
            (polished.polish, polished.epochs, polished.restore_best),
            (7, 1_000, false)
        );
        for chosen in [chosen, constant, polished] {
            chosen.validate().expect("valid");
        }
    }
}
