//! Windows given or asked for explicitly: between `f64` arrays `[S, T+1, N]` and vectors of sequences.
#![allow(non_snake_case, reason = "the paper's symbols")]

use ndarray::{Array1, Array3, ArrayView3, s};
use pulp::{Arch, Simd, WithSimd};

use crate::backend::cpu::blocked::{self, Cut};
use crate::backend::cpu::buffers::{Buffer, Workspace};
use crate::backend::cpu::layout::{self, Layout};
use crate::backend::cpu::sample::Draw;
use crate::backend::cpu::step::{self, Batch, Scratch, States, Windows as Source};
use crate::backend::cpu::update::regularise;
use crate::backend::{Gradient, MISSING, Member, TrainingData, Windows, is_missing};
use crate::model::{Shape, Theta};

/// [`crate::backend::Backend::gradient`].
pub(super) fn gradient(
    arch: Arch,
    shape: Shape,
    member: &Member,
    cut: Option<&Cut>,
    theta: &Theta,
    windows: &Windows,
) -> Gradient {
    let Shape { dims, S, T } = shape;
    let layout = Layout::new(shape, layout::machine(arch));
    let cuts: Vec<&Cut> = cut.into_iter().collect();
    let mut scratch = Scratch::new(&layout, member.P, &cuts);
    let mut source = Explicit {
        member,
        theta,
        windows,
        z: Array3::zeros((S, T, dims.M)),
    };
    let packed = theta.pack();
    let mut z = Buffer::zeros(T * dims.M * layout.lanes);
    let mse = arch.dispatch(Batch {
        layout: &layout,
        member,
        cut,
        theta: &packed,
        scratch: &mut scratch,
        windows: &mut source,
        z: Some(&mut z),
    });
    let gradient = scratch.work.gradient.as_mut_slice();
    let reg = regularise(dims, member, &packed, gradient);
    Gradient {
        mse,
        reg,
        theta: Theta::unpack(dims, gradient),
        z: source.z,
    }
}

struct Explicit<'a> {
    member: &'a Member,
    theta: &'a Theta,
    windows: &'a Windows,
    z: Array3<f64>,
}

impl Source for Explicit<'_> {
    #[inline(always)]
    fn load<S: Simd>(&self, _simd: S, layout: &Layout, group: usize, work: &mut Workspace) {
        let sequences = &work.sequences[group * layout.lanes..(group + 1) * layout.lanes];
        fill(self.windows.x.view(), sequences, work.x.as_mut_slice());
        fill(self.windows.s.view(), sequences, work.s.as_mut_slice());
    }

    fn states(&mut self, layout: &Layout, group: usize, states: States<'_>) {
        match states {
            States::All(z) => read(z, layout, group, &mut self.z),
            States::Starts(cut, starts, work) => self.between(layout, group, cut, starts, work),
        }
    }
}

impl Explicit<'_> {
    /// Fills in the states between the starts of blocks, step by step from each start.
    fn between(
        &mut self,
        layout: &Layout,
        group: usize,
        cut: &Cut,
        starts: &blocked::States,
        work: &Workspace,
    ) {
        let first = group * layout.lanes;
        let K = layout.shape.dims.K;
        for (lane, s) in (first..layout.shape.S).take(layout.lanes).enumerate() {
            for (index, block) in cut.blocks.iter().enumerate() {
                let mut z: Array1<f64> = starts.start_of(layout, index, lane).mapv(f64::from);
                for t in block.start..block.start + block.length {
                    let inputs = &work.s.as_slice()[(t + 1) * K * layout.lanes..];
                    let inputs: Vec<f64> = (0..K)
                        .map(|k| f64::from(inputs[k * layout.lanes + lane]))
                        .collect();
                    z = self.theta.step(self.member.P, &z, &inputs);
                    self.z.slice_mut(s![s, t, ..]).assign(&z);
                }
            }
        }
    }
}

/// `to[row][lane] = from[sequence of lane][row]`, NaN as [`MISSING`].
fn fill(from: ArrayView3<'_, f64>, sequences: &[u32], to: &mut [f32]) {
    for (lane, &s) in sequences.iter().enumerate() {
        let rows = from.index_axis_move(ndarray::Axis(0), s as usize);
        for (to, &value) in to.chunks_exact_mut(sequences.len()).zip(&rows) {
            to[lane] = if value.is_nan() { MISSING } else { value as f32 };
        }
    }
}

/// The inverse of [`fill`] for the real sequences of a group.
fn read(from: &[f32], layout: &Layout, group: usize, to: &mut Array3<f64>) {
    let first = group * layout.lanes;
    for lane in 0..layout.lanes.min(layout.shape.S - first) {
        let mut rows = to.index_axis_mut(ndarray::Axis(0), first + lane);
        for (to, row) in rows.iter_mut().zip(from.chunks_exact(layout.lanes)) {
            *to = if is_missing(row[lane]) {
                f64::NAN
            } else {
                f64::from(row[lane])
            };
        }
    }
}

/// [`crate::backend::Ensemble::windows`].
pub(super) fn draw(
    arch: Arch,
    layout: &Layout,
    member: &Member,
    data: &TrainingData,
    step: u32,
    work: &mut Workspace,
) -> Windows {
    let Shape { dims, S, T } = layout.shape;
    let mut windows = Windows {
        x: Array3::zeros((S, T + 1, dims.N)),
        s: Array3::zeros((S, T + 1, dims.K)),
    };
    let draw = Draw {
        data,
        seed: member.seed,
        noise: member.noise as f32,
        step,
    };
    for group in 0..layout.groups {
        arch.dispatch(LoadGroup {
            layout,
            draw,
            group,
            work: &mut *work,
        });
        read(work.x.as_slice(), layout, group, &mut windows.x);
        read(work.s.as_slice(), layout, group, &mut windows.s);
    }
    windows
}

struct LoadGroup<'a> {
    layout: &'a Layout,
    draw: Draw<'a>,
    group: usize,
    work: &'a mut Workspace,
}

impl WithSimd for LoadGroup<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        step::Windows::load(&self.draw, simd, self.layout, self.group, self.work);
    }
}
