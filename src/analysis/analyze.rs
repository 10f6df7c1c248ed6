use ndarray::Array2;
use rayon::prelude::*;

use super::cycles::{Cycle, PeriodSearch, describe, period_search};
use super::encode::{Encoded, encode};
use super::entropy::{SequenceStatistics, changes, sequence_statistics};
use super::fixed_points::{FixedPoints, fixed_points};
use super::free_run::{ModelRun, SymbolRun, free_run, settled_period};
use super::graph::{TransitionGraph, transition_graph};
use super::input::{AnalysisInput, AnalysisSettings};
use super::lyapunov::{Lyapunov, Sign, lyapunov};
use super::map::Map;
use super::match_lengths::EntropyRate;
use super::periodic::{PeriodicOrbits, periodic_orbits};
use super::reduce::{Reductions, reductions};
use super::regions::{Regions, regions};
use super::symbols::Code;
use super::word_map::solve_word;
use crate::dataset::Trial;
use crate::error::Result;
use crate::model::Bounds;
use crate::rng::{Stream, normals};

/// Longest exact period that the end of the free run is tested for.
const LONGEST_PERIOD: usize = 1000;
/// Steps in a region from which on a run is called finely sampled.
const SAMPLED_OFTEN: f64 = 4.0;

/// Where the free run ends up.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Attractor {
    /// It leaves every bound at this step (counted from the start).
    Diverges { step: usize },
    /// It has come to rest.
    FixedPoint,
    /// It repeats itself exactly.
    Cycle { period: usize },
    /// Nothing grows on average (λ₁ is 0 by [`Lyapunov::signs`]): a limit cycle or torus sampled in time.
    Regular,
    /// Everything shrinks (λ₁ is negative), but the run has not settled yet.
    Settling,
    /// λ₁ is positive.
    Chaotic,
}

/// Entropy rates of the symbols beside the sum of positive exponents, all in nats a step of the map.
///
/// Pesin: the entropy of the dynamics is the sum of positive exponents (for smooth measures). A symbolic code can
/// only lose entropy, but a finite run overestimates that of its symbols where memory is long, as for finely
/// sampled flows (see [`Self::note`]); dropping how long the run stays in each region loses more and converges sooner.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct EntropyRates {
    pub positive_exponents: Option<f64>,
    /// From match lengths of the symbols of every step.
    pub symbols: Option<EntropyRate>,
    /// From their words: an upper bound, three errors above its estimate.
    pub symbol_words: Option<EntropyRate>,
    /// From match lengths of the sequence of region changes, divided by the mean time between changes.
    pub changes: Option<EntropyRate>,
    /// Mean time between changes, steps.
    pub mean_stay: f64,
    /// Whether the estimate from the symbols lies above the sum of positive exponents, which bounds their entropy, by
    /// more than two errors.
    pub overshoots: bool,
}

impl EntropyRates {
    /// Why the entropy of the symbols came out larger than the sum of positive exponents, where it did.
    ///
    /// The entropy of any partition's symbols is at most that of the dynamics, and that at most the sum of positive
    /// exponents (Ruelle), but in the limit of long words only. A flow sampled many times between two changes of region
    /// adds to each change the step at which it falls; what came before determines it, but only words that hold many
    /// changes show that.
    pub fn note(&self) -> Option<String> {
        let rate = self.symbols.filter(|_| self.overshoots)?;
        let bound = "No symbols have more entropy than the sum of positive exponents (Ruelle); the estimate is too high";
        Some(if self.mean_stay >= SAMPLED_OFTEN {
            format!(
                "{bound}: the run is sampled so often that it stays {:.0} steps in a region, {} symbols hold few \
                 changes, and the exact step of a change looks like chance until words hold many",
                self.mean_stay, rate.n
            )
        } else {
            format!(
                "{bound}: {} symbols do not hold all that the run remembers; more --steps bring it down",
                rate.n
            )
        })
    }
}

/// All that is known of a model.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Analysis {
    pub M: usize,
    pub N: usize,
    pub P: usize,
    pub K: usize,
    /// The constant external input of the map that was analysed, `[K]`.
    pub input: Vec<f64>,
    pub settings: AnalysisSettings,
    pub attractor: Attractor,
    /// The fixed point or cycle on which the run has settled.
    pub settled_on: Option<Cycle>,
    /// Missing, like all that follows from the run, for a model that diverges.
    pub regions: Option<Regions>,
    /// Whether the encoded data are those that the model was trained on; missing where that is not known.
    pub data_of_training: Option<bool>,
    pub transitions: Option<TransitionGraph>,
    /// Words and entropies of the symbols of every step; the entropy rate is per step.
    pub symbols: Option<SequenceStatistics>,
    /// The same for the sequence of region changes (how long the run stays is dropped); rates are per change.
    pub changes: Option<SequenceStatistics>,
    pub lyapunov: Option<Lyapunov>,
    pub entropy_rates: Option<EntropyRates>,
    pub fixed_points: FixedPoints,
    /// By period, 2, 3, … (empty for P = 0: a linear map has no isolated cycles).
    pub cycles: Vec<PeriodSearch>,
    /// Missing for a model that stands for no flow: neither its free run nor its data follow a curve.
    pub periodic: Option<PeriodicOrbits>,
    /// See [`Analysis::reductions`]; missing where it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reductions: Option<Reductions>,
    /// First states of the run after the transient, `[≤ 20,000, M]`, and a code for each of them in
    /// `regions.sequence`.
    #[serde(skip)]
    pub states: Array2<f64>,
}

/// Analyses one model.
///
/// # Errors
/// When sizes do not agree or a parameter is not a finite number. A model that diverges is a result.
pub fn analyze(input: &AnalysisInput<'_>, settings: &AnalysisSettings) -> Result<Analysis> {
    input.check()?;
    let dims = input.theta.dims();
    let P = input.P;
    settings.check(dims.M, P)?;
    let constant = input.input.map_or_else(|| vec![0.0; dims.K], <[f64]>::to_vec);
    let map = Map::new(input.theta, P, &constant);
    let data = input.data.iter().flat_map(|trial| &trial.x);
    let bounds = Bounds::around(data.chain(input.start.into_iter().flatten()));
    let run = free_run(&map, &start_state(input, settings.seed), settings, bounds);
    let encoded = encode(input, settings.forcing_interval, bounds);
    let model = ModelRun {
        map: &map,
        run: &run,
        settings,
        N: dims.N,
        scaling: input.scaling,
    };
    let bounded = run.diverged_at.is_none();
    let settled = if bounded {
        settled_period(&map, &run.last, LONGEST_PERIOD)
    } else {
        None
    };
    let (found, (spectrum, statistics)) = rayon::join(
        || orbits(model, input.data, encoded.as_ref()),
        || {
            (
                bounded.then(|| lyapunov(&map, &run.last, settings)).flatten(),
                bounded.then(|| statistics(&run, settings)),
            )
        },
    );
    let entropy_rates = statistics
        .as_ref()
        .map(|(symbols, changes)| rates(symbols, changes, spectrum.as_ref()));
    let (symbols, changes) = statistics.unzip();
    let regions = bounded.then(|| regions(model, encoded.as_ref()));
    Ok(Analysis {
        M: dims.M,
        N: dims.N,
        P,
        K: dims.K,
        input: constant,
        settings: settings.clone(),
        attractor: attractor(&run, settled, spectrum.as_ref()),
        settled_on: settled.and_then(|period| settled_orbit(model, period)),
        data_of_training: None,
        transitions: regions.as_ref().map(transition_graph),
        regions,
        symbols,
        changes,
        lyapunov: spectrum,
        entropy_rates,
        fixed_points: found.0,
        cycles: found.1,
        periodic: found.2,
        reductions: None,
        states: run.states,
    })
}

impl Analysis {
    /// Which ReLU units may be made linear, by the symbols of the free run; `None` for a model that diverges.
    pub fn reductions(&self) -> Option<Reductions> {
        let regions = self.regions.as_ref()?;
        let real = self.fixed_points.points.iter().filter(|point| point.real);
        let holders = real.map(|point| point.code.as_str());
        Some(reductions(&regions.codes, &[&regions.sequence], holders, self.P))
    }
}

/// `z_0 = [x_0 ; L x_0]` from the given start, the data's first complete row (else the first), or a draw.
pub(super) fn start_state(input: &AnalysisInput<'_>, seed: u32) -> Vec<f64> {
    let rows = || input.data.iter().flat_map(|trial| trial.x.rows());
    let complete = rows().find(|row| row.iter().all(|v| v.is_finite()));
    let first_row = complete.or_else(|| rows().next()).map(|row| row.to_vec());
    let draws = normals(seed, Stream::System).map(f64::from);
    let drawn = || draws.take(input.theta.dims().N).collect();
    let given = input.start.map(<[f64]>::to_vec);
    let x0 = given.or(first_row).unwrap_or_else(drawn);
    input.theta.initial_state(&x0).to_vec()
}

/// Fixed points, cycles, and a flow's periodic orbits.
fn orbits(
    model: ModelRun<'_>,
    data: &[Trial],
    encoded: Option<&Encoded>,
) -> (FixedPoints, Vec<PeriodSearch>, Option<PeriodicOrbits>) {
    let data_codes = encoded.map(codes_by_count).unwrap_or_default();
    // A linear map repeats its only word: no cycle but the fixed point is isolated.
    let periods = match model.map.P {
        0 => 2..2,
        _ => 2..model.settings.max_period.saturating_add(1),
    };
    let cycles = periods.into_par_iter().map(|k| period_search(model, k));
    (
        fixed_points(model, &data_codes),
        cycles.collect(),
        periodic_orbits(model, data),
    )
}

/// Distinct codes of the data, the most frequent ones first.
fn codes_by_count(data: &Encoded) -> Vec<Code> {
    let mut codes: Vec<(Code, u64)> = data.counts().into_iter().collect();
    codes.sort_by_key(|&(code, count)| (std::cmp::Reverse(count), code));
    codes.into_iter().map(|(code, _)| code).collect()
}

/// Statistics of the symbols of every step and of the region changes.
fn statistics(run: &SymbolRun, settings: &AnalysisSettings) -> (SequenceStatistics, SequenceStatistics) {
    let alphabet = run.counts.len();
    (
        sequence_statistics(&run.sequence, alphabet, settings),
        sequence_statistics(&changes(&run.sequence), alphabet, settings),
    )
}

fn rates(
    symbols: &SequenceStatistics,
    changes: &SequenceStatistics,
    spectrum: Option<&Lyapunov>,
) -> EntropyRates {
    let per_step = changes.length as f64 / symbols.length as f64;
    let overshoots = spectrum.zip(symbols.rate).is_some_and(|(l, rate)| {
        let positive = l.error.iter().take(l.count(Sign::Positive));
        let doubt = l.resolution.max(2.0 * positive.sum::<f64>());
        rate.value - 2.0 * rate.error > l.positive_sum + doubt
    });
    EntropyRates {
        mean_stay: 1.0 / per_step,
        overshoots,
        positive_exponents: spectrum.map(|l| l.positive_sum),
        symbols: symbols.rate,
        symbol_words: symbols.block_rate,
        changes: changes.rate.map(|rate| EntropyRate {
            value: rate.value * per_step,
            error: rate.error * per_step,
            n: rate.n,
        }),
    }
}

pub(super) fn attractor(run: &SymbolRun, settled: Option<usize>, spectrum: Option<&Lyapunov>) -> Attractor {
    let diverged = run.diverged_at.map(|step| Attractor::Diverges { step });
    let settled = settled.map(|period| match period {
        1 => Attractor::FixedPoint,
        period => Attractor::Cycle { period },
    });
    let by_exponent = spectrum.map(|l| match l.signs[0] {
        Sign::Positive => Attractor::Chaotic,
        Sign::Zero => Attractor::Regular,
        Sign::Negative => Attractor::Settling,
    });
    diverged.or(settled).or(by_exponent).unwrap_or(Attractor::Regular)
}

/// The exact orbit of the word on which the run has settled.
fn settled_orbit(model: ModelRun<'_>, period: usize) -> Option<Cycle> {
    let map = model.map;
    let (mut z, mut next) = (model.run.last.clone(), vec![0.0; map.M]);
    let mut word = Vec::with_capacity(period);
    for _ in 0..period {
        word.push(map.code(&z));
        map.step(&z, &mut next);
        std::mem::swap(&mut z, &mut next);
    }
    let mut orbit = solve_word(map, &word).ok()?;
    orbit.settle(map).then(|| Cycle {
        word_visited: true,
        ..describe(model, &orbit)
    })
}
