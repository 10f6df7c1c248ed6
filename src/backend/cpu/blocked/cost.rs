//! Which form is cheaper for a shape, and how long its blocks should be.

use crate::backend::Form;
use crate::backend::blocked::Segments;
use crate::backend::cpu::layout::Layout;
use crate::model::Dims;

/// How a member is computed: `None` in the plain form, else in the segments that are returned. `tau` is the forcing interval.
pub(in crate::backend::cpu) fn choose(layout: &Layout, P: usize, tau: usize, form: Form) -> Option<Segments> {
    if form == Form::Plain {
        return None;
    }
    let (cost, segments) = Segments::cheapest(layout.shape, P, tau, |segments| blocked(layout, segments))?;
    (form != Form::Auto || cost < plain(layout, P)).then_some(segments)
}

/// Vector multiply-adds of a step in the plain form: forward, adjoint, outer products.
fn plain(layout: &Layout, P: usize) -> f64 {
    let Dims { M, K, .. } = layout.shape.dims;
    let rows = layout.blocks * layout.rows;
    let a_step = 2 * rows * M + layout.stride * M + 2 * M * K + 4 * P;
    (layout.groups * layout.shape.T * a_step) as f64
}

/// The same in the blocked form, and for the powers of `B`.
fn blocked(layout: &Layout, segments: &Segments) -> f64 {
    let M = layout.shape.dims.M;
    let (P, D, Q) = (segments.P, segments.D, segments.Y());
    let mut all = 0;
    for block in &segments.blocks {
        let n = block.looked_at;
        all += 3 * n * Q * M + n * (n - n.min(1)) / 2 * Q * (2 * D + P) + n * BLOCK_STEP;
        if block.end.is_some() {
            all += 3 * M * M + block.length * M * (2 * D + P);
        }
    }
    let width = M.div_ceil(layout.lanes);
    let looked_at = segments.J * Q * M * width;
    let ends = segments.products.len() * M * M * width;
    let drives = segments.longest_end() * (D + 1) * M * width;
    let sums =
        (segments.J * Q * (M + D) + segments.ends.len() * M * (M + 1 + segments.longest_end() * D)) * SUM / 4;
    (layout.groups * all) as f64 + POWERS * (3 * (looked_at + ends + drives)) as f64 + sums as f64
}

/// Vector operations of a step within a block beside its products: residuals, ReLU units, loop overhead.
const BLOCK_STEP: usize = 20;
/// Cost of a multiply-add in the products of powers, whose rows are short, relative to one of the blocks.
const POWERS: f64 = 1.5;
/// Vector operations of summing the lanes of four entries and packing them.
const SUM: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::blocked::segments::LONGEST;
    use crate::backend::cpu::simd::machine::Machine;
    use crate::model::Shape;

    /// The published settings at 16 sequences a batch, each measured in both forms with AVX-512.
    #[test]
    fn few_units_looked_at_are_blocked_and_many_are_not() {
        let machine = Machine {
            lanes: 16,
            registers: 32,
        };
        for (name, M, N, P, T, tau, blocked) in [
            ("lorenz63", 20, 3, 2, 200, 16, true),
            ("ecg", 100, 5, 2, 50, 10, true),
            ("fmri", 50, 20, 2, 72, 7, false),
            ("lorenz96", 100, 20, 50, 50, 20, false),
            ("eeg", 133, 64, 60, 100, 10, false),
        ] {
            let dims = Dims::new(M, N, 0).expect("sizes");
            let layout = Layout::new(Shape::new(dims, 16, T).expect("sizes"), machine);
            assert_eq!(choose(&layout, P, tau, Form::Auto).is_some(), blocked, "{name}");
            assert!(choose(&layout, P, tau, Form::Plain).is_none());
            let segments = choose(&layout, P, tau, Form::Blocked).expect("asked for");
            assert!(
                segments
                    .blocks
                    .iter()
                    .all(|block| block.length <= tau.min(LONGEST)),
                "{name}"
            );
        }
    }

    /// Generalised teacher forcing at every step leaves nothing to block, and everything to compute.
    #[test]
    fn a_block_of_one_step_is_still_a_form() {
        let layout = Layout::new(
            Shape::new(Dims::new(10, 3, 0).expect("sizes"), 4, 40).expect("sizes"),
            Machine {
                lanes: 8,
                registers: 16,
            },
        );
        assert!(choose(&layout, 4, 1, Form::Auto).is_none());
        assert_eq!(
            choose(&layout, 4, 1, Form::Blocked)
                .expect("asked for")
                .blocks
                .len(),
            40
        );
    }
}
