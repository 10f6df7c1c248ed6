//! From windows to a gradient, and from a gradient to new parameters: the order of the kernels.

use parking_lot::{Mutex, RwLock};
use pulp::{Arch, Simd, WithSimd};

use crate::backend::Member;
use crate::backend::blocked::Segments;
use crate::backend::cpu::blocked::{self, Powers};
use crate::backend::cpu::layout::Layout;
use crate::backend::cpu::memory::{GroupWindows, Outcome, Pass, n_sums};
use crate::backend::cpu::observed::{Forcing, SquaredErrors};
use crate::backend::cpu::pass::{PassOver, Prepared};
use crate::backend::cpu::plain::Weights;
use crate::backend::cpu::simd::buffer::Buffer;
use crate::backend::cpu::simd::lanes::Lanes;
use crate::backend::cpu::update;
use crate::model::Shape;

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
    /// One for each thread.
    pub passes: Vec<Mutex<Pass>>,
    /// One, or one for each group where several threads share them.
    pub outcomes: Vec<Mutex<Outcome>>,
    /// For each thread where there are several.
    pub ahead: Vec<Mutex<Ahead>>,
    pub totals: Totals,
    /// Packed as the parameters.
    pub gradient: Buffer,
    /// Parameters and moments after the step, until it is known that they are finite.
    pub updated: [Buffer; 3],
}

/// Windows of a thread's first group for the step after this one.
pub(super) struct Ahead {
    /// The step that they are of, if there are any.
    pub step: Option<u32>,
    pub windows: GroupWindows,
}

/// Sums over the groups of a batch.
pub(super) struct Totals {
    errors: SquaredErrors,
    /// As [`Outcome::sums`].
    sums: Vec<f32>,
    /// Those of a group of eight lanes that waits for its other half: sums are taken of sixteen.
    half: Vec<f32>,
}

impl Scratch {
    /// Bytes that [`Scratch::new`] takes, without those of the blocked form.
    pub fn least_bytes(way: &Way, max_P: usize) -> u64 {
        let layout = &way.layout;
        let Shape { dims, T, .. } = layout.shape;
        let vector = 4 * layout.lanes as u64;
        let rows = T as u64 + 1;
        let windows = vector * rows * (dims.N + dims.K) as u64;
        let states = vector * rows * (layout.stride + max_P) as u64;
        let gradients = vector * (dims.M * dims.M) as u64;
        let ahead = if way.threads > 1 { windows } else { 0 };
        way.threads as u64 * (windows + states + gradients + ahead) + 4 * 4 * dims.n_params() as u64
    }

    pub fn new(way: &Way, max_P: usize, all: &[&Segments]) -> Self {
        let layout = &way.layout;
        let n_params = layout.shape.dims.n_params();
        let packed = || Buffer::zeros(n_params);
        let several = way.threads > 1;
        let ahead = |_| Ahead {
            step: None,
            windows: GroupWindows::new(layout),
        };
        Self {
            prepared: RwLock::new(Prepared {
                theta: vec![0.0; n_params],
                weights: Weights::new(layout),
                powers: (!all.is_empty()).then(|| Powers::new(layout, all)),
                in_blocks: false,
            }),
            passes: locks(way.threads, |_| Pass::new(layout, max_P, all)),
            outcomes: locks(if several { layout.groups } else { 1 }, |_| {
                Outcome::new(layout, all)
            }),
            ahead: locks(if several { way.threads } else { 0 }, ahead),
            totals: Totals {
                errors: SquaredErrors::default(),
                sums: vec![0.0; n_sums(layout, all)],
                half: vec![0.0; n_sums(layout, all)],
            },
            gradient: packed(),
            updated: [packed(), packed(), packed()],
        }
    }
}

fn locks<T>(n: usize, new: impl FnMut(usize) -> T) -> Vec<Mutex<T>> {
    (0..n).map(new).map(Mutex::new).collect()
}

/// Where the windows of a batch come from.
pub(super) trait LoadWindows: Sync {
    /// Those of one group of sequences of optimiser step `step` (counted from 0).
    fn load<S: Simd>(&self, simd: S, layout: &Layout, step: u32, group: usize, to: &mut GroupWindows);
}

/// The batches of a member: a step is [`Batches::prepare`], [`Batches::load`], [`Batches::pass`] and [`Batches::add`] for
/// every group, and [`Batches::reduce`].
pub(super) struct Batches<'a, W: LoadWindows> {
    pub way: &'a Way,
    pub member: &'a Member,
    /// `None` for the plain form.
    pub segments: Option<&'a Segments>,
    /// Growth of the powers above which a step is computed in the plain form all the same.
    pub most_growth: f32,
    pub windows: &'a W,
}

impl<W: LoadWindows> Batches<'_, W> {
    pub fn prepare(&self, theta: &[f32], prepared: &mut Prepared) {
        prepared.theta.copy_from_slice(theta);
        let dims = self.way.layout.shape.dims;
        prepared.in_blocks = match (self.segments, &mut prepared.powers) {
            (Some(segments), Some(powers)) => self.way.arch.dispatch(blocked::Prepare {
                dims,
                segments,
                theta,
                most_growth: self.most_growth,
                powers,
            }),
            _ => false,
        };
        if !prepared.in_blocks {
            prepared.weights.fill(&self.way.layout, theta);
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
    pub fn pass(
        &self,
        prepared: &Prepared,
        group: usize,
        pass: &mut Pass,
        outcome: &mut Outcome,
        z: Option<&mut [f32]>,
    ) {
        let forcing = Forcing {
            P: self.member.P,
            tau: self.member.tau,
            alpha: self.member.alpha as f32,
        };
        self.way.lanes.dispatch(PassOver {
            layout: &self.way.layout,
            forcing,
            segments: self.segments,
            prepared,
            group,
            pass,
            outcome,
            z,
        });
    }

    /// Adds what a pass came to to the sums over the groups, which must come in order; takes it away.
    pub fn add(&self, group: usize, outcome: &mut Outcome, totals: &mut Totals) {
        let Totals { errors, sums, half } = totals;
        let layout = &self.way.layout;
        if group == 0 {
            *errors = SquaredErrors::default();
        }
        errors.add(&outcome.errors, layout.lanes);
        let halves = if layout.lanes == 8 { 2 } else { 1 };
        if halves == 2 && group.is_multiple_of(2) && group + 1 < layout.groups {
            std::mem::swap(half, &mut outcome.sums);
            return;
        }
        if halves == 2 && !group.is_multiple_of(2) {
            let sums = outcome.sums.iter_mut().zip(&*half);
            sums.for_each(|(sum, half)| *sum += half);
        }
        if group < halves {
            std::mem::swap(sums, &mut outcome.sums);
        } else {
            sums.iter_mut()
                .zip(&outcome.sums)
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
        match (prepared.blocks(self.segments), &mut prepared.powers) {
            (Some(segments), Some(powers)) => {
                let dL = powers.reduce(layout, segments, scale, sums);
                for (gradient, sum) in gradient[dims.range_L()].iter_mut().zip(dL) {
                    *gradient = scale * sum;
                }
                way.arch.dispatch(blocked::PullBack {
                    dims,
                    segments,
                    powers,
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

impl<W: LoadWindows> WithSimd for Load<'_, W> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.windows
            .load(simd, self.layout, self.step, self.group, self.to);
    }
}
