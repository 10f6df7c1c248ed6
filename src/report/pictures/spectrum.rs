//! Power spectra of data and free run.

use serde_json::json;

use crate::error::Result;
use crate::report::plot::{Axis, Figure, Key, Plot};
use crate::report::thin::log_bins;

/// Points of a curve at most.
const BINS: usize = 300;

/// Normalised power at the frequencies `k / length`, k = 0, 1, …
#[derive(Clone, Debug, Default)]
pub struct PowerSpectra {
    pub length: usize,
    /// Mean over dimensions, one value a frequency.
    pub data: Option<Vec<f64>>,
    pub model: Vec<f64>,
    /// Time between rows.
    pub dt: Option<f64>,
    /// Standard deviation of the smoothing, in frequency bins.
    pub smoothing: f64,
}

/// Both spectra on logarithmic axes, averaged in bins of equal width in log frequency; the zero frequency is
/// left out.
pub fn power_spectra(name: &str, input: &PowerSpectra) -> Result<Figure> {
    let unit = input.dt.unwrap_or(1.0);
    let frequency: Vec<f64> = (1..input.model.len())
        .map(|k| k as f64 / (input.length.max(1) as f64 * unit))
        .collect();
    let bins = |power: &[f64]| log_bins(&frequency, &power[1.min(power.len())..], BINS);
    let (at, model) = bins(&input.model);
    let data = input.data.as_deref().map(|d| bins(d).1);
    let label = if input.dt.is_some() {
        "cycles per unit of time"
    } else {
        "cycles per step"
    };
    let both = model.iter().chain(data.iter().flatten()).copied();
    let top = both.clone().fold(0.0, f64::max);
    // Ten decades hold all that a reader can compare; below them is rounding.
    let mut plot = Plot::new(
        "Power spectrum",
        Axis::log(label, at.iter().copied()),
        Axis::log("share of power", both.filter(|v| *v > 1e-10 * top)),
        &Key::beside(data.is_some()),
    );
    let zip = |y: &[f64]| -> Vec<(f64, f64)> { at.iter().copied().zip(y.iter().copied()).collect() };
    if let Some(data) = &data {
        plot.line("data", &zip(data), 1.6, 0.9);
    }
    plot.line("c0", &zip(&model), 1.6, 1.0);
    let caption = format!(
        "Power spectra as D_H compares them (z-scored, smoothed by {} frequency bins, normalised), mean over dimensions, averaged in {BINS} logarithmic bins.",
        input.smoothing
    );
    let drawn = json!({ "frequency": at, "data": data, "model": model });
    Figure::new(name, caption, vec![plot.finish()], &drawn)
}
