//! How long kernels take, as it is measured again and again, and what follows for how their work is cut. Nothing here asks a
//! device: times come in, lengths go out.

use std::collections::VecDeque;

/// A submission is cut so that it runs about this long; displays and watchdogs want well under two seconds.
pub const SUBMISSION_SECONDS: f64 = 0.3;
/// A dispatch is made shorter where it alone takes this many times what a submission may take: 0.5 s by default.
const LONGEST_DISPATCH: f64 = 5.0 / 3.0;
/// Halved dispatches that still take this share of the time before are bound by latency: shorter ones would gain nothing.
const HELPS: f64 = 0.75;
/// Measurements that count.
const REMEMBERED: usize = 8;
/// Shortest time that is believed, seconds.
const SHORTEST: f64 = 1e-7;

/// The least of the last few times of something. Whatever else runs on a device, or compiles for it, only ever adds to a
/// time; that old ones are forgotten lets it follow a device that throttles.
#[derive(Clone, Debug, Default)]
pub struct Recent(VecDeque<f64>);

impl Recent {
    pub fn add(&mut self, seconds: f64) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(seconds.max(SHORTEST));
    }

    pub fn least(&self) -> Option<f64> {
        self.0.iter().copied().reduce(f64::min)
    }
}

/// How the steps of an epoch go to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// So many to a submission.
    Steps(u32),
    /// Every kernel of a step in a submission of its own.
    Kernels,
}

/// What is known of the step of a chunk.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Seconds that a submission may take, about.
    longest: f64,
    /// Of each kernel, in the order in which they run.
    kernels: Vec<Recent>,
    /// How often it was measured since dispatches were last halved.
    measured: usize,
    /// What the slowest kernel took before that.
    before: Option<f64>,
    /// Whether halving has been seen to make no difference, or cannot be done.
    shortest: bool,
}

impl Pace {
    pub fn new(longest: f64) -> Self {
        Self {
            longest,
            kernels: Vec::new(),
            measured: 0,
            before: None,
            shortest: false,
        }
    }

    /// Takes in the seconds that each kernel of one step took.
    pub fn add(&mut self, seconds: &[f64]) {
        self.kernels.resize_with(seconds.len(), Recent::default);
        let each = self.kernels.iter_mut().zip(seconds);
        each.for_each(|(kernel, &seconds)| kernel.add(seconds));
        self.measured += 1;
    }

    fn times(&self) -> impl Iterator<Item = f64> {
        self.kernels.iter().filter_map(Recent::least)
    }

    fn slowest(&self) -> f64 {
        self.times().fold(0.0, f64::max)
    }

    fn is_too_long(&self) -> bool {
        self.slowest() > LONGEST_DISPATCH * self.longest
    }

    /// Whether a whole epoch may be submitted by what is known. A long time is believed when it was seen twice.
    pub fn is_known(&self) -> bool {
        self.measured > usize::from(self.is_too_long())
    }

    /// Whether a step should be measured in this epoch where measuring stops the device.
    pub fn is_due(&self, epoch: u32) -> bool {
        self.measured < REMEMBERED / 2 || self.cut(u32::MAX) == Cut::Kernels || epoch.is_multiple_of(16)
    }

    pub fn cut(&self, batches: u32) -> Cut {
        let step: f64 = self.times().sum();
        if step > self.longest {
            return Cut::Kernels;
        }
        Cut::Steps((self.longest / step.max(SHORTEST)).clamp(1.0, f64::from(batches)) as u32)
    }

    /// Whether the chunk is to be halved, because one of its kernels takes too long.
    pub fn wants_halves(&mut self) -> bool {
        if self.before.is_some_and(|before| self.slowest() > HELPS * before) && self.is_known() {
            self.shortest = true;
        }
        self.is_known() && self.is_too_long() && !self.shortest
    }

    /// Forgets what was measured: the chunk is half as large from now on.
    pub fn halved(&mut self) {
        self.before = Some(self.slowest());
        self.kernels.clear();
        self.measured = 0;
    }

    /// The chunk cannot be halved.
    pub fn stays(&mut self) {
        self.shortest = true;
    }
}

/// Steps of a free run's next dispatch, given those of the last one: as many as take about `aim` seconds at `step` seconds a
/// step, and not above twice as many, for a step was timed on shorter ones.
pub fn next_length(last: usize, step: f64, aim: f64, most: usize) -> usize {
    let wanted = (aim / step.max(SHORTEST * 1e-3)) as usize;
    wanted.clamp(1, (2 * last).min(most).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pace after these steps of two kernels, of which the second takes a tenth of the first.
    fn pace(longest: f64, times: &[f64]) -> Pace {
        let mut pace = Pace::new(longest);
        times.iter().for_each(|&t| pace.add(&[t, t / 10.0]));
        pace
    }

    #[test]
    fn nothing_is_known_before_it_was_measured() {
        assert!(!pace(0.3, &[]).is_known());
        assert!(pace(0.3, &[1e-3]).is_known());
        assert!(!pace(0.3, &[0.9]).is_known(), "one long time may be chance");
        assert!(pace(0.3, &[0.9, 0.9]).is_known());
    }

    /// Steps that take 11 ms: 27 of them, whatever else the device did in the meantime.
    #[test]
    fn slow_moments_are_forgotten() {
        let mut pace = pace(0.3, &[1.0]);
        assert_eq!(pace.cut(50), Cut::Kernels);
        pace.add(&[0.01, 0.001]);
        assert_eq!(pace.cut(50), Cut::Steps(27));
        pace.add(&[2.0, 0.2]);
        assert_eq!(pace.cut(50), Cut::Steps(27));
        assert!(!pace.wants_halves());
    }

    #[test]
    fn a_device_that_stays_slower_is_followed() {
        let mut pace = pace(0.3, &[0.01]);
        (0..REMEMBERED).for_each(|_| pace.add(&[0.02, 0.002]));
        assert_eq!(pace.cut(50), Cut::Steps(13));
    }

    #[test]
    fn times_of_nothing_ask_for_whole_epochs() {
        assert_eq!(pace(0.3, &[0.0]).cut(50), Cut::Steps(50));
    }

    #[test]
    fn a_kernel_that_takes_too_long_is_halved_while_that_helps() {
        let mut pace = pace(0.3, &[2.0, 2.0]);
        for (took, again) in [(1.0, true), (0.52, true), (0.45, false)] {
            assert!(pace.wants_halves());
            pace.halved();
            assert!(!pace.is_known() && !pace.wants_halves());
            (0..2).for_each(|_| pace.add(&[took, took / 10.0]));
            assert_eq!(pace.wants_halves(), again, "{took} s");
        }
    }

    #[test]
    fn what_is_bound_by_latency_is_halved_once() {
        let mut pace = pace(0.3, &[2.0, 2.0]);
        assert!(pace.wants_halves());
        pace.halved();
        (0..2).for_each(|_| pace.add(&[1.9, 0.19]));
        assert!(!pace.wants_halves());
        assert_eq!(pace.cut(50), Cut::Kernels);
    }

    #[test]
    fn measuring_that_stops_the_device_gets_rare() {
        let quick = pace(0.3, &[0.01; REMEMBERED]);
        assert_eq!((1..=32).filter(|&epoch| quick.is_due(epoch)).count(), 2);
        let slow = pace(0.3, &[0.4; REMEMBERED]);
        assert!((1..=32).all(|epoch| slow.is_due(epoch)));
    }

    #[test]
    fn free_runs_grow_to_their_aim_and_shrink_below_it() {
        assert_eq!(next_length(64, 1e-6, 0.2, 1 << 20), 128);
        assert_eq!(next_length(1 << 18, 1e-6, 0.2, 1 << 20), 200_000);
        assert_eq!(next_length(64, 1e-6, 0.2, 100), 100);
        assert_eq!(next_length(64, 1.0, 0.2, 100), 1);
        assert_eq!(next_length(1, 0.0, 0.2, 100), 2);
    }
}
