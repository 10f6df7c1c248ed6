//! Trajectories in state space: a fixed 3-D projection, a plane, or a return plot.
#![allow(non_snake_case, reason = "the paper's symbols")]

use ndarray::{Array2, ArrayView2, s};
use serde_json::json;

use crate::error::Result;
use crate::report::plot::{Axis, Figure, Key, PANEL, Panel, Plot, TOLERANCE, column_name, extent, titled};
use crate::report::svg::{Anchor, dots, polyline};
use crate::report::theme::{COLORS, color_class};
use crate::report::thin::{is_finite, simplify, stretch};
use crate::stats::{mean_and_deviation, quantile};
use crate::text::percent;

/// View of the 3-D projection in degrees. From here the wings of the Lorenz attractor lie side by side and the
/// spike of Rössler's stands up.
const AZIMUTH: f64 = 35.0;
const ELEVATION: f64 = 20.0;

/// A line is drawn in pieces of this many points, so that its translucent strands add up where they cross.
const PIECE: usize = 400;

/// Names and shares of symbols, most frequent first; a symbol is an index into both.
#[derive(Clone, Copy, Debug)]
pub struct RegionNames<'a> {
    pub labels: &'a [String],
    pub share: &'a [f64],
    /// All regions, also those not listed.
    pub total: usize,
}

/// A point to mark in every panel, for example a fixed point.
#[derive(Clone, Debug)]
pub struct Mark {
    /// `[N]`.
    pub x: Vec<f64>,
    /// Filled; otherwise a ring.
    pub real: bool,
    pub title: String,
}

/// One trajectory to draw.
#[derive(Clone, Copy, Debug)]
pub struct Track<'a> {
    pub title: &'a str,
    /// Class of its colour where it is not coloured by region.
    pub class: &'a str,
    /// `[rows, N]`.
    pub x: ArrayView2<'a, f64>,
    /// A symbol a row.
    pub symbols: Option<&'a [u32]>,
}

/// What a picture of state space is made from.
#[derive(Clone, Debug)]
pub struct StateSpace<'a> {
    pub name: &'a str,
    /// One panel each, all in the frame of the first.
    pub tracks: Vec<Track<'a>>,
    /// Drawn pale behind every track, `[rows, N]`; the frame is its own then.
    pub behind: Option<ArrayView2<'a, f64>>,
    /// Colours by region where given.
    pub regions: Option<RegionNames<'a>>,
    pub columns: &'a [String],
    /// Rows drawn at most.
    pub most: usize,
    pub marks: &'a [Mark],
}

/// Draws every track in the same frame; rows beyond `most` are left out and the caption says so.
///
/// N ≥ 3: orthographic projection of the first three columns, standardised by the first track. N = 2: the plane.
/// N = 1: each value against the one before.
pub fn state_space(input: &StateSpace<'_>) -> Result<Figure> {
    let Some(first) = input.tracks.first() else {
        return Figure::new(input.name, "nothing to draw", Vec::new(), &());
    };
    let N = first.x.ncols();
    let mut notes = Vec::new();
    let mut panels = Vec::new();
    let mut drawn = Vec::new();
    let projection = Projection::new(input.behind.unwrap_or(first.x));
    for track in &input.tracks {
        let (rows, note) = stretch(track.x.nrows(), input.most);
        let x = track.x.slice(s![..rows, ..N.min(3)]);
        let symbols = track.symbols.map(|s| &s[..rows.min(s.len())]);
        notes.push(format!("{}: {note}", track.title));
        panels.push(match N {
            1 => {
                let later = symbols.map(|s| &s[1.min(s.len())..]);
                plane(input, track, return_pairs(x).view(), later)
            }
            2 => plane(input, track, x, symbols),
            _ => projected(input, track, x, symbols, &projection),
        });
        // How it was drawn; the coordinates are those of the caller's arrays.
        drawn.push(json!({
            "title": track.title,
            "rows_drawn": rows,
            "rows": track.x.nrows(),
            "azimuth": AZIMUTH,
            "elevation": ELEVATION,
        }));
    }
    let what = match N {
        1 => "Each value against the one before it".to_string(),
        2 => "State space".to_string(),
        3 => format!("State space seen from azimuth {AZIMUTH}°, elevation {ELEVATION}°"),
        _ => format!("First 3 of {N} dimensions, seen from azimuth {AZIMUTH}°, elevation {ELEVATION}°"),
    };
    let color = if input.regions.is_some() {
        ", coloured by linear region"
    } else {
        ""
    };
    let any = |real: bool| input.marks.iter().any(|m| m.real == real);
    let marked = match (any(true), any(false)) {
        (false, false) => "",
        (true, false) => " Discs: fixed points.",
        (false, true) => " Rings: virtual fixed points.",
        (true, true) => " Discs: fixed points; rings: virtual ones.",
    };
    let drawn_rows = match input.behind {
        Some(behind) => format!("Pale: the {}", stretch(behind.nrows(), input.most).1),
        None => notes.join("; "),
    };
    let caption = format!("{what}{color}. {drawn_rows}.{marked}");
    Figure::new(input.name, caption, panels, &drawn)
}

/// Draws what lies behind the tracks.
fn draw_behind(panel: &mut Panel, points: &[(f64, f64)]) {
    panel.path("other", &polyline(&simplify(points, TOLERANCE)), 0.6, 0.35);
}

/// `[x_{t}, x_{t+1}]`.
fn return_pairs(x: ArrayView2<'_, f64>) -> Array2<f64> {
    let rows = x.nrows().saturating_sub(1);
    Array2::from_shape_fn((rows, 2), |(t, j)| x[[t + j, 0]])
}

/// Whether consecutive rows are so far apart that lines between them would only hide the points: the median
/// step is longer than 0.6 standard deviations.
fn jumps(points: &[(f64, f64)]) -> bool {
    let (_, sx) = mean_and_deviation(points.iter().map(|p| p.0));
    let (_, sy) = mean_and_deviation(points.iter().map(|p| p.1));
    let steps: Vec<f64> = points
        .windows(2)
        .map(|w| (w[1].0 - w[0].0).hypot(w[1].1 - w[0].1))
        .collect();
    quantile(&steps, 0.5) > 0.6 * sx.hypot(sy)
}

fn keys(input: &StateSpace<'_>) -> Vec<Key> {
    let Some(regions) = input.regions else {
        return Vec::new();
    };
    let listed = regions.labels.iter().zip(regions.share).take(COLORS);
    let text = |label: &String, share: &f64| format!("{label} ({})", percent(*share, 0));
    let mut keys: Vec<Key> = listed
        .enumerate()
        .map(|(k, (label, share))| Key::new(color_class(k), text(label, share)))
        .collect();
    if regions.total > COLORS {
        keys.push(Key::new("other", format!("{} more", regions.total - COLORS)));
    }
    keys
}

/// Draws a trajectory in pixels: by region or in one colour, as lines or dots.
fn draw(panel: &mut Panel, points: &[(f64, f64)], class: &str, symbols: Option<&[u32]>) {
    let dotted = jumps(points);
    let Some(symbols) = symbols else {
        if dotted {
            panel.path(class, &dots(points), 1.8, 0.55);
            return;
        }
        let line = simplify(points, TOLERANCE);
        for start in (0..line.len().saturating_sub(1)).step_by(PIECE) {
            let end = (start + PIECE + 1).min(line.len());
            panel.path(class, &polyline(&line[start..end]), 0.9, 0.65);
        }
        return;
    };
    // Colours from the rarest to the most common would hide nothing rare; the common ones go first.
    let color_of = |&symbol: &u32| (symbol as usize).min(COLORS);
    for color in 0..=symbols.iter().map(color_of).max().unwrap_or(0) {
        let of_color = |i: usize| symbols.get(i).is_some_and(|symbol| color_of(symbol) == color);
        let class = color_class(color);
        if dotted {
            let own = points.iter().enumerate().filter(|(i, _)| of_color(*i));
            let own: Vec<(f64, f64)> = own.map(|(_, p)| *p).collect();
            panel.path(&class, &dots(&own), 2.0, 0.7);
            continue;
        }
        // A segment has the colour of the row it leads to.
        let mut own = Vec::new();
        for (i, pair) in points.windows(2).enumerate() {
            if of_color(i + 1) {
                if own.last() != Some(&pair[0]) {
                    own.push((f64::NAN, f64::NAN));
                    own.push(pair[0]);
                }
                own.push(pair[1]);
            }
        }
        panel.path(&class, &polyline(&simplify(&own, TOLERANCE)), 0.9, 0.8);
    }
}

fn plane(
    input: &StateSpace<'_>,
    track: &Track<'_>,
    x: ArrayView2<'_, f64>,
    symbols: Option<&[u32]>,
) -> Panel {
    let first = input.tracks.first().map_or(track.x, |t| t.x);
    let frame = input.behind.unwrap_or(first);
    // Of one column, the values against those one step later.
    let upward = if frame.ncols() == 1 { 0 } else { 1 };
    let labels = if upward == 0 {
        let name = input.columns.first().map_or("x", String::as_str);
        [name.to_owned(), format!("{name}, one step later")]
    } else {
        [0, 1].map(|j| column_name(input.columns, j))
    };
    let [x_label, y_label] = labels;
    let axis = |label: String, j: usize| Axis::linear(label, frame.column(j).into_iter().copied());
    let (x_axis, y_axis) = (axis(x_label, 0), axis(y_label, upward));
    let mut plot = Plot::new(track.title, x_axis, y_axis, &keys(input));
    if let Some(behind) = input.behind {
        let behind = behind.slice(s![..behind.nrows().min(input.most), ..]);
        let pairs = match behind.ncols() {
            1 => return_pairs(behind),
            _ => behind.to_owned(),
        };
        let points: Vec<(f64, f64)> = pairs.rows().into_iter().map(|r| plot.at(r[0], r[1])).collect();
        draw_behind(&mut plot.panel, &points);
    }
    let points: Vec<(f64, f64)> = x.rows().into_iter().map(|r| plot.at(r[0], r[1])).collect();
    draw(&mut plot.panel, &points, track.class, symbols);
    for mark in input.marks.iter().rev() {
        let at = plot.at(mark.x[0], mark.x[upward]);
        draw_mark(&mut plot.panel, mark, at);
    }
    plot.finish()
}

/// Orthographic projection of three standardised columns to pixels.
struct Projection {
    mean: [f64; 3],
    scale: [f64; 3],
    right: [f64; 3],
    up: [f64; 3],
    /// Extent of the projected first track.
    x: (f64, f64),
    y: (f64, f64),
}

impl Projection {
    fn new(frame: ArrayView2<'_, f64>) -> Self {
        let (a, e) = (AZIMUTH.to_radians(), ELEVATION.to_radians());
        let mut projection = Self {
            mean: [0.0; 3],
            scale: [1.0; 3],
            right: [a.cos(), a.sin(), 0.0],
            up: [-a.sin() * e.sin(), a.cos() * e.sin(), e.cos()],
            x: (0.0, 1.0),
            y: (0.0, 1.0),
        };
        if frame.ncols() < 3 {
            return projection;
        }
        for j in 0..3 {
            let (mean, deviation) = mean_and_deviation(frame.column(j).into_iter().copied());
            projection.mean[j] = mean;
            projection.scale[j] = if deviation > 0.0 { deviation } else { 1.0 };
        }
        let flat = frame
            .rows()
            .into_iter()
            .map(|r| projection.flat([r[0], r[1], r[2]]));
        let flat: Vec<(f64, f64)> = flat.filter(|&p| is_finite(p)).collect();
        projection.x = extent(flat.iter().map(|p| p.0)).unwrap_or(projection.x);
        projection.y = extent(flat.iter().map(|p| p.1)).unwrap_or(projection.y);
        projection
    }

    fn flat(&self, row: [f64; 3]) -> (f64, f64) {
        let z: [f64; 3] = std::array::from_fn(|j| (row[j] - self.mean[j]) / self.scale[j]);
        let dot = |v: &[f64; 3]| v[0] * z[0] + v[1] * z[1] + v[2] * z[2];
        (dot(&self.right), dot(&self.up))
    }
}

fn projected(
    input: &StateSpace<'_>,
    track: &Track<'_>,
    x: ArrayView2<'_, f64>,
    symbols: Option<&[u32]>,
    projection: &Projection,
) -> Panel {
    let (mut panel, used) = titled(PANEL, track.title, &keys(input));
    let [left, top, right, bottom] = [24.0, 34.0 + used, PANEL.0 - 24.0, PANEL.1 - 18.0];
    let (px, py) = (projection.x, projection.y);
    let unit = ((right - left) / (px.1 - px.0)).min((bottom - top) / (py.1 - py.0));
    let middle = (0.5 * (px.0 + px.1), 0.5 * (py.0 + py.1));
    let center = (0.5 * (left + right), 0.5 * (top + bottom));
    let place = |row: [f64; 3]| {
        let (u, v) = projection.flat(row);
        let at = (center.0 + unit * (u - middle.0), center.1 - unit * (v - middle.1));
        let inside = (4.0..=PANEL.0 - 4.0).contains(&at.0) && (top - 8.0..=PANEL.1 - 4.0).contains(&at.1);
        if inside { at } else { (f64::NAN, f64::NAN) }
    };
    let behind = input
        .behind
        .iter()
        .flat_map(|x| x.rows().into_iter())
        .take(input.most);
    let behind: Vec<(f64, f64)> = behind.map(|r| place([r[0], r[1], r[2]])).collect();
    draw_behind(&mut panel, &behind);
    let points: Vec<(f64, f64)> = x.rows().into_iter().map(|r| place([r[0], r[1], r[2]])).collect();
    let observed = x.rows().into_iter().filter(|r| r.iter().all(|v| v.is_finite()));
    let outside = observed.count() - points.iter().filter(|p| p.0.is_finite()).count();
    draw(&mut panel, &points, track.class, symbols);
    for mark in input.marks.iter().rev() {
        let at = place([mark.x[0], mark.x[1], mark.x[2]]);
        draw_mark(&mut panel, mark, at);
    }
    let crowd = if behind.is_empty() { &points } else { &behind };
    let corner = empty_corner(crowd, top);
    tripod(&mut panel, projection, input.columns, corner);
    if outside > 0 {
        let text = format!("{outside} points outside");
        panel.text("muted n", (PANEL.0 - 14.0, PANEL.1 - 8.0), Anchor::End, &text);
    }
    panel
}

/// A disc (real) or a ring, with a rim that sets it off from the lines.
fn draw_mark(panel: &mut Panel, mark: &Mark, at: (f64, f64)) {
    if mark.real {
        panel.disc("paper", at, 6.0, 0.9, None);
        panel.disc("ink", at, 4.6, 1.0, Some(&mark.title));
    } else {
        panel.disc("paper", at, 5.6, 0.75, Some(&mark.title));
        panel.ring("ink", at, 4.4, 1.6);
    }
}

/// Origin of the tripod in the corner with the fewest points around it.
fn empty_corner(points: &[(f64, f64)], top: f64) -> (f64, f64) {
    let (bottom, top) = (PANEL.1 - 34.0, top + 48.0);
    let corners = [
        (42.0, bottom),
        (PANEL.0 - 76.0, bottom),
        (PANEL.0 - 76.0, top),
        (42.0, top),
    ];
    let crowd = |c: &(f64, f64)| {
        let near =
            |p: &&(f64, f64)| (-20.0..65.0).contains(&(p.0 - c.0)) && (-55.0..25.0).contains(&(p.1 - c.1));
        points.iter().filter(near).count()
    };
    corners.into_iter().min_by_key(crowd).unwrap_or(corners[0])
}

/// The directions of the three axes.
fn tripod(panel: &mut Panel, projection: &Projection, columns: &[String], origin: (f64, f64)) {
    for j in 0..3 {
        let (u, v) = (projection.right[j], projection.up[j]);
        let tip = (origin.0 + 34.0 * u, origin.1 - 34.0 * v);
        panel.line("muted", origin, tip, 1.0);
        let name: String = column_name(columns, j).chars().take(10).collect();
        let (label, anchor) = match j {
            0 => ((tip.0 + 5.0, tip.1 + 10.0), Anchor::Start),
            1 => ((tip.0 + 5.0, tip.1), Anchor::Start),
            _ => ((tip.0, tip.1 - 5.0), Anchor::Middle),
        };
        panel.text("muted n", label, anchor, &name);
    }
}
