//! Windows given or asked for explicitly: between `f64` arrays `[S, T+1, N]` and vectors of sequences.

use ndarray::{Array3, ArrayView3, Axis};
use pulp::Simd;

use crate::backend::blocked::Segments;
use crate::backend::cpu::layout::Layout;
use crate::backend::cpu::memory::GroupWindows;
use crate::backend::cpu::sample::Draw;
use crate::backend::cpu::simd::buffer::Buffer;
use crate::backend::cpu::step::{Batches, Load, LoadWindows, Scratch, Way};
use crate::backend::cpu::update::regularise;
use crate::backend::{Gradient, MISSING, Member, Windows, is_missing};
use crate::model::{Shape, Theta};

/// [`crate::backend::Backend::gradient`]; with segments in the blocked form, where the powers grow to `most_growth` at most.
pub(super) fn gradient(
    way: &Way,
    member: &Member,
    (segments, most_growth): (Option<&Segments>, f32),
    theta: &Theta,
    windows: &Windows,
) -> Gradient {
    let Shape { dims, S, T } = way.layout.shape;
    let all: Vec<&Segments> = segments.into_iter().collect();
    let mut scratch = Scratch::new(way, member.P, &all);
    let packed = theta.pack();
    let batches = Batches {
        way,
        member,
        segments,
        most_growth,
        windows: &Explicit(windows),
    };
    let prepared = scratch.prepared.get_mut();
    let (pass, outcome) = (scratch.passes[0].get_mut(), scratch.outcomes[0].get_mut());
    let mut all = Array3::zeros((S, T, dims.M));
    let mut z = Buffer::zeros(T * dims.M * way.layout.lanes);
    batches.prepare(&packed, prepared);
    let segments = prepared.blocks(segments);
    for group in 0..way.layout.groups {
        batches.load(0, group, &mut pass.windows);
        batches.pass(prepared, group, pass, outcome, Some(z.padded_mut()));
        match segments {
            None => read(z.as_slice(), &way.layout, group, &mut all),
            Some(segments) => {
                let first = group * way.layout.lanes;
                for (lane, s) in (first..S).take(way.layout.lanes).enumerate() {
                    let start = |block| pass.states.start_of(&way.layout, block, lane).mapv(f64::from);
                    let inputs = windows.s.index_axis(Axis(0), s);
                    segments.fill_in(theta, inputs, start, all.index_axis_mut(Axis(0), s));
                }
            }
        }
        batches.add(group, outcome, &mut scratch.totals);
    }
    let gradient = scratch.gradient.as_mut_slice();
    let mse = batches.reduce(prepared, &scratch.totals, gradient);
    let reg = regularise(dims, member, &packed, gradient);
    Gradient {
        mse,
        reg,
        theta: Theta::unpack(dims, gradient),
        z: all,
    }
}

struct Explicit<'a>(&'a Windows);

impl LoadWindows for Explicit<'_> {
    #[inline(always)]
    fn load<S: Simd>(&self, _simd: S, layout: &Layout, _step: u32, group: usize, to: &mut GroupWindows) {
        let sequences = &layout.sequences(group)[..layout.lanes];
        fill(self.0.x.view(), sequences, to.x.as_mut_slice());
        fill(self.0.s.view(), sequences, to.s.as_mut_slice());
    }
}

/// `to[row][lane] = from[sequence of lane][row]`, NaN as [`MISSING`].
fn fill(from: ArrayView3<'_, f64>, sequences: &[u32], to: &mut [f32]) {
    for (lane, &s) in sequences.iter().enumerate() {
        let rows = from.index_axis_move(Axis(0), s as usize);
        for (to, &value) in to.chunks_exact_mut(sequences.len()).zip(&rows) {
            to[lane] = if value.is_nan() { MISSING } else { value as f32 };
        }
    }
}

/// The inverse of [`fill`] for the real sequences of a group.
fn read(from: &[f32], layout: &Layout, group: usize, to: &mut Array3<f64>) {
    let first = group * layout.lanes;
    for lane in 0..layout.lanes.min(layout.shape.S - first) {
        let mut rows = to.index_axis_mut(Axis(0), first + lane);
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
pub(super) fn draw(way: &Way, windows_of: &Draw<'_>, step: u32, group_windows: &mut GroupWindows) -> Windows {
    let layout = &way.layout;
    let Shape { dims, S, T } = layout.shape;
    let mut windows = Windows {
        x: Array3::zeros((S, T + 1, dims.N)),
        s: Array3::zeros((S, T + 1, dims.K)),
    };
    for group in 0..layout.groups {
        way.lanes.dispatch(Load {
            layout,
            windows: windows_of,
            step,
            group,
            to: &mut *group_windows,
        });
        read(group_windows.x.as_slice(), layout, group, &mut windows.x);
        read(group_windows.s.as_slice(), layout, group, &mut windows.s);
    }
    windows
}
