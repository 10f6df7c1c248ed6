//! Trajectories in state space: a fixed 3-D projection, a plane, or a return plot.
#![allow(non_snake_case, reason = "the paper's symbols")]

use ndarray::{Array2, ArrayView2};
use serde_json::json;

use crate::error::Result;
use crate::report::plot::{Axis, Figure, Key, PANEL, Panel, Plot, TOLERANCE, extent, legend};
use crate::report::stats::mean_and_deviation;
use crate::report::svg::{Anchor, Canvas, dots, polyline};
use crate::report::theme::{COLORS, color_class};
use crate::report::thin::{Stretch, simplify};
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
    let projection = Projection::new(first.x);
    let stretch = |t: &Track<'_>| Stretch::new(t.x.nrows(), input.most);
    for track in &input.tracks {
        let rows = stretch(track).rows;
        let columns = N.min(3);
        let x = track.x.slice(ndarray::s![..rows, ..columns]);
        let symbols = track.symbols.map(|s| &s[..rows.min(s.len())]);
        notes.push(format!("{}: {}", track.title, stretch(track).note()));
        panels.push(match N {
            1 => plane(
                input,
                track,
                return_pairs(x).view(),
                symbols.map(|s| &s[1.min(s.len())..]),
            ),
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
    let marked = match (
        input.marks.iter().any(|m| m.real),
        input.marks.iter().any(|m| !m.real),
    ) {
        (false, false) => "",
        (true, false) => " Discs: fixed points.",
        (false, true) => " Rings: virtual fixed points.",
        (true, true) => " Discs: fixed points; rings: virtual ones.",
    };
    let caption = format!("{what}{color}. {}.{marked}", notes.join("; "));
    Figure::new(input.name, caption, panels, &drawn)
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
    crate::report::stats::quantile(&steps, 0.5) > 0.6 * sx.hypot(sy)
}

fn keys(input: &StateSpace<'_>) -> Vec<Key> {
    let Some(regions) = input.regions else {
        return Vec::new();
    };
    let mut keys: Vec<Key> = regions
        .labels
        .iter()
        .zip(regions.share)
        .take(COLORS)
        .enumerate()
        .map(|(k, (label, share))| Key::new(color_class(k), format!("{label} ({})", percent(*share, 0))))
        .collect();
    if regions.total > COLORS {
        keys.push(Key::new("other", format!("{} more", regions.total - COLORS)));
    }
    keys
}

/// Draws a trajectory in pixels: by region or in one colour, as lines or dots.
fn draw(canvas: &mut Canvas, points: &[(f64, f64)], class: &str, symbols: Option<&[u32]>) {
    let dotted = jumps(points);
    let Some(symbols) = symbols else {
        if dotted {
            canvas.path(class, &dots(points), 1.8, 0.55);
            return;
        }
        let line = simplify(points, TOLERANCE);
        for start in (0..line.len().saturating_sub(1)).step_by(PIECE) {
            let end = (start + PIECE + 1).min(line.len());
            canvas.path(class, &polyline(&line[start..end]), 0.9, 0.65);
        }
        return;
    };
    // Colours from the rarest to the most common would hide nothing rare; the common ones go first.
    let last = symbols
        .iter()
        .map(|&s| (s as usize).min(COLORS))
        .max()
        .unwrap_or(0);
    for color in 0..=last {
        let of_color = |i: usize| symbols.get(i).is_some_and(|&s| (s as usize).min(COLORS) == color);
        let class = color_class(color);
        if dotted {
            let own: Vec<(f64, f64)> = points
                .iter()
                .enumerate()
                .filter(|(i, _)| of_color(*i))
                .map(|(_, p)| *p)
                .collect();
            canvas.path(&class, &dots(&own), 2.0, 0.7);
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
        canvas.path(&class, &polyline(&simplify(&own, TOLERANCE)), 0.9, 0.8);
    }
}

fn plane(
    input: &StateSpace<'_>,
    track: &Track<'_>,
    x: ArrayView2<'_, f64>,
    symbols: Option<&[u32]>,
) -> Panel {
    let frame = input.tracks.first().map_or(track.x, |t| t.x);
    let N = frame.ncols();
    let column = |j: usize| frame.column(if N == 1 { 0 } else { j }).to_vec();
    let label = |j: usize| {
        if N == 1 {
            let name = input.columns.first().cloned().unwrap_or_else(|| "x".into());
            if j == 0 {
                name
            } else {
                format!("{name}, one step later")
            }
        } else {
            input
                .columns
                .get(j)
                .cloned()
                .unwrap_or_else(|| format!("x{}", j + 1))
        }
    };
    let mut plot = Plot::new(
        track.title,
        Axis::linear(label(0), column(0).into_iter()),
        Axis::linear(label(1), column(1).into_iter()),
        &keys(input),
    );
    let points: Vec<(f64, f64)> = x.rows().into_iter().map(|r| plot.at(r[0], r[1])).collect();
    draw(&mut plot.canvas, &points, track.class, symbols);
    for mark in input.marks.iter().rev() {
        let at = if N == 1 {
            plot.at(mark.x[0], mark.x[0])
        } else {
            plot.at(mark.x[0], mark.x[1])
        };
        draw_mark(&mut plot.canvas, mark, at);
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
        let flat: Vec<(f64, f64)> = frame
            .rows()
            .into_iter()
            .map(|r| projection.flat([r[0], r[1], r[2]]))
            .filter(|p| p.0.is_finite() && p.1.is_finite())
            .collect();
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
    let mut canvas = Canvas::default();
    canvas.text("ink b", (12.0, 20.0), Anchor::Start, track.title);
    let used = legend(&mut canvas, (12.0, 40.0), PANEL.0 - 24.0, &keys(input));
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
    let points: Vec<(f64, f64)> = x.rows().into_iter().map(|r| place([r[0], r[1], r[2]])).collect();
    let observed = x
        .rows()
        .into_iter()
        .filter(|r| r.iter().all(|v| v.is_finite()))
        .count();
    let outside = observed - points.iter().filter(|p| p.0.is_finite()).count();
    draw(&mut canvas, &points, track.class, symbols);
    for mark in input.marks.iter().rev() {
        let at = place([mark.x[0], mark.x[1], mark.x[2]]);
        draw_mark(&mut canvas, mark, at);
    }
    let corner = empty_corner(&points, top);
    tripod(&mut canvas, projection, input.columns, corner);
    if outside > 0 {
        let text = format!("{outside} points outside");
        canvas.text("muted n", (PANEL.0 - 14.0, PANEL.1 - 8.0), Anchor::End, &text);
    }
    Panel {
        title: track.title.into(),
        size: PANEL,
        body: canvas.body,
    }
}

/// A disc (real) or a ring, with a rim that sets it off from the lines.
fn draw_mark(canvas: &mut Canvas, mark: &Mark, at: (f64, f64)) {
    if !at.0.is_finite() {
        return;
    }
    if mark.real {
        canvas.disc("paper", at, 6.0, 0.9, None);
        canvas.disc("ink", at, 4.6, 1.0, Some(&mark.title));
    } else {
        canvas.disc("paper", at, 5.6, 0.75, Some(&mark.title));
        canvas.ring("ink", at, 4.4, 1.6);
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
fn tripod(canvas: &mut Canvas, projection: &Projection, columns: &[String], origin: (f64, f64)) {
    for j in 0..3 {
        let (u, v) = (projection.right[j], projection.up[j]);
        let tip = (origin.0 + 34.0 * u, origin.1 - 34.0 * v);
        canvas.line("muted", origin, tip, 1.0);
        let name = columns.get(j).cloned().unwrap_or_else(|| format!("x{}", j + 1));
        let name: String = name.chars().take(10).collect();
        let (label, anchor) = match j {
            0 => ((tip.0 + 5.0, tip.1 + 10.0), Anchor::Start),
            1 => ((tip.0 + 5.0, tip.1), Anchor::Start),
            _ => ((tip.0, tip.1 - 5.0), Anchor::Middle),
        };
        canvas.text("muted n", label, anchor, &name);
    }
}
