use crate::config::Optimizer;

pub const BETA1: f64 = 0.9;
pub const BETA2: f64 = 0.999;
pub const EPSILON: f64 = 1e-8;

/// What an update needs beside the moments, a function of the step number alone:
/// `m ← β₁ m + (1−β₁) g`, `v ← β₂ v + (1−β₂) g²`, then
/// `θ ← θ − η · m_scale · m · rect / (√(v_scale · v) + ε)`, or `θ ← θ − η · m_scale · m` where `rect = 0`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepCoefficients {
    /// `1 / (1 − β₁^t)`
    pub m_scale: f64,
    /// `1 / (1 − β₂^t)`
    pub v_scale: f64,
    /// Rectification `r_t` where `ρ_t > 4`, 0 where RAdam takes a plain momentum step; 1 for Adam.
    pub rect: f64,
}

impl Optimizer {
    /// Coefficients of optimiser step `t`, counted from 1.
    pub fn coefficients(self, t: u32) -> StepCoefficients {
        let t = f64::from(t);
        let beta2_t = BETA2.powf(t);
        let rect = match self {
            Self::Adam => 1.0,
            Self::Radam => {
                let rho_inf = 2.0 / (1.0 - BETA2) - 1.0;
                let rho = rho_inf - 2.0 * t * beta2_t / (1.0 - beta2_t);
                if rho > 4.0 {
                    ((rho - 4.0) * (rho - 2.0) * rho_inf / ((rho_inf - 4.0) * (rho_inf - 2.0) * rho)).sqrt()
                } else {
                    0.0
                }
            }
        };
        StepCoefficients {
            m_scale: 1.0 / (1.0 - BETA1.powf(t)),
            v_scale: 1.0 / (1.0 - beta2_t),
            rect,
        }
    }
}

/// `η_e = η₀ (η₁/η₀)^{e/epochs}` of epoch `e`, counted from 0, as learning rates and noise decay; constant 0 where `η₀ = 0`.
pub(super) fn decayed(start: f64, end: f64, epoch: u32, epochs: u32) -> f64 {
    if start == 0.0 {
        return 0.0;
    }
    start * (end / start).powf(f64::from(epoch) / f64::from(epochs.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ρ_t passes 4 between steps 4 and 5 for β₂ = 0.999 (Liu et al., section 5.3).
    #[test]
    fn radam_rectifies_from_the_fifth_or_sixth_step() {
        let first = (1..).find(|&t| Optimizer::Radam.coefficients(t).rect > 0.0);
        assert!(matches!(first, Some(5 | 6)), "{first:?}");
        assert!((Optimizer::Radam.coefficients(1_000_000).rect - 1.0).abs() < 1e-3);
    }

    #[test]
    fn what_decays_goes_from_start_to_end() {
        assert_eq!(decayed(1e-3, 1e-5, 0, 10), 1e-3);
        assert!((decayed(1e-3, 1e-5, 5, 10) - 1e-4).abs() < 1e-18);
        assert!((decayed(1e-3, 1e-5, 10, 10) - 1e-5).abs() < 1e-18);
    }
}
