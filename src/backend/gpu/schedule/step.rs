//! What runs in one optimiser step.

use crate::backend::gpu::layout::Arrangement;
use crate::backend::gpu::layout::plain::{Layout, Team};
use crate::backend::gpu::shader::source::Constants;

const SAMPLE_THREADS: usize = 64;
const UPDATE_THREADS: usize = 256;

/// What a kernel is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Draws the windows.
    Sample,
    /// Computes states and loss.
    Forward,
    /// Computes the gradient and updates the parameters.
    Backward,
}

/// A kernel of a step and how often it runs.
#[derive(Clone, Debug)]
pub struct Launch {
    /// File under `shaders/`, without its extension.
    pub kernel: &'static str,
    pub phase: Phase,
    pub constants: Constants,
    /// Pieces that the work of a member falls into, and how many of them a workgroup does.
    pieces: (usize, usize),
}

impl Launch {
    /// Workgroups for this many members.
    pub fn workgroups(&self, members: usize) -> usize {
        (members * self.pieces.0).div_ceil(self.pieces.1)
    }
}

/// The kernels of a step in the order in which they run. Each passes over the members that another form computes; what is
/// fallen back on shares the windows that the first form drew.
pub fn step(form: &Arrangement) -> Vec<Launch> {
    use Phase::{Backward, Forward, Sample};
    let layout = form.layout();
    let groups = layout.groups();
    let launch = |kernel, phase, constants, pieces| Launch {
        kernel,
        phase,
        constants,
        pieces,
    };
    let threads = |threads| layout.constants().number("THREADS", threads);
    let of_team =
        |kernel, phase, team: Team| launch(kernel, phase, layout.team_constants(team), (groups, team.teams));
    let mut kernels = Vec::new();
    if !layout.fallback {
        let windows = layout.Q * sample_slices(layout.dims.N, layout.T);
        kernels.push(launch("sample", Sample, threads(SAMPLE_THREADS), (windows, 1)));
    }
    match form {
        Arrangement::Plain(_) => {
            kernels.push(of_team("forward", Forward, layout.forward));
            kernels.push(of_team("adjoint", Backward, layout.adjoint));
            if layout.wide {
                let tiles = layout.slices * layout.tiles * layout.tiles;
                kernels.push(launch("outer", Backward, layout.outer_constants(), (tiles, 1)));
            }
        }
        Arrangement::Blocked(b) => kernels.extend([
            launch("blocked/powers", Forward, b.matrix_constants(), (1, 1)),
            launch("blocked/forward", Forward, b.forward_constants(), (groups, 1)),
            launch("blocked/adjoint", Backward, b.adjoint_constants(), (groups, 1)),
            launch(
                "blocked/collect",
                Backward,
                b.collect_constants(),
                (b.slices * b.tiles(), 1),
            ),
            launch("blocked/pull_back", Backward, b.matrix_constants(), (1, 1)),
        ]),
    }
    kernels.push(launch("update", Backward, threads(UPDATE_THREADS), (1, 1)));
    kernels
}

/// Workgroups of `sample` to a quad.
pub fn sample_slices(N: usize, T: usize) -> usize {
    ((T + 1) * N).div_ceil(2).div_ceil(SAMPLE_THREADS)
}

/// The constants of `free_run` where it writes `D` rows (`N` observed or `M` latent ones).
pub fn free_run_constants(layout: &Layout, team: Team, D: usize) -> Constants {
    layout.team_constants(team).number("D", D)
}
