use serde::{Deserialize, Serialize};

/// The optimiser of every member of a study.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// Rectified Adam (Liu et al., *On the variance of the adaptive learning rate and beyond*, ICLR 2020).
    #[default]
    Radam,
    /// Adam (Kingma and Ba, ICLR 2015).
    Adam,
}

/// Which of the two equal forms of the recurrence computes forward and adjoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The cheaper one for the shape, by operation count.
    #[default]
    Auto,
    /// `z' = A ∘ z + W φ(z) + h`, step by step.
    Plain,
    /// The almost-linear form: blocks of unforced steps through powers of `diag(A) + W`; plain where these grow too far to be accurate.
    Blocked,
}

/// Which estimate of D_stsp scores use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DstspChoice {
    /// Bins where their smoothing stays far below the rows, the Gaussian mixture otherwise.
    #[default]
    Auto,
    /// As the paper's code: bins up to 10 dimensions, the mixture above.
    Bins,
    /// The Gaussian mixture.
    Gmm,
}

/// Where to train.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendChoice {
    /// A hardware GPU where there is one, the CPU otherwise.
    #[default]
    Auto,
    Cpu,
    Gpu,
}
