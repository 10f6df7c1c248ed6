//! What the analysis of a model found, as pictures and as rows of tables.
#![allow(non_snake_case, reason = "the paper's symbols")]

use ndarray::s;
use serde::Serialize;

use super::pictures::{
    Coverage, EigenSet, LyapunovBar, Mark, Regions, StateSpace, Track, TransitionGraph, coverage,
    eigenvalues, lyapunov, state_space, transition_graph,
};
use super::plot::Figure;
use super::theme::color_class;
use super::ticks::{count, number};
use crate::analysis::{Analysis, FixedPoint, PeriodSearch, Region, Sign};
use crate::error::Result;
use crate::model::Scaling;

/// Rows of each table, exponents drawn, fixed points marked.
const ROWS: usize = 16;
const EXPONENTS: usize = 30;
const MARKS: usize = 24;
const DRAWN: usize = 8000;
/// Regions whose virtual fixed points are shown.
const VISITED: usize = 4;
/// Longest code shown whole.
const CODE: usize = 16;

/// Pictures of an analysis: the free run by region, transitions, coverage, eigenvalues of the fixed points,
/// Lyapunov spectrum. What the model does not have (a diverging run, one region only) is left out.
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
    if let Some(graph) = analysis.transitions.as_ref().filter(|g| g.nodes.len() > 1) {
        let graph = TransitionGraph {
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
        let values = l.per_time.as_ref().unwrap_or(&l.spectrum);
        let errors = l.per_time_error.as_ref().unwrap_or(&l.error);
        let bars: Vec<LyapunovBar> = values
            .iter()
            .zip(errors)
            .zip(&l.signs)
            .map(|((&exponent, &error), &sign)| LyapunovBar {
                exponent,
                error,
                positive: sign == Sign::Positive,
            })
            .filter(|bar| bar.exponent.is_finite())
            .take(EXPONENTS)
            .collect();
        if !bars.is_empty() {
            figures.push(lyapunov("lyapunov", &bars, values.len(), time_unit(analysis))?);
        }
    }
    Ok(figures)
}

fn time_unit(analysis: &Analysis) -> &'static str {
    let per_time = analysis.lyapunov.as_ref().is_some_and(|l| l.per_time.is_some());
    if per_time { "unit of time" } else { "step" }
}

/// The free run after its transient, coloured by region, with the fixed points in it.
fn regions_figure(analysis: &Analysis, scaling: Option<&Scaling>, columns: &[String]) -> Result<Figure> {
    let mut x = analysis.states.slice(s![.., ..analysis.N]).to_owned();
    if let Some(scaling) = scaling {
        scaling.restore(&mut x);
    }
    let list: &[Region] = analysis.regions.as_ref().map_or(&[], |r| &r.list);
    let sequence: &[u32] = analysis.regions.as_ref().map_or(&[], |r| &r.sequence);
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
        regions: Some(Regions {
            labels: &labels,
            share: &share,
            total: analysis.regions.as_ref().map_or(0, |r| r.visited),
        }),
        columns,
        most: DRAWN,
        marks: &marks,
    })
}

/// Real fixed points, and the virtual ones of the most visited regions.
fn notable(analysis: &Analysis) -> impl Iterator<Item = &FixedPoint> {
    let visited = |p: &FixedPoint| p.symbol.is_some_and(|s| (s as usize) < VISITED);
    analysis
        .fixed_points
        .points
        .iter()
        .filter(move |p| p.real || visited(p))
}

fn eigen_set(point: &FixedPoint) -> Option<EigenSet> {
    let values: Vec<(f64, f64)> = point.stability.eigenvalues.iter().map(|e| (e.re, e.im)).collect();
    let label = format!(
        "{} ({})",
        short(&point.code),
        if point.real { "real" } else { "virtual" }
    );
    (!values.is_empty()).then_some(EigenSet { label, values })
}

fn reality(point: &FixedPoint) -> String {
    if point.real && point.on_border {
        "real, on a border".into()
    } else if point.real {
        "real".into()
    } else {
        format!("virtual: lies in {}", short(&point.lies_in))
    }
}

/// A long code's beginning and end (codes are ASCII).
fn short(code: &str) -> String {
    if code.len() <= CODE {
        return code.to_string();
    }
    format!("{}…{}", &code[..CODE / 2 - 1], &code[code.len() - CODE / 2 + 1..])
}

fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.0005 {
        "<0.1 %".into()
    } else {
        format!("{:.1} %", 100.0 * share)
    }
}

/// `(1.23, −4.56, …)`, at most four values.
fn place(values: &[f64]) -> String {
    let shown: Vec<String> = values.iter().take(4).map(|v| number(*v, 3)).collect();
    let more = if values.len() > 4 { ", …" } else { "" };
    format!("({}{more})", shown.join(", "))
}

/// A table of the page: heads and rows, the class of a row's swatch (empty for none), whether it is greyed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TableView {
    pub id: String,
    pub title: String,
    pub note: String,
    pub heads: Vec<&'static str>,
    pub rows: Vec<RowView>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct RowView {
    pub swatch: String,
    pub faint: bool,
    pub cells: Vec<String>,
}

/// What the page says about the analysed model.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Reading {
    /// What the free run does.
    pub behaviour: String,
    /// Name, value.
    pub facts: Vec<(String, String)>,
    pub tables: Vec<TableView>,
    /// The terminal's tables.
    pub text: String,
}

pub fn reading(analysis: &Analysis) -> Reading {
    let text = analysis.summary();
    let headline = text.lines().next().unwrap_or_default().to_string();
    let tables = [
        region_table(analysis),
        fixed_point_table(analysis),
        cycle_table(analysis),
    ];
    Reading {
        behaviour: headline,
        facts: facts(analysis),
        tables: tables.into_iter().flatten().collect(),
        text,
    }
}

fn facts(analysis: &Analysis) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let unit = time_unit(analysis);
    if let Some(l) = &analysis.lyapunov {
        let value = l
            .per_time
            .as_ref()
            .unwrap_or(&l.spectrum)
            .first()
            .copied()
            .unwrap_or(f64::NAN);
        let error = l
            .per_time_error
            .as_ref()
            .unwrap_or(&l.error)
            .first()
            .copied()
            .unwrap_or(f64::NAN);
        let text = format!("{} ± {} nats per {unit}", number(value, 3), number(error, 2));
        facts.push(("Largest Lyapunov exponent".to_string(), text));
        facts.push(("Kaplan–Yorke dimension".to_string(), number(l.kaplan_yorke, 4)));
        let per = if l.per_time.is_some() {
            analysis.settings.dt.unwrap_or(1.0)
        } else {
            1.0
        };
        let positive = format!("{} nats per {unit}", number(l.positive_sum / per, 3));
        facts.push(("Sum of positive exponents".to_string(), positive));
        let rates = analysis.entropy_rates.as_ref();
        for (name, rate) in [
            ("Entropy rate of the symbols", rates.and_then(|r| r.symbols)),
            ("Entropy rate of region changes", rates.and_then(|r| r.changes)),
        ] {
            if let Some(rate) = rate {
                let (value, error) = (number(rate.value / per, 3), number(rate.error / per, 2));
                facts.push((name.to_string(), format!("{value} ± {error} nats per {unit}")));
            }
        }
    }
    if let Some(note) = analysis.entropy_rates.as_ref().and_then(|r| r.note()) {
        facts.push(("Symbols above the exponents".to_string(), format!("{note}.")));
    }
    if let Some(symbols) = analysis
        .symbols
        .as_ref()
        .filter(|s| s.alphabet > 1 && s.forbidden_count > 0)
    {
        facts.push(("Forbidden words".to_string(), count(symbols.forbidden_count)));
    }
    facts
}

fn region_table(analysis: &Analysis) -> Option<TableView> {
    let regions = analysis.regions.as_ref()?;
    let rows = regions.list.iter().take(ROWS).map(|r| RowView {
        swatch: color_class(r.index),
        faint: false,
        cells: vec![
            r.index.to_string(),
            short(&r.code),
            percent(r.share),
            r.data_share.map_or("–".into(), percent),
            r.dwell.mean.map_or("–".into(), |m| number(m, 3)),
            count(r.dwell.max),
            place(&r.mean),
        ],
    });
    let possible = if regions.possible < 1e6 {
        format!("{:.0}", regions.possible)
    } else {
        number(regions.possible, 2)
    };
    let more = regions.visited.saturating_sub(ROWS);
    let more = if more > 0 {
        format!(" The {} rarest are not listed.", count(more))
    } else {
        String::new()
    };
    let data = regions.data.as_ref().map_or(String::new(), |d| {
        format!(
            " Driven through the data, the model passes {} regions; {} of the rows lie in visited ones.",
            count(d.visited),
            percent(d.share_in_free_run)
        )
    });
    Some(TableView {
        id: "regions-table".into(),
        title: "Linear regions".into(),
        note: format!(
            "{} of {possible} possible regions are visited in {} steps of the free run (the first {} dropped). A code has one digit for each ReLU unit, 1 where it is on.{data}{more}",
            count(regions.visited),
            count(regions.steps),
            count(regions.transient)
        ),
        heads: vec![
            "symbol",
            "code",
            "share",
            "share of data",
            "mean stay",
            "longest",
            "centre",
        ],
        rows: rows.collect(),
    })
}

fn fixed_point_table(analysis: &Analysis) -> Option<TableView> {
    let found = &analysis.fixed_points;
    if found.points.is_empty() && found.degenerate.is_empty() {
        return None;
    }
    let rows = found.points.iter().take(ROWS).map(|p| {
        let largest = p
            .stability
            .eigenvalues
            .first()
            .map_or("–".into(), |e| number(e.modulus(), 5));
        RowView {
            swatch: p.symbol.map_or(String::new(), |s| color_class(s as usize)),
            faint: !p.real,
            cells: vec![
                short(&p.code),
                reality(p),
                place(&p.observed),
                p.stability.text(),
                largest,
                format!("{:.0e}", p.residual),
            ],
        }
    });
    let whole = if found.complete {
        "all regions were solved, there are no others"
    } else {
        "a search: there may be more"
    };
    let singular = match found.degenerate.len() {
        0 => String::new(),
        n => format!(" In {n} the equation is singular: no isolated fixed point there."),
    };
    Some(TableView {
        id: "fixed-points-table".into(),
        title: "Fixed points".into(),
        note: format!(
            "{} real in {} regions solved ({whole}). A virtual one lies outside its own region and still shapes the flow inside.{singular}",
            count(found.real),
            count(found.solved)
        ),
        heads: vec![
            "region",
            "kind",
            "location",
            "stability",
            "largest |λ|",
            "residual",
        ],
        rows: rows.collect(),
    })
}

fn cycle_table(analysis: &Analysis) -> Option<TableView> {
    let found: Vec<&PeriodSearch> = analysis.cycles.iter().collect();
    if found.is_empty() {
        return None;
    }
    let rows = found.iter().map(|c| {
        let stable = c.cycles.iter().filter(|c| c.stability.is_stable()).count();
        let visited = c.cycles.iter().filter(|c| c.word_visited).count();
        RowView {
            swatch: String::new(),
            faint: c.found == 0,
            cells: vec![
                c.period.to_string(),
                count(c.found),
                count(stable),
                count(visited),
                count(c.solved),
                if c.complete {
                    "all words".into()
                } else {
                    "search".into()
                },
            ],
        }
    });
    Some(TableView {
        id: "cycles-table".into(),
        title: "Cycles".into(),
        note: "Exact cycles of the map by their period in steps; \u{201c}spelt\u{201d} are those whose word occurs in the free run.".into(),
        heads: vec!["period", "found", "stable", "spelt", "words solved", "search"],
        rows: rows.collect(),
    })
}
