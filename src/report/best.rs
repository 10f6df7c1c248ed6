//! Pictures of one model beside its data.
#![allow(non_snake_case, reason = "the paper's symbols")]

use ndarray::{Array2, ArrayView2, s};
use realfft::RealFftPlanner;

use super::ReportOptions;
use super::observed::{FreeRun, Observed};
use super::pictures::{PowerSpectra, Series, StateSpace, Track, power_spectra, state_space, time_series};
use super::plot::Figure;
use crate::error::Result;
use crate::metrics::{Gaps, SpectrumPlan};
use crate::model::Model;

/// Rows of a trajectory that one panel can hold before it is a blot.
const DRAWN: usize = 8000;
const SERIES: usize = 1000;
/// Rows below which a spectrum says nothing.
const SHORTEST_SPECTRUM: usize = 16;

/// Free run of a model in the user's units, beside the data.
#[derive(Clone, Debug)]
pub struct Beside {
    /// `[rows, N]`.
    pub data: Option<Array2<f64>>,
    pub model: Array2<f64>,
    pub columns: Vec<String>,
    pub dt: Option<f64>,
}

impl Beside {
    pub fn new(model: &Model, observed: &Observed, run: &FreeRun) -> Self {
        let N = model.theta.dims().N;
        let units = |mut x: Array2<f64>| {
            if let Some(scaling) = &model.scaling {
                scaling.restore(&mut x);
            }
            x
        };
        let names = observed.dataset().map_or(&model.columns, |d| &d.columns).clone();
        Self {
            data: run.data.clone().map(units),
            model: units(run.states.slice(s![.., ..N]).to_owned()),
            columns: names.unwrap_or_else(|| (1..=N).map(|i| format!("x{i}")).collect()),
            dt: model.dt,
        }
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
    let rows = beside
        .data
        .as_ref()
        .map_or(usize::MAX, Array2::nrows)
        .min(beside.model.nrows());
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
