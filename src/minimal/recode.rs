//! New codes for the regions of a model, with fewer ReLUs than making units linear leaves.

use std::collections::{BTreeMap, BTreeSet};

use crate::analysis::Code;

/// Regions of fewer rows count only where they hold a fixed point; transitions that are fewer of a region's exits make no
/// neighbours (where two borders cross, a step flips two bits).
const NODE: f64 = 0.02;
const EDGE: f64 = 0.05;
/// Regions, and ways to code them, at most.
const REGIONS: usize = 12;
const CODINGS: usize = 16;

/// Regions along a run, and which of them follow each other.
#[derive(Debug)]
pub struct Regions {
    /// Region of each row; `None` in those that are too rare to count.
    pub rows: Vec<Option<usize>>,
    /// By region: rows, whether a real fixed point lies in it, and neighbours.
    sizes: Vec<usize>,
    holds: Vec<bool>,
    neighbours: Vec<BTreeSet<usize>>,
}

impl Regions {
    /// Of the codes along a run, without the bits in `mask`. `None` where two of the regions `holders` become one, where one
    /// of them is never visited, or where there are more regions than can be coded anew.
    pub fn of(codes: &[Code], mask: &Code, holders: &[Code]) -> Option<Self> {
        let merged: Vec<Code> = codes.iter().map(|code| code.without(mask)).collect();
        let held: BTreeSet<Code> = holders.iter().map(|code| code.without(mask)).collect();
        let mut counts: BTreeMap<Code, usize> = BTreeMap::new();
        merged
            .iter()
            .for_each(|&code| *counts.entry(code).or_default() += 1);
        if held.len() < holders.len() || !held.iter().all(|code| counts.contains_key(code)) {
            return None;
        }
        counts.retain(|code, n| held.contains(code) || *n as f64 >= NODE * codes.len() as f64);
        if counts.len() > REGIONS {
            return None;
        }
        let number: BTreeMap<Code, usize> = counts.keys().copied().zip(0..).collect();
        let rows: Vec<Option<usize>> = merged.iter().map(|code| number.get(code).copied()).collect();
        Some(Self {
            neighbours: neighbours(&rows, counts.len()),
            sizes: counts.values().copied().collect(),
            holds: counts.keys().map(|code| held.contains(code)).collect(),
            rows,
        })
    }

    pub fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Codes of `P` bits for the regions, one for each way to give them up to the names of bits and of their values:
    /// neighbours differ in one bit at most, and no two regions that hold a fixed point have the same code. A bit may flip
    /// at several borders: its unit's zero is then a surface that folds back.
    pub fn codings(&self, P: usize) -> Vec<Vec<u32>> {
        let mut order: Vec<usize> = Vec::new();
        while order.len() < self.len() {
            let rest = (0..self.len()).filter(|region| !order.contains(region));
            let placed = |region: &usize| {
                self.neighbours[*region]
                    .iter()
                    .filter(|r| order.contains(r))
                    .count()
            };
            order.extend(rest.max_by_key(|region| (placed(region), self.sizes[*region])));
        }
        let mut found = Vec::new();
        self.extend(P, &order, &mut vec![None; self.len()], 0, &mut found);
        found
    }

    /// Codes the first of `left`, then the others; bits from `used` on have not been set yet.
    fn extend(
        &self,
        P: usize,
        left: &[usize],
        codes: &mut Vec<Option<u32>>,
        used: u32,
        found: &mut Vec<Vec<u32>>,
    ) {
        let Some((&region, rest)) = left.split_first() else {
            found.push(codes.iter().map(|code| code.expect("all are coded")).collect());
            return;
        };
        let is_first = codes.iter().all(Option::is_none);
        // Of bits that are not in use yet one is as good as another, and so is the value that a bit begins with.
        let choices = if is_first {
            1
        } else {
            1u32 << (used + 1).min(P as u32)
        };
        for code in 0..choices {
            let near = |other: &usize| codes[*other].is_none_or(|c| (c ^ code).count_ones() <= 1);
            let taken = |other: usize| self.holds[other] && codes[other] == Some(code);
            if !self.neighbours[region].iter().all(near) || (self.holds[region] && (0..self.len()).any(taken))
            {
                continue;
            }
            if found.len() == CODINGS {
                return;
            }
            codes[region] = Some(code);
            let highest = u32::BITS - code.leading_zeros();
            self.extend(P, rest, codes, used.max(highest), found);
            codes[region] = None;
        }
    }
}

/// Which regions follow each other.
fn neighbours(rows: &[Option<usize>], regions: usize) -> Vec<BTreeSet<usize>> {
    let visited: Vec<usize> = rows.iter().flatten().copied().collect();
    let mut exits = vec![vec![0usize; regions]; regions];
    for pair in visited.windows(2).filter(|pair| pair[0] != pair[1]) {
        exits[pair[0]][pair[1]] += 1;
    }
    let mut neighbours = vec![BTreeSet::new(); regions];
    for (from, counts) in exits.iter().enumerate() {
        let all: usize = counts.iter().sum();
        for (to, &n) in counts.iter().enumerate() {
            if n > 0 && n as f64 >= EDGE * all as f64 {
                neighbours[from].insert(to);
                neighbours[to].insert(from);
            }
        }
    }
    neighbours
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five regions in a row, told apart by four units; a fifth unit flips among them.
    fn chain() -> (Vec<Code>, Vec<Code>) {
        let codes = ["00000", "10000", "11000", "11100", "11110"].map(Code::of_text);
        let there = (0..5).chain((1..4).rev()).cycle().take(400);
        let run = there.map(|i| if i == 2 { codes[i].with(4) } else { codes[i] });
        (run.collect(), codes.to_vec())
    }

    #[test]
    fn five_regions_in_a_row_take_three_bits() {
        let (run, mut holders) = chain();
        let mask = Code::default().with(4);
        let regions = Regions::of(&run, &mask, &holders).expect("told apart");
        assert_eq!(regions.len(), 5);
        assert!(regions.codings(2).is_empty(), "five codes of two bits");
        // Along the row bits flip as 1, 2, 1, 3; as 1, 2, 3, 1; or as 1, 2, 3, 2.
        let codings = regions.codings(3);
        let flips = |coding: &Vec<u32>| -> Vec<u32> {
            let place = |i: usize| regions.rows[i].expect("no region is rare");
            let codes: Vec<u32> = (0..5).map(|i| coding[place(i)]).collect();
            codes.windows(2).map(|pair| pair[0] ^ pair[1]).collect()
        };
        assert_eq!(codings.len(), 3);
        for coding in &codings {
            let flips = flips(coding);
            assert!(flips.iter().all(|flip| flip.count_ones() == 1));
            assert_eq!(flips.iter().collect::<BTreeSet<_>>().len(), 3, "{flips:?}");
        }
        // Where the middle holds nothing it may share a neighbour's code.
        holders.remove(2);
        assert!(Regions::of(&run, &mask, &holders).expect("four").codings(2).len() > 1);
    }

    #[test]
    fn holders_that_merge_or_are_never_seen_are_refused() {
        let (run, holders) = chain();
        assert!(Regions::of(&run, &Code::default().with(0).with(4), &holders).is_none());
        assert!(Regions::of(&run, &Code::default(), &[Code::of_text("00111")]).is_none());
    }
}
