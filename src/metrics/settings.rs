//! Settings of the metrics.

use crate::config::values::{ABOVE_0, COUNT, SMOOTHING};
use crate::config::{DstspChoice, Settings};
use crate::error::Result;

/// Settings of the metrics; those of [`Settings`] by default.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreSettings {
    /// Which estimate of D_stsp to use.
    pub dstsp: DstspChoice,
    /// Bins per dimension of D_stsp by bins.
    pub bins: usize,
    /// σ² of the Gaussians of D_stsp by mixtures.
    pub gmm_variance: f64,
    /// Standard deviation of the spectra's smoothing, in frequency bins.
    pub smoothing: f64,
    /// n of PE(n).
    pub pe_steps: usize,
    /// Decides the Monte Carlo points of D_stsp by mixtures.
    pub seed: u32,
}

impl From<&Settings> for ScoreSettings {
    fn from(settings: &Settings) -> Self {
        Self {
            dstsp: settings.dstsp,
            bins: settings.bins,
            gmm_variance: settings.gmm_variance,
            smoothing: settings.smoothing,
            pe_steps: settings.pe_steps,
            seed: 0,
        }
    }
}

impl Default for ScoreSettings {
    fn default() -> Self {
        Self::from(&Settings::default())
    }
}

impl ScoreSettings {
    pub(super) fn validate(&self) -> Result<()> {
        COUNT.require("bins", self.bins as u64)?;
        COUNT.require("pe-steps", self.pe_steps as u64)?;
        ABOVE_0.require("gmm-variance", self.gmm_variance)?;
        SMOOTHING.require("smoothing", self.smoothing)
    }
}
