//! Eigenvalues in the complex plane.

use serde::Serialize;

use crate::error::Result;
use crate::report::plot::{Figure, Key, PANEL, Panel, extent, titled};
use crate::report::svg::{Anchor, polyline};
use crate::report::theme::color_class;
use crate::report::thin::{is_finite, simplify};
use crate::report::ticks::linear_ticks;
use crate::text::typeset;

/// Sets with a colour of their own; the rest share one.
const NAMED: usize = 7;
/// The close view holds the eigenvalues from this modulus on: those that matter over many steps.
const SLOW: f64 = 0.85;
/// It is drawn where they fill no more than this much of the plane to either side.
const CLOSE: f64 = 0.4;

/// Eigenvalues `(re, im)` that belong together, for example of one fixed point.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EigenSet {
    pub label: String,
    pub values: Vec<(f64, f64)>,
}

/// A square part of the plane.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// Its middle on the real axis.
    middle: f64,
    /// Half its side.
    reach: f64,
}

/// Every set in its colour over the unit circle; where the slow ones crowd together, a close view of them.
pub fn eigenvalues(name: &str, sets: &[EigenSet]) -> Result<Figure> {
    let all = sets.iter().flat_map(|s| s.values.iter().copied());
    let all: Vec<(f64, f64)> = all.filter(|&v| is_finite(v)).collect();
    let farther = |m: f64, v: &(f64, f64)| m.max(1.08 * v.0.abs()).max(1.08 * v.1.abs());
    let whole = Window {
        middle: 0.0,
        reach: all.iter().fold(1.15, farther),
    };
    let mut panels = vec![panel("Eigenvalues", sets, whole)];
    let slow: Vec<(f64, f64)> = all.into_iter().filter(|v| v.0.hypot(v.1) >= SLOW).collect();
    if let Some(window) = around(&slow) {
        panels.push(panel("The slow ones, close up", sets, window));
    }
    let caption = "Eigenvalues in the complex plane with the unit circle: discs outside it are unstable directions, rings inside are stable ones.";
    Figure::new(name, caption, panels, &sets)
}

fn around(values: &[(f64, f64)]) -> Option<Window> {
    let (lo, hi) = extent(values.iter().map(|v| v.0))?;
    let tall = values.iter().fold(0.0f64, |m, v| m.max(v.1.abs()));
    let reach = (1.15 * (0.5 * (hi - lo)).max(tall)).max(0.02);
    let middle = 0.5 * (lo + hi);
    (reach <= CLOSE).then_some(Window { middle, reach })
}

fn panel(title: &str, sets: &[EigenSet], window: Window) -> Panel {
    let named = sets.iter().take(NAMED).enumerate();
    let mut keys: Vec<Key> = named.map(|(k, s)| Key::new(color_class(k), &s.label)).collect();
    if sets.len() > NAMED {
        keys.push(Key::new("other", format!("{} more", sets.len() - NAMED)));
    }
    let (mut panel, used) = titled(PANEL, title, &keys);
    panel.size.1 += used;
    let side = PANEL.1 - 66.0;
    let center = (0.5 * PANEL.0, 34.0 + used + 0.5 * side);
    let unit = 0.5 * side / window.reach;
    let at = |v: (f64, f64)| {
        let inside = (v.0 - window.middle).abs().max(v.1.abs()) <= window.reach;
        if inside {
            (center.0 + unit * (v.0 - window.middle), center.1 - unit * v.1)
        } else {
            (f64::NAN, f64::NAN)
        }
    };
    frame(&mut panel, at, window);
    let circle: Vec<(f64, f64)> = (0..=7200)
        .map(|i| f64::from(i) * std::f64::consts::TAU / 7200.0)
        .map(|t| at((t.cos(), t.sin())))
        .collect();
    panel.path("ink", &polyline(&simplify(&circle, 0.1)), 1.3, 0.9);
    for (k, set) in sets.iter().enumerate().rev() {
        let class = if k < NAMED { color_class(k) } else { "other".into() };
        for &value in &set.values {
            let place = at(value);
            let title = format!("{}: {}", set.label, complex(value));
            // Unstable ones are filled, stable ones are rings.
            if value.0.hypot(value.1) > 1.0 {
                panel.disc(&class, place, 4.5, 0.9, Some(&title));
            } else {
                panel.disc(&class, place, 3.2, 0.15, Some(&title));
                panel.ring(&class, place, 3.2, 1.4);
            }
        }
    }
    panel
}

/// Grid, marks, and the axes where they are in view.
fn frame(panel: &mut Panel, at: impl Fn((f64, f64)) -> (f64, f64), window: Window) {
    let Window { middle, reach } = window;
    let (left, right) = (middle - 0.999 * reach, middle + 0.999 * reach);
    let (bottom, top) = (-0.999 * reach, 0.999 * reach);
    let label = |v: f64| typeset(if v.abs() < 1e-9 * reach { 0.0 } else { v }, 4);
    for v in linear_ticks(left, right, 4) {
        panel.line("grid", at((v, bottom)), at((v, top)), 1.0);
        let place = at((v, bottom));
        panel.text("muted t", (place.0, place.1 + 16.0), Anchor::Middle, &label(v));
    }
    for v in linear_ticks(bottom, top, 4) {
        panel.line("grid", at((left, v)), at((right, v)), 1.0);
        let place = at((left, v));
        panel.text("muted t", (place.0 - 6.0, place.1 + 4.0), Anchor::End, &label(v));
    }
    panel.line("muted", at((left, 0.0)), at((right, 0.0)), 1.0);
    let corner = at((right, 0.0));
    panel.text("muted t", (corner.0 + 6.0, corner.1 + 4.0), Anchor::Start, "Re");
    let axis = if (left..=right).contains(&0.0) { 0.0 } else { left };
    panel.line("muted", at((axis, bottom)), at((axis, top)), 1.0);
    let corner = at((axis, top));
    panel.text("muted t", (corner.0 + 6.0, corner.1 + 10.0), Anchor::Start, "Im");
}

fn complex(v: (f64, f64)) -> String {
    match v.1 {
        0.0 => typeset(v.0, 5),
        im => {
            let sign = if im < 0.0 { "−" } else { "+" };
            format!("{} {sign} {}i", typeset(v.0, 5), typeset(im.abs(), 5))
        }
    }
}
