#![allow(non_snake_case, reason = "the paper's symbols")]

use ndarray::ArrayView2;

use crate::error::{Error, Result};
use crate::model::{Scaling, Theta};

/// One uninterrupted recording, in the model's units.
#[derive(Clone, Copy, Debug)]
pub struct Recording<'a> {
    /// `[T, N]`, NaN where nothing was observed.
    pub x: ArrayView2<'a, f64>,
    /// `[T, K]`, no columns without inputs.
    pub s: ArrayView2<'a, f64>,
}

/// The model to read and what is known beside it.
#[derive(Clone, Copy, Debug)]
pub struct AnalysisInput<'a> {
    pub theta: &'a Theta,
    pub P: usize,
    /// How the model's units relate to the data's.
    pub scaling: Option<&'a Scaling>,
    /// Data to encode by the model's regions; the free run starts from their first row.
    pub data: &'a [Recording<'a>],
    /// Constant external input `[K]` of the map that is analysed; zero without.
    pub input: Option<&'a [f64]>,
    /// First observation `[N]` of the free run, in the model's units, in place of the data's first row. With
    /// neither, it is drawn from 𝒩(0, 1).
    pub start: Option<&'a [f64]>,
}

impl<'a> AnalysisInput<'a> {
    pub fn new(theta: &'a Theta, P: usize) -> Self {
        Self {
            theta,
            P,
            scaling: None,
            data: &[],
            input: None,
            start: None,
        }
    }

    /// Checks sizes and that the parameters are numbers.
    pub(super) fn check(&self) -> Result<()> {
        let dims = self.theta.dims();
        let length = |name: &str, found: usize, expected: usize| {
            if found == expected {
                return Ok(());
            }
            Err(Error::input(format!(
                "{name} has {found} values, the model expects {expected}"
            )))
        };
        if self.P > dims.M {
            return Err(Error::input(format!(
                "P = {} exceeds M = {} units",
                self.P, dims.M
            )));
        }
        if !self.theta.is_finite() {
            return Err(Error::input(
                "the model holds parameters that are not finite numbers",
            ));
        }
        for recording in self.data {
            length("a row of the data", recording.x.ncols(), dims.N)?;
            length("a row of the data's inputs", recording.s.ncols(), dims.K)?;
            length(
                "the data's inputs (rows)",
                recording.s.nrows(),
                recording.x.nrows(),
            )?;
        }
        if let Some(input) = self.input {
            length("the constant input", input.len(), dims.K)?;
        }
        if let Some(start) = self.start {
            length("the first observation", start.len(), dims.N)?;
        }
        if let Some(scaling) = self.scaling {
            length("the mean of the scaling", scaling.mean.len(), dims.N)?;
            length("the scale of the scaling", scaling.scale.len(), dims.N)?;
        }
        Ok(())
    }

    /// The first `N` units of a state in the data's units.
    pub(super) fn observed(&self, z: &[f64]) -> Vec<f64> {
        let N = self.theta.dims().N;
        match self.scaling {
            None => z[..N].to_vec(),
            Some(s) => (0..N).map(|n| s.mean[n] + s.scale[n] * z[n]).collect(),
        }
    }
}

/// How long and how far to look.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct AnalysisSettings {
    /// Steps of the free run that are analysed.
    pub steps: usize,
    /// Steps dropped before them.
    pub transient: usize,
    /// Longest period of the cycles searched for.
    pub max_period: usize,
    /// Linear solves spent on each period.
    pub search_budget: usize,
    /// Longest words of the n-gram table and the list of forbidden words.
    pub max_word_length: usize,
    /// Longest blocks of the block entropies.
    pub max_block_length: usize,
    /// Surrogate sequences of each Markov order.
    pub surrogates: usize,
    /// Steps of the Lyapunov spectrum.
    pub lyapunov_steps: usize,
    /// Regions and cycles (of each period) listed one by one; the others are counted.
    pub max_listed: usize,
    /// The data force the observed units every this many steps while they are encoded.
    pub forcing_interval: usize,
    /// Time between two observations, in the user's unit of time.
    pub dt: Option<f64>,
    pub seed: u32,
}

impl Default for AnalysisSettings {
    fn default() -> Self {
        Self {
            steps: 100_000,
            transient: 10_000,
            max_period: 6,
            search_budget: 500,
            max_word_length: 6,
            max_block_length: 64,
            surrogates: 20,
            lyapunov_steps: 50_000,
            max_listed: 64,
            forcing_interval: 1,
            dt: None,
            seed: 0,
        }
    }
}

impl AnalysisSettings {
    pub(super) fn check(&self) -> Result<()> {
        let counts = [
            ("steps", self.steps),
            ("search-budget", self.search_budget),
            ("max-period", self.max_period),
            ("max-word-length", self.max_word_length),
            ("lyapunov-steps", self.lyapunov_steps),
            ("forcing-interval", self.forcing_interval),
            ("max-listed", self.max_listed),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, value)| *value == 0) {
            return Err(Error::input(format!("{name} must be at least 1")));
        }
        match self.dt {
            Some(dt) if !(dt > 0.0 && dt.is_finite()) => {
                Err(Error::input(format!("dt = {dt} is no time step")))
            }
            _ => Ok(()),
        }
    }
}
