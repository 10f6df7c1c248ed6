//! Shaders by name, and pipelines made from them.

use crate::backend::gpu::consts::{Layout, OUTER_STEPS, Team};
use crate::backend::gpu::reflect::Shader;
use crate::backend::gpu::source::{Constants, expand};

/// The kernels of the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    Sample,
    Forward,
    Adjoint,
    Outer,
    Update,
    FreeRun,
}

impl Name {
    pub const ALL: [Self; 6] = [
        Self::Sample,
        Self::Forward,
        Self::Adjoint,
        Self::Outer,
        Self::Update,
        Self::FreeRun,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sample => "sample",
            Self::Forward => "forward",
            Self::Adjoint => "adjoint",
            Self::Outer => "outer",
            Self::Update => "update",
            Self::FreeRun => "free_run",
        }
    }

    /// The file under `shaders/`.
    pub fn text(self) -> &'static str {
        match self {
            Self::Sample => include_str!("../../../shaders/sample.wgsl"),
            Self::Forward => include_str!("../../../shaders/forward.wgsl"),
            Self::Adjoint => include_str!("../../../shaders/adjoint.wgsl"),
            Self::Outer => include_str!("../../../shaders/outer.wgsl"),
            Self::Update => include_str!("../../../shaders/update.wgsl"),
            Self::FreeRun => include_str!("../../../shaders/free_run.wgsl"),
        }
    }

    /// The constants of this kernel for a layout; a free run here writes observed rows.
    pub fn constants(self, layout: &Layout) -> Constants {
        match self {
            Self::Sample => layout.constants().number("THREADS", SAMPLE_THREADS),
            Self::Forward => layout.team_constants(layout.forward),
            Self::Adjoint => layout.team_constants(layout.adjoint),
            Self::Outer => layout
                .constants()
                .number("TILES", layout.tiles)
                .number("BLOCK", layout.block)
                .number("STEPS", OUTER_STEPS)
                .number("SLICE_QUADS", layout.Q / layout.slices),
            Self::Update => layout.constants().number("THREADS", UPDATE_THREADS),
            Self::FreeRun => layout.team_constants(layout.forward).number("D", layout.dims.N),
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

/// The constants of a free run that writes `D` rows (`N` observed or `M` latent ones).
pub fn free_run_constants(layout: &Layout, team: Team, D: usize) -> Constants {
    layout.team_constants(team).number("D", D)
}
