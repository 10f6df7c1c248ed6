//! Which of two scores is the better one: the one rule by which `best/` is chosen and models are ranked.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::Scores;

/// A free run this many times as rough, or as smooth, as the data is no reconstruction of them.
pub const ROUGHNESS_BOUND: f64 = 2.0;

/// What the choice between models, or between evaluations of one model, looks at. NaN is undefined.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    pub dstsp: f64,
    /// D_stsp says no more than that of a run that shares nothing with the data.
    pub saturated: bool,
    /// Undefined where the data have none, or it was not recorded: then it decides nothing.
    pub roughness: f64,
    pub dh: f64,
}

impl From<&Scores> for Standing {
    fn from(scores: &Scores) -> Self {
        Self {
            dstsp: scores.dstsp,
            saturated: scores.saturated,
            roughness: scores.roughness,
            dh: scores.dh,
        }
    }
}

impl Scores {
    /// Whether the model of these scores goes before that of others: [`Standing::better`].
    pub fn better(&self, other: &Self) -> bool {
        Standing::from(self).better(&Standing::from(other))
    }
}

impl Standing {
    /// More than twice as rough, or more than twice as smooth, as the data.
    pub fn off_roughness(&self) -> bool {
        let bounds = ROUGHNESS_BOUND.recip()..=ROUGHNESS_BOUND;
        !self.roughness.is_nan() && !bounds.contains(&self.roughness)
    }

    /// More than twice as rough as the data. (A run may well be smoother than data with noise on them.)
    pub fn too_rough(&self) -> bool {
        self.roughness > ROUGHNESS_BOUND
    }

    /// The run leaves the data for good. Until then it may well look like them.
    pub fn leaves(&self) -> bool {
        self.roughness == f64::INFINITY
    }

    /// Whether a model reconstructs its data: a D_stsp below `threshold` (see [`success_threshold`](super::success_threshold))
    /// that is not saturated, of a run that is not too rough.
    pub fn succeeds(&self, threshold: f64) -> bool {
        self.dstsp < threshold && !self.saturated && !self.too_rough()
    }

    /// `Less` for the better one. A run with a D_stsp goes before one without; then one that stays finite; then one whose
    /// roughness is within a factor of two of the data's; then one whose D_stsp is not saturated; then the lower D_stsp, of
    /// which a saturated one counts for nothing; then the lower D_H. Whoever compares keeps the earlier of equals.
    pub fn compare(&self, other: &Self) -> Ordering {
        let counts = |s: &Self| if s.saturated { f64::INFINITY } else { s.dstsp };
        let last = |value: f64| if value.is_nan() { f64::INFINITY } else { value };
        let class = |s: &Self| (!s.dstsp.is_finite(), s.leaves(), s.off_roughness(), s.saturated);
        class(self)
            .cmp(&class(other))
            .then(last(counts(self)).total_cmp(&last(counts(other))))
            .then(last(self.dh).total_cmp(&last(other.dh)))
    }

    /// Goes before the other one.
    pub fn better(&self, other: &Self) -> bool {
        self.compare(other) == Ordering::Less
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_leaves_for_good_goes_after_all_that_stay() {
        let standing = |dstsp, roughness| Standing {
            dstsp,
            saturated: false,
            roughness,
            dh: 0.5,
        };
        let order = [
            standing(1.0, 1.0),
            standing(2.0, 1.0),
            standing(1.0, 3.0),
            // At rest.
            standing(9.0, 0.0),
            standing(0.5, f64::INFINITY),
            standing(f64::NAN, 1.0),
        ];
        assert!(order.windows(2).all(|pair| pair[0].better(&pair[1])));
    }
}
