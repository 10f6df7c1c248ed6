use std::collections::HashSet;

use super::free_run::{ModelRun, SymbolRun};
use super::map::Map;
use super::orbit::Orbit;
use super::stability::Stability;
use super::symbols::Code;
use super::word_map::{DegenerateWord, solve_word};
use crate::rng::{Stream, index, threefry2x32};

/// Moves from one start: a virtual solution names the word to try next.
const MAX_MOVES: usize = 30;
/// Degenerate words listed of each period.
const LISTED_DEGENERATE: usize = 10;

/// A cycle of the map, exact.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Cycle {
    pub period: usize,
    /// The regions' codes along the cycle, from the smallest rotation on.
    pub word: Vec<String>,
    /// The word in symbols of the free run, missing where it visits none such.
    pub symbols: Vec<Option<u32>>,
    /// The first state, `[M]`.
    pub z: Vec<f64>,
    /// All states' observed units in the data's units, `[period, N]`.
    pub observed: Vec<Vec<f64>>,
    #[serde(flatten)]
    pub stability: Stability,
    /// `max |F^period(z) − z|`, by iterating the map.
    pub residual: f64,
    /// Condition number (1-norm) of `I − J`.
    pub condition: f64,
    /// Smallest `|z|` of a ReLU unit on the cycle; missing for P = 0.
    pub border_distance: Option<f64>,
    /// Whether a ReLU unit is 0 to within rounding: the cycle then belongs to neighbouring regions as well, and
    /// `word` and stability are those of one side.
    pub on_border: bool,
    /// Whether the free run spells the word (once around).
    pub word_visited: bool,
    /// All states, `[period][M]`.
    #[serde(skip)]
    pub states: Vec<Vec<f64>>,
}

/// What the search for cycles of one period found.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct PeriodSearch {
    pub period: usize,
    /// Cycles found; `cycles` lists at most [`super::AnalysisSettings::max_listed`] of them.
    pub found: usize,
    pub cycles: Vec<Cycle>,
    /// Words solved, and how many of them had a virtual solution.
    pub solved: usize,
    pub virtual_words: usize,
    /// Words without an isolated solution, and the first of them.
    pub degenerate: usize,
    pub degenerate_words: Vec<DegenerateWord>,
    /// Every word of this period was solved: there are no other isolated cycles.
    pub complete: bool,
}

impl PeriodSearch {
    /// How many of the listed cycles are stable.
    pub fn stable(&self) -> usize {
        let stable = |cycle: &&Cycle| cycle.stability.is_stable();
        self.cycles.iter().filter(stable).count()
    }
}

/// Real orbits and what else a search met, before they are described.
#[derive(Default)]
pub struct Found {
    pub orbits: Vec<Orbit>,
    pub solved: usize,
    pub virtual_words: usize,
    pub degenerate: Vec<DegenerateWord>,
    pub complete: bool,
}

/// Finds words of length `k` whose solution is real, in the manner of SCYFI (Eisenmann, Monfared, Göring,
/// Durstewitz, *Bifurcations and loss jumps in RNN training*, NeurIPS 2023): solve a word; a virtual solution's
/// regions are the next word; start anew where that ends. Starts are `first` words in their order (visited ones),
/// then random ones: every word where there are no more than the budget has, else half of them made of visited
/// regions, half of random bits. At most as many words are solved.
pub fn search(model: ModelRun<'_>, k: usize, first: Vec<Vec<Code>>) -> Found {
    let (map, visited) = (model.map, &model.run.book.codes);
    let (budget, seed) = (model.settings.search_budget, model.settings.seed);
    let mut found = Found::default();
    let words = 2f64.powi((map.P * k) as i32);
    let exhaustive = words <= budget as f64;
    let random = (0..budget as u32).map(|i| random_word(map.P, k, visited, i, seed));
    let every = (0..words.min(budget as f64) as u64).map(|number| numbered_word(map.P, k, number));
    let other: Box<dyn Iterator<Item = Vec<Code>>> = match exhaustive {
        true => Box::new(every),
        false => Box::new(random),
    };
    let mut tried: HashSet<Vec<Code>> = HashSet::new();
    let mut exhausted = true;
    for mut word in first.into_iter().chain(other) {
        for _ in 0..MAX_MOVES {
            // A repeated shorter word has the shorter word's solution.
            word = smallest_rotation(&word);
            if is_repetition(&word) || !tried.insert(word.clone()) {
                break;
            }
            if found.solved >= budget {
                exhausted = false;
                break;
            }
            let Some(next) = try_word(map, &word, &mut found) else {
                break;
            };
            word = next;
        }
        if found.solved >= budget && !exhaustive {
            break;
        }
    }
    found.complete = exhaustive && exhausted;
    found
}

/// Solves one word; the word to try next where the solution is virtual.
fn try_word(map: &Map, word: &[Code], found: &mut Found) -> Option<Vec<Code>> {
    found.solved += 1;
    let solution = solve_word(map, word).map_err(|degenerate| found.degenerate.push(degenerate));
    let mut orbit = solution.ok()?;
    if orbit.settle(map) {
        // On a border the same states have several words.
        let known = orbit.repeats() || found.orbits.iter().any(|other| other.is_same(&orbit));
        if !known {
            found.orbits.push(orbit);
        }
        return None;
    }
    let codes = orbit.codes(map);
    if codes == word {
        return None;
    }
    found.virtual_words += 1;
    Some(codes)
}

/// Word number `i` of a random search.
fn random_word(P: usize, k: usize, visited: &[Code], i: u32, seed: u32) -> Vec<Code> {
    // The upper half of the counter's second word is out of the surrogates' way.
    let draw = |j: u32| {
        threefry2x32(
            [seed, Stream::Surrogate as u32],
            [i, 0x8000_0000 | (k as u32) << 16 | j],
        )
    };
    (0..k as u32)
        .map(|j| {
            if i.is_multiple_of(2) && !visited.is_empty() {
                return visited[index(draw(4 * j)[0], visited.len() as u32) as usize];
            }
            let words: [u64; 4] = std::array::from_fn(|w| {
                let [low, high] = draw(4 * j + w as u32);
                u64::from(high) << 32 | u64::from(low)
            });
            Code::from_words(words, P)
        })
        .collect()
}

/// Word `number` of the `2^(P k)` words of length `k`, where these are fewer than 2^64.
fn numbered_word(P: usize, k: usize, number: u64) -> Vec<Code> {
    let bits = |j: usize| number.checked_shr((P * j) as u32).unwrap_or(0);
    (0..k).map(|j| Code::from_words([bits(j), 0, 0, 0], P)).collect()
}

/// The lexicographically smallest rotation, by which the rotations of a cycle are told to be one.
pub fn smallest_rotation<T: Ord + Clone>(word: &[T]) -> Vec<T> {
    let k = word.len();
    let rotated = |r: usize| word[r..].iter().chain(&word[..r]);
    let best = (0..k).min_by(|&a, &b| rotated(a).cmp(rotated(b))).unwrap_or(0);
    rotated(best).cloned().collect()
}

/// Whether a word repeats a shorter one.
pub fn is_repetition<T: PartialEq>(word: &[T]) -> bool {
    let k = word.len();
    (1..=k / 2).any(|p| k.is_multiple_of(p) && (p..k).all(|j| word[j] == word[j - p]))
}

/// Words of length `k` after which the free run came back to its region, the closest returns first, at most
/// `count` of them.
pub fn returning_words(run: &SymbolRun, k: usize, count: usize) -> Vec<Vec<Code>> {
    let kept = run.states.nrows();
    let mut returns: Vec<(f64, usize)> = (0..kept.saturating_sub(k))
        .filter(|&t| run.sequence[t] == run.sequence[t + k])
        .map(|t| {
            let (now, later) = (run.states.row(t), run.states.row(t + k));
            (now.iter().zip(&later).map(|(a, b)| (a - b).powi(2)).sum(), t)
        })
        .collect();
    returns.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut seen = HashSet::new();
    let candidates = returns.into_iter().take(count.saturating_mul(20));
    let words = candidates.map(|(_, t)| smallest_rotation(&run.sequence[t..t + k]));
    let distinct = words
        .filter(|word| !is_repetition(word) && seen.insert(word.clone()))
        .take(count);
    distinct
        .map(|word| word.iter().map(|&s| run.book.codes[s as usize]).collect())
        .collect()
}

/// Cycles of one period.
pub fn period_search(model: ModelRun<'_>, k: usize) -> PeriodSearch {
    let (map, run, settings) = (model.map, model.run, model.settings);
    let first = returning_words(run, k, settings.search_budget / 2);
    let mut found = search(model, k, first);
    let degenerate = found.degenerate.len();
    found.degenerate.truncate(LISTED_DEGENERATE);
    let unspelt = |orbit: Orbit| (!is_spelt(map, run, &orbit), orbit);
    let mut orbits: Vec<(bool, Orbit)> = found.orbits.into_iter().map(unspelt).collect();
    orbits.sort_by(|(unspelt, a), (other, b)| unspelt.cmp(other).then_with(|| a.word.cmp(&b.word)));
    let cycles = orbits.iter().take(settings.max_listed);
    PeriodSearch {
        period: k,
        found: orbits.len(),
        cycles: cycles
            .map(|(unspelt, orbit)| Cycle {
                word_visited: !unspelt,
                ..describe(model, orbit)
            })
            .collect(),
        solved: found.solved,
        virtual_words: found.virtual_words,
        degenerate,
        degenerate_words: found.degenerate,
        complete: found.complete,
    }
}

/// Whether the free run spells the orbit's word (on a border: one of its words), by any rotation.
fn is_spelt(map: &Map, run: &SymbolRun, orbit: &Orbit) -> bool {
    let k = orbit.word.len();
    let symbols: Vec<Vec<u32>> = (0..k)
        .map(|j| {
            if !orbit.on_border() {
                return run.book.get(orbit.word[j]).into_iter().collect();
            }
            let codes = run.book.codes.iter().zip(0..);
            codes
                .filter(|&(&code, _)| orbit.fits(map, j, code))
                .map(|(_, symbol)| symbol)
                .collect()
        })
        .collect();
    if symbols.iter().any(Vec::is_empty) {
        return false;
    }
    let spells = |window: &[u32], turn: usize| {
        let mut symbol = window.iter().enumerate();
        symbol.all(|(j, s)| symbols[(j + turn) % k].contains(s))
    };
    (0..k).any(|turn| run.sequence.windows(k).any(|window| spells(window, turn)))
}

/// What is reported of a real orbit.
pub fn describe(model: ModelRun<'_>, orbit: &Orbit) -> Cycle {
    let ModelRun { map, run, .. } = model;
    let border = orbit.border_distance(map);
    Cycle {
        period: orbit.word.len(),
        word: orbit.word.iter().map(|c| c.text(map.P)).collect(),
        symbols: orbit.word.iter().map(|&c| run.book.get(c)).collect(),
        z: orbit.states[0].clone(),
        observed: orbit.states.iter().map(|z| model.observed(z)).collect(),
        stability: Stability::of(&orbit.jacobian),
        residual: orbit.residual(map),
        condition: orbit.condition(),
        border_distance: border.is_finite().then_some(border),
        on_border: orbit.on_border(),
        word_visited: false,
        states: orbit.states.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotations_and_repetitions() {
        assert_eq!(smallest_rotation(&[2, 1, 3, 1]), [1, 2, 1, 3]);
        assert_eq!(smallest_rotation(&[1]), [1]);
        assert!(is_repetition(&[1, 2, 1, 2]) && is_repetition(&[3, 3, 3]));
        assert!(!is_repetition(&[1]) && !is_repetition(&[1, 2, 1]) && !is_repetition(&[1, 2, 2]));
    }

    #[test]
    fn numbered_words_are_all_words() {
        let words: HashSet<Vec<Code>> = (0..64).map(|n| numbered_word(2, 3, n)).collect();
        assert_eq!(words.len(), 64);
        let text: Vec<String> = numbered_word(2, 3, 0b11_01_10)
            .iter()
            .map(|c| c.text(2))
            .collect();
        assert_eq!(text, ["01", "10", "11"]);
    }

    #[test]
    fn random_words_do_not_repeat_their_draws() {
        let words: HashSet<Vec<Code>> = (0..200).map(|i| random_word(200, 3, &[], i, 1)).collect();
        assert_eq!(words.len(), 200);
        let word = random_word(200, 2, &[], 1, 1);
        assert_ne!(word[0], word[1]);
        let ones = (0..200).filter(|&p| word[0].bit(p)).count();
        assert!((60..140).contains(&ones), "{ones} of 200 bits are set");
    }
}
