//! Comparison of the members of a study by one of the settings that vary.

use serde::Serialize;

use crate::error::Result;
use crate::report::plot::{Axis, Figure, Key, Plot};
use crate::report::svg::Anchor;
use crate::stats::{quantile, wilson};
use crate::text::typeset;

/// Members grouped by the value of one setting.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Groups {
    /// Name of the setting, for example `P`.
    pub setting: String,
    /// Its values in order.
    pub names: Vec<String>,
    /// One value a member; NaN where it has none.
    pub values: Vec<Vec<f64>>,
}

/// A level that values are held against: its value (NaN for none) and name, for example `noise floor`.
pub type Level<'a> = (f64, &'a str);

/// A metric of every member over the values of a setting: points, median and quartiles, a level.
pub fn metric_by_setting(
    name: &str,
    title: &str,
    metric: &str,
    groups: &Groups,
    level: Level<'_>,
) -> Result<Figure> {
    let all = groups.values.iter().flatten().copied();
    let y = Axis::log(metric, all.chain(std::iter::once(level.0)));
    by_setting(name, title, groups, y, level)
}

/// Linear regions visited by every member over the values of a setting.
pub fn regions_by_setting(name: &str, groups: &Groups) -> Result<Figure> {
    let all = groups.values.iter().flatten().copied().filter(|v| v.is_finite());
    let most = all.clone().fold(1.0, f64::max);
    let y = if most > 40.0 {
        Axis::log("regions visited", all.chain(std::iter::once(1.0)))
    } else {
        Axis::exact("regions visited", (0.0, 1.08 * most)).whole()
    };
    by_setting(name, "Linear regions visited", groups, y, (f64::NAN, ""))
}

fn by_setting(name: &str, title: &str, groups: &Groups, y: Axis, (level, what): Level<'_>) -> Result<Figure> {
    let keys: Vec<Key> = level
        .is_finite()
        .then(|| Key::dashed("ink", what))
        .into_iter()
        .collect();
    let mut plot = Plot::new(title, Axis::categories(&groups.setting, &groups.names), y, &keys);
    let mut missing = 0;
    for (g, values) in groups.values.iter().enumerate() {
        let x = g as f64;
        missing += values.iter().filter(|v| !v.is_finite()).count();
        let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        let points = finite.iter().enumerate().map(|(i, &v)| (x + spread(i), v));
        let points: Vec<(f64, f64)> = points.collect();
        plot.scatter("c0", &points, 5.0, 0.55);
        if finite.len() >= 3 {
            let [low, middle, high] = [0.25, 0.5, 0.75].map(|q| quantile(&finite, q));
            plot.line("ink", &[(x - 0.28, low), (x - 0.28, high)], 1.6, 1.0);
            plot.line("c1", &[(x - 0.34, middle), (x - 0.22, middle)], 3.6, 1.0);
        }
    }
    plot.level("ink", level);
    let none = match missing {
        0 => String::new(),
        1 => " One member without a value is not drawn.".into(),
        n => format!(" {n} members without a value are not drawn."),
    };
    let each = if groups.setting.is_empty() {
        String::new()
    } else {
        format!(" for each {}", groups.setting)
    };
    let caption = format!("Every member (blue), median (orange) and quartiles (line){each}.{none}");
    Figure::new(name, caption, vec![plot.finish()], groups)
}

/// Sideways offset of the i-th point: the golden ratio's multiples fill an interval evenly without a pattern.
fn spread(i: usize) -> f64 {
    ((i as f64 + 0.5) * 0.618_033_988_749_895).fract() * 0.46 - 0.14
}

/// Members that met a threshold.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Success {
    pub setting: String,
    pub names: Vec<String>,
    /// (successes, members) for each value; a diverged member is no success.
    pub counts: Vec<(usize, usize)>,
    /// What counts as success, as a sentence.
    pub rule: String,
}

/// Share of members that reached the threshold, with Wilson's 95 % interval.
pub fn success_by_setting(name: &str, input: &Success) -> Result<Figure> {
    let mut plot = Plot::new(
        "Success rate",
        Axis::categories(&input.setting, &input.names),
        Axis::exact("share of members", (-0.03, 1.03)),
        &[],
    );
    for (g, &(k, n)) in input.counts.iter().enumerate() {
        let x = g as f64;
        let (low, high) = wilson(k, n);
        plot.line("c0", &[(x, low), (x, high)], 1.8, 0.9);
        for end in [low, high] {
            let (cx, cy) = plot.at(x, end);
            plot.panel.line("c0", (cx - 5.0, cy), (cx + 5.0, cy), 1.8);
        }
        let rate = k as f64 / n.max(1) as f64;
        let at = plot.at(x, rate);
        let title = format!("{k} of {n}: {}", typeset(rate, 3));
        plot.panel.disc("c0", at, 4.6, 1.0, Some(&title));
        if input.counts.len() <= 12 {
            let (beside, text) = ((at.0 + 9.0, at.1 + 4.0), format!("{k}/{n}"));
            plot.panel.text("muted n", beside, Anchor::Start, &text);
        }
    }
    let caption = format!("{} Bars: Wilson's 95 % interval.", input.rule);
    Figure::new(name, caption, vec![plot.finish()], input)
}
