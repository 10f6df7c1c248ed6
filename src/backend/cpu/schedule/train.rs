//! A member's epoch: consecutive optimiser steps, on one thread or with several that share the groups of sequences.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::backend::blocked::{MOST_GROWTH, Segments};
use crate::backend::cpu::memory::{Outcome, Pass};
use crate::backend::cpu::pass::Prepared;
use crate::backend::cpu::sample::Draw;
use crate::backend::cpu::schedule::helpers::with_helpers;
use crate::backend::cpu::simd::buffer::Buffer;
use crate::backend::cpu::step::{Ahead, Batches, Scratch, Totals, Way};
use crate::backend::cpu::update;
use crate::backend::{Member, StepCoefficients, TrainingData};

/// A member's parameters, first and second moments, and whether it still trains.
pub struct MemberMemory {
    pub values: [Buffer; 3],
    pub stopped_at: Option<u32>,
    /// Sum of the losses of the epoch's steps.
    pub loss: f64,
    /// The blocks of its windows in the blocked form, `None` in the plain one.
    pub segments: Option<Segments>,
}

/// Consecutive optimiser steps of one member.
pub struct Steps<'a> {
    pub way: &'a Way,
    pub member: &'a Member,
    pub data: &'a TrainingData,
    pub lr: f64,
    /// Standard deviation.
    pub noise: f64,
    /// Steps already done.
    pub done: u32,
    /// One for each step to do.
    pub coefficients: &'a [StepCoefficients],
    pub memory: &'a mut MemberMemory,
    pub scratch: &'a mut Scratch,
}

impl Steps<'_> {
    pub fn run(self) {
        let Self {
            way,
            member,
            memory,
            scratch,
            ..
        } = self;
        let (done, n_steps) = (self.done, self.coefficients.len() as u32);
        // Another member may have left windows there.
        scratch.ahead.iter().for_each(|ahead| ahead.lock().step = None);
        let shared = Shared {
            batches: Batches {
                way,
                member,
                segments: memory.segments.as_ref(),
                most_growth: MOST_GROWTH.into(),
                windows: &Draw::new(self.data, member, self.noise),
            },
            prepared: &scratch.prepared,
            passes: &scratch.passes,
            outcomes: &scratch.outcomes,
            ahead: &scratch.ahead,
            steps: done..done + n_steps,
            step: AtomicU32::new(done),
        };
        let (totals, gradient) = (&mut scratch.totals, &mut scratch.gradient);
        let share = |thread| shared.pass_over_share(thread);
        let load_ahead = |thread, rounds| shared.load_ahead(thread, done + rounds);
        memory.loss = 0.0;
        with_helpers(way.threads as u32 - 1, share, load_ahead, |all_shares| {
            for (step, &coefficients) in (done..).zip(self.coefficients) {
                if memory.stopped_at.is_some() {
                    return;
                }
                let theta = memory.values[0].as_slice();
                shared.batches.prepare(theta, &mut shared.prepared.write());
                if way.threads > 1 {
                    shared.step.store(step, Ordering::Relaxed);
                    all_shares();
                    for (group, outcome) in shared.outcomes.iter().enumerate() {
                        shared.batches.add(group, &mut outcome.lock(), totals);
                    }
                } else {
                    shared.pass_over_all(step, totals);
                }
                let g = gradient.as_mut_slice();
                let mse = shared.batches.reduce(&mut shared.prepared.write(), totals, g);
                let loss = mse + update::regularise(way.layout.shape.dims, member, theta, g);
                let clip_factor = update::clip_factor(member.clip, g);
                let finite = way.arch.dispatch(update::Update {
                    lr: self.lr,
                    clip_factor,
                    coefficients,
                    gradient,
                    old: &memory.values,
                    new: &mut scratch.updated,
                });
                if finite && (loss as f32).is_finite() {
                    std::mem::swap(&mut memory.values, &mut scratch.updated);
                    memory.loss += loss;
                } else {
                    memory.stopped_at = Some(step + 1);
                }
            }
        });
    }
}

/// What the threads of a member have in common.
struct Shared<'a> {
    batches: Batches<'a, Draw<'a>>,
    prepared: &'a RwLock<Prepared>,
    passes: &'a [Mutex<Pass>],
    outcomes: &'a [Mutex<Outcome>],
    ahead: &'a [Mutex<Ahead>],
    steps: Range<u32>,
    /// The one that is being done.
    step: AtomicU32,
}

impl Shared<'_> {
    /// Passes over every group on this thread alone.
    fn pass_over_all(&self, step: u32, totals: &mut Totals) {
        let (mut pass, mut outcome) = (self.passes[0].lock(), self.outcomes[0].lock());
        let prepared = self.prepared.read();
        for group in 0..self.batches.way.layout.groups {
            self.batches.load(step, group, &mut pass.windows);
            self.batches.pass(&prepared, group, &mut pass, &mut outcome, None);
            self.batches.add(group, &mut outcome, totals);
        }
    }

    /// Passes over the groups of one of several threads, the first of which has the thread's number.
    fn pass_over_share(&self, thread: usize) {
        let way = self.batches.way;
        let step = self.step.load(Ordering::Relaxed);
        let mut pass = self.passes[thread].lock();
        let prepared = self.prepared.read();
        for group in (thread..way.layout.groups).step_by(way.threads) {
            let mut ahead = self.ahead[thread].lock();
            if group == thread && ahead.step.take() == Some(step) {
                std::mem::swap(&mut pass.windows, &mut ahead.windows);
            } else {
                self.batches.load(step, group, &mut pass.windows);
            }
            drop(ahead);
            let mut outcome = self.outcomes[group].lock();
            self.batches.pass(&prepared, group, &mut pass, &mut outcome, None);
        }
    }

    /// Loads windows of the next step, `step`, while the leading thread brings one to its end: first what that thread
    /// will need.
    fn load_ahead(&self, thread: usize, step: u32) {
        if !self.steps.contains(&step) {
            return;
        }
        let leads = (thread == 1).then_some(0);
        for group in leads.into_iter().chain([thread]) {
            let mut ahead = self.ahead[group].lock();
            self.batches.load(step, group, &mut ahead.windows);
            ahead.step = Some(step);
        }
    }
}
