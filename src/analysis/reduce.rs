//! Which ReLU units of a model may be made linear.

use std::collections::BTreeSet;

use serde::Serialize;

use super::symbols::Code;

/// Sets of units looked at; of models with many ReLUs there are more.
const SETS: usize = 200_000;

/// ReLU units of a model that may be made linear without merging two regions that hold different real fixed points.
///
/// Making a unit linear takes its bit out of every code, and symbols that become equal become one. A unit comes into
/// question where its bit alone flips between two steps; a set of units is given up as soon as two symbols merge that both
/// hold a real fixed point (a region, where the map is affine, has room for one). Of what is left those sets count that
/// leave the fewest symbols, and among them those that leave the fewest ReLUs.
///
/// Method: Tamura and Tanaka, arXiv 2610.01369.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reductions {
    /// Symbols before, and real fixed points among them.
    pub symbols: usize,
    pub fixed_points: usize,
    /// Best ones, by units; the model as it is where nothing can be made linear.
    pub best: Vec<Reduction>,
    /// Every set was looked at.
    pub complete: bool,
}

/// One set of units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reduction {
    /// Units to make linear, counted from 0 among the `P` ReLU units.
    pub linear: Vec<usize>,
    /// ReLU units and symbols left.
    pub P: usize,
    pub symbols: usize,
}

/// Of a model's visited regions: their codes by symbol, its symbols in uninterrupted runs, and the codes that hold a real fixed
/// point (those that no run visits do not count).
pub fn reductions<'a>(
    codes: &[Code],
    runs: &[&[u32]],
    holders: impl Iterator<Item = &'a str>,
    P: usize,
) -> Reductions {
    let symbol = |code: &str| codes.iter().position(|known| known.text(P) == code);
    let holders = holders.filter_map(symbol).map(|symbol| symbol as u32).collect();
    search(codes, runs, &holders, P)
}

/// `holders`: symbols that hold a real fixed point.
fn search(codes: &[Code], runs: &[&[u32]], holders: &BTreeSet<u32>, P: usize) -> Reductions {
    let units = alone(codes, runs, P);
    let held: Vec<Code> = holders.iter().map(|&symbol| codes[symbol as usize]).collect();
    let left = |mask: &Code, codes: &[Code]| -> usize {
        codes
            .iter()
            .map(|code| code.without(mask))
            .collect::<BTreeSet<_>>()
            .len()
    };
    let mut best = (codes.len(), P, vec![Vec::new()]);
    // Sets of equal size, each with the places in `units` that may be added: every set is met once.
    let mut level: Vec<(Code, Vec<usize>)> = vec![(Code::default(), Vec::new())];
    let (mut seen, mut complete) = (0, true);
    while !level.is_empty() {
        let mut next = Vec::new();
        for (mask, chosen) in level {
            for place in chosen.last().map_or(0, |last| last + 1)..units.len() {
                if seen == SETS {
                    complete = false;
                    break;
                }
                seen += 1;
                let mask = mask.with(units[place]);
                if left(&mask, &held) < held.len() {
                    continue;
                }
                let chosen: Vec<usize> = chosen.iter().copied().chain([place]).collect();
                let found = (left(&mask, codes), P - chosen.len());
                let named = chosen.iter().map(|&place| units[place]).collect();
                match found.cmp(&(best.0, best.1)) {
                    std::cmp::Ordering::Less => best = (found.0, found.1, vec![named]),
                    std::cmp::Ordering::Equal => best.2.push(named),
                    std::cmp::Ordering::Greater => {}
                }
                next.push((mask, chosen));
            }
        }
        level = next;
    }
    let (symbols, P, sets) = best;
    Reductions {
        symbols: codes.len(),
        fixed_points: held.len(),
        best: sets
            .into_iter()
            .map(|linear| Reduction { linear, P, symbols })
            .collect(),
        complete,
    }
}

/// Units whose bit flips alone between two steps.
fn alone(codes: &[Code], runs: &[&[u32]], P: usize) -> Vec<usize> {
    let changes: BTreeSet<(u32, u32)> = (runs.iter())
        .flat_map(|run| run.windows(2).map(|pair| (pair[0], pair[1])))
        .collect();
    let flipped = |(from, to): &(u32, u32)| {
        let mut units = (0..P).filter(|&p| codes[*from as usize].bit(p) != codes[*to as usize].bit(p));
        units.next().filter(|_| units.next().is_none())
    };
    let units: BTreeSet<usize> = changes.iter().filter_map(flipped).collect();
    units.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(codes: &[&str], run: &[u32], holders: &[u32]) -> (Vec<Vec<usize>>, usize, usize) {
        let P = codes[0].len();
        let codes: Vec<Code> = codes.iter().map(|text| Code::of_text(text)).collect();
        let found = search(&codes, &[run], &holders.iter().copied().collect(), P);
        assert!(found.complete);
        let (P, symbols) = (found.best[0].P, found.best[0].symbols);
        (found.best.into_iter().map(|set| set.linear).collect(), P, symbols)
    }

    /// Units 0 and 1 tell the three fixed points apart, unit 2 flips beside them and unit 3 never by itself.
    #[test]
    fn what_tells_fixed_points_apart_stays() {
        let codes = ["0000", "1000", "1100", "0010", "1101"];
        let run = [0, 1, 2, 1, 0, 3, 0, 1, 4, 1];
        assert_eq!(sets(&codes, &run, &[0, 1, 2]), (vec![vec![2]], 3, 4));
        // Without fixed points everything that flips alone may go.
        assert_eq!(sets(&codes, &run, &[]), (vec![vec![0, 1, 2]], 1, 2));
        // Where no unit flips by itself the model stays as it is.
        assert_eq!(sets(&["00", "11"], &[0, 1, 0], &[]), (vec![vec![]], 2, 2));
    }

    #[test]
    fn several_ways_are_all_told() {
        // Four regions, two fixed points in opposite ones: either unit will do.
        let found = sets(&["00", "01", "11", "10"], &[0, 1, 2, 3, 0], &[0, 2]);
        assert_eq!(found, (vec![vec![0], vec![1]], 1, 2));
    }
}
