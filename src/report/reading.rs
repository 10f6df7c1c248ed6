//! What the analysis of a model found, as pictures.
#![allow(non_snake_case, reason = "the paper's symbols")]

use ndarray::{Array2, s};

use super::pictures::{
    Coverage, EigenSet, LyapunovBar, Mark, RegionNames, StateSpace, Track, Transitions, coverage,
    eigenvalues, lyapunov, state_space, transition_graph,
};
use super::plot::Figure;
use crate::analysis::{Analysis, FixedPoint, PeriodicOrbit, Region, Sign};
use crate::error::Result;
use crate::model::Scaling;
use crate::text::{shortened, typeset};

/// Exponents drawn, fixed points marked.
const EXPONENTS: usize = 30;
const MARKS: usize = 24;
const DRAWN: usize = 8000;
/// Periodic orbits drawn, and rows of the free run behind them.
const ORBITS: usize = 6;
const BEHIND: usize = 4000;
/// Regions whose virtual fixed points are shown.
const VISITED: usize = 4;
/// Longest code shown whole.
const CODE: usize = 16;

/// Pictures of an analysis: the free run by region, periodic orbits over it, transitions, coverage, eigenvalues of the fixed
/// points, Lyapunov spectrum. What the model does not have (a diverging run, one region only) is left out.
///
/// `scaling` and `columns` are the model's units and the names of the observed dimensions.
pub fn analysis_figures(
    analysis: &Analysis,
    scaling: Option<&Scaling>,
    columns: &[String],
) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    if analysis.regions.is_some() && analysis.states.nrows() > 1 {
        figures.push(regions_figure(analysis, scaling, columns)?);
    }
    figures.extend(orbits_figure(analysis, scaling, columns)?);
    if let Some(graph) = analysis.transitions.as_ref().filter(|g| g.nodes.len() > 1) {
        let graph = Transitions {
            labels: graph.nodes.iter().map(|n| short(&n.label)).collect(),
            share: graph.nodes.iter().map(|n| n.share).collect(),
            probability: graph.probability.clone(),
        };
        figures.push(transition_graph("transitions", &graph)?);
    }
    let sets: Vec<EigenSet> = notable(analysis).filter_map(eigen_set).collect();
    if !sets.is_empty() {
        figures.push(eigenvalues("eigenvalues", &sets)?);
    }
    if let Some(regions) = analysis.regions.as_ref().filter(|r| r.visited > 1) {
        let input = Coverage {
            model: regions.coverage.clone(),
            data: regions.data.as_ref().map(|d| d.coverage.clone()),
            visited: regions.visited,
            possible: regions.possible,
        };
        figures.push(coverage("coverage", &input)?);
    }
    if let Some(l) = &analysis.lyapunov {
        let (values, errors) = l.in_time();
        let bar = |((&exponent, &error), sign): ((&f64, &f64), &Sign)| LyapunovBar {
            exponent,
            error,
            positive: *sign == Sign::Positive,
        };
        let bars = values.iter().zip(errors).zip(&l.signs).map(bar);
        let finite = bars.filter(|bar| bar.exponent.is_finite());
        let bars: Vec<LyapunovBar> = finite.take(EXPONENTS).collect();
        if !bars.is_empty() {
            figures.push(lyapunov("lyapunov", &bars, values.len(), analysis.time_unit())?);
        }
    }
    Ok(figures)
}

/// The free run after its transient, coloured by region, with the fixed points in it.
fn regions_figure(analysis: &Analysis, scaling: Option<&Scaling>, columns: &[String]) -> Result<Figure> {
    let x = Scaling::restored(scaling, analysis.states.slice(s![.., ..analysis.N]).to_owned());
    let regions = analysis.regions.as_ref();
    let list: &[Region] = regions.map_or(&[], |r| &r.list);
    let sequence: &[u32] = regions.map_or(&[], |r| &r.sequence);
    let labels: Vec<String> = list.iter().map(|r| short(&r.code)).collect();
    let share: Vec<f64> = list.iter().map(|r| r.share).collect();
    let marks: Vec<Mark> = notable(analysis)
        .take(MARKS)
        .map(|p| Mark {
            x: p.observed.clone(),
            real: p.real,
            title: format!("fixed point of region {}, {}", short(&p.code), reality(p)),
        })
        .collect();
    state_space(&StateSpace {
        name: "regions",
        tracks: vec![Track {
            title: "Free run by linear region",
            class: "c0",
            x: x.view(),
            symbols: Some(&sequence[..sequence.len().min(x.nrows())]),
        }],
        behind: None,
        regions: Some(RegionNames {
            labels: &labels,
            share: &share,
            total: regions.map_or(0, |r| r.visited),
        }),
        columns,
        most: DRAWN,
        marks: &marks,
    })
}

/// The shortest periodic orbits, each over the free run.
fn orbits_figure(
    analysis: &Analysis,
    scaling: Option<&Scaling>,
    columns: &[String],
) -> Result<Option<Figure>> {
    let orbits = analysis
        .periodic
        .iter()
        .flat_map(|found| &found.orbits)
        .take(ORBITS);
    let restored = |x| Scaling::restored(scaling, x);
    let closed = |orbit: &PeriodicOrbit| {
        let states = &orbit.states;
        let shape = (states.len() + 1, analysis.N);
        let title = match orbit.time {
            Some(time) => format!("{}, period {}", orbit.word, typeset(time, 4)),
            None => format!("{}, period {} steps", orbit.word, typeset(orbit.period, 4)),
        };
        let x = Array2::from_shape_fn(shape, |(t, j)| states[t % states.len()][j]);
        (title, restored(x))
    };
    let drawn: Vec<(String, Array2<f64>)> = orbits.map(closed).collect();
    if drawn.is_empty() {
        return Ok(None);
    }
    let run = restored(analysis.states.slice(s![.., ..analysis.N]).to_owned());
    let track = |(title, x)| Track {
        title,
        class: "c1",
        x,
        symbols: None,
    };
    let tracks = drawn.iter().map(|(title, x)| track((title.as_str(), x.view())));
    let figure = state_space(&StateSpace {
        name: "orbits",
        tracks: tracks.collect(),
        behind: Some(run.view()),
        regions: None,
        columns,
        most: BEHIND,
        marks: &[],
    })?;
    Ok(Some(Figure {
        caption: format!("Periodic orbits over the free run. {}", figure.caption),
        ..figure
    }))
}

/// Real fixed points, and the virtual ones of the most visited regions.
fn notable(analysis: &Analysis) -> impl Iterator<Item = &FixedPoint> {
    let visited = |p: &FixedPoint| p.symbol.is_some_and(|s| (s as usize) < VISITED);
    let points = analysis.fixed_points.points.iter();
    points.filter(move |p| p.real || visited(p))
}

fn eigen_set(point: &FixedPoint) -> Option<EigenSet> {
    let values: Vec<(f64, f64)> = point.stability.eigenvalues.iter().map(|e| (e.re, e.im)).collect();
    let kind = if point.real { "real" } else { "virtual" };
    let label = format!("{} ({kind})", short(&point.code));
    (!values.is_empty()).then_some(EigenSet { label, values })
}

/// Whether a fixed point is one of the model, and where it lies if not.
pub fn reality(point: &FixedPoint) -> String {
    if point.real && point.on_border {
        "real, on a border".into()
    } else if point.real {
        "real".into()
    } else {
        format!("virtual: lies in {}", short(&point.lies_in))
    }
}

/// A code as it is shown.
pub fn short(code: &str) -> String {
    shortened(code, CODE)
}
