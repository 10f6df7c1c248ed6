//! What a member takes of each buffer, and the scratch memory that all chunks of all ensembles of a study share.

use parking_lot::{Mutex, MutexGuard};

use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::layout::Arrangement;
use crate::backend::gpu::memory::buffers::{Named, STORAGE};

/// The buffers of scratch memory, as the shaders name them. `states` holds all, or those that the almost-linear form keeps;
/// `back` the gradients of states for `outer`, or what the almost-linear form keeps on its way back; `powers` and `sums` are
/// that form's alone.
pub const SCRATCH: [&str; 8] = ["x", "s", "states", "back", "loss", "partial", "powers", "sums"];

/// Bytes of each buffer of scratch memory.
pub type ScratchBytes = [u64; SCRATCH.len()];

/// Bytes that one member takes.
#[derive(Clone, Copy, Debug)]
pub struct Footprint {
    scratch: ScratchBytes,
    /// The largest buffer of what lasts between steps.
    moments: u64,
}

impl Footprint {
    /// Room for each of these forms, one at a time.
    pub fn new(forms: &[Arrangement]) -> Self {
        let moments = |form: &Arrangement| 8 * form.layout().dims.n_params() as u64;
        Self {
            scratch: largest(forms.iter().map(scratch)),
            moments: forms.iter().map(moments).max().unwrap_or(0),
        }
    }

    /// Bytes of scratch memory for this many members.
    pub fn scratch(&self, members: usize) -> ScratchBytes {
        self.scratch.map(|bytes| bytes * members as u64)
    }

    /// How many members a chunk may have: no buffer above `max_buffer` (0 where one member's is), the scratch of
    /// a chunk within `budget` where that holds a member at all.
    pub fn members(&self, max_buffer: u64, budget: u64) -> u64 {
        let largest = self.scratch.into_iter().fold(self.moments, u64::max);
        (max_buffer / largest).min((budget / self.scratch.iter().sum::<u64>()).max(1))
    }
}

/// What a member's step takes in this form.
fn scratch(form: &Arrangement) -> ScratchBytes {
    let layout = form.layout();
    let (dims, rows) = (layout.dims, layout.T + 1);
    // Of so many vectors for each quad.
    let quads = |vectors: usize| (16 * layout.Q * vectors) as u64;
    let floats = |count: usize| 4 * count as u64;
    let (states, back, powers, sums) = match form {
        Arrangement::Plain(_) => {
            let back = if layout.wide { layout.T * dims.M } else { 0 };
            (rows * dims.M, back, 0, 0)
        }
        Arrangement::Blocked(blocked) => {
            let (rows, columns) = blocked.sums();
            let sums = blocked.slices * rows * columns;
            (
                blocked.states_len(),
                blocked.back_len(),
                blocked.powers_len(),
                sums,
            )
        }
    };
    [
        quads(rows * dims.N),
        quads(rows * dims.K),
        quads(states),
        quads(back),
        floats(2 * layout.groups()),
        floats(layout.partial_len()),
        floats(powers),
        floats(sums),
    ]
}

/// Buffers that hold any of these.
pub fn largest(each: impl IntoIterator<Item = ScratchBytes>) -> ScratchBytes {
    let most = |a: ScratchBytes, b: ScratchBytes| std::array::from_fn(|i| a[i].max(b[i]));
    each.into_iter().fold(Default::default(), most)
}

/// What a step computes on its way, for one chunk at a time.
#[derive(Debug)]
pub struct Scratch {
    buffers: [wgpu::Buffer; SCRATCH.len()],
    turn: Mutex<()>,
}

impl Scratch {
    pub fn new(gpu: &Gpu, bytes: ScratchBytes) -> Self {
        Self {
            buffers: std::array::from_fn(|i| gpu.buffer(SCRATCH[i], bytes[i], STORAGE)),
            turn: Mutex::default(),
        }
    }

    /// All of them by their names.
    pub fn named(&self) -> impl Iterator<Item = Named<'_>> {
        SCRATCH.into_iter().zip(&self.buffers)
    }

    /// The buffer that shaders declare by this name.
    pub fn buffer(&self, name: &str) -> &wgpu::Buffer {
        let found = self.named().find(|&(other, _)| other == name);
        found.expect("the name is one of SCRATCH").1
    }

    /// Held while commands are submitted that leave something here for later ones.
    pub fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock()
    }
}
