//! The passes of the almost-linear form with all of a block in workgroup memory (`shaders/fused/`), for small models with few
//! ReLU units.

use crate::backend::blocked::Segments;
use crate::backend::gpu::layout::plain::{Capacity, Layout, WARP};
use crate::backend::gpu::shader::source::Constants;

/// Most ReLU units.
const MOST_RELU: usize = 4;
/// Multiply-adds of a recursion at most, all of which stand in the source.
const MOST_TERMS: usize = 1024;
/// Rows that a thread makes of a quad, in a product whose columns are unrolled.
const ROWS: [usize; 3] = [1, 2, 4];
/// Sums along a side of what a thread adds up over the window.
const SIDE: usize = 8;

/// How a workgroup's threads share out a block; constants of `shaders/shared/fused.wgsl` and the two kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fused {
    /// Rows to a thread of the block's linear units and end.
    pub rows: usize,
    /// Of its ReLU units.
    pub relu_rows: usize,
    /// Of the gradient at its start.
    pub start_rows: usize,
    /// Of the gradient of its drives.
    pub drive_rows: usize,
    /// Sums to a thread, down and across, and threads.
    pub entries: (usize, usize),
    pub threads: (usize, usize),
    pub forward_threads: usize,
    pub adjoint_threads: usize,
}

/// Rows and columns of what is summed over blocks and sequences.
pub(super) fn sums(layout: &Layout, segments: &Segments) -> (usize, usize) {
    let M = layout.dims.M;
    (
        segments.J * segments.Y() + segments.ends.len() * M,
        M + 1 + segments.length() * segments.D,
    )
}

/// Threads that are busy, idle lanes of their warps included, times what each does.
pub(super) fn slots(items: usize, work: usize) -> usize {
    items.next_multiple_of(WARP) * work
}

/// What a thread spends on a column of a product of which it makes `rows` of one quad: multiply-adds, weights, a vector.
fn column(rows: usize) -> usize {
    4 * rows + 2
}

impl Fused {
    /// `None` where there are no, many or observed ReLU units, or inputs, or the block does not fit.
    pub(super) fn new(layout: &Layout, segments: &Segments, capacity: Capacity) -> Option<Self> {
        let (dims, V) = (layout.dims, layout.V);
        let (P, J) = (segments.P, segments.J);
        let fits = (1..=MOST_RELU).contains(&P) && P <= dims.M - dims.N && dims.K == 0;
        if !fits || P * P * J * (J + 1) / 2 > MOST_TERMS {
            return None;
        }
        let most = capacity.threads.min(256);
        // The rows of each kind are made by other threads, in one turn.
        let rows = |kinds: &[usize]| {
            let items = |&rows: &usize| kinds.iter().map(|kind| kind.div_ceil(rows)).sum::<usize>() * V;
            let fitting = ROWS.into_iter().filter(|rows| items(rows) <= most);
            let cheapest = fitting.min_by_key(|rows| slots(items(rows), column(*rows)));
            cheapest.map(|rows| (rows, items(&rows)))
        };
        let end = if segments.ends.is_empty() { 0 } else { dims.M };
        let (rows_of_block, of_block) = rows(&[J * dims.N, end])?;
        let (relu_rows, of_relu) = rows(&[J * P])?;
        let (start_rows, of_start) = rows(&[dims.M])?;
        let (drive_rows, of_drives) = rows(&[segments.length() * P])?;

        let (left, right) = sums(layout, segments);
        let shapes = (1..=SIDE).flat_map(|tall| (1..=SIDE).map(move |broad| (tall, broad)));
        let threads = |(tall, broad): (usize, usize)| (left.div_ceil(tall), right.div_ceil(broad));
        let entries = shapes
            .filter(|&(tall, broad)| tall * broad + 4 * (tall + broad) + 30 <= capacity.registers)
            .filter(|&entries| threads(entries).0 * threads(entries).1 <= most)
            .min_by_key(|&entries| {
                let (down, across) = threads(entries);
                slots(down * across, sums_of_a_quad(entries))
            })?;
        let (down, across) = threads(entries);
        let fused = Self {
            rows: rows_of_block,
            relu_rows,
            start_rows,
            drive_rows,
            entries,
            threads: (down, across),
            // It sums over the workgroup.
            forward_threads: of_block.max(of_relu).max(4 * V).next_power_of_two().max(WARP),
            adjoint_threads: [down * across, of_start, of_drives, 4 * V]
                .into_iter()
                .fold(0, usize::max)
                .next_multiple_of(WARP),
        };
        let threads = fused.forward_threads.max(fused.adjoint_threads);
        let memory = (fused.forward_memory(layout, segments)).max(fused.adjoint_memory(layout, segments));
        (threads <= most && memory <= capacity.workgroup_memory).then_some(fused)
    }

    /// Bytes of workgroup memory of `fused/forward`.
    fn forward_memory(&self, layout: &Layout, segments: &Segments) -> usize {
        let (dims, V) = (layout.dims, layout.V);
        let (P, J, drives) = (segments.P, segments.J, segments.length() * segments.P);
        let tiles = (J * dims.N).div_ceil(self.rows) + segments.ends.len() * dims.M.div_ceil(self.rows);
        let weights = (dims.M + drives + 1) * tiles * self.rows;
        let relu_weights = (dims.M + 1) * (J * P).next_multiple_of(self.relu_rows);
        let vectors = V * (2 * dims.M + drives + (J + 1) * P);
        4 * (weights + relu_weights + J * P * P + self.forward_threads) + 16 * vectors
    }

    /// Bytes of workgroup memory of `fused/adjoint`.
    fn adjoint_memory(&self, layout: &Layout, segments: &Segments) -> usize {
        let (M, V) = (layout.dims.M, layout.V);
        let (P, J, drives) = (segments.P, segments.J, segments.length() * segments.P);
        let ends = segments.ends.len().max(1) * M;
        let to_start = (J * segments.Y() + ends) * M.next_multiple_of(self.start_rows);
        let to_drives = (J * layout.dims.N + ends) * drives.next_multiple_of(self.drive_rows);
        let (down, across) = self.threads;
        let vectors = V * (down * self.entries.0 + across * self.entries.1 + 2 * M + drives);
        4 * (to_start + to_drives + J * P * P + drives * V) + 16 * vectors
    }

    pub(super) fn forward_constants(&self, constants: Constants) -> Constants {
        constants
            .number("ROWS", self.rows)
            .number("RELU_ROWS", self.relu_rows)
            .number("THREADS", self.forward_threads)
    }

    pub(super) fn adjoint_constants(&self, constants: Constants) -> Constants {
        constants
            .number("START_ROWS", self.start_rows)
            .number("DRIVE_ROWS", self.drive_rows)
            .number("TALL", self.entries.0)
            .number("BROAD", self.entries.1)
            .number("DOWN", self.threads.0)
            .number("ACROSS", self.threads.1)
            .number("THREADS", self.adjoint_threads)
    }
}

/// What a thread spends on its sums over one quad's sequences.
fn sums_of_a_quad((tall, broad): (usize, usize)) -> usize {
    4 * tall * broad + tall + broad
}

/// What a barrier, and the staging of a vector between two of them, cost a thread.
const BARRIER: usize = 40;
const STAGED: usize = 30;
/// What a row takes besides its product: the target, the residual, forcing.
const ROW: usize = 40;

/// What the threads of a group of quads spend on both directions through a block, in instructions.
pub(super) fn block_cost(layout: &Layout, segments: &Segments, fused: &Fused, index: usize) -> usize {
    let (dims, V) = (layout.dims, layout.V);
    let (M, P, J, drives) = (dims.M, segments.P, segments.J, segments.length() * segments.P);
    let block = segments.blocks[index];
    let end = if block.end.is_some() { M } else { 0 };
    let tiles = |rows: usize, of: usize| rows.div_ceil(of) * V;
    let of_block = tiles(block.looked_at * dims.N, fused.rows) + tiles(end, fused.rows);
    // Terms, and a number read, cut and written for each step and unit.
    let recursion = slots(4 * V, P * P * J * (J + 1) / 2 * 5 / 4 + 8 * J * P);
    let forward = slots(
        tiles(J * P, fused.relu_rows),
        column(fused.relu_rows) * M + 4 * fused.relu_rows,
    ) + recursion
        + slots(drives * V, STAGED)
        + slots(of_block, column(fused.rows) * (M + drives) + ROW * fused.rows)
        + 4 * BARRIER * fused.forward_threads;
    let (left, right) = sums(layout, segments);
    let (down, across) = fused.threads;
    let adjoint = slots((left + right) * V, STAGED)
        + slots(
            tiles(drives, fused.drive_rows),
            column(fused.drive_rows) * (J * dims.N + end),
        )
        + recursion
        + slots(drives * V, STAGED)
        + slots(
            tiles(M, fused.start_rows),
            column(fused.start_rows) * (J * segments.Y() + end) + ROW * fused.start_rows,
        )
        + slots(down * across, V * sums_of_a_quad(fused.entries))
        + 5 * BARRIER * fused.adjoint_threads;
    forward + adjoint
}
