//! Settings of the metrics.

use crate::config::{DstspChoice, Settings};
use crate::error::{Error, Result};

/// Largest smoothing of spectra, in frequency bins.
const MAX_SMOOTHING: f64 = 1e5;

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
        let refuse = |message: String| Err(Error::input(message));
        if self.bins == 0 {
            return refuse("the number of bins must be at least 1".into());
        }
        if !(self.gmm_variance > 0.0 && self.gmm_variance.is_finite()) {
            return refuse(format!("the GMM variance {} is not positive", self.gmm_variance));
        }
        if !(0.0..=MAX_SMOOTHING).contains(&self.smoothing) {
            return refuse(format!(
                "the smoothing {} is outside 0..={MAX_SMOOTHING}",
                self.smoothing
            ));
        }
        if self.pe_steps == 0 {
            return refuse("the prediction error needs at least 1 step".into());
        }
        Ok(())
    }
}
