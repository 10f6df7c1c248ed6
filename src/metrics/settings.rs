//! Settings of the metrics.

use crate::config::values::{ABOVE_0, COUNT, SMOOTHING};
use crate::config::{DstspChoice, Settings};
use crate::error::{Error, Result};

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
        let refuse = |flag: &'static str| move |why| Error::input(format!("--{flag}: {why}"));
        COUNT.check(self.bins as u64).map_err(refuse("bins"))?;
        COUNT.check(self.pe_steps as u64).map_err(refuse("pe-steps"))?;
        ABOVE_0.check(self.gmm_variance).map_err(refuse("gmm-variance"))?;
        SMOOTHING.check(self.smoothing).map_err(refuse("smoothing"))?;
        Ok(())
    }
}
