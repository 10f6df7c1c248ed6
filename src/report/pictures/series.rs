//! Time series of data and free run, one above the other.

use ndarray::{Array2, ArrayView1, ArrayView2, s};
use serde_json::json;

use crate::error::Result;
use crate::report::plot::{Axis, Figure, Key, PANEL, Plot, column_name, extent};
use crate::report::thin::{rounded, stretch};

/// What the picture is made from.
#[derive(Clone, Debug)]
pub struct Series<'a> {
    pub name: &'a str,
    /// `[rows, N]`.
    pub data: Option<ArrayView2<'a, f64>>,
    pub model: ArrayView2<'a, f64>,
    pub columns: &'a [String],
    /// Time between rows, 1 for steps.
    pub dt: Option<f64>,
    /// Rows drawn at most.
    pub most: usize,
}

/// The first rows of (at most) the first three columns, model over data.
pub fn time_series(input: &Series<'_>) -> Result<Figure> {
    let (rows, note) = stretch(input.model.nrows(), input.most);
    let n = input.model.ncols();
    let shown = n.min(3);
    let dt = input.dt.unwrap_or(1.0);
    let time = if input.dt.is_some() {
        "time"
    } else {
        "steps from the start"
    };
    let cut =
        |x: ArrayView2<'_, f64>| -> Array2<f64> { x.slice(s![..rows.min(x.nrows()), ..shown]).to_owned() };
    let (data, model) = (input.data.map(cut), cut(input.model));
    let mut panels = Vec::new();
    for j in 0..shown {
        let column = |x: &Array2<f64>| -> Vec<(f64, f64)> {
            let values = x.column(j).into_iter().enumerate();
            values.map(|(t, &v)| (t as f64 * dt, v)).collect()
        };
        let (data, model) = (data.as_ref().map(column), column(&model));
        // The axis follows the data: a model that runs away must not flatten them.
        let range = data.as_ref().unwrap_or(&model).iter().map(|p| p.1);
        let keys = if j == 0 {
            Key::beside(data.is_some())
        } else {
            Vec::new()
        };
        let mut y = Axis::linear("", range);
        let room = 0.25 * (y.range.1 - y.range.0);
        y.range = (y.range.0 - room, y.range.1 + room);
        let mut plot = Plot::sized(
            (PANEL.0, 190.0),
            column_name(input.columns, j),
            Axis::exact(time, (0.0, dt * (rows.max(2) - 1) as f64)),
            y,
            &keys,
        );
        if let Some(data) = data {
            plot.line("data", &data, 1.3, 0.8);
        }
        plot.line("c0", &model, 1.3, 1.0);
        panels.push(plot.finish());
    }
    let dimensions = if shown < n {
        format!(", first {shown} of {n} dimensions")
    } else {
        String::new()
    };
    let caption = format!(
        "Time series from the same first observation{dimensions}; {note}. A chaotic system and its model part ways soon: the shapes should agree, not the values."
    );
    let of = data.as_ref().unwrap_or(&model);
    let span = |column: ArrayView1<'_, f64>| {
        let finite = column.into_iter().copied().filter(|v| v.is_finite());
        extent(finite).map_or(0.0, |(lo, hi)| hi - lo)
    };
    let spans: Vec<f64> = of.columns().into_iter().map(span).collect();
    let rows = |x: &Array2<f64>| -> Vec<Vec<f64>> {
        let row = |r: ArrayView1<'_, f64>| r.iter().zip(&spans).map(|(&v, &span)| rounded(v, span)).collect();
        x.rows().into_iter().map(row).collect()
    };
    let drawn = json!({ "dt": dt, "data": data.as_ref().map(rows), "model": rows(&model) });
    let mut figure = Figure::new(input.name, caption, panels, &drawn)?;
    figure.columns = 1;
    Ok(figure)
}
