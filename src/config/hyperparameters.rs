//! One table of what may differ between the members of a study. Its rows are the axes of the grid and the rules of their
//! values; the fields of [`Hyperparameters`] are the columns of `members.csv`, and what a report compares.
#![allow(non_snake_case, reason = "the paper's symbols")]

use serde::{Deserialize, Serialize};

use crate::config::values::{ABOVE_0, FROM_0, INFLATION, Real};
use crate::config::{Grid, Optimizer, Settings};
use crate::error::{Error, Result};

/// What one member is trained with: a point of the grid. Units are steps of the data where nothing else is said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hyperparameters {
    pub seed: u32,
    /// Latent units, of which the last `P` are ReLU units.
    pub M: usize,
    pub P: usize,
    /// Teacher-forcing interval; `tau ≥ T` never forces.
    pub tau: usize,
    /// Forcing strength, 1 = replace.
    pub alpha: f64,
    /// Predicted steps of a window.
    pub T: usize,
    /// Windows in a batch.
    pub batch_size: usize,
    /// Standard deviation of the observation noise, in the first epoch.
    pub noise: f64,
    /// What it falls to, as the learning rate does; `None` to stay as it is. Not in folders of earlier versions.
    #[serde(default)]
    pub noise_end: Option<f64>,
    /// See [`crate::backend::Member::inflation`]. Not in folders of earlier versions.
    #[serde(default = "no_inflation")]
    pub inflation: f64,
    pub start_lr: f64,
    pub end_lr: f64,
    pub optimizer: Optimizer,
    /// Largest global gradient norm, `None` for no clipping.
    pub clip: Option<f64>,
    pub lambda_lat: f64,
    pub lambda_obs: f64,
}

const fn no_inflation() -> f64 {
    1.0
}

impl Hyperparameters {
    /// The fields that a report compares, in its order; seeds only repeat.
    pub const COMPARED: [&str; 15] = [
        "P",
        "M",
        "tau",
        "alpha",
        "T",
        "batch_size",
        "noise",
        "noise_end",
        "inflation",
        "start_lr",
        "end_lr",
        "optimizer",
        "clip",
        "lambda_lat",
        "lambda_obs",
    ];
}

/// An axis of a study's grid.
pub struct Axis {
    /// Key of [`Settings`], and the flag.
    pub name: &'static str,
    values: Values,
}

/// The values of an axis, what each has to be, and where it goes.
enum Values {
    Whole {
        grid: fn(&Settings) -> &Grid<usize>,
        least: usize,
        set: fn(&mut Hyperparameters, usize),
    },
    Real {
        /// Empty where nothing is the default.
        grid: fn(&Settings) -> &[f64],
        rule: Real,
        set: fn(&mut Hyperparameters, f64),
    },
    Seeds,
}

const fn whole(
    name: &'static str,
    least: usize,
    grid: fn(&Settings) -> &Grid<usize>,
    set: fn(&mut Hyperparameters, usize),
) -> Axis {
    let values = Values::Whole { grid, least, set };
    Axis { name, values }
}

const fn real(
    name: &'static str,
    rule: Real,
    grid: fn(&Settings) -> &[f64],
    set: fn(&mut Hyperparameters, f64),
) -> Axis {
    let values = Values::Real { grid, rule, set };
    Axis { name, values }
}

const SHARE: Real = Real::range(0.0, 1.0);

/// All axes; the last varies fastest. Those of the shape come first, so that members of one shape stand together.
#[rustfmt::skip]
pub const AXES: [Axis; 15] = [
    whole("M", 1, |s| &s.M, |h, v| h.M = v),
    whole("T", 1, |s| &s.T, |h, v| h.T = v),
    whole("batch-size", 1, |s| &s.batch_size, |h, v| h.batch_size = v),
    whole("P", 0, |s| &s.P, |h, v| h.P = v),
    whole("tau", 1, |s| &s.tau, |h, v| h.tau = v),
    real("alpha", SHARE, |s| s.alpha.values(), |h, v| h.alpha = v),
    real("noise", FROM_0, |s| s.noise.values(), |h, v| h.noise = v),
    real("noise-end", ABOVE_0, |s| s.noise_end.as_ref().map_or(&[], Grid::values), |h, v| h.noise_end = Some(v)),
    real("inflation", INFLATION, |s| s.inflation.values(), |h, v| h.inflation = v),
    real("start-lr", FROM_0, |s| s.start_lr.values(), |h, v| h.start_lr = v),
    real("end-lr", FROM_0, |s| s.end_lr.values(), |h, v| h.end_lr = v),
    real("clip", FROM_0, |s| s.clip.values(), |h, v| h.clip = (v > 0.0).then_some(v)),
    real("lambda-lat", FROM_0, |s| s.lambda_lat.values(), |h, v| h.lambda_lat = v),
    real("lambda-obs", FROM_0, |s| s.lambda_obs.values(), |h, v| h.lambda_obs = v),
    Axis { name: "seeds", values: Values::Seeds },
];

impl Axis {
    /// How many values the settings give it.
    pub fn len(&self, settings: &Settings) -> usize {
        match self.values {
            Values::Whole { grid, .. } => grid(settings).values().len(),
            Values::Real { grid, .. } => grid(settings).len().max(1),
            Values::Seeds => settings.seeds.values().len(),
        }
    }

    /// Refuses a value out of range, by its flag.
    pub(super) fn check(&self, settings: &Settings) -> Result<()> {
        match self.values {
            Values::Whole { grid, least, .. } => match grid(settings).values().iter().find(|&&v| v < least) {
                Some(v) => Err(Error::input(format!(
                    "--{} {v}: must be at least {least}",
                    self.name
                ))),
                None => Ok(()),
            },
            Values::Real { grid, rule, .. } => {
                let mut values = grid(settings).iter();
                values.try_for_each(|&v| rule.require(self.name, v))
            }
            Values::Seeds => Ok(()),
        }
    }

    /// Every point, once with each value.
    fn spread(&self, settings: &Settings, points: Vec<Hyperparameters>) -> Vec<Hyperparameters> {
        match self.values {
            Values::Whole { grid, set, .. } => product(points, grid(settings).values(), set),
            Values::Real { grid, set, .. } => match grid(settings) {
                [] => points,
                values => product(points, values, set),
            },
            Values::Seeds => product(points, settings.seeds.values(), |h, seed| h.seed = seed),
        }
    }
}

fn product<V: Copy>(
    mut points: Vec<Hyperparameters>,
    values: &[V],
    set: fn(&mut Hyperparameters, V),
) -> Vec<Hyperparameters> {
    // Most axes have one value: a large grid is not copied for each of these.
    if let [value] = values {
        points.iter_mut().for_each(|point| set(point, *value));
        return points;
    }
    let mut all = Vec::with_capacity(points.len() * values.len());
    for point in &points {
        for &value in values {
            all.push(point.clone());
            set(all.last_mut().expect("just pushed"), value);
        }
    }
    all
}

impl Settings {
    /// Every point of the grid, seeds varying fastest; there are as many as the product of [`Axis::len`].
    pub fn grid(&self) -> Vec<Hyperparameters> {
        let first = Hyperparameters {
            optimizer: self.optimizer,
            ..Hyperparameters::default()
        };
        AXES.iter()
            .fold(vec![first], |points, axis| axis.spread(self, points))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A hyperparameter that is new is an axis, a column, and compared.
    #[test]
    fn every_hyperparameter_is_in_the_table() {
        let fields = serde_json::to_value(Hyperparameters::default()).expect("plain data");
        let fields: BTreeSet<String> = fields.as_object().expect("a struct").keys().cloned().collect();
        let compared = Hyperparameters::COMPARED.into_iter().chain(["seed"]);
        assert_eq!(fields, compared.map(str::to_owned).collect());
        let axes = AXES.iter().map(|axis| axis.name.replace('-', "_"));
        let axes = axes.map(|name| if name == "seeds" { "seed".to_owned() } else { name });
        assert_eq!(fields, axes.chain(["optimizer".to_owned()]).collect());
    }

    #[test]
    fn every_axis_goes_where_its_name_says() {
        let lists = "M = [30, 31]\nP = [3, 4]\ntau = [5, 6]\nT = [7, 8]\nbatch-size = [9, 10]\nalpha = [0.1, 0.2]\n\
                     noise = [0.3, 0.4]\n\
                     noise-end = [0.01, 0.02]\ninflation = [1.1, 1.2]\nstandardize = true\nstart-lr = [0.5, 0.6]\nend-lr = [0.7, 0.8]\nclip = [0.9, 1.5]\n\
                     lambda-lat = [1.1, 1.2]\nlambda-obs = [1.3, 1.4]\nseeds = [11, 12]";
        let settings = crate::config::resolve(None, lists.parse().expect("TOML")).expect("valid");
        let grid = settings.grid();
        assert_eq!(grid.len(), 1 << 15);
        let first = Hyperparameters {
            seed: 11,
            M: 30,
            P: 3,
            tau: 5,
            alpha: 0.1,
            T: 7,
            batch_size: 9,
            noise: 0.3,
            noise_end: Some(0.01),
            inflation: 1.1,
            start_lr: 0.5,
            end_lr: 0.7,
            optimizer: Optimizer::Radam,
            clip: Some(0.9),
            lambda_lat: 1.1,
            lambda_obs: 1.3,
        };
        assert_eq!(grid[0], first);
        assert_eq!(grid[1], Hyperparameters { seed: 12, ..first });
    }
}
