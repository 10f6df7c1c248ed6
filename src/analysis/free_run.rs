use ndarray::Array2;

use super::input::{AnalysisSettings, KEPT_STATES};
use super::map::Map;
use super::symbols::Codebook;
use crate::model::{Bounds, Scaling};

/// A long free run, as symbols throughout and as states for its first part.
#[derive(Clone, Debug)]
pub struct SymbolRun {
    /// `[≤ 20,000, M]`, from the first step after the transient on.
    pub states: Array2<f64>,
    /// One symbol a step after the transient; numbers by falling share.
    pub sequence: Vec<u32>,
    pub book: Codebook,
    /// Visits of each symbol.
    pub counts: Vec<u64>,
    /// The last state.
    pub last: Vec<f64>,
    /// The step (counted from the start, transient included) whose state left the bounds.
    pub diverged_at: Option<usize>,
}

/// A model, its long free run, and what is asked of them.
#[derive(Clone, Copy)]
pub struct ModelRun<'a> {
    pub map: &'a Map,
    pub run: &'a SymbolRun,
    pub settings: &'a AnalysisSettings,
    pub N: usize,
    pub scaling: Option<&'a Scaling>,
}

impl ModelRun<'_> {
    /// The first `N` units of a state in the data's units.
    pub fn observed(&self, z: &[f64]) -> Vec<f64> {
        match self.scaling {
            None => z[..self.N].to_vec(),
            Some(s) => (0..self.N).map(|n| s.mean[n] + s.scale[n] * z[n]).collect(),
        }
    }
}

/// Iterates `z' = F(z)` from `z0` (`[M]`): a transient dropped, then `steps` recorded.
///
/// The run ends early where it leaves `bounds`; what was recorded until then stays.
pub fn free_run(map: &Map, z0: &[f64], settings: &AnalysisSettings, bounds: Bounds) -> SymbolRun {
    let (transient, steps) = (settings.transient, settings.steps);
    let M = map.M;
    let mut states = Vec::with_capacity(KEPT_STATES.min(steps) * M);
    let mut sequence = Vec::with_capacity(steps);
    let mut book = Codebook::default();
    let (mut z, mut next) = (z0.to_vec(), vec![0.0; M]);
    let mut diverged_at = None;
    for t in 0..transient.saturating_add(steps) {
        map.step(&z, &mut next);
        if !bounds.hold(&next) {
            diverged_at = Some(t + 1);
            break;
        }
        std::mem::swap(&mut z, &mut next);
        if t >= transient {
            sequence.push(book.number(map.code(&z)));
            if sequence.len() <= KEPT_STATES {
                states.extend_from_slice(&z);
            }
        }
    }
    let counts = book.sort_by_count(&mut sequence);
    let rows = states.len() / M;
    SymbolRun {
        states: Array2::from_shape_vec((rows, M), states).expect("whole rows were pushed"),
        sequence,
        book,
        counts,
        last: z,
        diverged_at,
    }
}

/// The smallest `k ≤ longest` after which the orbit of `z` is back within 1e-9 (relative): the period on which
/// the run has settled, 1 for a fixed point.
pub fn settled_period(map: &Map, z: &[f64], longest: usize) -> Option<usize> {
    let scale = 1.0 + z.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let (mut now, mut next) = (z.to_vec(), vec![0.0; map.M]);
    (1..=longest).find(|_| {
        map.step(&now, &mut next);
        std::mem::swap(&mut now, &mut next);
        now.iter().zip(z).all(|(a, b)| (a - b).abs() <= 1e-9 * scale)
    })
}
