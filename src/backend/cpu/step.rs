//! From windows to a gradient, and from a gradient to new parameters: the order of the kernels.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use pulp::{Arch, Simd, WithSimd};

use crate::backend::cpu::blocked::{self, Blocked, PowerSums};
use crate::backend::cpu::buffers::{Buffer, GroupWindows, Pass, n_sums, vectors};
use crate::backend::cpu::forward::{Forcing, SquaredErrors};
use crate::backend::cpu::kernel::store_all_sums;
use crate::backend::cpu::layout::{Lanes, Layout, Weights};
use crate::backend::cpu::sample::Draw;
use crate::backend::cpu::{adjoint, forward, team, update};
use crate::backend::cut::Cut;
use crate::backend::{Member, StepCoefficients, TrainingData};

/// How the steps of a member are computed. Every way comes to the same bits.
#[derive(Clone)]
pub(super) struct Way {
    /// For what is done once a step: powers of `B`, optimiser.
    pub arch: Arch,
    /// For the passes over groups of sequences.
    pub lanes: Lanes,
    /// Sizes for `lanes`.
    pub layout: Layout,
    /// Threads that share the groups of sequences.
    pub threads: usize,
}

/// A member's tools for one shape.
pub(super) struct Scratch {
    pub prepared: RwLock<Prepared>,
    /// One, or one for each group where several threads share them.
    pub passes: Vec<Mutex<Pass>>,
    /// Windows loaded ahead, for each group where several threads share them.
    ahead: Vec<Mutex<Ahead>>,
    pub totals: Totals,
    /// Packed as the parameters.
    pub gradient: Buffer,
    /// Parameters and moments after the step, until it is known that they are finite.
    updated: [Buffer; 3],
}

/// Windows of a group for the step after this one.
struct Ahead {
    /// The step that they are of, if there are any.
    step: Option<u32>,
    windows: GroupWindows,
}

/// What the passes of a step read.
pub(super) struct Prepared {
    /// Packed parameters.
    theta: Vec<f32>,
    /// Of the plain form.
    weights: Weights,
    /// Of the blocked form, if any member uses it.
    blocked: Option<Blocked>,
}

/// Sums over the groups of a batch.
pub(super) struct Totals {
    errors: SquaredErrors,
    /// As [`Pass::sums`].
    sums: Vec<f32>,
    /// Those of a group of eight lanes that waits for its other half: sums are taken of sixteen.
    half: Vec<f32>,
}

impl Scratch {
    pub fn new(way: &Way, max_P: usize, cuts: &[&Cut]) -> Self {
        let layout = &way.layout;
        let n_params = layout.shape.dims.n_params();
        let packed = || Buffer::zeros(n_params);
        let passes = if way.threads > 1 { layout.groups } else { 1 };
        Self {
            prepared: RwLock::new(Prepared {
                theta: vec![0.0; n_params],
                weights: Weights::new(layout),
                blocked: (!cuts.is_empty()).then(|| Blocked::new(layout, cuts)),
            }),
            passes: (0..passes)
                .map(|_| Mutex::new(Pass::new(layout, max_P, cuts)))
                .collect(),
            ahead: (0..if way.threads > 1 { layout.groups } else { 0 })
                .map(|_| {
                    Mutex::new(Ahead {
                        step: None,
                        windows: GroupWindows::new(layout),
                    })
                })
                .collect(),
            totals: Totals {
                errors: SquaredErrors::default(),
                sums: vec![0.0; n_sums(layout, cuts)],
                half: vec![0.0; n_sums(layout, cuts)],
            },
            gradient: packed(),
            updated: [packed(), packed(), packed()],
        }
    }
}

/// Where the windows of a batch come from.
pub(super) trait Windows: Sync {
    /// Those of one group of sequences of optimiser step `step` (counted from 0).
    fn load<S: Simd>(&self, simd: S, layout: &Layout, step: u32, group: usize, to: &mut GroupWindows);
}

/// The batches of a member: a step is [`Batches::prepare`], [`Batches::load`], [`Batches::pass`] and [`Batches::add`] for
/// every group, and [`Batches::reduce`].
pub(super) struct Batches<'a, W: Windows> {
    pub way: &'a Way,
    pub member: &'a Member,
    /// `None` for the plain form.
    pub cut: Option<&'a Cut>,
    pub windows: &'a W,
}

impl<W: Windows> Batches<'_, W> {
    pub fn prepare(&self, theta: &[f32], prepared: &mut Prepared) {
        prepared.theta.copy_from_slice(theta);
        let dims = self.way.layout.shape.dims;
        match (self.cut, &mut prepared.blocked) {
            (Some(cut), Some(blocked)) => self.way.arch.dispatch(blocked::Prepare {
                dims,
                cut,
                theta,
                blocked,
            }),
            _ => prepared.weights.fill(&self.way.layout, theta),
        }
    }

    pub fn load(&self, step: u32, group: usize, to: &mut GroupWindows) {
        self.way.lanes.dispatch(Load {
            layout: &self.way.layout,
            windows: self.windows,
            step,
            group,
            to,
        });
    }

    /// Passes over one group, whose windows are there, forward and back. The plain form also writes the unforced states
    /// `[T][M]` to `z`.
    pub fn pass(&self, prepared: &Prepared, group: usize, pass: &mut Pass, z: Option<&mut [f32]>) {
        let forcing = Forcing {
            P: self.member.P,
            tau: self.member.tau,
            alpha: self.member.alpha as f32,
        };
        self.way.lanes.dispatch(Group {
            layout: &self.way.layout,
            forcing,
            cut: self.cut,
            prepared,
            group,
            pass,
            z,
        });
    }

    /// Adds what a pass left to the sums over the groups, which must come in order; takes `pass.sums` away.
    pub fn add(&self, group: usize, pass: &mut Pass, totals: &mut Totals) {
        let Totals { errors, sums, half } = totals;
        let layout = &self.way.layout;
        if group == 0 {
            *errors = SquaredErrors::default();
        }
        errors.add(&pass.partial.errors, layout.lanes);
        let halves = if layout.lanes == 8 { 2 } else { 1 };
        if halves == 2 && group.is_multiple_of(2) && group + 1 < layout.groups {
            std::mem::swap(half, &mut pass.sums);
            return;
        }
        if halves == 2 && !group.is_multiple_of(2) {
            pass.sums
                .iter_mut()
                .zip(&*half)
                .for_each(|(sum, half)| *sum += half);
        }
        if group < halves {
            std::mem::swap(sums, &mut pass.sums);
        } else {
            sums.iter_mut()
                .zip(&pass.sums)
                .for_each(|(sum, more)| *sum += more);
        }
    }

    /// The mean squared error of the batch and, in `gradient`, its gradient.
    pub fn reduce(&self, prepared: &mut Prepared, totals: &Totals, gradient: &mut [f32]) -> f64 {
        let way = self.way;
        let layout = &way.layout;
        let dims = layout.shape.dims;
        let Totals { errors, sums, .. } = totals;
        let scale = errors.gradient_scale();
        match (self.cut, &mut prepared.blocked) {
            (Some(cut), Some(blocked)) => {
                let dL = blocked.reduce(layout, cut, scale, sums);
                for (gradient, sum) in gradient[dims.range_L()].iter_mut().zip(dL) {
                    *gradient = scale * sum;
                }
                way.arch.dispatch(blocked::PullBack {
                    dims,
                    cut,
                    blocked,
                    gradient,
                });
            }
            _ => update::reduce(dims, scale, sums, gradient),
        }
        errors.sum / errors.n_targets.max(1.0)
    }
}

/// The windows of one group of sequences.
pub(super) struct Load<'a, W> {
    pub layout: &'a Layout,
    pub windows: &'a W,
    pub step: u32,
    pub group: usize,
    pub to: &'a mut GroupWindows,
}

impl<W: Windows> WithSimd for Load<'_, W> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.windows
            .load(simd, self.layout, self.step, self.group, self.to);
    }
}

/// The pass over one group of sequences, forward and back.
struct Group<'a> {
    layout: &'a Layout,
    forcing: Forcing,
    cut: Option<&'a Cut>,
    prepared: &'a Prepared,
    group: usize,
    pass: &'a mut Pass,
    z: Option<&'a mut [f32]>,
}

impl WithSimd for Group<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            layout,
            forcing,
            cut,
            prepared,
            group,
            pass,
            z,
        } = self;
        let Prepared {
            theta,
            weights,
            blocked,
        } = prepared;
        if let (Some(cut), Some(blocked)) = (cut, blocked) {
            let forward = blocked::Forward {
                layout,
                cut,
                forcing,
                theta,
                blocked,
                group,
                pass,
            };
            forward.with_simd(simd);
            let adjoint = blocked::Adjoint {
                layout,
                cut,
                forcing,
                blocked,
                pass,
            };
            adjoint.with_simd(simd);
            let Pass { partial, sums, .. } = pass;
            let (powers, dL) = sums.split_at_mut(PowerSums::len(layout, cut));
            partial.powers.sum_lanes(simd, layout, cut, powers);
            let dL = &mut dL[..layout.shape.dims.range_L().len()];
            store_all_sums(simd, vectors::<S>(partial.dL.padded()), dL);
        } else {
            forward::forward(
                simd,
                forward::Arguments {
                    layout,
                    forcing,
                    theta,
                    weights,
                    group,
                    pass,
                    z,
                },
            );
            adjoint::adjoint(
                simd,
                adjoint::Arguments {
                    layout,
                    forcing,
                    theta,
                    weights,
                    pass,
                },
            );
            let Pass { partial, sums, .. } = pass;
            partial.sum_lanes(simd, layout.shape.dims, sums);
        }
    }
}

/// A member's parameters, first and second moments, and whether it still trains.
pub(super) struct MemberMemory {
    pub values: [Buffer; 3],
    pub stopped_at: Option<u32>,
    /// Sum of the losses of the epoch's steps.
    pub loss: f64,
    /// How its windows are cut in the blocked form, `None` in the plain one.
    pub cut: Option<Cut>,
}

/// Consecutive optimiser steps of one member.
pub(super) struct Steps<'a> {
    pub way: &'a Way,
    pub member: &'a Member,
    pub data: &'a TrainingData,
    pub lr: f64,
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
            data,
            lr,
            done,
            coefficients,
            memory,
            scratch,
        } = self;
        let MemberMemory {
            values,
            stopped_at,
            loss: sum_of_losses,
            cut,
        } = memory;
        let Scratch {
            prepared,
            passes,
            ahead,
            totals,
            gradient,
            updated,
        } = scratch;
        // Another member may have left windows there.
        ahead.iter().for_each(|ahead| lock(ahead).step = None);
        let (prepared, passes, ahead) = (&*prepared, &*passes, &*ahead);
        let layout = &way.layout;
        let batches = Batches {
            way,
            member,
            cut: cut.as_ref(),
            windows: &Draw {
                data,
                seed: member.seed,
                noise: member.noise as f32,
            },
        };
        let current = AtomicU32::new(done);
        let share = |thread: usize| {
            let step = current.load(Ordering::Relaxed);
            for group in (thread..layout.groups).step_by(way.threads) {
                let mut pass = lock(&passes[group]);
                let mut ahead = lock(&ahead[group]);
                if ahead.step.take() == Some(step) {
                    std::mem::swap(&mut pass.windows, &mut ahead.windows);
                } else {
                    batches.load(step, group, &mut pass.windows);
                }
                drop(ahead);
                batches.pass(&read(prepared), group, &mut pass, None);
            }
        };
        // While this thread brings the step to its end, others load the windows of the next: first those of this thread.
        let load_ahead = |thread: usize, rounds: u32| {
            let step = done + rounds;
            let groups = |thread: usize| (thread..layout.groups).step_by(way.threads);
            let leads = groups(0).take(if thread == 1 { layout.groups } else { 0 });
            for group in leads.chain(groups(thread)) {
                let mut ahead = lock(&ahead[group]);
                batches.load(step, group, &mut ahead.windows);
                ahead.step = Some(step);
            }
        };
        *sum_of_losses = 0.0;
        team::with_helpers(way.threads as u32 - 1, share, load_ahead, |all_shares| {
            for (step, &coefficients) in (done..).zip(coefficients) {
                if stopped_at.is_some() {
                    return;
                }
                let theta = values[0].as_slice();
                batches.prepare(theta, &mut write(prepared));
                if way.threads > 1 {
                    current.store(step, Ordering::Relaxed);
                    all_shares();
                    for (group, pass) in passes.iter().enumerate() {
                        batches.add(group, &mut lock(pass), totals);
                    }
                } else {
                    let pass = &mut lock(&passes[0]);
                    for group in 0..layout.groups {
                        batches.load(step, group, &mut pass.windows);
                        batches.pass(&read(prepared), group, pass, None);
                        batches.add(group, pass, totals);
                    }
                }
                let g = gradient.as_mut_slice();
                let mse = batches.reduce(&mut write(prepared), totals, g);
                let loss = mse + update::regularise(layout.shape.dims, member, theta, g);
                let clip_factor = update::clip_factor(member.clip, g);
                let finite = way.arch.dispatch(update::Step {
                    lr,
                    clip_factor,
                    coefficients,
                    gradient,
                    old: values,
                    new: updated,
                });
                if finite && (loss as f32).is_finite() {
                    std::mem::swap(values, updated);
                    *sum_of_losses += loss;
                } else {
                    *stopped_at = Some(step + 1);
                }
            }
        });
    }
}

/// Locks of scratch memory, which is written before it is read: that somebody panicked matters not.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
