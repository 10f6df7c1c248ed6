//! A member alone can use more than one thread: which way of computing its steps is the fastest, found by trying.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pulp::Arch;

use crate::backend::blocked::Segments;
use crate::backend::cpu::layout::Layout;
use crate::backend::cpu::simd::lanes::Lanes;
use crate::backend::cpu::step::{Scratch, Way};

/// Epochs of a way that are remembered; their median is what it is judged by.
const REMEMBERED: usize = 3;
/// After so many epochs a way that was left aside is tried again, for what else the machine does may have changed; after
/// twice as many each time that it was in vain.
const PATIENCE: u64 = 50;

/// Ways to compute the steps of `members` members at once on `threads` threads, of which the first uses one thread a
/// member.
///
/// Where there are threads to spare, the groups of sequences can be passed over beside each other. Sixteen sequences
/// are one group of AVX-512, or two of half its lanes, which many machines compute in half the time.
pub fn ways(arch: Arch, layout: &Layout, members: usize, threads: usize) -> Vec<Way> {
    let way = |lanes, layout: Layout, threads: usize| Way {
        arch,
        lanes,
        threads: threads.min(layout.groups),
        layout,
    };
    let mut ways = vec![way(Lanes::Whole(arch), layout.clone(), 1)];
    let each = threads / members.max(1);
    if each > 1 {
        if layout.groups > 1 {
            ways.push(way(Lanes::Whole(arch), layout.clone(), each));
        }
        // Of eight sequences or fewer, one of the halves would be empty.
        if let Some(half) = Lanes::half(arch)
            && layout.shape.S > half.machine().lanes
        {
            ways.push(way(half, layout.halved(half.machine()), each));
        }
    }
    ways
}

/// A way with the memory for it.
struct Candidate {
    way: Way,
    /// For each member that can be busy at once.
    scratch: Vec<Mutex<Scratch>>,
    /// How long its last epochs took, latest last.
    took: VecDeque<Duration>,
    /// Epoch in which it was used last, and epochs until it is tried again.
    used: u64,
    patience: u64,
}

impl Candidate {
    /// What an epoch takes; nothing is known of a way that was not tried often enough.
    fn usual(&self) -> Option<Duration> {
        let mut took: Vec<Duration> = self.took.iter().copied().collect();
        took.sort_unstable();
        (took.len() == REMEMBERED).then(|| took[REMEMBERED / 2])
    }

    fn left_aside(&self, now: u64) -> bool {
        now - self.used > self.patience
    }
}

/// Several ways, of which mostly the fastest is used.
pub struct Fastest {
    candidates: Vec<Candidate>,
    epoch: u64,
}

impl Fastest {
    /// Memory for `busy` members at once, with up to `max_P` ReLU units and these segments.
    pub fn new(ways: Vec<Way>, busy: usize, max_P: usize, all: &[&Segments]) -> Self {
        let candidate = |way: Way| Candidate {
            scratch: (0..busy)
                .map(|_| Mutex::new(Scratch::new(&way, max_P, all)))
                .collect(),
            way,
            took: VecDeque::with_capacity(REMEMBERED + 1),
            used: 0,
            patience: PATIENCE,
        };
        Self {
            candidates: ways.into_iter().map(candidate).collect(),
            epoch: 0,
        }
    }

    /// Has `epoch` done in the way whose turn it is among those that take no more than `threads` a member.
    pub fn run(&mut self, threads: usize, epoch: impl FnOnce(&Way, &[Mutex<Scratch>])) {
        let turn = self.turn(threads);
        let Candidate { way, scratch, .. } = &self.candidates[turn];
        let start = Instant::now();
        epoch(way, scratch);
        self.record(turn, start.elapsed());
    }

    /// The way whose turn it is: one not tried often enough, one left aside for long, or the fastest.
    fn turn(&self, threads: usize) -> usize {
        let key = |candidate: &Candidate| match candidate.usual() {
            None => (0, candidate.took.len() as u128),
            Some(usual) if candidate.left_aside(self.epoch) => (1, usual.as_nanos()),
            Some(usual) => (2, usual.as_nanos()),
        };
        let possible = self.candidates.iter().enumerate();
        possible
            .filter(|(_, candidate)| candidate.way.threads <= threads)
            .min_by_key(|(_, candidate)| key(candidate))
            .map_or(0, |(index, _)| index)
    }

    fn record(&mut self, turn: usize, took: Duration) {
        let best = self.candidates.iter().filter_map(Candidate::usual).min();
        let candidate = &mut self.candidates[turn];
        if candidate.left_aside(self.epoch) {
            let in_vain = best.is_some_and(|best| took > best);
            candidate.patience = if in_vain { 2 * candidate.patience } else { PATIENCE };
        }
        candidate.took.push_back(took);
        if candidate.took.len() > REMEMBERED {
            candidate.took.pop_front();
        }
        candidate.used = self.epoch;
        self.epoch += 1;
    }

    /// Any way and its scratch.
    pub fn any(&mut self) -> (&Way, &mut Scratch) {
        let Candidate { way, scratch, .. } = &mut self.candidates[0];
        (way, scratch[0].get_mut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::simd::machine::machine;
    use crate::model::{Dims, Shape};

    fn layout(S: usize) -> Layout {
        let dims = Dims::new(6, 2, 0).expect("sizes");
        Layout::new(Shape::new(dims, S, 5).expect("sizes"), machine(Arch::new()))
    }

    #[test]
    fn only_spare_threads_are_used_and_no_more_than_there_are_groups() {
        let arch = Arch::new();
        let lanes = machine(arch).lanes;
        assert_eq!(ways(arch, &layout(4 * lanes), 2, 3).len(), 1);
        let ways = ways(arch, &layout(4 * lanes), 1, 3);
        assert_eq!(ways[0].threads, 1);
        assert!(ways[1..].iter().any(|way| way.threads == 3));
        let few = super::ways(arch, &layout(2 * lanes), 1, 64);
        assert!(few.iter().all(|way| way.threads <= way.layout.groups));
    }

    #[test]
    fn the_fastest_way_is_used_most_and_another_when_it_has_become_slow() {
        let arch = Arch::new();
        let way = |threads| Way {
            arch,
            lanes: Lanes::Whole(arch),
            layout: layout(1),
            threads,
        };
        let mut fastest = Fastest::new(vec![way(1), way(2)], 1, 2, &[]);
        let mut count = |slow: usize, epochs: usize| {
            let mut used = [0, 0];
            for _ in 0..epochs {
                let turn = fastest.turn(2);
                used[turn] += 1;
                let took = if turn == slow { 2 } else { 1 };
                fastest.record(turn, Duration::from_millis(took));
            }
            used
        };
        // Three trials, and again after 50 epochs and 100 more.
        assert_eq!(count(0, 200), [5, 195]);
        let used = count(1, 400);
        assert!(used[0] > 200, "{used:?}");
        assert_eq!(fastest.turn(1), 0, "no thread to spare");
    }
}
