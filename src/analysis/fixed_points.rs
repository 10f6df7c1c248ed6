use rayon::prelude::*;

use super::cycles::search;
use super::free_run::ModelRun;
use super::orbit::Orbit;
use super::stability::Stability;
use super::symbols::Code;
use super::word_map::{DegenerateWord, solve_word};

/// Models with no more regions than this have the virtual fixed points of all of them listed.
const ALL_REGIONS: f64 = 64.0;

/// The fixed point of one region's affine map.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct FixedPoint {
    /// Code of the region whose map it solves.
    pub code: String,
    /// The region's symbol in the free run, missing where the run does not visit it.
    pub symbol: Option<u32>,
    /// Whether it lies in its own region or on its border, and so is a fixed point of the model. Otherwise it is *virtual*: it still
    /// shapes the flow inside the region.
    pub real: bool,
    /// Code of the region in which it lies (of a real one: its own).
    pub lies_in: String,
    /// The state, `[M]`, in the model's units.
    pub z: Vec<f64>,
    /// Its first `N` units in the data's units.
    pub observed: Vec<f64>,
    #[serde(flatten)]
    pub stability: Stability,
    /// `max |F(z) − z|` with the region's map (real: with the model itself).
    pub residual: f64,
    /// Condition number (1-norm) of `I − diag(A) − W D`.
    pub condition: f64,
    /// Smallest `|z|` of a ReLU unit; missing for P = 0.
    pub border_distance: Option<f64>,
    /// Whether a ReLU unit is 0 to within rounding: the point is then the fixed point of neighbouring regions too, is
    /// listed once, and its stability is that of the side that `code` names.
    pub on_border: bool,
}

/// Fixed points, real ones first, then by the share of their region.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct FixedPoints {
    /// Real ones of all regions solved; virtual ones of the listed regions (of all where there are at most 64).
    pub points: Vec<FixedPoint>,
    /// Real ones found; `points` lists at most [`super::AnalysisSettings::max_listed`] of them.
    pub real: usize,
    /// Regions solved.
    pub solved: usize,
    /// Every region was solved: there are no other isolated fixed points.
    pub complete: bool,
    /// Regions without an isolated fixed point.
    pub degenerate: Vec<DegenerateWord>,
}

/// Solves `(I − diag(A) − W D) z = h` for the regions of the free run, of the data (`more`), and of a search (see
/// [`search`]); never for all `2^P` unless these are within the budget.
pub fn fixed_points(model: ModelRun<'_>, more: &[Code]) -> FixedPoints {
    let (map, run, settings) = (model.map, model.run, model.settings);
    let (max_listed, budget) = (settings.max_listed, settings.search_budget);
    let visited = &run.book.codes;
    let first = visited
        .iter()
        .take(budget / 2)
        .chain(more.iter().take(budget / 4));
    let found = search(model, 1, first.map(|&c| vec![c]).collect());
    let rank = |code: Code| run.book.get(code).unwrap_or(u32::MAX);
    let mut real = found.orbits;
    real.sort_by_key(|orbit| (rank(orbit.word[0]), orbit.word[0]));
    let count = real.len();
    real.truncate(max_listed);

    let all = 2f64.powi(map.P as i32) <= ALL_REGIONS;
    let mut listed: Vec<Code> = visited.iter().take(max_listed).copied().collect();
    if all {
        let every = (0..1u64 << map.P).map(|n| Code::from_words([n, 0, 0, 0], map.P));
        listed.extend(every.filter(|&code| run.book.get(code).is_none()));
    }
    let virtual_ones = listed.par_iter().filter_map(|&code| {
        let mut orbit = solve_word(map, &[code]).ok()?;
        (!orbit.settle(map)).then_some((orbit, false))
    });
    let mut orbits: Vec<(Orbit, bool)> = real.into_iter().map(|orbit| (orbit, true)).collect();
    orbits.extend(virtual_ones.collect::<Vec<_>>());
    FixedPoints {
        points: orbits
            .par_iter()
            .map(|(orbit, real)| describe(model, orbit, *real))
            .collect(),
        real: count,
        solved: found.solved,
        complete: found.complete,
        degenerate: found.degenerate,
    }
}

fn describe(model: ModelRun<'_>, orbit: &Orbit, real: bool) -> FixedPoint {
    let map = model.map;
    let (code, z) = (orbit.word[0], &orbit.states[0]);
    let lies_in = if real { code } else { map.code(z) };
    let border = orbit.border_distance(map);
    FixedPoint {
        code: code.text(map.P),
        symbol: model.run.book.get(code),
        real,
        lies_in: lies_in.text(map.P),
        observed: model.observed(z),
        stability: Stability::of(&orbit.jacobian),
        residual: if real {
            orbit.residual(map)
        } else {
            orbit.affine_residual(map)
        },
        condition: orbit.condition(),
        border_distance: border.is_finite().then_some(border),
        on_border: orbit.on_border(),
        z: z.clone(),
    }
}
