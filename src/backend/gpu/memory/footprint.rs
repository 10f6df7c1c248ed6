//! What a member takes of each buffer, and the scratch memory that all chunks of members share.
#![allow(non_snake_case, reason = "the paper's symbols")]

use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::layout::blocked::Blocked;
use crate::backend::gpu::layout::choose::Arrangement;
use crate::backend::gpu::layout::plain::Layout;
use crate::backend::gpu::memory::buffers::STORAGE;

/// Bytes that one member takes of each buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    pub x: u64,
    pub s: u64,
    /// States: all, or those that the almost-linear form keeps.
    pub z: u64,
    /// Gradients of states for `outer`, or what the almost-linear form keeps on its way back.
    pub lambda: u64,
    pub loss: u64,
    pub partial: u64,
    pub theta: u64,
    pub moments: u64,
    pub transposed: u64,
    /// For the almost-linear form only.
    pub powers: u64,
    pub sums: u64,
}

/// Bytes of `width` vectors for each of `rows` rows and each quad.
fn quads(layout: &Layout, rows: usize, width: usize) -> u64 {
    (16 * layout.Q * rows * width) as u64
}

impl Footprint {
    /// Room for each form of an arrangement, one at a time.
    pub fn new(arrangement: &Arrangement, T: usize) -> Self {
        let one = |form: &Arrangement| match form {
            Arrangement::Plain(layout) => Self::plain(layout, T),
            Arrangement::Blocked(blocked) => Self::blocked(blocked),
        };
        arrangement.forms().map(one).fold(Self::default(), Self::max)
    }

    /// Room for either.
    fn max(self, other: Self) -> Self {
        Self {
            x: self.x.max(other.x),
            s: self.s.max(other.s),
            z: self.z.max(other.z),
            lambda: self.lambda.max(other.lambda),
            loss: self.loss.max(other.loss),
            partial: self.partial.max(other.partial),
            theta: self.theta.max(other.theta),
            moments: self.moments.max(other.moments),
            transposed: self.transposed.max(other.transposed),
            powers: self.powers.max(other.powers),
            sums: self.sums.max(other.sums),
        }
    }

    /// What both forms have.
    fn common(layout: &Layout, T: usize) -> Self {
        let theta = 4 * layout.dims.n_params() as u64;
        Self {
            x: quads(layout, T + 1, layout.dims.N),
            s: quads(layout, T + 1, layout.dims.K),
            loss: 8 * layout.groups() as u64,
            partial: 4 * layout.partial_len() as u64,
            theta,
            moments: 2 * theta,
            ..Self::default()
        }
    }

    pub fn plain(layout: &Layout, T: usize) -> Self {
        let M = layout.dims.M;
        Self {
            z: quads(layout, T + 1, M),
            lambda: if layout.wide { quads(layout, T, M) } else { 0 },
            transposed: if layout.wide { 4 * (M * M) as u64 } else { 0 },
            ..Self::common(layout, T)
        }
    }

    pub fn blocked(blocked: &Blocked) -> Self {
        let (rows, columns) = blocked.sums();
        Self {
            z: quads(&blocked.layout, 1, blocked.states_len()),
            lambda: quads(&blocked.layout, 1, blocked.back_len()),
            powers: 4 * blocked.powers_len() as u64,
            sums: 4 * (blocked.slices * rows * columns) as u64,
            ..Self::common(&blocked.layout, blocked.T)
        }
    }

    fn all(&self) -> [u64; 11] {
        [
            self.x,
            self.s,
            self.z,
            self.lambda,
            self.loss,
            self.partial,
            self.theta,
            self.moments,
            self.transposed,
            self.powers,
            self.sums,
        ]
    }

    /// Bytes of scratch memory.
    pub fn scratch(&self) -> u64 {
        self.x + self.s + self.z + self.lambda + self.loss + self.partial + self.powers + self.sums
    }

    /// How many members a chunk may have: no buffer above `max_buffer` (0 where one member's is), the scratch of
    /// a chunk within `budget` where that holds a member at all.
    pub fn members(&self, max_buffer: u64, budget: u64) -> u64 {
        let largest = self.all().into_iter().fold(1, u64::max);
        (max_buffer / largest).min((budget / self.scratch()).max(1))
    }
}

/// What a step computes on its way, for one chunk at a time.
#[derive(Debug)]
pub struct Scratch {
    pub x: wgpu::Buffer,
    pub s: wgpu::Buffer,
    pub z: wgpu::Buffer,
    pub lambda: wgpu::Buffer,
    pub loss: wgpu::Buffer,
    pub partial: wgpu::Buffer,
    pub powers: wgpu::Buffer,
    pub sums: wgpu::Buffer,
}

impl Scratch {
    /// Room for each of these chunks: what one member takes, and how many there are.
    pub fn new(gpu: &Gpu, chunks: &[(Footprint, usize)]) -> Self {
        let buffer = |label, one: fn(&Footprint) -> u64| {
            let bytes = chunks.iter().map(|(each, members)| one(each) * *members as u64);
            gpu.buffer(label, bytes.max().unwrap_or(0), STORAGE)
        };
        Self {
            x: buffer("x", |one| one.x),
            s: buffer("s", |one| one.s),
            z: buffer("z", |one| one.z),
            lambda: buffer("lambda", |one| one.lambda),
            loss: buffer("loss", |one| one.loss),
            partial: buffer("partial gradients", |one| one.partial),
            powers: buffer("powers", |one| one.powers),
            sums: buffer("sums", |one| one.sums),
        }
    }
}
