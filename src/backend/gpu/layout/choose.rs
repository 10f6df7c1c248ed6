//! In which form a member is computed, and why.
//!
//! Plain, where a buffer holds the states of that form: on the one card that was measured the almost-linear form is slower for
//! every published setting (`benches/RESULTS.md`). Blocks are as long and as wide as costs least by a count of what threads would
//! spend. The unit is an instruction of one thread, at the rates that two compilers emit them (`benches/gpu_static`, table in
//! `shaders/README.md`). Lanes that a warp carries along idle count, and so do barriers; launches and traffic do not.

use crate::backend::Form;
use crate::backend::blocked::Segments;
use crate::backend::gpu::GpuOptions;
use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::layout::Arrangement;
use crate::backend::gpu::layout::blocked::{Blocked, WIDTHS};
use crate::backend::gpu::layout::fused::{self, slots};
use crate::backend::gpu::layout::plain::{Capacity, Layout};
use crate::backend::gpu::memory::footprint::Footprint;
use crate::error::{Error, Result};
use crate::model::Shape;

/// Eight vectors read from workgroup memory and made into 16 dot products that are added up.
const COLLECT: usize = 88;
/// What a barrier costs a thread.
const BARRIER: usize = 40;
/// A read from a member's own part of memory, at an address that is made for it.
const FROM_MEMORY: usize = 4;
/// A turn of a loop besides its body, with the end that wgpu puts to every loop.
const TURN: usize = 10;
/// A turn's share where four are taken at once.
const OF_FOUR: usize = TURN.div_ceil(4);

/// What a device and its user allow.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    pub capacity: Capacity,
    /// Bytes of the largest buffer.
    pub max_buffer: u64,
    pub form: Form,
    /// Length of blocks that the user insists on (at most: a forcing interval cuts blocks short).
    pub block_length: Option<usize>,
}

impl Choice {
    pub fn new(gpu: &Gpu, form: Form, options: &GpuOptions) -> Self {
        Self {
            capacity: gpu.capacity(),
            max_buffer: gpu.max_buffer(),
            form,
            block_length: options.block_length,
        }
    }
}

/// The forms for a member with `P` ReLU units and forcing interval `tau`: the one that its steps are computed in, then, where
/// that is the almost-linear one, what it falls back on. They depend on nothing else, so that a member's bits do not depend
/// on its company.
///
/// # Errors
/// Where the almost-linear form is asked for and no block length fits the device.
pub fn arrange(choice: Choice, shape: Shape, gaps: bool, P: usize, tau: usize) -> Result<Vec<Arrangement>> {
    let layout = Layout::new(shape, gaps, choice.capacity);
    let plain = Arrangement::Plain(layout);
    let asked_for = matches!(choice.form, Form::Blocked | Form::Fused);
    if !asked_for && (choice.form == Form::Plain || fits(choice, &plain)) {
        return Ok(vec![plain]);
    }
    let blocked = || cheapest(choice, shape, gaps, (P, tau), Blocked::new);
    let best = match choice.form {
        Form::Fused => cheapest(choice, shape, gaps, (P, tau), Blocked::fused).or_else(blocked),
        _ => blocked(),
    };
    match best {
        Some(blocked) => Ok(guarded(choice, shape, gaps, (P, tau), blocked)),
        None if asked_for => Err(Error::input(format!(
            "the blocked form of M = {}, P = {P} does not fit the workgroup memory or the buffers of this GPU",
            shape.dims.M
        ))
        .with_hint("use --form plain")),
        None => Ok(vec![plain]),
    }
}

/// Makes a layout of segments for so many quads to a workgroup.
type Make = fn(Shape, bool, Capacity, Segments, usize) -> Option<Blocked>;

/// The layout of the almost-linear form that costs least of those that are made so and fit.
fn cheapest(
    choice: Choice,
    shape: Shape,
    gaps: bool,
    (P, tau): (usize, usize),
    make: Make,
) -> Option<Arrangement> {
    let cheapest_width = |segments: &Segments| {
        WIDTHS
            .into_iter()
            .filter_map(|V| make(shape, gaps, choice.capacity, segments.clone(), V))
            .map(|blocked| (blocked_cost(&blocked), Arrangement::Blocked(Box::new(blocked))))
            .filter(|(_, blocked)| fits(choice, blocked))
            .min_by(|(a, _), (b, _)| a.total_cmp(b))
    };
    let cost = |segments: &Segments| cheapest_width(segments).map_or(f64::INFINITY, |(cost, _)| cost);
    let segments = match choice.block_length {
        Some(longest) => Segments::new(shape, P, tau, longest.max(1)),
        None => Segments::cheapest(shape, P, tau, cost)?.1,
    };
    cheapest_width(&segments).map(|(_, blocked)| blocked)
}

fn fits(choice: Choice, form: &Arrangement) -> bool {
    Footprint::new(std::slice::from_ref(form)).members(choice.max_buffer, u64::MAX) > 0
}

/// The blocked form and what a step is computed in where the powers of `B` grow too far: the plain form, or the shortest
/// blocks of which a buffer holds the states; nothing where these are no shorter.
fn guarded(
    choice: Choice,
    shape: Shape,
    gaps: bool,
    member: (usize, usize),
    mut first: Arrangement,
) -> Vec<Arrangement> {
    let plain = Arrangement::Plain(Layout::new(shape, gaps, choice.capacity));
    let longer = match &first {
        Arrangement::Blocked(blocked) => 1..blocked.length(),
        Arrangement::Plain(_) => 1..1,
    };
    let shorter = longer
        .flat_map(|longest| Blocked::with_length(shape, gaps, choice.capacity, member, longest))
        .map(|blocked| Arrangement::Blocked(Box::new(blocked)));
    let Some(mut fallback) = [plain].into_iter().chain(shorter).find(|form| fits(choice, form)) else {
        return vec![first];
    };
    fallback.layout_mut().fallback = true;
    first.layout_mut().copied = fallback.layout().copied;
    if let Arrangement::Blocked(blocked) = &mut first {
        blocked.guarded = true;
    }
    vec![first, fallback]
}

/// What a member's step costs in the almost-linear form.
fn blocked_cost(blocked: &Blocked) -> f64 {
    let (layout, blocks) = (&blocked.layout, blocked.segments.blocks.len());
    if let Some(fused) = &blocked.fused {
        let passes: usize = (0..blocks)
            .map(|b| fused::block_cost(layout, &blocked.segments, fused, b))
            .sum();
        return (layout.groups() * passes + matrices_cost(blocked)) as f64;
    }
    let passes: usize = (0..blocks).map(|b| block_cost(blocked, b)).sum();
    let threads = blocked.tile.0 * blocked.tile.1;
    let collect = blocked.tiles() * slots(threads, COLLECT) * layout.Q * blocks;
    (layout.groups() * passes + collect + matrices_cost(blocked)) as f64
}

/// Both directions through a block of one group of quads.
fn block_cost(blocked: &Blocked, index: usize) -> usize {
    let (segments, R, M) = (&blocked.segments, blocked.R, blocked.layout.dims.M);
    let (V, VT) = (blocked.layout.V, blocked.VT);
    let (P, D, Y, block) = (segments.P, segments.D, blocked.Y(), segments.blocks[index]);
    let (n, length) = (block.looked_at, block.length);
    let end = if block.end.is_some() { M } else { 0 };
    // A product's inner step for r rows and v quads: weights and vectors read, multiplied, added.
    let inner = |r: usize, v: usize| 4 * r * v + 2 * (r + v) + OF_FOUR;
    let terms = n * (n + 1) / 2;
    let barriers = if blocked.solo() { 3 } else { 2 + n } * BARRIER;
    // Quads by units that a thread works through in turn.
    let (threads, turns) = if blocked.solo() { (V, P) } else { (P * V, 1) };
    let recursion = |width: usize| slots(threads, (8 * width + TURN) * turns * terms);
    let rows = n * (Y - P) + end;
    let forward = slots(n * P * V, inner(1, 1) * M)
        + recursion(D)
        + slots(rows.div_ceil(R), inner(R, V) * M + R * inner(1, V) * D * length)
        + barriers * blocked.forward_threads;
    let adjoint = slots(length * P * V, inner(1, 1) * (end + n * (Y - P) / 2))
        + recursion(P)
        + slots(M * V / VT, inner(1, VT) * (n * Y + end))
        + barriers * blocked.adjoint_threads;
    forward + adjoint
}

/// The powers of `B`, the way back through them, and the sums that it starts from.
fn matrices_cost(blocked: &Blocked) -> usize {
    let programs = [blocked.preparation(), blocked.pulling_back()];
    // Eight reads from memory for 16 multiply-adds.
    let link =
        |(tiles, inner)| slots(tiles, (16 + 8 * FROM_MEMORY) * inner) + BARRIER * blocked.matrix_threads;
    let (rows, columns) = blocked.sums();
    let products: usize = programs.iter().flat_map(|program| program.work()).map(link).sum();
    products + FROM_MEMORY * blocked.slices * rows * columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Dims;

    fn choice(form: Form) -> Choice {
        Choice {
            capacity: Capacity::FLOOR,
            max_buffer: 128 << 20,
            form,
            block_length: None,
        }
    }

    #[test]
    fn plain_unless_asked_for_or_too_large() {
        for (M, N, P, S, T, tau) in [
            (20, 3, 2, 16, 200, 16),
            (100, 5, 2, 256, 50, 10),
            (50, 20, 2, 16, 72, 7),
            (133, 64, 60, 16, 100, 10),
        ] {
            let shape = Shape::new(Dims::new(M, N, 0).expect("sizes"), S, T).expect("sizes");
            let arranged = |form| arrange(choice(form), shape, false, P, tau).expect("it fits");
            for form in [Form::Auto, Form::Plain] {
                assert!(matches!(arranged(form)[..], [Arrangement::Plain(_)]), "M {M}");
            }
            assert!(
                matches!(arranged(Form::Blocked)[0], Arrangement::Blocked(_)),
                "M {M}"
            );
        }
    }

    /// A small model's blocks are kept in workgroup memory where that was asked for; what has no room there, inputs, or other
    /// than one to four hidden ReLU units streams.
    #[test]
    fn what_can_be_fused_is_where_asked_for() {
        for (M, N, K, P, memory, fused) in [
            (20, 3, 0, 2, 48, true),
            (20, 3, 0, 2, 16, true),
            (30, 3, 0, 4, 48, true),
            (20, 3, 0, 5, 48, false),
            (20, 3, 0, 0, 48, false),
            (20, 3, 1, 2, 48, false),
            (4, 3, 0, 2, 48, false),
            (200, 3, 0, 2, 16, false),
        ] {
            let shape = Shape::new(Dims::new(M, N, K).expect("sizes"), 16, 200).expect("sizes");
            let mut choice = choice(Form::Fused);
            choice.capacity.workgroup_memory = memory << 10;
            let forms = arrange(choice, shape, false, P, 16).expect("it fits");
            let Arrangement::Blocked(blocked) = &forms[0] else {
                panic!("the almost-linear form was asked for");
            };
            assert_eq!(blocked.fused.is_some(), fused, "M {M} K {K} P {P} {memory} KiB");
        }
    }

    /// What cannot be blocked is refused where that was asked for, and computed in the plain form otherwise.
    #[test]
    fn what_does_not_fit_is_refused_or_plain() {
        let shape = Shape::new(Dims::new(256, 256, 0).expect("sizes"), 16, 40).expect("sizes");
        let refused = arrange(choice(Form::Blocked), shape, false, 256, 10).expect_err("17 KiB of 16");
        assert_eq!(refused.exit_code(), 2);
        assert!(refused.hint().is_some());
        let auto = arrange(choice(Form::Auto), shape, false, 256, 10).expect("plain fits");
        assert!(matches!(auto[..], [Arrangement::Plain(_)]));
        // Windows whose states fill more than a buffer in the plain form.
        let shape = Shape::new(Dims::new(64, 2, 0).expect("sizes"), 64, 10_000).expect("sizes");
        let auto = arrange(choice(Form::Auto), shape, false, 2, 20).expect("the blocked form fits");
        assert!(matches!(auto[0], Arrangement::Blocked(_)));
        // It falls back on shorter blocks.
        let lengths: Vec<usize> = auto
            .iter()
            .map(|form| match form {
                Arrangement::Blocked(blocked) => blocked.length(),
                Arrangement::Plain(_) => 0,
            })
            .collect();
        assert!(
            matches!(lengths[..], [long, short] if 0 < short && short < long),
            "{lengths:?}"
        );
    }

    /// Wide kernels read copies of A and W, which the form that they stand in for keeps.
    #[test]
    fn the_blocked_form_falls_back_on_the_plain_one() {
        for (M, wide) in [(20, false), (100, true)] {
            let shape = Shape::new(Dims::new(M, 3, 0).expect("sizes"), 16, 40).expect("sizes");
            let forms = arrange(choice(Form::Blocked), shape, false, 2, 10).expect("it fits");
            assert!(matches!(
                forms[..],
                [Arrangement::Blocked(_), Arrangement::Plain(_)]
            ));
            assert!(!forms[0].layout().fallback && forms[1].layout().fallback);
            assert!(forms.iter().all(|form| form.layout().copied == wide));
        }
    }
}
