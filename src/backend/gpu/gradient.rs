//! Loss and gradient of one member for given windows: the training kernels `forward` to `update`, the last
//! stopped before it changes anything.

use std::sync::Arc;

use ndarray::{Array3, ArrayView3, Axis};

use crate::backend::gpu::ensemble::GpuEnsemble;
use crate::backend::gpu::layout::Arrangement;
use crate::backend::gpu::layout::blocked::Blocked;
use crate::backend::gpu::layout::plain::Layout;
use crate::backend::gpu::memory::params::{Params, Status};
use crate::backend::gpu::schedule::step::Phase;
use crate::backend::{
    EnsembleStart, EnsembleState, Form, Gradient, MISSING, Member, MemberState, Optimizer, Plan,
    TrainingData, Windows, check,
};
use crate::error::Result;
use crate::model::{Shape, Theta};

/// An ensemble of one member whose windows are given instead of drawn.
pub fn alone(
    shape: Shape,
    member: &Member,
    form: Form,
    theta: &Theta,
    windows: &Windows,
) -> Result<EnsembleStart> {
    check::windows(shape, member, theta, windows)?;
    Ok(EnsembleStart {
        plan: Plan {
            shape,
            members: vec![member.clone()],
            optimizer: Optimizer::default(),
            epochs: 1,
            batches_per_epoch: 1,
            form,
        },
        data: Arc::new(TrainingData {
            N: shape.dims.N,
            K: shape.dims.K,
            x: Vec::new(),
            s: Vec::new(),
            starts: Vec::new(),
            has_missing: windows.x.iter().any(|v| v.is_nan()),
        }),
        state: EnsembleState {
            step: 0,
            members: vec![MemberState::new(theta)],
        },
    })
}

/// What is read back once a gradient is computed.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: Status,
    /// `states` as the forward kernels leave it: the wide adjoint puts `z~` in the place of `z`.
    pub states: Vec<[f32; 4]>,
    pub partial: Vec<f32>,
}

impl Answer {
    /// Loss and gradient, and all states; `form` is the one that the step was computed in.
    pub fn decode(&self, form: &Arrangement, shape: Shape, theta: &Theta, windows: &Windows) -> Gradient {
        let Shape { dims, S, T } = shape;
        let states = &self.states;
        Gradient {
            mse: f64::from(self.status.mse),
            reg: f64::from(self.status.reg),
            theta: Theta::unpack(dims, &gather(form.layout(), &self.partial)),
            z: match form {
                Arrangement::Plain(_) => Array3::from_shape_fn((S, T, dims.M), |(s, t, m)| {
                    f64::from(states[((s / 4) * (T + 1) + t + 1) * dims.M + m][s % 4])
                }),
                Arrangement::Blocked(blocked) => between(blocked, shape, theta, windows, states),
            },
        }
    }
}

/// Vectors of `states` that one member's step leaves.
pub fn states_len(form: &Arrangement) -> usize {
    let layout = form.layout();
    let vectors = match form {
        Arrangement::Plain(_) => (layout.T + 1) * layout.dims.M,
        Arrangement::Blocked(blocked) => blocked.states_len(),
    };
    layout.Q * vectors
}

impl GpuEnsemble {
    /// Gradient of the first member of an ensemble at its parameters `theta`; see [`crate::backend::Backend::gradient`].
    pub fn gradient(&self, theta: &Theta, windows: &Windows) -> Result<Gradient> {
        let (gpu, scratch, chunk) = (&self.gpu, &self.scratch, &self.chunks[0]);
        let forms = &self.groups[chunk.group].forms;
        let _turn = scratch.turn();
        // A kernel that did not run must not look like a gradient of 0.
        for (_, buffer) in scratch.named() {
            gpu.queue
                .write_buffer(buffer, 0, &vec![0xff; buffer.size() as usize]);
        }
        let params = Params {
            gradient_only: 1,
            ..self.params(0)
        };
        let put = |buffer, bytes: &[u8]| gpu.queue.write_buffer(buffer, 0, bytes);
        put(&self.params, bytemuck::bytes_of(&params));
        let layout = forms[0].layout();
        let (x, s) = (quads(layout, windows.x.view()), quads(layout, windows.s.view()));
        put(scratch.buffer("x"), bytemuck::cast_slice(&x));
        put(scratch.buffer("s"), bytemuck::cast_slice(&s));

        self.run(Phase::Forward)?;
        let status = || gpu.read::<Status>(chunk.kept("status"), 0, 1);
        let form = &forms[status()?[0].form as usize];
        let states = gpu.read(scratch.buffer("states"), 0, states_len(form))?;
        self.run(Phase::Backward)?;
        let answer = Answer {
            status: status()?[0],
            states,
            partial: gpu.read(scratch.buffer("partial"), 0, form.layout().partial_len())?,
        };
        Ok(answer.decode(form, self.plan.shape, theta, windows))
    }

    fn run(&self, phase: Phase) -> Result<()> {
        self.gpu.scoped(|| {
            let mut encoder = self.gpu.encoder();
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            let stages = self.chunks[0].stages.iter();
            stages
                .filter(|s| s.phase == phase)
                .for_each(|stage| stage.encode(&mut pass, 0));
            drop(pass);
            self.gpu.queue.submit([encoder.finish()]);
        })
    }
}

/// All states, from those at the starts of blocks.
fn between(
    blocked: &Blocked,
    shape: Shape,
    theta: &Theta,
    windows: &Windows,
    states: &[[f32; 4]],
) -> Array3<f64> {
    let Shape { dims, S, T } = shape;
    let mut all = Array3::zeros((S, T, dims.M));
    for s in 0..S {
        let start = |block: usize| {
            let start = &states[(s / 4) * blocked.states_len() + block * dims.M..][..dims.M];
            start.iter().map(|lanes| f64::from(lanes[s % 4])).collect()
        };
        let inputs = windows.s.index_axis(Axis(0), s);
        blocked
            .segments
            .fill_in(theta, inputs, start, all.index_axis_mut(Axis(0), s));
    }
    all
}

/// The gradient that `update` left in the first partial of each parameter, in packed order.
fn gather(layout: &Layout, partial: &[f32]) -> Vec<f32> {
    let (M, W) = (layout.dims.M, layout.dims.range_W());
    let other = &partial[layout.W_parts() * M * M..][..layout.n_other()];
    [&other[..M], &partial[..W.len()], &other[M..]].concat()
}

/// Windows `[S, T+1, width]` in the kernels' layout `[Q][T+1][width]` of quads; NaN becomes [`MISSING`].
pub fn quads(layout: &Layout, values: ArrayView3<'_, f64>) -> Vec<[f32; 4]> {
    let (S, rows, width) = values.dim();
    let at = |s: usize, t: usize, i: usize| {
        let v = values[[s.min(S - 1), t, i]] as f32;
        if v.is_nan() { MISSING } else { v }
    };
    let index = (0..layout.Q).flat_map(|q| (0..rows).flat_map(move |t| (0..width).map(move |i| (q, t, i))));
    index
        .map(|(q, t, i)| std::array::from_fn(|lane| at(4 * q + lane, t, i)))
        .collect()
}
