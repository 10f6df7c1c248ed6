//! Eigenvalues in the complex plane, and Lyapunov exponents.

use serde::Serialize;

use crate::error::Result;
use crate::report::plot::{Axis, Figure, Key, PANEL, Panel, Plot};
use crate::report::svg::{Anchor, Canvas, polyline};
use crate::report::theme::color_class;
use crate::report::ticks::number;

/// Eigenvalues `(re, im)` that belong together, for example of one fixed point.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EigenSet {
    pub label: String,
    pub values: Vec<(f64, f64)>,
}

/// Every set in its colour over the unit circle; the seventh and later share one.
pub fn eigenvalues(name: &str, sets: &[EigenSet]) -> Result<Figure> {
    const NAMED: usize = 7;
    let mut canvas = Canvas::default();
    canvas.text("ink b", (12.0, 20.0), Anchor::Start, "Eigenvalues");
    let mut keys: Vec<Key> = sets
        .iter()
        .take(NAMED)
        .enumerate()
        .map(|(k, s)| Key::new(color_class(k), &s.label))
        .collect();
    if sets.len() > NAMED {
        keys.push(Key::new("other", format!("{} more", sets.len() - NAMED)));
    }
    let used = crate::report::plot::legend(&mut canvas, (12.0, 40.0), PANEL.0 - 24.0, &keys);
    let side = PANEL.1 - 66.0;
    let size = (PANEL.0, PANEL.1 + used.max(0.0));
    let center = (0.5 * size.0, 34.0 + used + 0.5 * side);
    let reach = sets
        .iter()
        .flat_map(|s| &s.values)
        .filter(|v| v.0.is_finite() && v.1.is_finite())
        .map(|v| v.0.abs().max(v.1.abs()))
        .fold(1.15f64, |m, v| m.max(1.08 * v));
    let unit = 0.5 * side / reach;
    let at = |v: (f64, f64)| (center.0 + unit * v.0, center.1 - unit * v.1);
    frame(&mut canvas, at, reach);
    let circle: Vec<(f64, f64)> = (0..=120)
        .map(|i| f64::from(i) * std::f64::consts::TAU / 120.0)
        .map(|t| at((t.cos(), t.sin())))
        .collect();
    canvas.path("ink", &polyline(&circle), 1.3, 0.9);
    for (k, set) in sets.iter().enumerate().rev() {
        let class = if k < NAMED { color_class(k) } else { "other".into() };
        for &value in set.values.iter().filter(|v| v.0.is_finite() && v.1.is_finite()) {
            let title = format!("{}: {}", set.label, complex(value));
            // Unstable ones are filled, stable ones are rings.
            if value.0.hypot(value.1) > 1.0 {
                canvas.disc(&class, at(value), 4.5, 0.9, Some(&title));
            } else {
                canvas.disc(&class, at(value), 3.2, 0.15, Some(&title));
                canvas.ring(&class, at(value), 3.2, 1.4);
            }
        }
    }
    let caption = "Eigenvalues in the complex plane with the unit circle: discs outside it are unstable directions, rings inside are stable ones.";
    let panel = Panel {
        title: "Eigenvalues".into(),
        size,
        body: canvas.body,
    };
    Figure::new(name, caption, vec![panel], &sets)
}

/// The real and the imaginary axis with their marks.
fn frame(canvas: &mut Canvas, at: impl Fn((f64, f64)) -> (f64, f64), reach: f64) {
    for v in super::super::ticks::linear_ticks(-reach, reach, 4) {
        canvas.line("grid", at((v, -reach)), at((v, reach)), 1.0);
        canvas.line("grid", at((-reach, v)), at((reach, v)), 1.0);
        let v = if v.abs() < 1e-12 { 0.0 } else { v };
        let (x, y) = (at((v, -reach)), at((-reach, v)));
        canvas.text("muted t", (x.0, x.1 + 16.0), Anchor::Middle, &number(v, 3));
        canvas.text("muted t", (y.0 - 6.0, y.1 + 4.0), Anchor::End, &number(v, 3));
    }
    canvas.line("muted", at((-reach, 0.0)), at((reach, 0.0)), 1.0);
    canvas.line("muted", at((0.0, -reach)), at((0.0, reach)), 1.0);
    let (right, top) = (at((reach, 0.0)), at((0.0, reach)));
    canvas.text("muted t", (right.0 + 6.0, right.1 + 4.0), Anchor::Start, "Re");
    canvas.text("muted t", (top.0 + 6.0, top.1 + 10.0), Anchor::Start, "Im");
}

fn complex(v: (f64, f64)) -> String {
    match v.1 {
        0.0 => number(v.0, 5),
        im => format!(
            "{} {} {}i",
            number(v.0, 5),
            if im < 0.0 { "−" } else { "+" },
            number(im.abs(), 5)
        ),
    }
}

/// One exponent and the standard error of its mean.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LyapunovBar {
    pub exponent: f64,
    pub error: f64,
}

/// Exponents in falling order with bars of two standard errors, the first of `total`; `unit` is what they are
/// counted per.
pub fn lyapunov(name: &str, bars: &[LyapunovBar], total: usize, unit: &str) -> Result<Figure> {
    let ends = bars
        .iter()
        .flat_map(|b| [b.exponent - 2.0 * b.error, b.exponent + 2.0 * b.error]);
    let names: Vec<String> = (1..=bars.len()).map(|i| i.to_string()).collect();
    let mut plot = Plot::new(
        "Lyapunov spectrum",
        Axis::categories("index", &names),
        Axis::linear(format!("nats per {unit}"), ends.chain(std::iter::once(0.0))),
        &[],
    );
    plot.level("ink", 0.0);
    for (i, bar) in bars.iter().enumerate() {
        let x = i as f64;
        let class = if bar.exponent > 2.0 * bar.error {
            "c1"
        } else {
            "c0"
        };
        let stem = [
            (x, bar.exponent - 2.0 * bar.error),
            (x, bar.exponent + 2.0 * bar.error),
        ];
        plot.line(class, &stem, 1.4, 0.8);
        let at = plot.at(x, bar.exponent);
        if at.1.is_finite() {
            let title = format!(
                "λ{} = {} ± {}",
                i + 1,
                number(bar.exponent, 4),
                number(2.0 * bar.error, 2)
            );
            plot.canvas.disc(class, at, 3.6, 1.0, Some(&title));
        }
    }
    let first = if bars.len() < total {
        format!("The first {} of {total} Lyapunov exponents", bars.len())
    } else {
        "Lyapunov exponents".into()
    };
    let caption = format!(
        "{first} in nats per {unit}, bars of two standard errors over blocks of the run; positive beyond their error in orange."
    );
    Figure::new(name, caption, vec![plot.finish()], &bars)
}
