//! How a shape is laid out over threads, and the constants that tell the shaders.

use crate::backend::gpu::shader::source::Constants;
use crate::model::{Dims, Shape};

/// Largest `M` whose rows of `W` stay in registers; wider ones stream `W` from memory.
const MAX_SMALL_M: usize = 64;
/// Threads of a workgroup that are aimed at: a few warps, so that its barrier is cheap.
const AIM_THREADS: usize = 128;
/// Lanes that run together on most devices; a workgroup should fill a multiple of them.
pub const WARP: usize = 32;

/// Limits of a device that decide the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Bytes of workgroup memory.
    pub workgroup_memory: usize,
    /// Threads of a workgroup.
    pub threads: usize,
    /// Registers of a thread that kernels may fill, with some to spare for addresses: no API tells. Threads on NVIDIA's and AMD's
    /// devices have 256, on others down to 128, and what does not fit costs more than it saves.
    pub registers: usize,
}

impl Capacity {
    /// What every WebGPU device has.
    pub const FLOOR: Self = Self {
        workgroup_memory: 16 * 1024,
        threads: 256,
        registers: 110,
    };
}

/// A team of threads advances some quads of one member's sequences; a workgroup holds several teams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Team {
    /// Rows of `W` (columns, in the adjoint) to a thread.
    pub R: usize,
    /// Threads of a team.
    pub threads: usize,
    /// Teams in a workgroup.
    pub teams: usize,
}

impl Team {
    /// `team_memory` is the workgroup memory of a team, in bytes.
    pub fn new(M: usize, R: usize, team_memory: usize, capacity: Capacity) -> Self {
        let R = R.min(M);
        let threads = M.div_ceil(R);
        // Two words a thread for the final sums.
        let most = (capacity.workgroup_memory / (team_memory + 8 * threads + 32)).max(1);
        let most = most.min((AIM_THREADS.min(capacity.threads) / threads).max(1));
        // The fullest warps; a further warp must fill noticeably better, because it waits at the barriers too.
        let score = |teams: usize| {
            let used = teams * threads;
            used as f64 / used.next_multiple_of(WARP) as f64 - 0.05 * used.div_ceil(WARP) as f64
        };
        let teams = (1..=most)
            .max_by(|&a, &b| score(a).total_cmp(&score(b)))
            .unwrap_or(1);
        Self { R, threads, teams }
    }

    /// The team of a free run: one row a thread, because a free run has few sequences, so that its steps are short and latency
    /// is what counts.
    pub fn of_free_run(M: usize, capacity: Capacity) -> Self {
        Self::new(M, 1, 2 * M.next_multiple_of(GROUP) * 16, capacity)
    }

    pub fn workgroup_threads(&self) -> usize {
        self.threads * self.teams
    }
}

/// How the kernels of one ensemble are laid out: a function of the shape and the device alone, never of the
/// number of members, so that a member's bits do not depend on its company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    pub dims: Dims,
    pub S: usize,
    pub T: usize,
    /// Whether observations are missing.
    pub gaps: bool,
    /// Whether `W` is streamed from memory instead of held in registers.
    pub wide: bool,
    /// Whether this is the almost-linear form, see [`crate::backend::gpu::layout::blocked`].
    pub blocked: bool,
    /// Whether this is what another form falls back on.
    pub fallback: bool,
    /// Whether `update` keeps the copies of `A` and `W` that wide kernels read ([`Layout::copy`]), for this form or the one that
    /// it falls back on.
    pub copied: bool,
    /// Quads of sequences of a member.
    pub Q: usize,
    /// Quads that a workgroup of the almost-linear form advances together; 1 in the plain form.
    pub V: usize,
    /// The plain form's.
    pub team: Team,
    /// Slices over which the wide `dW` is summed separately.
    pub slices: usize,
    /// Tiles of the wide `dW` along one side, and 4 × 4 blocks along the side of a tile.
    pub tiles: usize,
    pub block: usize,
}

/// Rows of `W` (columns, in the adjoint) to a thread. Narrow: one, because with two to five an H200 is slower at any number of
/// models from 64 to 512 (`benches/RESULTS.md`): steps get longer, and fewer threads hide it. Wide: a `vec4` of weights.
const ROWS_NARROW: usize = 1;
const ROWS_WIDE: usize = 4;
/// Columns of `W` that wide kernels take in a turn of their loops.
const GROUP: usize = 4;

/// Time steps that `outer` stages at a time.
const OUTER_STEPS: usize = 4;

impl Layout {
    pub fn new(shape: Shape, gaps: bool, capacity: Capacity) -> Self {
        Self::with_width(shape, gaps, capacity, shape.dims.M > MAX_SMALL_M)
    }

    /// The layout with `wide` chosen by the caller.
    pub fn with_width(shape: Shape, gaps: bool, capacity: Capacity, wide: bool) -> Self {
        let Shape { dims, S, T } = shape;
        let M = dims.M;
        let Q = S.div_ceil(4);
        let buffer = 2 * M.next_multiple_of(if wide { GROUP } else { 1 }) * 16;
        let team = Team::new(M, if wide { ROWS_WIDE } else { ROWS_NARROW }, buffer, capacity);
        let blocks = M.div_ceil(4);
        let tiles = blocks.div_ceil(16);
        Self {
            dims,
            S,
            T,
            gaps,
            wide,
            blocked: false,
            fallback: false,
            copied: wide,
            Q,
            V: 1,
            team,
            slices: if Q.is_multiple_of(4) { 4 } else { 1 },
            tiles,
            block: blocks.div_ceil(tiles),
        }
    }

    /// What wide kernels read of a member's `A` and `W`: see `shaders/shared/index.wgsl`; nothing where there are none.
    pub fn copy(&self, theta: &[f32]) -> Vec<f32> {
        if !self.copied {
            return Vec::new();
        }
        let M = self.dims.M;
        let quarter = M.div_ceil(4);
        let mut copy = vec![0.0; (2 * M + 1) * 4 * quarter];
        let (vectors, _) = copy.as_chunks_mut::<4>();
        let mut put = |vector: usize, i: usize, value: f32| {
            vectors[vector * quarter + i % quarter][i / quarter] = value
        };
        for (k, &w) in theta[self.dims.range_W()].iter().enumerate() {
            let (i, j) = (k / M, k % M);
            put(j, i, w);
            put(M + i, j, w);
        }
        for (i, &a) in theta[..M].iter().enumerate() {
            put(2 * M, i, a);
        }
        copy
    }

    /// Teams of a member.
    pub fn groups(&self) -> usize {
        self.Q / self.V
    }

    /// Partial gradients of `W` of a member.
    pub fn W_parts(&self) -> usize {
        match (self.blocked, self.wide) {
            (true, _) => 1,
            (_, true) => self.slices,
            _ => self.groups(),
        }
    }

    /// Parameters other than `W`.
    pub fn n_other(&self) -> usize {
        self.dims.n_params() - self.dims.M * self.dims.M
    }

    /// Floats of a member's partial gradients.
    pub fn partial_len(&self) -> usize {
        self.W_parts() * self.dims.M * self.dims.M + self.groups() * self.n_other()
    }

    /// The constants that `shaders/shared/index.wgsl` is written in, and the flags.
    pub fn constants(&self) -> Constants {
        Constants::default()
            .number("M", self.dims.M)
            .number("N", self.dims.N)
            .number("K", self.dims.K)
            .number("S", self.S)
            .number("Q", self.Q)
            .number("GROUPS", self.groups())
            .number("GW", self.W_parts())
            .flag("INPUTS", self.dims.K > 0)
            .flag("GAPS", self.gaps)
            .flag("WIDE", self.wide)
            .flag("COPIED", self.copied)
            .number("GROUP", if self.wide { GROUP } else { 1 })
            .number("FORM", usize::from(self.fallback))
    }

    /// Those of `outer`, which makes the wide `dW`.
    pub fn outer_constants(&self) -> Constants {
        self.constants()
            .number("TILES", self.tiles)
            .number("DOWN", self.block)
            .number("ACROSS", self.block)
            .number("STEPS", OUTER_STEPS)
            .number("SLICE_QUADS", self.Q / self.slices)
    }

    /// [`Layout::constants`] and those of a kernel whose threads form teams.
    pub fn team_constants(&self, team: Team) -> Constants {
        self.constants()
            .number("R", team.R)
            .number("RN", team.R.min(self.dims.N.div_ceil(team.threads)))
            .number("TEAM", team.threads)
            .number("TEAMS", team.teams)
            .number("THREADS", team.workgroup_threads())
    }
}
