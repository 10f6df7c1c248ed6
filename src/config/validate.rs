#![allow(non_snake_case, reason = "the paper's symbols")]

use crate::config::values::{ABOVE_0, COUNT, EPOCHS, HOLD_OUT, POLISH, SMOOTHING, THREADS};
use crate::config::{AXES, Settings};
use crate::error::{Error, Result};

impl Settings {
    /// Checks every value that can be judged without the data.
    pub fn validate(&self) -> Result<()> {
        AXES.iter().try_for_each(|axis| axis.check(self))?;
        let most_M = self.M.values().iter().copied().min().unwrap_or(0);
        if let Some(P) = self.P.values().iter().find(|&&P| P > most_M) {
            return Err(Error::input(format!(
                "--P {P}: a model of M = {most_M} latent units has no {P} ReLU units"
            ))
            .with_hint(format!("use --P {most_M} or less, or a larger --M")));
        }
        for (flag, value, rule) in [
            ("epochs", u64::from(self.epochs), EPOCHS),
            ("batches-per-epoch", u64::from(self.batches_per_epoch), EPOCHS),
            ("eval-every", u64::from(self.eval_every), EPOCHS),
            ("bins", self.bins as u64, COUNT),
            ("pe-steps", self.pe_steps as u64, COUNT),
            ("threads", self.threads.unwrap_or(1) as u64, THREADS),
            ("polish", self.polish.into(), POLISH),
        ] {
            rule.require(flag, value)?;
        }
        SMOOTHING.require("smoothing", self.smoothing)?;
        HOLD_OUT.require("hold-out", self.hold_out)?;
        if self.hold_out > 0.0 && !self.test.is_empty() {
            return Err(Error::input(format!(
                "--hold-out {} and --test both name data to score on",
                self.hold_out
            ))
            .with_hint("leave one of them out"));
        }
        ABOVE_0.require("gmm-variance", self.gmm_variance)?;
        ABOVE_0.require("dt", self.dt.unwrap_or(1.0))?;
        if self.end_lr.values().contains(&0.0) && self.start_lr.values().iter().any(|&lr| lr > 0.0) {
            return Err(Error::input("--end-lr 0: an exponential decay cannot reach 0")
                .with_hint("use a small number such as 1e-8"));
        }
        if self.epochs.checked_mul(self.batches_per_epoch).is_none() {
            return Err(Error::input(
                "--epochs × --batches-per-epoch: more than 2^32 − 1 optimiser steps",
            ));
        }
        if self.epochs.checked_add(self.polish).is_none() {
            return Err(Error::input(
                "--epochs + --polish: more than 2^32 − 1 epochs and generations",
            ));
        }
        Ok(())
    }
}
