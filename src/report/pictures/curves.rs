//! Loss and metrics over the epochs, every member.

use serde::Serialize;

use crate::error::Result;
use crate::report::plot::{Axis, Figure, Key, Panel, Plot};
use crate::report::thin::evenly;

/// Members drawn at most.
const MOST: usize = 120;

/// One member's log.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Curve {
    pub id: String,
    pub epoch: Vec<f64>,
    pub loss: Vec<f64>,
    pub d_stsp: Vec<f64>,
    pub d_h: Vec<f64>,
    /// Class of its colour.
    #[serde(skip)]
    pub class: String,
}

/// What the picture is made from.
#[derive(Clone, Debug, Default)]
pub struct Curves<'a> {
    pub members: &'a [Curve],
    /// Drawn last, over the others.
    pub best: Option<&'a str>,
    /// Noise floor of (D_stsp, D_H).
    pub floor: (f64, f64),
    /// What the colours stand for.
    pub keys: Vec<Key>,
}

/// What a panel draws of each member.
type Values = fn(&Curve) -> &Vec<f64>;

/// Three panels: loss, D_stsp and D_H over epochs, logarithmic.
pub fn training_curves(name: &str, input: &Curves<'_>) -> Result<Figure> {
    let shown: Vec<&Curve> = evenly(input.members.len(), MOST)
        .into_iter()
        .map(|i| &input.members[i])
        .collect();
    let drawn: [(&str, &str, f64, Values); 3] = [
        ("Training loss", "loss", f64::NAN, |c| &c.loss),
        ("State space divergence D_stsp", "D_stsp", input.floor.0, |c| {
            &c.d_stsp
        }),
        ("Hellinger distance D_H", "D_H", input.floor.1, |c| &c.d_h),
    ];
    let panel = |(title, label, floor, values)| panel(title, label, floor, input, &shown, values);
    let panels = drawn.into_iter().map(panel).collect();
    let which = if shown.len() < input.members.len() {
        format!(
            "{} of {} members, evenly chosen",
            shown.len(),
            input.members.len()
        )
    } else if shown.len() == 1 {
        "one member".into()
    } else {
        format!("all {} members", shown.len())
    };
    let best = match input.best {
        Some(id) if shown.len() > 1 => format!(", the best ({id}) drawn thick"),
        _ => String::new(),
    };
    let caption = format!("Training: {which}{best}. Values that are undefined or not positive leave a gap.");
    Figure::new(name, caption, panels, &shown)
}

fn panel(
    title: &str,
    label: &str,
    floor: f64,
    input: &Curves<'_>,
    shown: &[&Curve],
    values: impl Fn(&Curve) -> &Vec<f64>,
) -> Panel {
    let all = shown.iter().flat_map(|c| values(c).iter().copied());
    let epochs = shown.iter().flat_map(|c| c.epoch.iter().copied());
    let last = epochs.fold(1.0, f64::max);
    let mut keys = input.keys.clone();
    keys.extend(Key::noise_floor(floor));
    let y = Axis::log(label, all.chain(std::iter::once(floor)));
    let mut plot = Plot::new(title, Axis::exact("epochs completed", (0.0, last)), y, &keys);
    let alone = shown.len() == 1;
    let points =
        |c: &Curve| -> Vec<(f64, f64)> { c.epoch.iter().copied().zip(values(c).iter().copied()).collect() };
    for curve in shown {
        let (width, opacity) = if alone { (1.8, 1.0) } else { (1.0, 0.55) };
        plot.line(&curve.class, &points(curve), width, opacity);
    }
    if let Some(best) = shown.iter().find(|c| Some(c.id.as_str()) == input.best && !alone) {
        plot.line("paper", &points(best), 5.0, 0.9);
        plot.line(&best.class, &points(best), 2.6, 1.0);
    }
    plot.level("ink", floor);
    plot.finish()
}
