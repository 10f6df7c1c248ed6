//! A member alone can use more than one thread: which way of computing its steps is the fastest, found by trying.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pulp::Arch;

use crate::backend::cpu::layout::{Lanes, Layout};
use crate::backend::cpu::step::{Scratch, Way};
use crate::backend::cut::Cut;

/// Epochs of a way that are remembered; their median is what it is judged by.
const REMEMBERED: usize = 3;
/// After so many epochs a way that was left aside is tried again: what else the machine does may have changed.
const PATIENCE: u64 = 50;

/// Ways to compute the steps of `members` members at once on `threads` threads, of which the first uses one thread a
/// member.
///
/// Where there are threads to spare, the groups of sequences can be passed over beside each other. Sixteen sequences
/// are one group of AVX-512, or two of half its lanes, which many machines compute in half the time.
pub(super) fn ways(arch: Arch, layout: &Layout, members: usize, threads: usize) -> Vec<Way> {
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
        if let Some(half) = Lanes::half(arch) {
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
    /// Epoch in which it was used last.
    used: u64,
}

impl Candidate {
    /// What an epoch takes; nothing is known of a way that was not tried often enough.
    fn usual(&self) -> Option<Duration> {
        let mut took: Vec<Duration> = self.took.iter().copied().collect();
        took.sort_unstable();
        (took.len() == REMEMBERED).then(|| took[REMEMBERED / 2])
    }
}

/// Several ways, of which mostly the fastest is used.
pub(super) struct Fastest {
    candidates: Vec<Candidate>,
    epoch: u64,
}

impl Fastest {
    /// Memory for `busy` members at once, with up to `max_P` ReLU units and these cuts.
    pub fn new(ways: Vec<Way>, busy: usize, max_P: usize, cuts: &[&Cut]) -> Self {
        let candidate = |way: Way| Candidate {
            scratch: (0..busy)
                .map(|_| Mutex::new(Scratch::new(&way, max_P, cuts)))
                .collect(),
            way,
            took: VecDeque::with_capacity(REMEMBERED + 1),
            used: 0,
        };
        Self {
            candidates: ways.into_iter().map(candidate).collect(),
            epoch: 0,
        }
    }

    /// Has `epoch` done in the way whose turn it is.
    pub fn run(&mut self, epoch: impl FnOnce(&Way, &[Mutex<Scratch>])) {
        self.epoch += 1;
        let now = self.epoch;
        let turn = |candidate: &&mut Candidate| match candidate.usual() {
            None => (0, Duration::from_nanos(candidate.took.len() as u64)),
            Some(usual) if now - candidate.used > PATIENCE => (1, usual),
            Some(usual) => (2, usual),
        };
        let candidate = self.candidates.iter_mut().min_by_key(turn);
        let candidate = candidate.expect("there is a way");
        let start = Instant::now();
        epoch(&candidate.way, &candidate.scratch);
        candidate.took.push_back(start.elapsed());
        if candidate.took.len() > REMEMBERED {
            candidate.took.pop_front();
        }
        candidate.used = now;
    }

    /// Any way and its scratch.
    pub fn any(&mut self) -> (&Way, &mut Scratch) {
        let Candidate { way, scratch, .. } = &mut self.candidates[0];
        let scratch = scratch[0].get_mut().unwrap_or_else(PoisonError::into_inner);
        (way, scratch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::layout::machine;
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
                fastest.run(|way, _| {
                    used[way.threads - 1] += 1;
                    if way.threads == slow {
                        std::thread::sleep(Duration::from_millis(2));
                    }
                });
            }
            used
        };
        let used = count(1, 120);
        assert!(used[1] > 100 && used[0] > REMEMBERED, "{used:?}");
        let used = count(2, 200);
        assert!(used[0] > used[1], "{used:?}");
    }
}
