use std::collections::HashSet;

use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;

use super::closing::Closing;
use super::cycles::{is_repetition, smallest_rotation};
use super::free_run::ModelRun;
use super::linalg::{Eigenvalue, eigenvalues};
use super::orbit::difference;
use super::returns::{Passages, Return};
use super::turns::{TurnCode, is_curve};
use crate::dataset::Trial;
use crate::text::listing;

/// Orbits printed.
const PRINTED: usize = 25;
/// Longest words, whatever the longest period of cycles is.
const LONGEST: usize = 32;
/// Returns from which an orbit of one word is looked for, and of a word that repeats a shorter one.
const TRIES: usize = 40;
const REPEATED_TRIES: usize = 8;
/// Floating-point operations spent on Newton's method for all words together.
const WORK: f64 = 1e11;
/// A curve whose parts are nowhere farther apart than this is passed more than once: in steps there, or relative to the run's
/// spread. (Seen: up to 0.33 steps for curves passed twice, more than 100 for others.)
const SAME_STEP: f64 = 0.5;
const SAME: f64 = 0.02;
/// Places at which they are compared.
const PLACES: usize = 16;
/// How far the multiplier along the flow may be from 1.
const OFF_FLOW: f64 = 0.2;

/// A period of the data: the time in which they come back closest with an orbit's word.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct DataReturn {
    /// In rows, between the maxima of the parabolas through each maximum and its neighbours.
    pub period: f64,
    /// How closely they come back: the distance over the data's standard deviation.
    pub distance: f64,
    /// Rows at which the return begins: its trial, and the row in that.
    pub trial: usize,
    pub row: usize,
}

impl From<Return<'_>> for DataReturn {
    fn from(back: Return<'_>) -> Self {
        Self {
            period: back.last.place - back.first.place,
            distance: back.distance,
            trial: back.trial,
            row: back.first.at,
        }
    }
}

/// A periodic orbit of a model that stands for a flow.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct PeriodicOrbit {
    /// A letter a turn ([`TurnCode`]), from the smallest rotation on.
    pub word: String,
    pub turns: usize,
    /// In steps; no whole number.
    pub period: f64,
    /// In time, where the time between two observations is known.
    pub time: Option<f64>,
    /// The largest multiplier beside that of the flow: what a small distance from the orbit is multiplied by in a turn
    /// around it. Unstable above 1 (by modulus).
    pub multiplier: Eigenvalue,
    /// The multiplier along the flow, 1 for a flow.
    pub along_flow: Eigenvalue,
    /// All of them, by falling modulus.
    pub multipliers: Vec<Eigenvalue>,
    /// `max |F^k(z) − z − s f(z)|`, with `k − s` the period.
    pub residual: f64,
    /// Linear regions passed, and how often they change in a turn around the orbit.
    pub regions: usize,
    pub changes: usize,
    pub data: Option<DataReturn>,
    /// The first state, `[M]`.
    pub z: Vec<f64>,
    /// All states, `[k][M]`.
    #[serde(skip)]
    pub states: Vec<Vec<f64>>,
    #[serde(skip)]
    letters: Vec<u8>,
}

/// Periodic orbits of a model that stands for a flow, one of each word that its free run returns by.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct PeriodicOrbits {
    /// Missing where neither the data nor the free run turn.
    pub code: Option<TurnCode>,
    /// Longest word, in turns.
    pub longest: usize,
    /// Turns of the free run, and the words by which they return closely; repetitions of a shorter word, which mostly are the
    /// shorter word's orbit, count where they are an orbit of their own.
    pub turns: usize,
    pub words: usize,
    /// By length, then by word.
    pub orbits: Vec<PeriodicOrbit>,
}

impl PeriodicOrbits {
    /// A table for the terminal.
    pub fn table(&self) -> String {
        let code = self.code.as_ref().filter(|_| self.turns > 1);
        let Some(code) = code else {
            return "Periodic orbits: none; the free run does not turn\n".to_owned();
        };
        let mut out = format!(
            "Periodic orbits: {} of the {} words of up to {} turns by which the free run returns\n",
            self.orbits.len(),
            self.words,
            self.longest
        );
        out += &format!("  {}\n", code.sentence());
        let rows = self.orbits.iter().take(PRINTED).map(|orbit| {
            let data = orbit.data.map(|data| format!("{:.2}", data.period));
            let mut row = vec![orbit.word.clone(), format!("{:.2}", orbit.period)];
            row.extend(orbit.time.map(|time| format!("{time:.4}")));
            row.extend([
                orbit.multiplier.text(),
                data.unwrap_or_else(|| "–".to_owned()),
                format!("{:.0e}", orbit.residual),
                orbit.regions.to_string(),
            ]);
            row
        });
        let rows: Vec<Vec<String>> = rows.collect();
        if rows.is_empty() {
            return out;
        }
        let time = self.orbits.first().and_then(|orbit| orbit.time).map(|_| "time");
        let header = ["word", "period"].into_iter().chain(time);
        let header = header.chain(["multiplier", "data's period", "residual", "regions"]);
        out += &listing(&header.collect::<Vec<_>>(), &rows);
        if self.orbits.len() > PRINTED {
            out += &format!("  … {} more\n", self.orbits.len() - PRINTED);
        }
        out
    }
}

/// Looks for the periodic orbits of a model whose free run, or whose data, follow a curve; `None` where neither does.
///
/// Close returns of the run, from one turn to a later one, are where Newton's method starts ([`Closing`]). An orbit counts
/// when it closes to rounding and its own turns spell the word of the return. Data are in the model's units.
pub fn periodic_orbits(model: ModelRun<'_>, data: &[Trial]) -> Option<PeriodicOrbits> {
    let N = model.N;
    let run = model.run.states.slice(s![.., ..N]);
    let longest_trial = data.iter().map(|trial| &trial.x).max_by_key(|x| x.nrows());
    let are_curves = longest_trial.is_some_and(|x| is_curve(x.view()));
    let trials = data.iter().filter(|_| are_curves);
    let smooth: Vec<ArrayView2<'_, f64>> = trials.map(|trial| trial.x.view()).collect();
    let is_flow = !smooth.is_empty() || is_curve(run);
    if model.map.P == 0 || model.run.diverged_at.is_some() || !is_flow {
        return None;
    }
    let longest = model.settings.max_period.min(LONGEST);
    let observed = |value: f64, column: usize| match model.scaling {
        None => value,
        Some(s) => s.mean[column] + s.scale[column] * value,
    };
    let code = TurnCode::choose(&smooth).or_else(|| TurnCode::choose(&[run]));
    let Some(code) = code else {
        return Some(PeriodicOrbits {
            longest,
            ..PeriodicOrbits::default()
        });
    };
    let passages = Passages::of_run(model, &code);
    let returns = passages.returns(longest);
    let share = WORK / returns.len() as f64;
    let found = returns.par_iter().filter_map(|((_, word), returns)| {
        let mut work = share;
        let tries = if is_repetition(word) {
            REPEATED_TRIES
        } else {
            TRIES
        };
        let closings = returns
            .iter()
            .take(tries)
            .filter_map(|back| Closing::solve(model.map, back.row, back.steps(), &mut work));
        let mut prime = closings.filter(|closing| !repeats(closing, word, passages.spread));
        prime.find_map(|closing| describe(model, &code, word, &closing))
    });
    let mut orbits: Vec<PeriodicOrbit> = found.collect();
    let repeated = |word: &[u8]| is_repetition(word) && orbits.iter().all(|orbit| orbit.letters != word);
    let words = returns.keys().filter(|(_, word)| !repeated(word)).count();
    let seen = Passages::of_data(&smooth, &code);
    for orbit in &mut orbits {
        orbit.data = seen.closest(&orbit.letters).map(DataReturn::from);
    }
    Some(PeriodicOrbits {
        longest,
        turns: passages.count(),
        words,
        orbits,
        code: Some(code.restored(observed)),
    })
}

/// A closed curve as a periodic orbit, where it has this word and the flow is among its multipliers.
fn describe(model: ModelRun<'_>, code: &TurnCode, word: &[u8], closing: &Closing) -> Option<PeriodicOrbit> {
    let map = model.map;
    let states = &closing.states[..closing.steps()];
    let x = Array2::from_shape_fn((states.len(), model.N), |(t, j)| states[t][j]);
    let is_cycle = closing.steps() <= model.settings.max_period;
    if smallest_rotation(&code.closed_word(x.view())) != word || is_cycle {
        return None;
    }
    let multipliers = eigenvalues(&closing.monodromy(map)?)?;
    let from_1 = |e: &Eigenvalue| (e.re - 1.0).hypot(e.im);
    let nearest =
        (0..multipliers.len()).min_by(|&i, &j| from_1(&multipliers[i]).total_cmp(&from_1(&multipliers[j])));
    let flow = nearest.filter(|&i| from_1(&multipliers[i]) <= OFF_FLOW)?;
    let codes: Vec<_> = states.iter().map(|z| map.code(z)).collect();
    let changes = (0..codes.len()).filter(|&t| codes[t] != codes[(t + 1) % codes.len()]);
    Some(PeriodicOrbit {
        word: code.text(word),
        turns: word.len(),
        period: closing.period(),
        time: model.settings.dt.map(|dt| dt * closing.period()),
        multiplier: *multipliers.get(usize::from(flow == 0))?,
        along_flow: multipliers[flow],
        residual: closing.residual(),
        regions: codes.iter().collect::<HashSet<_>>().len(),
        changes: changes.count(),
        multipliers,
        data: None,
        z: states[0].clone(),
        letters: word.to_vec(),
        states: states.to_vec(),
    })
}

/// Whether a closed curve is a shorter one that is passed more than once. Only a word that repeats itself can be one's.
fn repeats(closing: &Closing, word: &[u8], spread: f64) -> bool {
    let k = closing.steps();
    let state = |t: usize| &closing.states[t % k];
    let step = |t: usize| difference(state(t + 1), state(t)).norm();
    let times = (2..=word.len()).filter(|times| word.len().is_multiple_of(*times));
    let repeated = |times: &usize| {
        let part = word.len() / times;
        (part..word.len()).all(|j| word[j] == word[j - part])
    };
    // The parts of a curve that is another one may take different times.
    times.filter(repeated).any(|times| {
        let (part, around) = (k / times, k / 20 + 3);
        (0..PLACES).map(|i| i * k / PLACES).all(|t| {
            let later = (t + part).saturating_sub(around)..t + part + around;
            let mut distances = later.map(|u| distance_from_segment(state(t), state(u), state(u + 1)));
            let same = (SAME_STEP * step(t)).max(SAME * spread);
            distances.any(|distance| distance <= same)
        })
    })
}

/// Distance of `p` from the line from `a` to `b`.
fn distance_from_segment(p: &[f64], a: &[f64], b: &[f64]) -> f64 {
    let (along, from) = (difference(b, a), difference(p, a));
    let share = (from.dot(&along) / along.norm_squared()).clamp(0.0, 1.0);
    (from - share * along).norm()
}
