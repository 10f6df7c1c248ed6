//! Loss and gradient of one member for given windows: the training kernels `forward` to `update`, the last
//! stopped before it changes anything.
#![allow(non_snake_case, reason = "the paper's symbols")]

use ndarray::{Array3, ArrayView3, Axis};

use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::layout::blocked::Blocked;
use crate::backend::gpu::layout::choose::Arrangement;
use crate::backend::gpu::layout::plain::Layout;
use crate::backend::gpu::memory::buffers::{UNIFORM, UNIFORM_STRIDE};
use crate::backend::gpu::memory::footprint::{Footprint, Scratch};
use crate::backend::gpu::memory::params::{Params, Status};
use crate::backend::gpu::schedule::chunk::{Chunk, Common, Data, Group};
use crate::backend::gpu::shader::kernel::Name;
use crate::backend::{Gradient, MISSING, Member, MemberState, Windows};
use crate::error::{Error, Result};
use crate::model::{Shape, Theta};

/// See [`crate::backend::Backend::gradient`].
pub fn gradient(
    gpu: &Gpu,
    arrangement: Arrangement,
    shape: Shape,
    member: &Member,
    theta: &Theta,
    windows: &Windows,
) -> Result<Gradient> {
    let Shape { dims, T, .. } = shape;
    let one = Footprint::new(&arrangement, T);
    if one.members(gpu.max_buffer(), u64::MAX) == 0 {
        return Err(
            Error::runtime(format!("{} cannot hold a batch of this shape", gpu.info.name))
                .with_hint("use a smaller --batch-size or --T, or --backend cpu"),
        );
    }
    let group = Group::new(gpu, arrangement, vec![0])?;
    let layout = group.arrangement.layout();
    let data = Data::none(gpu)?;
    let (scratch, chunk, params) = gpu.scoped(|| {
        let scratch = Scratch::new(gpu, &[(one, 1)]);
        let params = gpu.buffer("params", UNIFORM_STRIDE, UNIFORM);
        let common = Common {
            gpu,
            shape,
            data: &data,
            scratch: &scratch,
            params: &params,
        };
        let chunk = Chunk::new(
            common,
            (0, &group),
            &group.members,
            std::slice::from_ref(member),
            &[MemberState::new(theta)],
        );
        (scratch, chunk, params)
    })?;

    let values = Params {
        gradient_only: 1,
        T: T as u32,
        targets: (shape.S * T * dims.N) as f32,
        ..Params::default()
    };
    gpu.queue.write_buffer(&params, 0, bytemuck::bytes_of(&values));
    gpu.queue.write_buffer(
        &scratch.x,
        0,
        bytemuck::cast_slice(&quads(layout, windows.x.view())),
    );
    if dims.K > 0 {
        gpu.queue.write_buffer(
            &scratch.s,
            0,
            bytemuck::cast_slice(&quads(layout, windows.s.view())),
        );
    }
    // A kernel that did not run must not look like a gradient of 0.
    let Scratch {
        z,
        partial,
        loss,
        lambda,
        powers,
        sums,
        ..
    } = &scratch;
    for buffer in [z, partial, loss, lambda, powers, sums] {
        gpu.queue
            .write_buffer(buffer, 0, &vec![0xff; buffer.size() as usize]);
    }

    let run = |wanted: &dyn Fn(Name) -> bool| -> Result<()> {
        gpu.scoped(|| {
            let mut encoder = gpu
                .device
                .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            for stage in chunk.stages().iter().filter(|s| wanted(s.kernel.name)) {
                stage.encode(&mut pass, 0);
            }
            drop(pass);
            gpu.queue.submit([encoder.finish()]);
        })
    };
    let way_there = |name| matches!(name, Name::Powers | Name::Forward | Name::BlockedForward);
    run(&way_there)?;
    let form = gpu.read::<Status>(&chunk.status, 0, 1)?[0].form as usize;
    let arrangement = group.arrangement.forms().nth(form);
    let arrangement = arrangement.expect("the kernels know of no other forms");
    // Read before the wide adjoint puts z~ in the place of z.
    let z: Vec<[f32; 4]> = gpu.read(&scratch.z, 0, one.z as usize / 16)?;
    let z = match arrangement {
        Arrangement::Plain(_) => Array3::from_shape_fn((shape.S, T, dims.M), |(s, t, m)| {
            f64::from(z[((s / 4) * (T + 1) + t + 1) * dims.M + m][s % 4])
        }),
        Arrangement::Blocked(blocked) => between(blocked, shape, theta, windows, &z),
    };

    run(&|name| name != Name::Sample && !way_there(name))?;

    let layout = arrangement.layout();
    let partial: Vec<f32> = gpu.read(&scratch.partial, 0, layout.partial_len())?;
    let status = gpu.read::<Status>(&chunk.status, 0, 1)?[0];

    Ok(Gradient {
        mse: f64::from(status.mse),
        reg: f64::from(status.reg),
        theta: Theta::unpack(dims, &gather(layout, &partial)),
        z,
    })
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
fn quads(layout: &Layout, values: ArrayView3<'_, f64>) -> Vec<[f32; 4]> {
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
