//! How few linear regions hold most of the states.

use serde::Serialize;

use crate::error::Result;
use crate::report::plot::{Axis, Figure, Key, Plot};

/// Shares of the regions visited, largest first.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Coverage {
    pub model: Vec<f64>,
    pub data: Option<Vec<f64>>,
    /// 2^P.
    pub possible: f64,
}

/// Cumulative share of states against the number of regions, most visited first.
pub fn coverage(name: &str, input: &Coverage) -> Result<Figure> {
    let curve = |share: &[f64]| -> Vec<(f64, f64)> {
        let mut sum = 0.0;
        std::iter::once((0.0, 0.0))
            .chain(share.iter().enumerate().map(|(k, s)| {
                sum += s;
                ((k + 1) as f64, sum.min(1.0))
            }))
            .collect()
    };
    let model = curve(&input.model);
    let data = input.data.as_deref().map(curve);
    let most = model.len().max(data.as_ref().map_or(0, Vec::len)).max(3) - 1;
    let mut keys = vec![Key::new("c0", "free run of the model")];
    if data.is_some() {
        keys.insert(0, Key::new("data", "data"));
    }
    let mut plot = Plot::new(
        "Regions needed to cover the states",
        Axis::exact("linear regions, most visited first", (0.0, most as f64)),
        Axis::exact("share of states covered", (0.0, 1.04)),
        &keys,
    );
    if most <= 10 {
        plot.x.marks = None;
    }
    if let Some(data) = data {
        plot.line("data", &data, 1.8, 0.9);
        plot.scatter("data", &data[1..], 6.0, 1.0);
    }
    plot.line("c0", &model, 1.8, 1.0);
    if model.len() <= 40 {
        plot.scatter("c0", &model[1..], 5.0, 1.0);
    }
    let caption = format!(
        "{} of {} possible regions are visited by the free run.",
        input.model.len(),
        possible(input.possible)
    );
    Figure::new(name, caption, vec![plot.finish()], input)
}

fn possible(n: f64) -> String {
    if n < 1e6 {
        format!("{n:.0}")
    } else {
        super::super::ticks::number(n, 2)
    }
}
