//! Lyapunov exponents with their errors.

use serde::Serialize;

use crate::error::Result;
use crate::report::plot::{Axis, Figure, Panel, Plot};
use crate::text::typeset;

/// Exponents of the close view.
const CLOSE: usize = 4;

/// One exponent and the standard error of its mean.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LyapunovBar {
    pub exponent: f64,
    pub error: f64,
    /// Whether it is above 0 as far as can be told (`analysis::Lyapunov::signs`).
    pub positive: bool,
}

/// Exponents in falling order with bars of two standard errors, the first of `total`; `unit` is what they are
/// counted per. Where there are many, a second panel has the first four alone.
pub fn lyapunov(name: &str, bars: &[LyapunovBar], total: usize, unit: &str) -> Result<Figure> {
    let mut panels = vec![panel("Lyapunov spectrum", bars, unit)];
    if bars.len() > CLOSE + 2 {
        panels.push(panel("Its largest exponents", &bars[..CLOSE], unit));
    }
    let first = if bars.len() < total {
        format!("The first {} of {total} Lyapunov exponents", bars.len())
    } else {
        "Lyapunov exponents".into()
    };
    let caption = format!(
        "{first} in nats per {unit}, bars of two standard errors over blocks of the run; positive ones, as far as can be told, in orange."
    );
    Figure::new(name, caption, panels, &bars)
}

fn panel(title: &str, bars: &[LyapunovBar], unit: &str) -> Panel {
    let ends = bars
        .iter()
        .flat_map(|b| [b.exponent - 2.0 * b.error, b.exponent + 2.0 * b.error]);
    let names: Vec<String> = (1..=bars.len()).map(|i| i.to_string()).collect();
    let mut plot = Plot::new(
        title,
        Axis::categories("index", &names),
        Axis::linear(format!("nats per {unit}"), ends.chain(std::iter::once(0.0))),
        &[],
    );
    plot.level("ink", 0.0);
    for (i, bar) in bars.iter().enumerate() {
        let x = i as f64;
        let reach = 2.0 * bar.error;
        let class = if bar.positive { "c1" } else { "c0" };
        let stem = [(x, bar.exponent - reach), (x, bar.exponent + reach)];
        plot.line(class, &stem, 1.4, 0.8);
        let at = plot.at(x, bar.exponent);
        let value = format!("{} ± {}", typeset(bar.exponent, 4), typeset(reach, 2));
        let title = format!("λ{} = {value}", i + 1);
        plot.panel.disc(class, at, 3.6, 1.0, Some(&title));
    }
    plot.finish()
}
