//! How few linear regions hold most of the states.

use serde::Serialize;

use crate::error::Result;
use crate::report::plot::{Axis, Figure, Key, Plot};
use crate::text::large_count;

/// Cumulative shares of the 1, 2, 3, … most visited regions.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Coverage {
    pub model: Vec<f64>,
    pub data: Option<Vec<f64>>,
    /// By the free run.
    pub visited: usize,
    /// 2^P.
    pub possible: f64,
}

/// Cumulative share of states against the number of regions, most visited first.
pub fn coverage(name: &str, input: &Coverage) -> Result<Figure> {
    let curve = |share: &[f64]| -> Vec<(f64, f64)> {
        let shares = std::iter::once(0.0).chain(share.iter().map(|s| s.min(1.0)));
        shares.enumerate().map(|(k, s)| (k as f64, s)).collect()
    };
    let model = curve(&input.model);
    let data = input.data.as_deref().map(curve);
    let most = model.len().max(data.as_ref().map_or(0, Vec::len)).max(3) - 1;
    let label = "linear regions, most visited first";
    let (x, first) = if most > 60 {
        (Axis::log(label, [1.0, most as f64].into_iter()), 1)
    } else {
        (Axis::exact(label, (0.0, most as f64)).whole(), 0)
    };
    let mut plot = Plot::new(
        "Regions needed to cover the states",
        x,
        Axis::exact("share of states covered", (0.0, 1.04)),
        &Key::beside(data.is_some()),
    );
    if let Some(data) = data {
        plot.line("data", &data[first..], 1.8, 0.9);
        if data.len() <= 40 {
            plot.scatter("data", &data[1..], 6.0, 1.0);
        }
    }
    plot.line("c0", &model[first..], 1.8, 1.0);
    if model.len() <= 40 {
        plot.scatter("c0", &model[1..], 5.0, 1.0);
    }
    let caption = format!(
        "{} of {} possible regions are visited by the free run.",
        input.visited,
        large_count(input.possible)
    );
    Figure::new(name, caption, vec![plot.finish()], input)
}
