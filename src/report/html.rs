//! The page: numbers and pictures put into the template.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;

use super::ReportOptions;
use super::compare::Threshold;
use super::folder::{MemberRecord, Run};
use super::plot::Figure;
use super::reading::Reading;
use super::stats::{quantile, wilson};
use super::theme::{Look, page_rules, page_variables};
use super::ticks::{count, number};
use crate::error::{Error, Result};

const TEMPLATE: &str = include_str!("templates/report.html");
const STYLE: &str = include_str!("templates/report.css");
const SCRIPT: &str = include_str!("templates/report.js");

/// What is to be said of a saturated D_stsp.
const SATURATED: &str =
    "no better than a run that shares nothing with the data: it does not tell models apart";

/// Pictures by section, and what is to be said beside them.
#[derive(Clone, Debug, Default)]
pub struct Sections {
    pub best_id: Option<String>,
    pub best: Vec<Figure>,
    pub analysis: Vec<Figure>,
    pub reading: Option<Reading>,
    pub training: Vec<Figure>,
    pub study: Vec<Figure>,
    /// Why there are no data to show.
    pub problem: Option<String>,
    /// Rows after which the free run of the best model left all bounds.
    pub escaped: Option<usize>,
}

impl Sections {
    pub fn figures(&self) -> Vec<&Figure> {
        self.best
            .iter()
            .chain(&self.analysis)
            .chain(&self.training)
            .chain(&self.study)
            .collect()
    }
}

/// A picture as the template shows it.
#[derive(Serialize)]
struct Shown {
    name: String,
    caption: String,
    /// Several panels side by side take the page's whole width.
    wide: bool,
    panels: Vec<String>,
}

impl Shown {
    fn of(figure: &Figure) -> Self {
        Self {
            name: figure.name.clone(),
            caption: figure.caption.clone(),
            wide: figure.columns > 1,
            panels: figure.panels.iter().map(|p| p.svg(Look::Inline)).collect(),
        }
    }
}

/// A fact about the run: name, value, what the pointer shows.
#[derive(Serialize)]
struct Fact {
    name: String,
    value: String,
    more: String,
}

/// A cell of the table: what is read, and what is sorted by.
#[derive(Serialize)]
struct Cell {
    text: String,
    sort: String,
    number: bool,
}

#[derive(Serialize)]
struct Row {
    id: String,
    best: bool,
    diverged: bool,
    file: Option<String>,
    cells: Vec<Cell>,
}

/// The report as one HTML document.
pub fn page(run: &Run, sections: &Sections, options: &ReportOptions) -> Result<String> {
    let failed = |e: minijinja::Error| Error::runtime(format!("cannot fill in the report: {e:#}"));
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .map_err(failed)?;
    environment.set_syntax(syntax);
    environment
        .add_template("report.html", TEMPLATE)
        .map_err(failed)?;
    let shown = |figures: &[Figure]| -> Vec<Shown> { figures.iter().map(Shown::of).collect() };
    let (columns, rows) = table(run, sections.best_id.as_deref());
    let diverged = run.members.iter().filter(|m| m.diverged()).count();
    let values = context! {
        style => format!("{}\n{}\n{STYLE}", page_variables(), page_rules()),
        script => SCRIPT,
        title => title(run),
        data => run.files("data").join(", "),
        headline => Serde(headline(run, sections)),
        facts => Serde(facts(run)),
        shared => Serde(run.shared()),
        varied => run.varied(),
        d_stsp => run.d_stsp(),
        saturated => run.members.iter().any(|m| m.standing().saturated).then_some(SATURATED),
        constant => run.record_text("constant-columns"),
        members => count(run.members.len()),
        diverged => diverged,
        floor => Serde(floor(run)),
        success => success(run, options),
        best => sections.best_id.clone(),
        best_figures => Serde(shown(&sections.best)),
        analysis => Serde(shown(&sections.analysis)),
        reading => Serde(sections.reading.as_ref()),
        training => Serde(shown(&sections.training)),
        study => Serde(shown(&sections.study)),
        problem => sections.problem.clone(),
        escaped => sections.escaped.map(count),
        columns => columns,
        rows => Serde(rows),
        pe_steps => run.setting("pe-steps"),
        config => run.config_text.as_str(),
        files => Serde(files(run)),
        version => run.record_text("version"),
    };
    environment
        .get_template("report.html")
        .and_then(|t| t.render(values))
        .map_err(failed)
}

fn title(run: &Run) -> String {
    let files = run.files("data");
    let data = files
        .first()
        .map_or("data", |f| f.rsplit(['/', '\\']).next().unwrap_or(f));
    let more = if files.len() > 1 {
        format!(" and {} more", files.len() - 1)
    } else {
        String::new()
    };
    match run.members.len() {
        1 => format!("One model of {data}{more}"),
        n => format!("{n} models of {data}{more}"),
    }
}

/// The few numbers to see first.
fn headline(run: &Run, sections: &Sections) -> Vec<Fact> {
    let mut facts = Vec::new();
    let floor = run.noise_floor();
    let mut fact = |name: &str, value: String, more: String| {
        facts.push(Fact {
            name: name.into(),
            value,
            more,
        });
    };
    if let Some(best) = run
        .members
        .iter()
        .find(|m| Some(m.id()) == sections.best_id.as_deref())
    {
        for (column, name, floor) in [("D_stsp", "best D_stsp", floor.0), ("D_H", "its D_H", floor.1)] {
            let value = best.number(column);
            let ratio = value / floor;
            let more = if ratio.is_finite() {
                format!("{} × the noise floor {}", number(ratio, 2), number(floor, 3))
            } else {
                "no noise floor to compare with".into()
            };
            let saturated = column == "D_stsp" && best.standing().saturated;
            let more = if saturated { SATURATED.into() } else { more };
            fact(name, number(value, 3), more);
        }
        let roughness = best.number("roughness");
        if !roughness.is_nan() {
            fact(
                "its roughness",
                number(roughness, 3),
                "1 is as smooth as the data".into(),
            );
        }
    }
    let scores: Vec<f64> = run.members.iter().map(|m| m.number("D_stsp")).collect();
    if run.members.len() > 1 {
        fact(
            "median D_stsp",
            number(quantile(&scores, 0.5), 3),
            format!(
                "quartiles {} and {}",
                number(quantile(&scores, 0.25), 3),
                number(quantile(&scores, 0.75), 3)
            ),
        );
    }
    let diverged = run.members.iter().filter(|m| m.diverged()).count();
    let members = if diverged == 0 {
        "none diverged".into()
    } else {
        format!("{diverged} diverged")
    };
    fact(
        if run.members.len() == 1 { "model" } else { "models" },
        count(run.members.len()),
        members,
    );
    facts
}

fn facts(run: &Run) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String, more: &str| {
        if !value.is_empty() {
            facts.push(Fact {
                name: name.into(),
                value,
                more: more.into(),
            });
        }
    };
    fact("Data", run.files("data").join(", "), "");
    fact("Inputs", run.files("inputs").join(", "), "");
    fact("Scored on", run.files("test").join(", "), "");
    let number_of = |key: &str| run.record(key).and_then(toml::Value::as_integer).unwrap_or(0) as usize;
    let (rows, trials) = (number_of("data.rows"), number_of("data.trials"));
    let columns = number_of("data.N").max(number_of("N"));
    if rows > 0 {
        let trials = if trials > 1 {
            format!(" in {trials} trials")
        } else {
            String::new()
        };
        let columns = if columns > 0 {
            format!(" × {columns} columns")
        } else {
            String::new()
        };
        fact("Size", format!("{} rows{columns}{trials}", count(rows)), "");
    }
    let hash = run.record_text("data.hash");
    let short: String = hash.chars().take(16).collect();
    let cut = if short.len() < hash.len() { "…" } else { "" };
    fact("Hash of the values", format!("{short}{cut}"), &hash);
    fact("Device", run.record_text("device"), "");
    fact("Program", program(run), "");
    let (started, finished) = (run.record_text("started"), run.record_text("finished"));
    fact("Started", moment(&started), &started);
    let took = duration(&started, &finished);
    let finished = if finished.is_empty() {
        "not finished".into()
    } else {
        moment(&finished) + &took
    };
    fact("Finished", finished, "");
    fact("Epochs", run.setting("epochs"), "");
    fact("Command", run.record_text("command"), "");
    facts
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
    let (Ok(from), Ok(to)) = (
        started.parse::<jiff::Timestamp>(),
        finished.parse::<jiff::Timestamp>(),
    ) else {
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

fn program(run: &Run) -> String {
    let version = run.record_text("version");
    if version.is_empty() {
        String::new()
    } else {
        format!("alrnn-gpu {}", version.trim_start_matches("alrnn-gpu "))
    }
}

/// The noise floors as text; nothing where there are none.
fn floor(run: &Run) -> Option<(String, String)> {
    let (d_stsp, d_h) = run.noise_floor();
    (d_stsp.is_finite() || d_h.is_finite()).then(|| (number(d_stsp, 3), number(d_h, 3)))
}

/// Success rate of all members, as a sentence.
fn success(run: &Run, options: &ReportOptions) -> Option<String> {
    let n = run.members.len();
    let threshold = match Threshold::of(run, options.success_factor) {
        Ok(threshold) => threshold,
        Err(why) => return Some(why),
    };
    let k = run.members.iter().filter(|m| threshold.met_by(m)).count();
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
fn table(run: &Run, best: Option<&str>) -> (Vec<String>, Vec<Row>) {
    let mut columns = vec!["model".to_string()];
    columns.extend(run.varied().into_iter().map(String::from));
    columns.extend(["seed", "status", "best_epoch", "D_stsp", "D_H", "PE", "roughness"].map(String::from));
    let mut members: Vec<&MemberRecord> = run.members.iter().collect();
    members.sort_by(|a, b| {
        let by_score = a.standing().compare(&b.standing());
        by_score.then(a.diverged().cmp(&b.diverged()))
    });
    let rows = members
        .into_iter()
        .map(|m| Row {
            id: m.id().to_string(),
            best: Some(m.id()) == best,
            diverged: m.diverged(),
            file: run
                .model_path(m.id())
                .is_file()
                .then(|| format!("best/{}.npz", m.id())),
            cells: columns[1..].iter().map(|column| cell(m, column)).collect(),
        })
        .collect();
    let heads = columns
        .into_iter()
        .map(|c| match c.as_str() {
            "best_epoch" => "best epoch".to_string(),
            "PE" => match run.setting("pe-steps").as_str() {
                "" => "PE".into(),
                n => format!("PE({n})"),
            },
            "D_stsp" => run.d_stsp(),
            _ => c.replace('_', if c.starts_with("D_") { "_" } else { " " }),
        })
        .collect();
    (heads, rows)
}

fn cell(member: &MemberRecord, column: &str) -> Cell {
    let text = member.text(column);
    if column == "status" && member.diverged() {
        let epoch = member.text("stopped_epoch");
        let when = if epoch.is_empty() {
            String::new()
        } else {
            format!(" at epoch {epoch}")
        };
        return Cell {
            text: format!("diverged{when}"),
            sort: text.into(),
            number: false,
        };
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Cell {
            text: if matches!(column, "D_stsp" | "D_H" | "PE" | "roughness") {
                let star = column == "D_stsp" && member.standing().saturated;
                number(value, 3) + if star { "*" } else { "" }
            } else {
                text.into()
            },
            sort: text.into(),
            number: true,
        },
        _ => Cell {
            text: if text.is_empty() {
                "–".into()
            } else {
                text.into()
            },
            sort: if text.eq_ignore_ascii_case("nan") {
                String::new()
            } else {
                text.into()
            },
            number: false,
        },
    }
}

/// Files of the run folder that exist, for the links at the end.
fn files(run: &Run) -> Vec<(&'static str, &'static str)> {
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
    .filter(|(name, _)| run.root.join(name).exists())
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
