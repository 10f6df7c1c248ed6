//! The published settings and two wide shapes, and every kernel of a step and of a free run for them.

use alrnn_gpu::backend::gpu::layout::Arrangement;
use alrnn_gpu::backend::gpu::layout::blocked::Blocked;
use alrnn_gpu::backend::gpu::layout::plain::{Capacity, Layout, Team};
use alrnn_gpu::backend::gpu::schedule::step::{free_run_constants, step};
use alrnn_gpu::backend::gpu::shader::reflect::{Binding, Shader};
use alrnn_gpu::backend::gpu::shader::source::Constants;
use alrnn_gpu::backend::gpu::statistics::{self, Sizes};
use alrnn_gpu::model::{Dims, Shape};

/// Sizes of a study; batches of 16 windows.
pub struct Study {
    pub name: &'static str,
    M: usize,
    N: usize,
    P: usize,
    T: usize,
    tau: usize,
    /// Steps in a block of the almost-linear form at most.
    block: usize,
}

const fn sizes(name: &'static str, [M, N, P, T, tau, block]: [usize; 6]) -> Study {
    Study {
        name,
        M,
        N,
        P,
        T,
        tau,
        block,
    }
}

pub const SHAPES: [Study; 8] = [
    sizes("lorenz63", [20, 3, 2, 200, 16, 8]),
    sizes("rossler", [20, 3, 2, 200, 20, 10]),
    sizes("lorenz96", [100, 20, 50, 50, 20, 5]),
    sizes("ecg", [100, 5, 2, 50, 10, 5]),
    sizes("eeg", [133, 64, 60, 100, 10, 5]),
    sizes("fmri", [50, 20, 2, 72, 7, 7]),
    sizes("m133", [133, 10, 2, 50, 10, 5]),
    sizes("m256", [256, 10, 2, 50, 10, 5]),
];

/// What a discrete card of today has.
const CARD: Capacity = Capacity {
    workgroup_memory: 48 << 10,
    threads: 1024,
    registers: 230,
};

/// A kernel of a shape.
pub struct Source {
    shape: &'static str,
    kernel: &'static str,
    pub shader: Shader,
}

impl Source {
    pub fn name(&self) -> String {
        format!("{} {}", self.shape, self.kernel)
    }

    /// The name as part of a file's.
    pub fn stem(&self) -> String {
        self.name().replace(' ', ".").replace('/', "_")
    }

    pub fn storage_buffers(&self) -> usize {
        self.shader
            .bindings
            .iter()
            .filter(|(_, kind)| *kind != Binding::Uniform)
            .count()
    }
}

/// The kernels of all forms, each once, the free run, and what looks at the candidates of polishing.
pub fn sources(sizes: &'static Study) -> Vec<Source> {
    let dims = Dims::new(sizes.M, sizes.N, 0).expect("these are sizes");
    let shape = Shape::new(dims, 16, sizes.T).expect("these are sizes");
    let layout = Layout::new(shape, false, CARD);
    let blocked = Blocked::with_length(shape, false, CARD, (sizes.P, sizes.tau), sizes.block);
    let blocked = blocked.map(|form| Arrangement::Blocked(Box::new(form)));
    let forms = [Arrangement::Plain(layout)].into_iter().chain(blocked);
    let steps = forms
        .flat_map(|form| step(&form))
        .map(|launch| (launch.kernel, launch.constants));
    let team = Team::of_free_run(sizes.M, CARD);
    let free_run = ("free_run", free_run_constants(&layout, team, sizes.N));
    let looked_at = Sizes {
        dims,
        models: 24,
        rows: 20_481,
        axes: sizes.N.min(3),
        bins: 30,
        columns: sizes.N,
        segment: 2_048,
    };
    let statistics = looked_at.kernels(&layout, statistics::team(&layout, CARD));
    let mut sources: Vec<Source> = Vec::new();
    for (kernel, constants) in steps.chain([free_run]).chain(statistics) {
        if sources.iter().all(|other| other.kernel != kernel) {
            sources.push(source(sizes.name, kernel, &constants));
        }
    }
    sources
}

fn source(shape: &'static str, kernel: &'static str, constants: &Constants) -> Source {
    let shader = Shader::of_kernel(kernel, constants).expect("a test validates every kernel");
    Source {
        shape,
        kernel,
        shader,
    }
}
