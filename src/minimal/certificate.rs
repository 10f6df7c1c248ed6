use serde::Serialize;

use crate::analysis::{Agreement, SharedPoint};

/// What a study of several `P` says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Certificate {
    /// Rows trained on, and rows of the data scored on where these are others.
    pub rows: usize,
    pub held_out: Option<usize>,
    /// The `P` whose models' median D_stsp is lowest, and that median.
    pub best_P: usize,
    pub best_median: f64,
    /// D_stsp between the halves of the data scored on; missing where it tells nothing (a record that drifts, or is too short).
    pub floor: Option<f64>,
    /// D_stsp of a run that stays in one place.
    pub resting: f64,
    /// A model reconstructs the data where its D_stsp is no larger.
    pub threshold: f64,
    /// One for each `P`, ascending.
    pub sizes: Vec<Size>,
    /// Real fixed points that at least half of the reconstructing models of the best `P` have, in the data's units.
    pub fixed_points: Vec<SharedPoint>,
    /// Most of these models' free runs have a positive Lyapunov exponent.
    pub chaotic: bool,
    /// Fewer ReLUs cannot do.
    pub bound: usize,
    /// The fewest ReLUs with which two models or more succeed.
    pub found: Option<Found>,
    /// What learning, reducing and retraining came to, where it was asked for.
    pub reduced: Option<Reduced>,
}

/// The models of one `P`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Size {
    pub P: usize,
    pub models: usize,
    /// Free runs that go on as the data do (see [`crate::metrics::Verdict`]).
    pub alive: usize,
    /// D_stsp of the last states on the data scored on, of every model; one that diverged counts as infinite.
    pub scores: Vec<f64>,
    pub median: f64,
    pub quartiles: [f64; 2],
    /// Models that score below the threshold and are alive; that have all fixed points; both: that succeed.
    pub reconstruct: usize,
    pub hold_fixed_points: usize,
    pub succeed: usize,
    /// Wilson's 95 % interval of the share that succeeds.
    pub interval: [f64; 2],
    /// One-sided p-value of Wilcoxon's signed-rank test over seeds, against models that are worse than those of the best `P`
    /// by the margin of the threshold: small where these are as good. Missing for the best `P` itself.
    pub worse: Option<f64>,
}

/// A number of ReLUs that does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    pub P: usize,
    /// The best of its models that succeed, its scores on the data scored on, and the file.
    pub model: String,
    pub D_stsp: f64,
    pub D_H: f64,
    pub file: String,
    /// Whether it was trained so, or reduced from a larger model.
    pub reduced: bool,
    pub succeed: usize,
    pub models: usize,
    /// Of the models that succeed.
    pub agreement: Agreement,
}

/// Learn, reduce, retrain.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reduced {
    /// Models that were reduced, and their `P`.
    pub parents: usize,
    pub parent_P: usize,
    /// How many of them come down to how many symbols with how many ReLUs, by falling votes.
    pub votes: Vec<Vote>,
    /// The retrained models, where there are any.
    pub size: Option<Size>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Vote {
    pub symbols: usize,
    pub P: usize,
    pub parents: usize,
    /// Of these the ones whose regions were coded anew, with hinges of their own; of the others units were made linear.
    pub recoded: usize,
}

impl Certificate {
    /// Takes in what reduction came to; its models answer where they have fewer ReLUs.
    pub fn take(&mut self, reduced: Reduced, found: Option<Found>) {
        self.reduced = Some(reduced);
        let direct = self.found.as_ref().map_or(usize::MAX, |found| found.P);
        if let Some(found) = found.filter(|found| found.P < direct) {
            self.found = Some(found);
        }
    }
}
