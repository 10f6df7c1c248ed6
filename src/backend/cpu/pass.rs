//! The pass over one group of sequences, in either form.

use pulp::{Simd, WithSimd};

use crate::backend::blocked::Segments;
use crate::backend::cpu::blocked::{PowerSums, Powers};
use crate::backend::cpu::layout::Layout;
use crate::backend::cpu::memory::{Outcome, Pass};
use crate::backend::cpu::observed::Forcing;
use crate::backend::cpu::plain::Weights;
use crate::backend::cpu::simd::buffer::vectors;
use crate::backend::cpu::simd::kernel::store_all_sums;

/// What the passes of a step read.
pub(super) struct Prepared {
    /// Packed parameters.
    pub theta: Vec<f32>,
    /// Of the plain form.
    pub weights: Weights,
    /// Of the blocked form, if any member uses it.
    pub powers: Option<Powers>,
    /// Whether the step is computed in the blocked form.
    pub in_blocks: bool,
}

impl Prepared {
    /// What the blocked form works with, if the step is computed so.
    pub fn blocks<'a>(&self, segments: Option<&'a Segments>) -> Option<&'a Segments> {
        segments.filter(|_| self.in_blocks)
    }
}

/// Runs one group of sequences through its windows, forward and back: leaves squared errors in `outcome.errors`, residuals in
/// `pass.windows.x`, and gradients, lane by lane, in `pass.partial`, summed over the lanes in `outcome.sums`.
pub(super) struct PassOver<'a> {
    pub layout: &'a Layout,
    pub forcing: Forcing,
    /// `None` for the plain form.
    pub segments: Option<&'a Segments>,
    pub prepared: &'a Prepared,
    pub group: usize,
    pub pass: &'a mut Pass,
    pub outcome: &'a mut Outcome,
    /// For the plain form's unforced states `[T][M]`, where asked.
    pub z: Option<&'a mut [f32]>,
}

impl WithSimd for PassOver<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (layout, prepared) = (self.layout, self.prepared);
        if let (Some(segments), Some(powers)) = (prepared.blocks(self.segments), &prepared.powers) {
            self.forward_in_blocks(simd, segments, powers);
            self.adjoint_in_blocks(simd, segments, powers);
            let (sums, dL) = self.outcome.sums.split_at_mut(PowerSums::len(layout, segments));
            let partial = &self.pass.partial;
            partial.powers.sum_lanes(simd, layout, segments, sums);
            let dL = &mut dL[..layout.shape.dims.range_L().len()];
            store_all_sums(simd, vectors::<S>(partial.dL.padded()), dL);
        } else {
            match layout.rows {
                4 => self.step_by_step::<S, 4>(simd),
                8 => self.step_by_step::<S, 8>(simd),
                10 => self.step_by_step::<S, 10>(simd),
                _ => self.step_by_step::<S, 12>(simd),
            }
            let sums = &mut self.outcome.sums;
            self.pass.partial.sum_lanes(simd, layout.shape.dims, sums);
        }
    }
}

impl PassOver<'_> {
    #[inline(always)]
    fn step_by_step<S: Simd, const R: usize>(&mut self, simd: S) {
        self.forward::<S, R>(simd);
        self.adjoint::<S, R>(simd);
    }
}
