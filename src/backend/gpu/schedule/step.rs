//! What runs in one optimiser step.

use crate::backend::Plan;
use crate::backend::gpu::layout::Arrangement;
use crate::backend::gpu::layout::plain::{Layout, Team};
use crate::backend::gpu::memory::params::Params;
use crate::backend::gpu::shader::source::Constants;
use crate::model::Shape;

const SAMPLE_THREADS: usize = 64;
const UPDATE_THREADS: usize = 256;

/// What a kernel is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
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
            kernels.push(of_team("forward", Forward, layout.team));
            kernels.push(of_team("adjoint", Backward, layout.team));
            if layout.wide {
                let tiles = layout.slices * layout.tiles * layout.tiles;
                kernels.push(launch("outer", Backward, layout.outer_constants(), (tiles, 1)));
            }
        }
        Arrangement::Blocked(b) => {
            let [forward, adjoint] = match b.fused {
                Some(_) => ["fused/forward", "fused/adjoint"],
                None => ["blocked/forward", "blocked/adjoint"],
            };
            kernels.extend([
                launch("blocked/powers", Forward, b.matrix_constants(), (1, 1)),
                launch(forward, Forward, b.forward_constants(), (groups, 1)),
                launch(adjoint, Backward, b.adjoint_constants(), (groups, 1)),
            ]);
            if b.fused.is_none() {
                let tiles = b.slices * b.tiles();
                kernels.push(launch(
                    "blocked/collect",
                    Backward,
                    b.collect_constants(),
                    (tiles, 1),
                ));
            }
            kernels.push(launch(
                "blocked/pull_back",
                Backward,
                b.matrix_constants(),
                (1, 1),
            ));
        }
    }
    kernels.push(launch("update", Backward, threads(UPDATE_THREADS), (1, 1)));
    kernels
}

/// What all members are told of optimiser step `step`, counted from 0, on data in which windows may start at `starts` rows.
pub fn params(plan: &Plan, starts: usize, step: u32) -> Params {
    let Shape { dims, S, T } = plan.shape;
    let coefficients = plan.optimizer.coefficients(step + 1);
    Params {
        step,
        first: u32::from(step.is_multiple_of(plan.batches_per_epoch)),
        T: T as u32,
        starts: starts as u32,
        slices: sample_slices(dims.N, T) as u32,
        m_scale: coefficients.m_scale as f32,
        v_scale: coefficients.v_scale as f32,
        rect: coefficients.rect as f32,
        targets: (S * T * dims.N) as f32,
        ..Params::default()
    }
}

/// Learning rate and standard deviation of the noise of some members in an epoch.
pub fn rates(plan: &Plan, members: &[usize], epoch: u32) -> Vec<[f32; 2]> {
    let members = members.iter().map(|&e| &plan.members[e]);
    members
        .map(|member| {
            let (lr, noise) = (
                member.learning_rate(epoch, plan.epochs),
                member.noise_in(epoch, plan.epochs),
            );
            [lr as f32, noise as f32]
        })
        .collect()
}

/// Workgroups of `sample` to a quad.
pub fn sample_slices(N: usize, T: usize) -> usize {
    ((T + 1) * N).div_ceil(2).div_ceil(SAMPLE_THREADS)
}

/// The constants of `free_run` where it writes `D` rows (`N` observed or `M` latent ones).
pub fn free_run_constants(layout: &Layout, team: Team, D: usize) -> Constants {
    layout.team_constants(team).number("D", D)
}
