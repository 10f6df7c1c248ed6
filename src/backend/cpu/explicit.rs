//! Windows given or asked for explicitly: between `f64` arrays `[S, T+1, N]` and vectors of sequences.
#![allow(non_snake_case, reason = "the paper's symbols")]

use ndarray::{Array3, ArrayView3};
use pulp::{Arch, Simd, WithSimd};

use crate::backend::cpu::buffers::{Buffer, Workspace};
use crate::backend::cpu::layout::{self, Layout};
use crate::backend::cpu::sample::Draw;
use crate::backend::cpu::step::{self, Batch, Scratch, Windows as Source};
use crate::backend::cpu::update::regularise;
use crate::backend::{Gradient, MISSING, Member, TrainingData, Windows, is_missing};
use crate::model::{Shape, Theta};

/// [`crate::backend::Backend::gradient`].
pub(super) fn gradient(
    arch: Arch,
    shape: Shape,
    member: &Member,
    theta: &Theta,
    windows: &Windows,
) -> Gradient {
    let Shape { dims, S, T } = shape;
    let layout = Layout::new(shape, layout::machine(arch));
    let mut scratch = Scratch::new(&layout, member.P);
    let mut source = Explicit {
        windows,
        z: Array3::zeros((S, T, dims.M)),
    };
    let packed = theta.pack();
    let mut z = Buffer::zeros(T * dims.M * layout.lanes);
    let mse = arch.dispatch(Batch {
        layout: &layout,
        member,
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

    fn states(&mut self, layout: &Layout, group: usize, z: &[f32]) {
        read(z, layout, group, &mut self.z);
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
