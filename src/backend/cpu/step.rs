//! From windows to a gradient, and from a gradient to new parameters: the order of the kernels.
#![allow(non_snake_case, reason = "the paper's symbols")]

use pulp::{Simd, WithSimd};

use crate::backend::cpu::blocked::{self, Blocked, Cut};
use crate::backend::cpu::buffers::{Buffer, Workspace};
use crate::backend::cpu::forward::{Forcing, SquaredErrors};
use crate::backend::cpu::layout::{Layout, Weights};
use crate::backend::cpu::sample::Draw;
use crate::backend::cpu::{adjoint, forward, sample, update};
use crate::backend::{Member, StepCoefficients, TrainingData};

/// A thread's tools for one shape: scratch memory, packed weights, and those of the blocked form if any member
/// uses it.
pub(super) struct Scratch {
    pub work: Workspace,
    pub weights: Weights,
    pub blocked: Option<Blocked>,
}

impl Scratch {
    pub fn new(layout: &Layout, max_P: usize, cuts: &[&Cut]) -> Self {
        Self {
            work: Workspace::new(layout, max_P),
            weights: Weights::new(layout),
            blocked: (!cuts.is_empty()).then(|| Blocked::new(layout, cuts)),
        }
    }
}

/// Where the windows of a batch come from.
pub(super) trait Windows {
    /// Fills `work.x` and `work.s` for one group of sequences.
    fn load<S: Simd>(&self, simd: S, layout: &Layout, group: usize, work: &mut Workspace);

    /// Is shown what the forward pass of a group left.
    fn states(&mut self, _layout: &Layout, _group: usize, _states: States<'_>) {}
}

/// States after a forward pass.
pub(super) enum States<'a> {
    /// Unforced `z_1 … z_T`, `[T][M]`, where [`Batch::z`] asked for them.
    All(&'a [f32]),
    /// Those at the starts of blocks.
    Starts(&'a Cut, &'a blocked::States, &'a Workspace),
}

impl Windows for Draw<'_> {
    #[inline(always)]
    fn load<S: Simd>(&self, simd: S, layout: &Layout, group: usize, work: &mut Workspace) {
        sample::sample(simd, layout, *self, group, work);
    }
}

/// One batch to compute: mean squared error as the result, its gradient in `work.gradient`.
pub(super) struct Batch<'a, W: Windows> {
    pub layout: &'a Layout,
    pub member: &'a Member,
    /// `None` for the plain form.
    pub cut: Option<&'a Cut>,
    pub theta: &'a [f32],
    pub scratch: &'a mut Scratch,
    pub windows: &'a mut W,
    /// Room for one group's `[T][M]` unforced states, which the plain form then writes.
    pub z: Option<&'a mut Buffer>,
}

impl<W: Windows> WithSimd for Batch<'_, W> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) -> f64 {
        let forcing = Forcing {
            P: self.member.P,
            tau: self.member.tau,
            alpha: self.member.alpha as f32,
        };
        self.scratch.work.clear_gradients();
        let errors = match self.cut {
            Some(cut) => self.blocked(simd, forcing, cut),
            None => self.plain(simd, forcing),
        };
        errors.sum / errors.n_targets.max(1.0)
    }
}

impl<W: Windows> Batch<'_, W> {
    #[inline(always)]
    fn plain<S: Simd>(&mut self, simd: S, forcing: Forcing) -> SquaredErrors {
        let Self {
            layout,
            theta,
            windows,
            z,
            ..
        } = self;
        let Scratch { work, weights, .. } = &mut *self.scratch;
        weights.fill(layout, theta);
        let mut errors = SquaredErrors::default();
        for group in 0..layout.groups {
            windows.load(simd, layout, group, work);
            errors += forward::forward(
                simd,
                forward::Arguments {
                    layout,
                    forcing,
                    theta,
                    weights,
                    group,
                    work,
                    z: z.as_mut().map(|z| z.padded_mut()),
                },
            );
            if let Some(z) = z {
                windows.states(layout, group, States::All(z.padded()));
            }
            adjoint::adjoint(
                simd,
                adjoint::Arguments {
                    layout,
                    forcing,
                    theta,
                    weights,
                    group,
                    work,
                },
            );
        }
        update::reduce(simd, layout, errors.gradient_scale(), work);
        errors
    }

    #[inline(always)]
    fn blocked<S: Simd>(&mut self, simd: S, forcing: Forcing, cut: &Cut) -> SquaredErrors {
        let Self {
            layout,
            theta,
            windows,
            ..
        } = self;
        let Scratch { work, blocked, .. } = &mut *self.scratch;
        let blocked = blocked.as_mut().expect("a cut comes with memory for it");
        simd.vectorize(blocked::Prepare {
            layout,
            cut,
            theta,
            blocked,
        });
        let mut errors = SquaredErrors::default();
        for group in 0..layout.groups {
            windows.load(simd, layout, group, work);
            errors += simd.vectorize(blocked::Forward {
                layout,
                cut,
                forcing,
                theta,
                blocked,
                group,
                work,
            });
            windows.states(layout, group, States::Starts(cut, &blocked.states, work));
            simd.vectorize(blocked::Adjoint {
                layout,
                cut,
                forcing,
                blocked,
                group,
                work,
            });
        }
        simd.vectorize(blocked::PullBack {
            layout,
            cut,
            scale: errors.gradient_scale(),
            blocked,
            work,
        });
        errors
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
    pub layout: &'a Layout,
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

impl WithSimd for Steps<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            layout,
            member,
            data,
            lr,
            done,
            coefficients,
            memory,
            scratch,
        } = self;
        memory.loss = 0.0;
        for (step, &coefficients) in (done..).zip(coefficients) {
            if memory.stopped_at.is_some() {
                return;
            }
            let theta = memory.values[0].as_slice();
            let mut windows = Draw {
                data,
                seed: member.seed,
                noise: member.noise as f32,
                step,
            };
            let batch = Batch {
                layout,
                member,
                cut: memory.cut.as_ref(),
                theta,
                scratch: &mut *scratch,
                windows: &mut windows,
                z: None,
            };
            let mse = batch.with_simd(simd);
            let work = &mut scratch.work;
            let gradient = work.gradient.as_mut_slice();
            let loss = mse + update::regularise(layout.shape.dims, member, theta, gradient);
            let clip_factor = update::clip_factor(member.clip, gradient);
            let finite = simd.vectorize(update::Step {
                lr,
                clip_factor,
                coefficients,
                gradient: &work.gradient,
                old: &memory.values,
                new: &mut work.updated,
            });
            if finite && (loss as f32).is_finite() {
                std::mem::swap(&mut memory.values, &mut work.updated);
                memory.loss += loss;
            } else {
                memory.stopped_at = Some(step + 1);
            }
        }
    }
}
