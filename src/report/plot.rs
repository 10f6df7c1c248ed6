//! The drawing layer: a [`Plot`] is one pair of axes, a [`Panel`] one finished drawing, a [`Figure`] the panels
//! that belong together, with the numbers they show.

use serde::Serialize;
use serde_json::Value;

pub use super::svg::Panel;
use super::svg::{Anchor, document, dots, polyline};
use super::theme::Look;
use super::thin::{offset_digits, simplify};
use super::ticks::{linear_ticks, log_label, log_ticks};
use crate::error::{Error, Result};
use crate::text::typeset;

/// Lines are simplified to this many pixels.
pub const TOLERANCE: f64 = 0.25;

/// Size of a panel: two fit a desktop page side by side, one fits a phone with readable text.
pub const PANEL: (f64, f64) = (480.0, 360.0);

/// A picture of one or more panels, and what it shows as numbers.
#[derive(Clone, Debug)]
pub struct Figure {
    /// File stem under `plots/`.
    pub name: String,
    /// What is seen, how it was thinned, and what it was made from.
    pub caption: String,
    pub panels: Vec<Panel>,
    /// Panels beside each other.
    pub columns: usize,
    /// Everything drawn.
    pub data: Value,
}

impl Figure {
    /// # Errors
    /// When `data` cannot be written as JSON.
    pub fn new(
        name: &str,
        caption: impl Into<String>,
        panels: Vec<Panel>,
        data: &impl Serialize,
    ) -> Result<Self> {
        let data = serde_json::to_value(data)
            .map_err(|e| Error::runtime(format!("cannot write the numbers of picture {name}: {e}")))?;
        Ok(Self {
            name: name.into(),
            caption: caption.into(),
            columns: match panels.len() {
                4 => 2,
                panels => panels.clamp(1, 3),
            },
            panels,
            data,
        })
    }

    /// All panels in one document.
    pub fn svg(&self, look: Look) -> String {
        let cell = self
            .panels
            .iter()
            .fold((0.0f64, 0.0f64), |c, p| (c.0.max(p.size.0), c.1.max(p.size.1)));
        let rows = self.panels.len().div_ceil(self.columns);
        let size = (cell.0 * self.columns as f64, cell.1 * rows as f64);
        let mut body = String::new();
        for (i, panel) in self.panels.iter().enumerate() {
            let (column, row) = ((i % self.columns) as f64, (i / self.columns) as f64);
            let (x, y) = (column * cell.0, row * cell.1);
            body += &format!("<g transform=\"translate({x} {y})\">{}</g>", panel.body);
        }
        document(look, size, &self.caption, &body)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    Linear,
    Log,
}

/// One axis: what it measures, from where to where.
#[derive(Clone, Debug)]
pub struct Axis {
    pub label: String,
    pub scale: Scale,
    pub range: (f64, f64),
    /// Marks with their texts in the place of round numbers.
    pub marks: Option<Vec<(f64, String)>>,
}

impl Axis {
    /// A linear axis that holds the finite ones of `values`, with a little room around.
    pub fn linear(label: impl Into<String>, values: impl Iterator<Item = f64>) -> Self {
        let (lo, hi) = extent(values.filter(|v| v.is_finite())).unwrap_or((0.0, 1.0));
        let room = if hi > lo {
            0.04 * (hi - lo)
        } else {
            0.5 * lo.abs().max(1.0)
        };
        Self::exact(label, (lo - room, hi + room))
    }

    /// A linear axis from exactly here to there.
    pub fn exact(label: impl Into<String>, range: (f64, f64)) -> Self {
        Self {
            label: label.into(),
            scale: Scale::Linear,
            range,
            marks: None,
        }
    }

    /// A logarithmic axis that holds the positive ones of `values`; linear where there are none.
    pub fn log(label: impl Into<String>, values: impl Iterator<Item = f64>) -> Self {
        match extent(values.filter(|v| v.is_finite() && *v > 0.0)) {
            Some((lo, hi)) => {
                let room = (hi / lo).powf(0.05).max(1.08);
                Self {
                    scale: Scale::Log,
                    ..Self::exact(label, (lo / room, hi * room))
                }
            }
            None => Self::exact(label, (0.0, 1.0)),
        }
    }

    /// Marks at whole numbers only.
    pub fn whole(mut self) -> Self {
        let (lo, hi) = self.range;
        let marks = linear_ticks(lo, hi, 7)
            .into_iter()
            .filter(|v| (v - v.round()).abs() < 1e-9);
        self.marks = Some(marks.map(|v| (v, typeset(v, 5))).collect());
        self
    }

    /// An axis of named places 0, 1, 2, …
    pub fn categories(label: impl Into<String>, names: &[String]) -> Self {
        let places = names.iter().enumerate().map(|(i, n)| (i as f64, n.clone()));
        Self {
            marks: Some(places.collect()),
            ..Self::exact(label, (-0.5, names.len() as f64 - 0.5))
        }
    }

    fn fraction(&self, value: f64) -> f64 {
        let (lo, hi) = self.range;
        match self.scale {
            Scale::Linear => (value - lo) / (hi - lo),
            Scale::Log if value > 0.0 => (value / lo).ln() / (hi / lo).ln(),
            Scale::Log => f64::NAN,
        }
    }

    fn ticks(&self, target: usize) -> Vec<(f64, String)> {
        if let Some(marks) = &self.marks {
            return marks.clone();
        }
        let (lo, hi) = self.range;
        match self.scale {
            Scale::Linear => {
                // Neighbouring marks must not read alike beside a large offset.
                let digits = 3 + offset_digits(lo.abs().max(hi.abs()), hi - lo);
                let zero = |v: f64| if v.abs() < 1e-12 * (hi - lo) { 0.0 } else { v };
                let ticks = linear_ticks(lo, hi, target).into_iter();
                ticks.map(|v| (v, typeset(zero(v), digits.max(5)))).collect()
            }
            Scale::Log => log_ticks(lo, hi, target)
                .into_iter()
                .map(|v| (v, log_label(v)))
                .collect(),
        }
    }
}

/// Smallest and largest of finite values.
pub fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, v| match range {
        None => Some((v, v)),
        Some((lo, hi)) => Some((v.min(lo), v.max(hi))),
    })
}

/// An entry of a legend: class of its colour, whether it is dashed, text.
#[derive(Clone, Debug)]
pub struct Key {
    pub class: String,
    pub dashed: bool,
    pub text: String,
}

impl Key {
    pub fn new(class: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            class: class.into(),
            dashed: false,
            text: text.into(),
        }
    }

    pub fn dashed(class: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            dashed: true,
            ..Self::new(class, text)
        }
    }

    /// For pictures of a free run, and of data where there are some.
    pub fn beside(has_data: bool) -> Vec<Self> {
        let mut keys = vec![Self::new("c0", "free run of the model")];
        if has_data {
            keys.insert(0, Self::new("data", "data"));
        }
        keys
    }

    /// For the level of a noise floor, where there is one.
    pub fn noise_floor(floor: f64) -> Option<Self> {
        floor.is_finite().then(|| Self::dashed("ink", "noise floor"))
    }
}

/// The name of a column; `x1`, `x2`, … where it has none.
pub fn column_name(columns: &[String], j: usize) -> String {
    columns.get(j).cloned().unwrap_or_else(|| format!("x{}", j + 1))
}

/// Width that a text of 12 px takes, within a tenth or so, in the fonts pictures are shown in.
pub fn text_width(text: &str) -> f64 {
    text.chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | '.' | ',' | ':' | ' ' | '\'' | '|' | 'I' | '\u{2009}' => 3.6,
            'm' | 'w' | 'M' | 'W' | '≤' | '≥' => 10.0,
            '−' | '%' => 9.5,
            c if c.is_uppercase() => 8.2,
            _ => 6.6,
        })
        .sum()
}

/// A panel with its title and rows of legend entries, and the height that these take.
pub fn titled(size: (f64, f64), title: impl Into<String>, keys: &[Key]) -> (Panel, f64) {
    let mut panel = Panel {
        title: title.into(),
        size,
        body: String::new(),
    };
    let title = panel.title.clone();
    panel.text("ink b", (12.0, 20.0), Anchor::Start, &title);
    let (left, top) = (12.0, 40.0);
    let (mut x, mut y) = (left, top);
    for key in keys {
        let needed = 24.0 + text_width(&key.text) + 14.0;
        if x > left && x + needed > size.0 + 2.0 {
            (x, y) = (left, y + 16.0);
        }
        let (from, to) = ((x, y - 4.0), (x + 18.0, y - 4.0));
        if key.dashed {
            panel.dashed(&key.class, from, to, 1.6);
        } else {
            panel.line(&key.class, from, to, 2.6);
        }
        panel.text("ink t", (x + 24.0, y), Anchor::Start, &key.text);
        x += needed;
    }
    let used = if keys.is_empty() { 0.0 } else { y - top + 16.0 };
    (panel, used)
}

/// A panel in the making: axes drawn, data to come.
#[derive(Debug)]
pub struct Plot {
    pub x: Axis,
    pub y: Axis,
    pub panel: Panel,
    /// Left, top, right, bottom of the plotting area.
    frame: [f64; 4],
}

impl Plot {
    pub fn new(title: impl Into<String>, x: Axis, y: Axis, keys: &[Key]) -> Self {
        Self::sized(PANEL, title, x, y, keys)
    }

    pub fn sized(size: (f64, f64), title: impl Into<String>, x: Axis, y: Axis, keys: &[Key]) -> Self {
        let (panel, used) = titled(size, title, keys);
        let labels = y.ticks(5);
        let widest = labels.iter().map(|(_, l)| text_width(l)).fold(0.0, f64::max);
        let left = 12.0 + if y.label.is_empty() { 0.0 } else { 20.0 } + widest + 8.0;
        let mut plot = Self {
            frame: [left, 32.0 + used, size.0 - 16.0, size.1 - 46.0],
            x,
            y,
            panel,
        };
        plot.draw_axes();
        plot
    }

    fn draw_axes(&mut self) {
        let [left, top, right, bottom] = self.frame;
        let room = ((right - left) / 60.0) as usize;
        for (value, label) in thinned(self.x.ticks(room.clamp(3, 8)), right - left) {
            let x = left + (right - left) * self.x.fraction(value);
            if !(left - 0.5..=right + 0.5).contains(&x) {
                continue;
            }
            if self.x.marks.is_none() {
                self.panel.line("grid", (x, top), (x, bottom), 1.0);
            }
            self.panel
                .text("muted t", (x, bottom + 16.0), Anchor::Middle, &label);
        }
        for (value, label) in self.y.ticks(5) {
            let y = bottom - (bottom - top) * self.y.fraction(value);
            if !(top - 0.5..=bottom + 0.5).contains(&y) {
                continue;
            }
            self.panel.line("grid", (left, y), (right, y), 1.0);
            self.panel
                .text("muted t", (left - 7.0, y + 4.0), Anchor::End, &label);
        }
        self.panel.line("muted", (left, bottom), (right, bottom), 1.0);
        self.panel.line("muted", (left, top), (left, bottom), 1.0);
        let middle = (0.5 * (left + right), 0.5 * (top + bottom));
        let below = (middle.0, bottom + 36.0);
        self.panel.text("muted t", below, Anchor::Middle, &self.x.label);
        if !self.y.label.is_empty() {
            self.panel.upward_text("muted t", (22.0, middle.1), &self.y.label);
        }
    }

    /// Where a value lies, in pixels; NaN where it is not on the axes.
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let [left, top, right, bottom] = self.frame;
        let (fx, fy) = (self.x.fraction(x), self.y.fraction(y));
        let inside = (-1e-6..=1.0 + 1e-6).contains(&fx) && (-1e-6..=1.0 + 1e-6).contains(&fy);
        if inside {
            (left + (right - left) * fx, bottom - (bottom - top) * fy)
        } else {
            (f64::NAN, f64::NAN)
        }
    }

    fn placed(&self, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        points.iter().map(|&(x, y)| self.at(x, y)).collect()
    }

    pub fn line(&mut self, class: &str, points: &[(f64, f64)], width: f64, opacity: f64) {
        let d = polyline(&simplify(&self.placed(points), TOLERANCE));
        self.panel.path(class, &d, width, opacity);
    }

    /// Discs without titles, as one path.
    pub fn scatter(&mut self, class: &str, points: &[(f64, f64)], diameter: f64, opacity: f64) {
        let d = dots(&self.placed(points));
        self.panel.path(class, &d, diameter, opacity);
    }

    /// A dashed line across at `y`, if it is on the axis.
    pub fn level(&mut self, class: &str, y: f64) {
        let (from, to) = (self.at(self.x.range.0, y), self.at(self.x.range.1, y));
        if from.1.is_finite() && to.1.is_finite() {
            self.panel.dashed(class, from, to, 1.6);
        }
    }

    pub fn finish(self) -> Panel {
        self.panel
    }
}

/// Leaves out marks of a crowded axis: every k-th stays.
fn thinned(marks: Vec<(f64, String)>, width: f64) -> impl Iterator<Item = (f64, String)> {
    let widest = marks.iter().map(|(_, l)| text_width(l)).fold(0.0, f64::max) + 8.0;
    let every = (marks.len() as f64 * widest / width).ceil().max(1.0) as usize;
    marks.into_iter().step_by(every)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_land_where_the_axes_say() {
        let plot = Plot::new(
            "t",
            Axis::exact("x", (0.0, 10.0)),
            Axis::log("y", [0.01, 100.0].into_iter()),
            &[],
        );
        let [left, top, right, bottom] = plot.frame;
        let (x, y) = plot.at(5.0, 1.0);
        assert!((x - 0.5 * (left + right)).abs() < 1e-9);
        assert!((y - 0.5 * (top + bottom)).abs() < 1e-9);
        assert!(plot.at(5.0, 0.0).1.is_nan(), "no zero on a logarithmic axis");
        assert!(plot.at(11.0, 1.0).0.is_nan(), "outside");
    }

    #[test]
    fn empty_and_degenerate_data_still_make_axes() {
        let none = Axis::log("loss", [f64::NAN, -1.0].into_iter());
        assert_eq!(none.scale, Scale::Linear);
        let one = Axis::linear("x", [3.0].into_iter());
        assert!(one.range.0 < 3.0 && one.range.1 > 3.0);
        let panel = Plot::new("", one, none, &[]).finish();
        assert!(!panel.body.contains("NaN"), "{}", panel.body);
    }

    #[test]
    fn a_figure_holds_its_panels_and_no_bad_number() {
        let panel = Plot::new(
            "a < b",
            Axis::exact("x", (0.0, 1.0)),
            Axis::exact("y", (0.0, 1.0)),
            &[Key::new("c0", "model"), Key::dashed("data", "data")],
        )
        .finish();
        let figure =
            Figure::new("f", "caption", vec![panel.clone(), panel], &[1.0, f64::NAN]).expect("figure");
        let svg = figure.svg(Look::File);
        assert!(svg.contains("a &lt; b") && svg.contains("translate(480 0)"));
        assert_eq!(figure.data.to_string(), "[1.0,null]");
        let png = super::super::png::png(&figure).expect("png");
        assert!(png.starts_with(b"\x89PNG"));
    }
}
