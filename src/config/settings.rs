#![allow(non_snake_case, reason = "the paper's symbols")]

use serde::{Deserialize, Serialize};

use crate::config::{BackendChoice, DstspChoice, Form, Grid, Optimizer, Seeds, Shard};

/// Everything a study is made of; keys of a config file are these names in kebab-case, flags likewise.
///
/// The defaults are the published Lorenz-63 row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Settings {
    pub data: Vec<String>,
    pub inputs: Vec<String>,
    /// Held-out data to score on (with their inputs) in the place of the training data.
    pub test: Vec<String>,
    pub test_inputs: Vec<String>,
    /// Share of the rows, the last ones, to score on instead of training on them; 0 for none.
    #[serde(skip_serializing_if = "is_zero")]
    pub hold_out: f64,
    /// Columns of the data to leave out: names, or numbers counted from 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
    pub allow_missing: bool,
    pub standardize: bool,
    /// Time between observations, kept in the models.
    pub dt: Option<f64>,

    pub M: Grid<usize>,
    pub P: Grid<usize>,
    pub tau: Grid<usize>,
    pub alpha: Grid<f64>,
    pub T: Grid<usize>,
    pub batch_size: Grid<usize>,
    pub noise: Grid<f64>,
    /// What the noise falls to over training, as the learning rate does; `None` where it stays as it is.
    pub noise_end: Option<Grid<f64>>,
    /// By how much models are to expand, see [`crate::backend::Member::inflation`]; 1 for nothing.
    pub inflation: Grid<f64>,
    pub start_lr: Grid<f64>,
    pub end_lr: Grid<f64>,
    /// Largest global gradient norm, 0 for no clipping.
    pub clip: Grid<f64>,
    pub lambda_lat: Grid<f64>,
    pub lambda_obs: Grid<f64>,
    pub seeds: Seeds,
    /// The part of the study to train here.
    pub shard: Option<Shard>,

    pub optimizer: Optimizer,
    pub epochs: u32,
    pub batches_per_epoch: u32,
    /// Whether training ends with the state that scored best on its way.
    pub restore_best: bool,
    pub form: Form,
    /// Generations of polishing after training (see [`crate::polish`]); 0 for none.
    pub polish: u32,

    /// Epochs between two scorings.
    pub eval_every: u32,
    pub dstsp: DstspChoice,
    pub bins: usize,
    pub gmm_variance: f64,
    pub smoothing: f64,
    pub pe_steps: usize,

    pub backend: BackendChoice,
    pub device: Option<String>,
    /// Threads of rayon's global pool; the command line starts it.
    pub threads: Option<usize>,
}

impl Settings {
    /// The first data file's name without folder and ending.
    pub fn data_name(&self) -> &str {
        let first = self.data.first().map_or("data", String::as_str);
        let name = first.rsplit(['/', '\\']).next().unwrap_or(first);
        name.split(['.', ':']).next().unwrap_or(name)
    }

    /// Epochs and generations of polishing, in all.
    pub fn length(&self) -> u32 {
        self.epochs + self.polish
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: Vec::new(),
            inputs: Vec::new(),
            test: Vec::new(),
            test_inputs: Vec::new(),
            hold_out: 0.0,
            drop: Vec::new(),
            allow_missing: false,
            standardize: false,
            dt: None,
            M: Grid::one(20),
            P: Grid::one(2),
            tau: Grid::one(16),
            alpha: Grid::one(1.0),
            T: Grid::one(200),
            batch_size: Grid::one(16),
            noise: Grid::one(0.05),
            noise_end: None,
            inflation: Grid::one(1.0),
            start_lr: Grid::one(1e-3),
            end_lr: Grid::one(1e-5),
            clip: Grid::one(0.0),
            lambda_lat: Grid::one(0.0),
            lambda_obs: Grid::one(0.0),
            seeds: Seeds::count(1).expect("one is a count"),
            shard: None,
            optimizer: Optimizer::Radam,
            epochs: 2000,
            batches_per_epoch: 50,
            restore_best: false,
            form: Form::Auto,
            polish: 0,
            eval_every: 25,
            dstsp: DstspChoice::Auto,
            bins: 30,
            gmm_variance: 0.3,
            smoothing: 20.0,
            pe_steps: 20,
            backend: BackendChoice::Auto,
            device: None,
            threads: None,
        }
    }
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_after_the_data() {
        for (data, name) in [
            ("a/lorenz.npy", "lorenz"),
            ("x.npz:key", "x"),
            ("C:\\b.csv.gz", "b"),
            ("plain", "plain"),
        ] {
            let settings = Settings {
                data: vec![data.into()],
                ..Settings::default()
            };
            assert_eq!(settings.data_name(), name);
        }
    }
}
