//! Pictures of one model beside its data.
#![allow(non_snake_case, reason = "the paper's symbols")]

use ndarray::{Array2, s};

use super::ReportOptions;
use super::observed::{FreeRun, Observed};
use super::pictures::{Series, StateSpace, Track, state_space, time_series};
use super::plot::Figure;
use crate::error::Result;
use crate::model::Model;

/// Rows of a trajectory that one panel can hold before it is a blot.
const DRAWN: usize = 8000;
const SERIES: usize = 1000;

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
        let names = observed.dataset().and_then(|d| d.columns.clone());
        Self {
            data: run.data.clone().map(units),
            model: units(run.states.slice(s![.., ..N]).to_owned()),
            columns: names.unwrap_or_else(|| (1..=N).map(|i| format!("x{i}")).collect()),
            dt: model.dt,
        }
    }
}

/// Data and free run in state space and over time.
pub fn beside_figures(beside: &Beside, options: &ReportOptions) -> Result<Vec<Figure>> {
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
    };
    let series = Series {
        name: "series",
        data: beside.data.as_ref().map(|d| d.view()),
        model: beside.model.view(),
        columns: &beside.columns,
        dt: beside.dt,
        most: options.steps.min(SERIES),
    };
    Ok(vec![state_space(&space)?, time_series(&series)?])
}
