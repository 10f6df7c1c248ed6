//! Shaders by name, and the kernels of an optimiser step in either form.
#![allow(non_snake_case, reason = "the paper's symbols")]

use crate::backend::gpu::layout::blocked::Blocked;
use crate::backend::gpu::layout::plain::{Layout, OUTER_STEPS, Team};
use crate::backend::gpu::shader::reflect::Shader;
use crate::backend::gpu::shader::source::{Constants, expand};

/// The kernels of the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    Sample,
    Forward,
    Adjoint,
    Outer,
    Update,
    FreeRun,
    /// Those of the almost-linear form.
    Powers,
    BlockedForward,
    BlockedAdjoint,
    Collect,
    PullBack,
}

impl Name {
    /// The file under `shaders/`, without its extension.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sample => "sample",
            Self::Forward => "forward",
            Self::Adjoint => "adjoint",
            Self::Outer => "outer",
            Self::Update => "update",
            Self::FreeRun => "free_run",
            Self::Powers => "blocked/powers",
            Self::BlockedForward => "blocked/forward",
            Self::BlockedAdjoint => "blocked/adjoint",
            Self::Collect => "blocked/collect",
            Self::PullBack => "blocked/pull_back",
        }
    }

    /// The text of the file.
    pub fn text(self) -> &'static str {
        match self {
            Self::Sample => include_str!("../../../../shaders/sample.wgsl"),
            Self::Forward => include_str!("../../../../shaders/forward.wgsl"),
            Self::Adjoint => include_str!("../../../../shaders/adjoint.wgsl"),
            Self::Outer => include_str!("../../../../shaders/outer.wgsl"),
            Self::Update => include_str!("../../../../shaders/update.wgsl"),
            Self::FreeRun => include_str!("../../../../shaders/free_run.wgsl"),
            Self::Powers => include_str!("../../../../shaders/blocked/powers.wgsl"),
            Self::BlockedForward => include_str!("../../../../shaders/blocked/forward.wgsl"),
            Self::BlockedAdjoint => include_str!("../../../../shaders/blocked/adjoint.wgsl"),
            Self::Collect => include_str!("../../../../shaders/blocked/collect.wgsl"),
            Self::PullBack => include_str!("../../../../shaders/blocked/pull_back.wgsl"),
        }
    }

    pub fn shader(self, constants: &Constants) -> Result<Shader, String> {
        expand(self.text(), constants)
            .and_then(Shader::new)
            .map_err(|e| format!("shaders/{}.wgsl: {e}", self.as_str()))
    }
}

pub const SAMPLE_THREADS: usize = 64;
pub const UPDATE_THREADS: usize = 256;

fn sample(layout: &Layout) -> (Name, Constants) {
    (Name::Sample, layout.constants().number("THREADS", SAMPLE_THREADS))
}

fn update(layout: &Layout) -> (Name, Constants) {
    (Name::Update, layout.constants().number("THREADS", UPDATE_THREADS))
}

/// The kernels of a step in the plain form, in the order in which they run, with their constants.
pub fn plain(layout: &Layout) -> Vec<(Name, Constants)> {
    let mut kernels = vec![
        sample(layout),
        (Name::Forward, layout.team_constants(layout.forward)),
        (Name::Adjoint, layout.team_constants(layout.adjoint)),
    ];
    if layout.wide {
        let outer = layout
            .constants()
            .number("TILES", layout.tiles)
            .number("BLOCK", layout.block)
            .number("STEPS", OUTER_STEPS)
            .number("SLICE_QUADS", layout.Q / layout.slices);
        kernels.push((Name::Outer, outer));
    }
    kernels.push(update(layout));
    kernels
}

/// The same in the almost-linear form.
pub fn blocked(blocked: &Blocked) -> Vec<(Name, Constants)> {
    vec![
        sample(&blocked.layout),
        (Name::Powers, blocked.matrix_constants()),
        (Name::BlockedForward, blocked.forward_constants()),
        (Name::BlockedAdjoint, blocked.adjoint_constants()),
        (Name::Collect, blocked.collect_constants()),
        (Name::PullBack, blocked.matrix_constants()),
        update(&blocked.layout),
    ]
}

/// The constants of a free run that writes `D` rows (`N` observed or `M` latent ones).
pub fn free_run_constants(layout: &Layout, team: Team, D: usize) -> Constants {
    layout.team_constants(team).number("D", D)
}
