//! The page: numbers and pictures put into the template, which has its words.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use serde::Serialize;

use super::ReportOptions;
use super::plot::Figure;
use super::reading::{reality, short};
use super::study::{ReportedMember, ReportedRun, Threshold};
use super::theme::{Look, color_class, page_rules, page_variables};
use crate::analysis::{Agreement, Analysis, TurnCode};
use crate::error::{Error, Result};
use crate::metrics::Verdict;
use crate::stats::{quantile, wilson};
use crate::text::{large_count, percent, typeset, typeset_count, vector};

const TEMPLATE: &str = include_str!("templates/report.html");
const STYLE: &str = include_str!("templates/report.css");
const SCRIPT: &str = include_str!("templates/report.js");

/// Pictures by section, and what is to be said beside them.
#[derive(Clone, Debug, Default)]
pub struct Sections {
    pub best_id: Option<String>,
    pub best: Vec<Figure>,
    pub analysis: Vec<Figure>,
    pub reading: Option<Analysis>,
    pub training: Vec<Figure>,
    pub study: Vec<Figure>,
    pub agreement: Option<Agreement>,
    /// What `minimal` said, and its pictures.
    pub minimal: Option<String>,
    pub minimal_figures: Vec<Figure>,
    /// Why there are no data to show.
    pub problem: Option<String>,
    /// Rows after which the free run of the best model left all bounds.
    pub escaped: Option<usize>,
}

impl Sections {
    pub fn figures(&self) -> Vec<&Figure> {
        let sections = [
            &self.best,
            &self.analysis,
            &self.training,
            &self.study,
            &self.minimal_figures,
        ];
        sections.into_iter().flatten().collect()
    }
}

/// A picture as the template shows it.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    caption: &'a str,
    /// Several panels side by side take the page's whole width.
    wide: bool,
    panels: Vec<String>,
}

impl<'a> Shown<'a> {
    fn all(figures: &'a [Figure]) -> Value {
        let shown = figures.iter().map(|figure| Self {
            name: &figure.name,
            caption: &figure.caption,
            wide: figure.columns > 1,
            panels: figure.panels.iter().map(|p| p.svg(Look::Inline)).collect(),
        });
        Serde(shown.collect::<Vec<_>>()).into()
    }
}

/// A cell of the table: what is read, and what is sorted by.
#[derive(Serialize)]
struct Cell {
    text: String,
    sort: String,
    number: bool,
}

#[derive(Serialize)]
struct TableRow<'a> {
    id: &'a str,
    best: bool,
    diverged: bool,
    file: Option<String>,
    cells: Vec<Cell>,
}

/// The style sheet, which pages of this program share.
pub fn style() -> String {
    format!("{}\n{}\n{STYLE}", page_variables(), page_rules())
}

/// The report as one HTML document.
pub fn page(study: &ReportedRun, sections: &Sections, options: &ReportOptions) -> Result<String> {
    let failed = |e: minijinja::Error| Error::runtime(format!("cannot fill in the report: {e:#}"));
    let run = &study.run;
    let best = sections.best_id.as_deref();
    let (columns, rows) = table(study, best);
    let scores = study.divergences();
    let values = context! {
        style => style(),
        script => SCRIPT,
        title => title(study),
        settings => Serde(&run.settings),
        record => Serde(&run.record),
        shared => Serde(study.shared()),
        varied => study.varied(),
        d_stsp => study.d_stsp(),
        is_saturated => study.members.iter().any(|m| m.row.standing().saturated),
        members => study.members.len(),
        diverged => study.members.iter().filter(|m| m.row.diverged()).count(),
        verdicts => Verdict::counted(study.members.iter().filter_map(|m| m.row.verdict)),
        quartiles => [0.25, 0.5, 0.75].map(|q| quantile(&scores, q)),
        success => success(study, options),
        best => best,
        best_row => Serde(study.members.iter().find(|m| Some(m.row.id.as_str()) == best).map(|m| &m.row)),
        best_figures => Shown::all(&sections.best),
        analysis_figures => Shown::all(&sections.analysis),
        analysis => Serde(sections.reading.as_ref()),
        words => Serde(sections.reading.as_ref().map(Words::of)),
        training => Shown::all(&sections.training),
        study => Shown::all(&sections.study),
        agreement => sections.agreement.as_ref().map(Agreement::headline),
        agreement_text => sections.agreement.as_ref().map(Agreement::text),
        minimal => sections.minimal.as_deref(),
        minimal_headline => sections.minimal.as_deref().and_then(|text| text.lines().next()),
        minimal_figures => Shown::all(&sections.minimal_figures),
        problem => sections.problem.as_deref(),
        escaped => sections.escaped,
        columns => columns,
        rows => Serde(rows),
        config => run.config.as_str(),
        files => files(study),
    };
    filters()
        .and_then(|environment| environment.get_template("report.html")?.render(values))
        .map_err(failed)
}

/// A template of an HTML page: what is put into it is escaped.
pub fn environment(
    name: &'static str,
    source: &'static str,
) -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let mut syntax = SyntaxConfig::builder();
    environment.set_syntax(syntax.trim_blocks(true).lstrip_blocks(true).build()?);
    environment.add_template(name, source)?;
    Ok(environment)
}

/// The report's template, and how it writes numbers.
fn filters() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = environment("report.html", TEMPLATE)?;
    let or_dash = |value: Option<f64>, text: fn(f64) -> String| value.map_or_else(|| "–".into(), text);
    environment.add_filter("number", |value: Option<f64>, digits: usize| {
        typeset(value.unwrap_or(f64::NAN), digits)
    });
    environment.add_filter("count", typeset_count);
    environment.add_filter("large_count", large_count);
    environment.add_filter("percent", move |share: Option<f64>| {
        or_dash(share, |v| percent(v, 1))
    });
    environment.add_filter("vector", |values: Vec<f64>| vector(&values, |v| typeset(v, 3)));
    environment.add_filter("short", |code: String| short(&code));
    environment.add_filter("color", color_class);
    environment.add_filter("moment", |text: String| moment(&text));
    environment.add_function("duration", |from: String, to: String| duration(&from, &to));
    environment.add_test("finite", |value: Option<f64>| value.is_some_and(f64::is_finite));
    Ok(environment)
}

/// What an analysis says in words.
#[derive(Serialize)]
struct Words {
    /// The terminal's tables, and their first line: what the free run does.
    summary: String,
    behaviour: String,
    /// What exponents and rates are counted per.
    unit: &'static str,
    /// See [`EntropyRates::note`](crate::analysis::EntropyRates::note).
    note: Option<String>,
    points: Vec<PointWords>,
    /// How many of the cycles of each period are stable.
    stable_cycles: Vec<usize>,
    /// What the letters of periodic orbits' words mean.
    letters: Option<String>,
    /// Multiplier and residual of each periodic orbit.
    orbits: Vec<[String; 2]>,
}

/// What is said of a fixed point.
#[derive(Serialize)]
struct PointWords {
    kind: String,
    stability: String,
    /// Largest modulus of its eigenvalues.
    largest: Option<f64>,
    residual: String,
}

impl Words {
    fn of(analysis: &Analysis) -> Self {
        let summary = analysis.summary();
        let points = analysis.fixed_points.points.iter().map(|p| PointWords {
            kind: reality(p),
            stability: p.stability.text(),
            largest: p.stability.eigenvalues.first().map(|e| e.modulus()),
            residual: format!("{:.0e}", p.residual),
        });
        let periodic = analysis.periodic.as_ref();
        let orbits = periodic.into_iter().flat_map(|found| &found.orbits);
        let orbits = orbits.map(|o| [o.multiplier.text(), format!("{:.0e}", o.residual)]);
        Self {
            behaviour: summary.lines().next().unwrap_or_default().to_owned(),
            summary,
            unit: analysis.time_unit(),
            note: analysis.entropy_rates.as_ref().and_then(|rates| rates.note()),
            points: points.collect(),
            stable_cycles: analysis.cycles.iter().map(|c| c.stable()).collect(),
            letters: periodic.and_then(|found| found.code.as_ref().map(TurnCode::sentence)),
            orbits: orbits.collect(),
        }
    }
}

fn title(study: &ReportedRun) -> String {
    let files = &study.run.settings.data;
    let data = files
        .first()
        .map_or("data", |f| f.rsplit(['/', '\\']).next().unwrap_or(f));
    let more = match files.len() {
        0 | 1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    match study.members.len() {
        1 => format!("One model of {data}{more}"),
        n => format!("{n} models of {data}{more}"),
    }
}

/// A time stamp to the second; as it is where it is none.
fn moment(text: &str) -> String {
    match text.parse::<jiff::Timestamp>() {
        Ok(stamp) => stamp.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => text.to_string(),
    }
}

/// `, after 1 h 2 min 3 s`; nothing where the stamps do not tell.
fn duration(started: &str, finished: &str) -> String {
    let [Ok(from), Ok(to)] = [started, finished].map(str::parse::<jiff::Timestamp>) else {
        return String::new();
    };
    let seconds = to.as_second() - from.as_second();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        _ if seconds < 0 => String::new(),
        (0, 0, s) => format!(", after {s} s"),
        (0, m, s) => format!(", after {m} min {s} s"),
        (h, m, _) => format!(", after {h} h {m} min"),
    }
}

/// Success rate of all members, as a sentence.
fn success(study: &ReportedRun, options: &ReportOptions) -> Option<String> {
    let n = study.members.len();
    let threshold = match Threshold::of(&study.run, options.success_factor) {
        Ok(threshold) => threshold,
        Err(why) => return Some(why),
    };
    let k = threshold.met_by(&study.members);
    let (low, high) = wilson(k, n);
    (n > 1).then(|| {
        format!(
            "{k} of {n} models succeed ({:.0} %, 95 % interval {:.0}–{:.0} %). {}",
            100.0 * k as f64 / n as f64,
            100.0 * low,
            100.0 * high,
            threshold.rule
        )
    })
}

/// Column heads and rows of the members' table, best first.
fn table<'a>(study: &'a ReportedRun, best: Option<&str>) -> (Vec<String>, Vec<TableRow<'a>>) {
    let mut columns = study.varied();
    columns.extend([
        "seed",
        "status",
        "best_epoch",
        "D_stsp",
        "D_H",
        "PE",
        "roughness",
        "last_D_stsp",
        "verdict",
    ]);
    let mut members: Vec<&ReportedMember> = study.members.iter().collect();
    members.sort_by(|a, b| a.row.compare(&b.row));
    let rows = members.into_iter().map(|m| {
        let id = m.row.id.as_str();
        TableRow {
            id,
            best: Some(id) == best,
            diverged: m.row.diverged(),
            file: study.run.model(id).map(|_| format!("best/{id}.npz")),
            cells: columns.iter().map(|column| cell(m, column)).collect(),
        }
    });
    let rows = rows.collect();
    let heads = columns.into_iter().map(|column| match column {
        "PE" => format!("PE({})", study.run.settings.pe_steps),
        "D_stsp" => study.d_stsp(),
        "D_H" => column.into(),
        _ => column.replace('_', " "),
    });
    (std::iter::once("model".into()).chain(heads).collect(), rows)
}

fn cell(member: &ReportedMember, column: &str) -> Cell {
    let text = member.text(column);
    let value = text.parse().ok().filter(|value: &f64| value.is_finite());
    let shown = match (column, value) {
        ("status", _) if member.row.diverged() => match member.row.stopped_epoch {
            Some(epoch) => format!("diverged at epoch {epoch}"),
            None => "diverged".into(),
        },
        ("D_stsp", Some(value)) if member.row.standing().saturated => typeset(value, 3) + "*",
        ("D_stsp" | "D_H" | "PE" | "roughness" | "last_D_stsp", Some(value)) => typeset(value, 3),
        (_, None) if text.is_empty() => "–".into(),
        _ => text.into(),
    };
    Cell {
        text: shown,
        sort: text.into(),
        number: value.is_some(),
    }
}

/// Files of the run folder that exist, for the links at the end.
fn files(study: &ReportedRun) -> Vec<(&'static str, &'static str)> {
    [
        ("config.toml", "every setting; repeats the run"),
        ("members.csv", "the table above with all settings"),
        ("log.csv", "loss and scores at every evaluation"),
        ("best/", "models at their best evaluation"),
        ("last/", "models at the last epoch"),
        (
            "plots/",
            "the pictures as SVG and PNG, their numbers as JSON, the trajectories as npz",
        ),
    ]
    .into_iter()
    .filter(|(name, _)| study.run.folder.root().join(name).exists())
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_to_the_second() {
        assert_eq!(
            moment("2026-01-02T10:00:00.294192012Z"),
            "2026-01-02 10:00:00 UTC"
        );
        assert_eq!(moment("yesterday"), "yesterday");
        let from = "2026-01-02T10:00:00Z";
        assert_eq!(duration(from, "2026-01-02T10:04:30Z"), ", after 4 min 30 s");
        assert_eq!(duration(from, "2026-01-02T12:04:30Z"), ", after 2 h 4 min");
        assert_eq!(duration(from, ""), "");
    }
}
