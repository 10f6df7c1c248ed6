//! How the almost-linear form of a member is laid out over threads and memory, and the constants that tell the
//! shaders under `shaders/blocked/`.

use crate::backend::blocked::{MOST_GROWTH, Segments};
use crate::backend::gpu::layout::fused::{Fused, sums};
use crate::backend::gpu::layout::plain::{Capacity, Layout, WARP};
use crate::backend::gpu::shader::source::Constants;
use crate::model::{Dims, Shape};

/// Most ReLU units with which one thread a quad runs the recursion, without barriers.
const SOLO: usize = 4;
/// Quads to a workgroup of the two passes, as far as they divide the batch and fit.
pub(super) const WIDTHS: [usize; 3] = [1, 2, 4];
/// Rows of a phase from which a thread takes two of them, so that a read of workgroup memory serves twice.
const MANY_ROWS: usize = 128;
/// 4 × 4 entries along the side of a tile of `collect` at most.
const MOST_TILE: usize = 16;
/// Pairs (quad, block) that `collect` stages at a time.
const COLLECT_STEPS: usize = 4;
/// Quads that `collect` sums in one slice; more are shared out among several.
const SLICE_QUADS: usize = 16;
/// Slices at most.
const MOST_SLICES: usize = 4;

/// A layout of the almost-linear form: a function of the shape, the member's `P` and `tau` and the device alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    pub layout: Layout,
    pub(in crate::backend) segments: Segments,
    /// Rows to a thread in the forward pass's third phase.
    pub R: usize,
    pub forward_threads: usize,
    /// Quads to a thread in the adjoint's third phase.
    pub VT: usize,
    pub adjoint_threads: usize,
    /// Threads of the kernels that work on matrices.
    pub matrix_threads: usize,
    /// 4 × 4 entries along the sides of a tile of `collect`, down and across.
    pub tile: (usize, usize),
    /// Slices of the quads that `collect` sums apart.
    pub slices: usize,
    /// Whether the growth of the powers is watched, because there is a form to fall back on.
    pub guarded: bool,
    /// Where a block is computed in workgroup memory; else its matrices stream from `powers`.
    pub fused: Option<Fused>,
}

impl Blocked {
    /// With `V` quads to a workgroup of the two passes, and matrices that stream. `None` where these do not divide the batch,
    /// or the device has too little workgroup memory for blocks of this length.
    pub(in crate::backend) fn new(
        shape: Shape,
        gaps: bool,
        capacity: Capacity,
        segments: Segments,
        V: usize,
    ) -> Option<Self> {
        let blocked = Self::of_width(shape, gaps, capacity, segments, V)?;
        (blocked.workgroup_memory() <= capacity.workgroup_memory).then_some(blocked)
    }

    /// The same with a block in workgroup memory. `None` also where that is not possible.
    pub(in crate::backend) fn fused(
        shape: Shape,
        gaps: bool,
        capacity: Capacity,
        segments: Segments,
        V: usize,
    ) -> Option<Self> {
        let mut blocked = Self::of_width(shape, gaps, capacity, segments, V)?;
        blocked.fused = Some(Fused::new(&blocked.layout, &blocked.segments, capacity)?);
        // A group sums its own.
        blocked.slices = blocked.layout.groups();
        Some(blocked)
    }

    fn of_width(shape: Shape, gaps: bool, capacity: Capacity, segments: Segments, V: usize) -> Option<Self> {
        let layout = Layout::new(shape, gaps, capacity);
        let (M, P, J, Y) = (shape.dims.M, segments.P, segments.J, segments.looked_at.len());
        let power_of_two = |threads: usize| threads.next_power_of_two().clamp(32, capacity.threads.min(256));
        let rows = J * (Y - P) + M;
        let R = 1 + usize::from(rows > MANY_ROWS);
        let VT = if M > 32 { V } else { 1 };
        let mut blocked = Self {
            layout: Layout {
                wide: false,
                copied: false,
                blocked: true,
                V,
                ..layout
            },
            R,
            forward_threads: power_of_two(rows.div_ceil(R)),
            VT,
            // No sum over the workgroup there: warps suffice.
            adjoint_threads: (M * V / VT).next_multiple_of(WARP).min(capacity.threads.min(256)),
            matrix_threads: power_of_two(if M > 32 { 256 } else { 64 }),
            tile: (1, 1),
            slices: layout.Q.div_ceil(SLICE_QUADS).min(MOST_SLICES),
            guarded: false,
            fused: None,
            segments,
        };
        let side = |entries: usize| {
            let fours = entries.div_ceil(4);
            fours.div_ceil(fours.div_ceil(MOST_TILE))
        };
        let (rows, columns) = blocked.sums();
        blocked.tile = (side(rows), side(columns));
        layout.Q.is_multiple_of(V).then_some(blocked)
    }

    /// The layouts of blocks of at most `longest` steps that fit, the most quads to a workgroup first; those in workgroup memory
    /// come last.
    pub fn with_length(
        shape: Shape,
        gaps: bool,
        capacity: Capacity,
        (P, tau): (usize, usize),
        longest: usize,
    ) -> impl Iterator<Item = Self> {
        let segments = Segments::new(shape, P, tau, longest);
        let each = [Self::new, Self::fused]
            .into_iter()
            .flat_map(|make| WIDTHS.into_iter().rev().map(move |V| (make, V)));
        each.filter_map(move |(make, V)| make(shape, gaps, capacity, segments.clone(), V))
    }

    /// Bytes of workgroup memory that the hungriest kernel takes.
    fn workgroup_memory(&self) -> usize {
        let (M, segments) = (self.layout.dims.M.next_multiple_of(4), &self.segments);
        let forward = 2 * M + (segments.J * segments.P).max(1) + self.length() * segments.D.max(1);
        let adjoint = 2 * M + segments.J * self.Y() + (self.length() * segments.P).max(1);
        16 * self.layout.V * forward.max(adjoint) + 4 * self.forward_threads
    }

    /// Whether one thread a quad runs the recursion.
    pub fn solo(&self) -> bool {
        self.segments.P <= SOLO
    }

    /// Units looked at (the shaders' `Q` is the number of quads).
    pub fn Y(&self) -> usize {
        self.segments.Y()
    }

    /// Length of the longest block.
    pub fn length(&self) -> usize {
        self.segments.length()
    }

    /// `B` and the products made of it.
    pub(super) fn matrices(&self) -> usize {
        1 + self.segments.products.len()
    }

    /// Rows and columns of what `collect` sums.
    pub fn sums(&self) -> (usize, usize) {
        sums(&self.layout, &self.segments)
    }

    /// Tiles of `collect`.
    pub fn tiles(&self) -> usize {
        let (rows, columns) = self.sums();
        rows.div_ceil(4 * self.tile.0) * columns.div_ceil(4 * self.tile.1)
    }

    /// Vectors of `states` to a quad: `z~` at the starts of blocks, ReLU units, residuals.
    pub fn states_len(&self) -> usize {
        self.residual_at() + self.layout.T * self.layout.dims.N
    }

    fn relu_at(&self) -> usize {
        self.segments.blocks.len() * self.layout.dims.M
    }

    fn residual_at(&self) -> usize {
        self.relu_at() + self.layout.T * self.segments.P
    }

    fn lambda_at(&self) -> usize {
        self.segments.blocks.len() * self.segments.J * self.Y()
    }

    /// Vectors of `back` to a quad: `y-`, then `Lambda` of the ends; none where both stay in workgroup memory.
    pub fn back_len(&self) -> usize {
        if self.fused.is_some() {
            return 0;
        }
        self.lambda_at() + self.segments.blocks.len() * self.layout.dims.M
    }

    /// Floats of a member's `powers`.
    pub fn powers_len(&self) -> usize {
        self.at("POWERS")
    }

    /// Where a part of `powers` begins, by its constant's name.
    pub(super) fn at(&self, name: &str) -> usize {
        let found = self.parts().into_iter().find(|&(part, _)| part == name);
        found.expect("the name is one of the parts").1
    }

    /// Where the parts of a member's `powers` begin, in floats, and where the last ends.
    fn parts(&self) -> [(&'static str, usize); 17] {
        let (Dims { M, N, .. }, segments) = (self.layout.dims, &self.segments);
        let (P, J, Y, H) = (segments.P, segments.J, self.Y(), segments.D + 1);
        let (LE, ends) = (segments.longest_end(), segments.ends.len());
        let matrices = self.matrices() * M * M;
        // Copies that only kernels that stream read.
        let streamed = |size: usize| if self.fused.is_some() { 0 } else { size };
        let mut end = 0;
        [
            ("B_AT", matrices),
            ("ET_AT", ends * M * M),
            ("WH_AT", M * H),
            ("G_AT", (J + 1) * Y * M),
            ("GP_AT", streamed(M * J * P)),
            ("GN_AT", streamed(M * J * (Y - P))),
            ("K_AT", J * Y * H),
            ("CC_AT", J * Y),
            ("RT_AT", LE * H * M),
            ("R_AT", streamed(M * LE * P)),
            ("GE_AT", ends * M),
            ("LL_AT", (M - N) * N),
            ("D_AT", matrices),
            ("DG_AT", (J + 1) * Y * M),
            ("DK_AT", J * Y * H),
            ("DR_AT", LE.max(1) * H * M),
            ("POWERS", 0),
        ]
        .map(|(name, size)| {
            let begin = end;
            end += size;
            (name, begin)
        })
    }

    /// The table that the kernels read: blocks, matrices, ends, products; see `shaders/shared/blocked.wgsl`.
    pub fn table(&self) -> Vec<[u32; 4]> {
        let segments = &self.segments;
        let word = |value: usize| value as u32;
        // Number of the end whose length is e, from 1 on; 0 where there is none.
        let end = |e: usize| segments.ends.binary_search(&e).map_or(0, |index| index + 1);
        let blocks = segments.blocks.iter().map(|block| {
            let followed = block.end.map_or(0, |index| index + 1);
            [block.start, block.length, block.looked_at, followed].map(word)
        });
        let powers = [1]
            .into_iter()
            .chain(segments.products.iter().map(|&(e, _, _)| e));
        let matrices = powers.map(|e| [word(end(e)), 0, 0, 0]);
        let ends = segments
            .ends
            .iter()
            .map(|&length| [length, segments.power(length), 0, 0].map(word));
        let mut table: Vec<[u32; 4]> = blocks.chain(matrices).chain(ends).collect();
        table.extend(self.preparation().entries(table.len()));
        table.extend(self.pulling_back().entries(table.len()));
        table
    }

    /// The constants that `shaders/shared/blocked.wgsl` is written in, on top of the layout's.
    pub fn constants(&self) -> Constants {
        let segments = &self.segments;
        let (Y, LE, matrices) = (self.Y(), segments.longest_end(), self.matrices());
        let (rows, columns) = self.sums();
        let NO = Y - segments.P;
        let preparation = self.preparation();
        let prepare_at = segments.blocks.len() + matrices + segments.ends.len();
        let pull_at = prepare_at + preparation.entries(0).len();
        let constants = self
            .layout
            .constants()
            .number("V", self.layout.V)
            .number("P", segments.P)
            .number("D", segments.D)
            .number("Y", Y)
            .number("NO", NO)
            .number("J", segments.J)
            .number("LENGTH", self.length())
            .number("BLOCKS", segments.blocks.len())
            .number("MATRICES", matrices)
            .number("ENDS", segments.ends.len())
            .number("LE", LE)
            .number("PREPARE_AT", prepare_at)
            .number("PREPARE", preparation.len())
            .number("PULL_AT", pull_at)
            .number("PULL", self.pulling_back().len())
            .number("STATES", self.states_len())
            .number("RELU_AT", self.relu_at())
            .number("RESIDUAL_AT", self.residual_at())
            .number("BACK", self.back_len())
            .number("LAMBDA_AT", self.lambda_at())
            .number("LEFT", rows)
            .number("RIGHT", columns)
            .number("SLICES", self.slices)
            .flag("RELU", segments.P > 0)
            .flag("LINEAR", NO > 0)
            .flag("OVERLAP", NO < self.layout.dims.N)
            .flag("DRIVES", segments.D > 0)
            .flag("FOLLOWED", !segments.ends.is_empty())
            .flag("SOLO", self.solo())
            .number("MOST_GROWTH", MOST_GROWTH.into())
            .flag("GUARDED", self.guarded)
            .flag("STREAMED", self.fused.is_none());
        let parts = self.parts().into_iter();
        parts.fold(constants, |constants, (name, at)| constants.number(name, at))
    }

    pub fn forward_constants(&self) -> Constants {
        if let Some(fused) = &self.fused {
            return fused.forward_constants(self.constants());
        }
        self.constants()
            .number("R", self.R)
            .number("THREADS", self.forward_threads)
    }

    pub fn adjoint_constants(&self) -> Constants {
        if let Some(fused) = &self.fused {
            return fused.adjoint_constants(self.constants());
        }
        self.constants()
            .number("VT", self.VT)
            .number("THREADS", self.adjoint_threads)
    }

    pub fn matrix_constants(&self) -> Constants {
        self.constants().number("THREADS", self.matrix_threads)
    }

    pub fn collect_constants(&self) -> Constants {
        self.constants()
            .number("DOWN", self.tile.0)
            .number("ACROSS", self.tile.1)
            .number("STEPS", COLLECT_STEPS)
    }
}
