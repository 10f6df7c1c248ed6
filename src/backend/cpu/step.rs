//! From windows to a gradient, and from a gradient to new parameters: the order of the kernels.
#![allow(non_snake_case, reason = "the paper's symbols")]

use pulp::{Simd, WithSimd};

use crate::backend::cpu::buffers::{Buffer, Workspace};
use crate::backend::cpu::forward::{Forcing, SquaredErrors};
use crate::backend::cpu::layout::{Layout, Weights};
use crate::backend::cpu::sample::Draw;
use crate::backend::cpu::{adjoint, forward, sample, update};
use crate::backend::{Member, StepCoefficients, TrainingData};

/// A thread's tools: scratch memory and packed weights for one shape.
pub(super) struct Scratch {
    pub work: Workspace,
    pub weights: Weights,
}

impl Scratch {
    pub fn new(layout: &Layout, max_P: usize) -> Self {
        Self {
            work: Workspace::new(layout, max_P),
            weights: Weights::new(layout),
        }
    }
}

/// Where the windows of a batch come from.
pub(super) trait Windows {
    /// Fills `work.x` and `work.s` for one group of sequences.
    fn load<S: Simd>(&self, simd: S, layout: &Layout, group: usize, work: &mut Workspace);

    /// Is shown a group's unforced states, where [`Batch::z`] asks for them.
    fn states(&mut self, _layout: &Layout, _group: usize, _z: &[f32]) {}
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
    pub theta: &'a [f32],
    pub scratch: &'a mut Scratch,
    pub windows: &'a mut W,
    /// Room for one group's `[T][M]` unforced states.
    pub z: Option<&'a mut Buffer>,
}

impl<W: Windows> WithSimd for Batch<'_, W> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self {
            layout,
            member,
            theta,
            scratch,
            windows,
            mut z,
        } = self;
        let Scratch { work, weights } = scratch;
        let forcing = Forcing {
            P: member.P,
            tau: member.tau,
            alpha: member.alpha as f32,
        };
        weights.fill(layout, theta);
        work.clear_gradients();
        let mut errors = SquaredErrors::default();
        for group in 0..layout.groups {
            windows.load(simd, layout, group, work);
            let of_group = forward::forward(
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
            errors.sum += of_group.sum;
            errors.n_targets += of_group.n_targets;
            if let Some(z) = &z {
                windows.states(layout, group, z.padded());
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
        update::reduce(simd, layout, errors, work);
        errors.sum / errors.n_targets.max(1.0)
    }
}

/// A member's parameters, first and second moments, and whether it still trains.
pub(super) struct MemberMemory {
    pub values: [Buffer; 3],
    pub stopped_at: Option<u32>,
    /// Sum of the losses of the epoch's steps.
    pub loss: f64,
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
