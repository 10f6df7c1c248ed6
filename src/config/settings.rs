#![allow(non_snake_case, reason = "the paper's symbols")]

use serde::{Deserialize, Serialize};

use crate::config::values::{ABOVE_0, COUNT, EPOCHS, FROM_0, Real, SMOOTHING, THREADS};
use crate::config::{BackendChoice, DstspChoice, Form, Grid, Optimizer, Seeds, Shard};
use crate::error::{Error, Result};

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
    /// Columns of the data to leave out: names, or numbers counted from 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
    pub allow_missing: bool,
    pub standardize: bool,
    /// Time between observations, kept in the models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dt: Option<f64>,

    pub M: Grid<usize>,
    pub P: Grid<usize>,
    pub tau: Grid<usize>,
    pub alpha: Grid<f64>,
    pub T: Grid<usize>,
    pub batch_size: Grid<usize>,
    pub noise: Grid<f64>,
    pub start_lr: Grid<f64>,
    pub end_lr: Grid<f64>,
    /// Largest global gradient norm, 0 for no clipping.
    pub clip: Grid<f64>,
    pub lambda_lat: Grid<f64>,
    pub lambda_obs: Grid<f64>,
    pub seeds: Seeds,
    /// The part of the study to train here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,

    pub optimizer: Optimizer,
    pub epochs: u32,
    pub batches_per_epoch: u32,
    pub form: Form,

    /// Epochs between two scorings.
    pub eval_every: u32,
    pub dstsp: DstspChoice,
    pub bins: usize,
    pub gmm_variance: f64,
    pub smoothing: f64,
    pub pe_steps: usize,

    pub backend: BackendChoice,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: Vec::new(),
            inputs: Vec::new(),
            test: Vec::new(),
            test_inputs: Vec::new(),
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
            form: Form::Auto,
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

impl Settings {
    /// Checks every value that can be judged without the data.
    pub fn validate(&self) -> Result<()> {
        if self.data.is_empty() {
            return Err(Error::input("no data given").with_hint("name a file: --data lorenz.npy"));
        }
        for (flag, grid) in [
            ("M", &self.M),
            ("tau", &self.tau),
            ("T", &self.T),
            ("batch-size", &self.batch_size),
        ] {
            if grid.values().contains(&0) {
                return Err(Error::input(format!("--{flag} 0: must be at least 1")));
            }
        }
        let most_M = self.M.values().iter().copied().min().unwrap_or(0);
        if let Some(P) = self.P.values().iter().find(|&&P| P > most_M) {
            return Err(Error::input(format!(
                "--P {P}: a model of M = {most_M} latent units has no {P} ReLU units"
            ))
            .with_hint(format!("use --P {most_M} or less, or a larger --M")));
        }
        self.validate_numbers()?;
        let threads = self.threads.map(|threads| ("threads", threads as u64, THREADS));
        let whole = [
            ("epochs", u64::from(self.epochs), EPOCHS),
            ("batches-per-epoch", u64::from(self.batches_per_epoch), EPOCHS),
            ("eval-every", u64::from(self.eval_every), EPOCHS),
            ("bins", self.bins as u64, COUNT),
            ("pe-steps", self.pe_steps as u64, COUNT),
        ];
        for (flag, value, rule) in whole.into_iter().chain(threads) {
            rule.check(value)
                .map_err(|why| Error::input(format!("--{flag} {value}: {why}")))?;
        }
        if self.epochs.checked_mul(self.batches_per_epoch).is_none() {
            return Err(Error::input(
                "--epochs × --batches-per-epoch: more than 2^32 − 1 optimiser steps",
            ));
        }
        Ok(())
    }

    fn validate_numbers(&self) -> Result<()> {
        let one = std::slice::from_ref;
        let rules: [(&str, &[f64], Real); 9] = [
            ("noise", self.noise.values(), FROM_0),
            ("start-lr", self.start_lr.values(), FROM_0),
            ("end-lr", self.end_lr.values(), FROM_0),
            ("clip", self.clip.values(), FROM_0),
            ("lambda-lat", self.lambda_lat.values(), FROM_0),
            ("lambda-obs", self.lambda_obs.values(), FROM_0),
            ("smoothing", one(&self.smoothing), SMOOTHING),
            ("gmm-variance", one(&self.gmm_variance), ABOVE_0),
            ("dt", self.dt.as_slice(), ABOVE_0),
        ];
        for (flag, values, rule) in rules {
            for &v in values {
                rule.check(v)
                    .map_err(|why| Error::input(format!("--{flag} {v}: {why}")))?;
            }
        }
        if let Some(alpha) = self.alpha.values().iter().find(|a| !(0.0..=1.0).contains(*a)) {
            return Err(Error::input(format!(
                "--alpha {alpha}: the forcing strength lies between 0 and 1"
            )));
        }
        if self.end_lr.values().contains(&0.0) && self.start_lr.values().iter().any(|&lr| lr > 0.0) {
            return Err(Error::input("--end-lr 0: an exponential decay cannot reach 0")
                .with_hint("use a small number such as 1e-8"));
        }
        Ok(())
    }
}
