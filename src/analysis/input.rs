use super::symbols::Code;
use crate::config::values::{ABOVE_0, COUNT, Whole};
use crate::dataset::{Dataset, Trial};
use crate::error::{Error, Result};
use crate::model::{Model, Scaling, Theta};
use crate::resources::require_memory;

/// States of the free run that are kept (for pictures, and to find near returns).
pub(super) const KEPT_STATES: usize = 20_000;

/// The model to read and what is known beside it.
#[derive(Clone, Copy, Debug)]
pub struct AnalysisInput<'a> {
    pub theta: &'a Theta,
    pub P: usize,
    /// How the model's units relate to the data's.
    pub scaling: Option<&'a Scaling>,
    /// Data to encode by the model's regions, in the model's units; the free run starts from their first row.
    pub data: &'a [Trial],
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

    /// A trained model, and data in its units where there are some.
    pub fn of_model(model: &'a Model, data: Option<&'a Dataset>) -> Self {
        Self {
            scaling: model.scaling.as_ref(),
            data: data.map_or(&[], |data| &data.trials),
            ..Self::new(&model.theta, model.P)
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
        for Trial { x, s, .. } in self.data {
            length("a row of the data", x.ncols(), dims.N)?;
            length("a row of the data's inputs", s.ncols(), dims.K)?;
            length("the data's inputs (rows)", s.nrows(), x.nrows())?;
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
}

/// How long and how far to look.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct AnalysisSettings {
    /// Steps of the free run that are analysed.
    pub steps: usize,
    /// Steps dropped before them.
    pub transient: usize,
    /// Longest period of the cycles searched for, in steps, and longest word of a flow's periodic orbits, in turns (32 at
    /// most).
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
    /// The defaults for a free run of this many steps: exponents are averaged over no more.
    pub fn with_steps(steps: usize) -> Self {
        let defaults = Self::default();
        Self {
            lyapunov_steps: steps.min(defaults.lyapunov_steps),
            steps,
            ..defaults
        }
    }

    /// Positions in the run are numbered in 32 bits.
    pub const STEPS: Whole = Whole::range(1, u32::MAX as u64);
    pub const TRANSIENT: Whole = Whole::range(0, u32::MAX as u64);
    /// The end of the run is tested for longer periods no more.
    pub const PERIOD: Whole = Whole::range(1, 1000);
    pub const WORD: Whole = Whole::range(1, 1000);
    pub const BUDGET: Whole = Whole::range(1, u32::MAX as u64);

    /// Checks every number, and that there is memory for what they ask of a model of `M` units, `P` of them ReLU.
    ///
    /// # Errors
    /// Names the flag that asks for too much.
    pub fn check(&self, M: usize, P: usize) -> Result<()> {
        let whole = [
            ("steps", self.steps, Self::STEPS),
            ("transient", self.transient, Self::TRANSIENT),
            ("max-period", self.max_period, Self::PERIOD),
            ("max-word-length", self.max_word_length, Self::WORD),
            ("search-budget", self.search_budget, Self::BUDGET),
            ("lyapunov-steps", self.lyapunov_steps, Self::STEPS),
            ("forcing-interval", self.forcing_interval, COUNT),
            ("max-listed", self.max_listed, COUNT),
        ];
        for (flag, value, rule) in whole {
            rule.require(flag, value as u64)?;
        }
        if let Some(dt) = self.dt {
            ABOVE_0.require("dt", dt)?;
        }
        for (flag, value, bytes) in self.memory(M, P) {
            require_memory(&format!("--{flag} {value}"), bytes)?;
        }
        Ok(())
    }

    /// Bytes that settings take, each with those before it.
    fn memory(&self, M: usize, P: usize) -> [(&'static str, usize, u64); 3] {
        let steps = self.steps as u64;
        // A symbol and its number in the suffix array with its keys, ranks and prefixes; states of the run's first part.
        let run = steps * 40 + steps.min(KEPT_STATES as u64) * (8 * M as u64);
        // The number of every word, of the symbols and for a while of their changes.
        let words = steps * 4 * (self.max_word_length as u64 + 1);
        // The words tried of the longest period, each a list of codes; there may be fewer words than solves.
        let longest = self.max_period as f64;
        let tried = (self.search_budget as f64).min((P as f64 * longest).exp2());
        let search = tried * (longest * size_of::<Code>() as f64 + size_of::<Vec<Code>>() as f64);
        [
            ("steps", self.steps, run),
            ("max-word-length", self.max_word_length, run + words),
            ("search-budget", self.search_budget, run + words + search as u64),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(settings: AnalysisSettings) -> String {
        settings.check(20, 20).expect_err("refused").to_string()
    }

    #[test]
    fn what_cannot_be_held_is_refused_by_its_flag() {
        let defaults = AnalysisSettings::default;
        defaults().check(256, 256).expect("the defaults fit");
        let huge = [1 << 62, usize::MAX];
        for value in huge {
            let text = refusal(AnalysisSettings {
                steps: value,
                ..defaults()
            });
            assert!(
                text.starts_with(&format!("--steps {value}: must be a whole number")),
                "{text}"
            );
            let text = refusal(AnalysisSettings {
                transient: value,
                ..defaults()
            });
            assert!(text.starts_with("--transient"), "{text}");
            let text = refusal(AnalysisSettings {
                max_period: value,
                ..defaults()
            });
            assert!(text.starts_with("--max-period"), "{text}");
            let text = refusal(AnalysisSettings {
                search_budget: value,
                ..defaults()
            });
            assert!(text.starts_with("--search-budget"), "{text}");
        }
        let most = u32::MAX as usize;
        let settings = AnalysisSettings {
            steps: most,
            max_word_length: 1000,
            search_budget: most,
            max_period: 1000,
            ..defaults()
        };
        let bytes = settings.memory(20, 20).map(|(_, _, bytes)| bytes);
        assert!(
            bytes.is_sorted() && bytes[0] > 160 << 30 && bytes[1] > 15 << 40 && bytes[2] > 140 << 40,
            "{bytes:?}"
        );
        // A map of one ReLU unit has few words, however many solves are allowed.
        let few = AnalysisSettings {
            search_budget: most,
            max_period: 6,
            ..defaults()
        };
        assert!(few.memory(20, 1)[2].2 < 1 << 30);
    }
}
