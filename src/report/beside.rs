//! A model beside the data it was trained on: its free run, and the pictures of both.
#![allow(non_snake_case, reason = "the paper's symbols")]

use ndarray::{Array1, Array2, ArrayView2, s};
use realfft::RealFftPlanner;

use super::ReportOptions;
use super::pictures::{PowerSpectra, Series, StateSpace, Track, power_spectra, state_space, time_series};
use super::plot::Figure;
use crate::dataset::{Dataset, LoadRequest, Part, Trial, load};
use crate::error::Result;
use crate::metrics::{Gaps, SpectrumPlan};
use crate::model::{Bounds, Model, Scaling};
use crate::run::Run;

/// Rows of a trajectory that one panel can hold before it is a blot.
const DRAWN: usize = 8000;
const SERIES: usize = 1000;
/// Rows below which a spectrum says nothing.
const SHORTEST_SPECTRUM: usize = 16;

/// The data that a run was trained on, in the units of `model`, or the sentence that says why there are none.
pub fn observed(run: &Run, model: Option<&Model>) -> Result<Dataset, String> {
    let settings = &run.settings;
    let request = LoadRequest {
        data: settings.data.clone(),
        inputs: settings.inputs.clone(),
        drop: settings.drop.clone(),
        allow_missing: settings.allow_missing,
        standardize: settings.standardize,
        part: Part::training(settings.hold_out),
        scaling: model.and_then(|m| m.scaling.clone()),
        width: model.map(|m| m.theta.dims().N),
        columns: model.and_then(|m| m.columns.clone()),
        input_columns: model.and_then(|m| m.input_columns.clone()),
        ..LoadRequest::default()
    };
    let data = load(&request).map_err(|error| error.to_string())?;
    if data.hash != run.record.data.hash {
        return Err(format!(
            "{} has changed since training (another hash)",
            settings.data.join(", ")
        ));
    }
    match model.map(|model| model.theta.dims()) {
        Some(dims) if (data.N, data.K) != (dims.N, dims.K) => {
            Err("the data have other dimensions than the model".into())
        }
        _ => Ok(data),
    }
}

/// Free run of a model beside the data it starts from.
#[derive(Clone, Debug)]
pub struct Beside {
    /// First trial from its start on, `[rows, N]`, in the user's units.
    pub data: Option<Array2<f64>>,
    /// The observed units of the run in the user's units, `[rows, N]`.
    pub model: Array2<f64>,
    /// All its states, `[rows, M]`; fewer rows than were asked for where it runs away.
    pub states: Array2<f64>,
    pub asked: usize,
    pub columns: Vec<String>,
    pub dt: Option<f64>,
}

/// Rows of a free run of at most `steps`: no more than the first trial has from where it starts.
pub fn rows(data: Option<&Dataset>, steps: usize) -> usize {
    let trial = data.and_then(|d| d.trials.first());
    trial.map_or(steps, |t| steps.min(t.x.nrows() - t.start())).max(1)
}

impl Beside {
    /// Runs `model` from the start of the first trial ([`Trial::start`]; from 0 without data) with its inputs for as many
    /// rows as the trial has from there on, at most `steps`.
    pub fn of(model: &Model, data: Option<&Dataset>, steps: usize) -> Self {
        let dims = model.theta.dims();
        let trial = data.and_then(|d| d.trials.first());
        let start = trial.map_or(0, Trial::start);
        let asked = rows(data, steps);
        let x0 = trial.map_or_else(|| vec![0.0; dims.N], |t| t.x.row(start).to_vec());
        let bounds = Bounds::around(trial.iter().flat_map(|t| &t.x));
        let mut z: Array1<f64> = model.theta.initial_state(&x0);
        let mut states = Vec::with_capacity(asked * dims.M);
        for t in 0..asked {
            if t > 0 {
                let input = match trial {
                    Some(trial) if dims.K > 0 => trial.s.row(start + t).to_vec(),
                    _ => vec![0.0; dims.K],
                };
                z = model.theta.step(model.P, &z, &input);
            }
            if !bounds.hold(&z) {
                break;
            }
            states.extend(z.iter());
        }
        let kept = states.len() / dims.M;
        let states = Array2::from_shape_vec((kept, dims.M), states).expect("whole states");
        let units = |x: ArrayView2<'_, f64>| Scaling::restored(model.scaling.as_ref(), x.to_owned());
        let names = data.map_or(&model.columns, |d| &d.columns).clone();
        Self {
            data: trial.map(|t| units(t.x.slice(s![start..start + asked, ..]))),
            model: units(states.slice(s![.., ..dims.N])),
            states,
            asked,
            columns: names.unwrap_or_else(|| (1..=dims.N).map(|i| format!("x{i}")).collect()),
            dt: model.dt,
        }
    }

    /// Rows after which the run left all bounds.
    pub fn escaped(&self) -> Option<usize> {
        Some(self.states.nrows()).filter(|&rows| rows < self.asked)
    }
}

/// Data and free run in state space and over time.
pub fn beside_figures(beside: &Beside, smoothing: f64, options: &ReportOptions) -> Result<Vec<Figure>> {
    let mut tracks = Vec::new();
    if let Some(data) = &beside.data {
        tracks.push(Track {
            title: "Data",
            class: "data",
            x: data.view(),
            symbols: None,
        });
    }
    tracks.push(Track {
        title: "Free run of the model",
        class: "c0",
        x: beside.model.view(),
        symbols: None,
    });
    let space = StateSpace {
        name: "attractor",
        tracks,
        behind: None,
        regions: None,
        columns: &beside.columns,
        most: options.steps.min(DRAWN),
        marks: &[],
    };
    let series = Series {
        name: "series",
        data: beside.data.as_ref().map(|d| d.view()),
        model: beside.model.view(),
        columns: &beside.columns,
        dt: beside.dt,
        most: options.steps.min(SERIES),
    };
    let mut figures = vec![state_space(&space)?, time_series(&series)?];
    if let Some(spectra) = spectra(beside, smoothing) {
        figures.push(power_spectra("spectrum", &spectra)?);
    }
    Ok(figures)
}

/// Spectra as D_H compares them, over the rows that both have; the mean over the columns where both have one.
fn spectra(beside: &Beside, smoothing: f64) -> Option<PowerSpectra> {
    let observed = beside.data.as_ref().map_or(usize::MAX, Array2::nrows);
    let rows = observed.min(beside.model.nrows());
    if rows < SHORTEST_SPECTRUM {
        return None;
    }
    let plan = SpectrumPlan::new(&mut RealFftPlanner::new(), rows, smoothing);
    let power = |x: ArrayView2<'_, f64>, j: usize| -> Option<Vec<f64>> {
        let gaps = beside.data.as_ref().map_or_else(Gaps::default, |data| {
            Gaps::of(data.slice(s![..rows, j]).iter().copied())
        });
        let mut values = x.slice(s![..rows, j]).to_vec();
        gaps.fill(&mut values);
        let amplitudes = plan.amplitudes(values)?;
        Some(amplitudes.into_iter().map(|a| a * a).collect())
    };
    let mut model = vec![0.0; rows / 2 + 1];
    let mut data = model.clone();
    let mut columns = 0.0;
    for j in 0..beside.model.ncols() {
        let Some(own) = power(beside.model.view(), j) else {
            continue;
        };
        if let Some(x) = &beside.data {
            let Some(other) = power(x.view(), j) else { continue };
            data.iter_mut().zip(other).for_each(|(sum, v)| *sum += v);
        }
        model.iter_mut().zip(own).for_each(|(sum, v)| *sum += v);
        columns += 1.0;
    }
    if columns == 0.0 {
        return None;
    }
    model.iter_mut().chain(&mut data).for_each(|v| *v /= columns);
    Some(PowerSpectra {
        length: rows,
        data: beside.data.is_some().then_some(data),
        model,
        dt: beside.dt,
        smoothing,
    })
}
