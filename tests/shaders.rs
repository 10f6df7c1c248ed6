//! Every shader, expanded for a grid of shapes, parses and validates with naga, keeps to the smallest workgroup memory and
//! thread count a WebGPU device may have, and gives every variable a value (see shaders/README.md). And the host's wiring on wgpu's noop device, which
//! computes nothing but refuses a wrong access mode, binding count or short buffer. No GPU or driver needed.

#![allow(non_snake_case, reason = "the paper's symbols")]

mod common;

use alrnn_gpu::backend::gpu::layout::Arrangement;
use alrnn_gpu::backend::gpu::layout::blocked::Blocked;
use alrnn_gpu::backend::gpu::layout::plain::{Capacity, Layout, Team};
use alrnn_gpu::backend::gpu::schedule::step::{free_run_constants, step};
use alrnn_gpu::backend::gpu::shader::reflect::Shader;
use alrnn_gpu::backend::gpu::shader::source::Constants;
use alrnn_gpu::backend::gpu::statistics::{Sizes, team};
use alrnn_gpu::backend::gpu::{Gpu, GpuBackend, GpuOptions};
use alrnn_gpu::backend::{Backend, Form, FreeModel, FreeRun, Windows};
use alrnn_gpu::model::{Dims, Shape, init};
use common::training;
use ndarray::{Array2, Array3};

fn layouts() -> Vec<Layout> {
    let mut layouts = Vec::new();
    for m in [1, 2, 3, 20, 33, 50, 64, 65, 100, 130, 133, 256] {
        for n in [1, 3, m] {
            for (s, k) in [(1, 0), (5, 2), (16, 0), (256, 1)] {
                if n <= m {
                    let dims = Dims::new(m, n, k).expect("valid");
                    let shape = Shape::new(dims, s, 7).expect("valid");
                    layouts.push(Layout::new(shape, s == 5, Capacity::FLOOR));
                }
            }
        }
    }
    layouts
}

/// What the kernels of a step are compiled from.
fn kernels(form: &Arrangement) -> Vec<(&'static str, Constants)> {
    let launches = step(form).into_iter();
    launches.map(|launch| (launch.kernel, launch.constants)).collect()
}

fn validate(kernels: Vec<(&'static str, Constants)>, context: &dyn std::fmt::Debug) {
    for (name, constants) in kernels {
        let shader = Shader::of_kernel(name, &constants).unwrap_or_else(|e| panic!("{context:?}: {e}"));
        let Capacity {
            workgroup_memory,
            threads,
            ..
        } = Capacity::FLOOR;
        assert!(
            shader.workgroup_memory as usize <= workgroup_memory,
            "{context:?}: {name} takes {} bytes of workgroup memory",
            shader.workgroup_memory
        );
        assert!(shader.workgroup_size as usize <= threads, "{context:?}: {name}");
        let unset = |line: &&str| line.trim().starts_with("var ") && !line.contains('=');
        let unset = shader.source.lines().find(unset);
        assert!(unset.is_none(), "{name} gives no value to {unset:?}");
        assert!(
            shader.bindings.len() <= 9,
            "{name} has more than 8 storage buffers"
        );
    }
}

#[test]
fn every_shader_validates_for_every_shape() {
    for layout in layouts() {
        let mut kernels = kernels(&Arrangement::Plain(layout));
        let team = Team::of_free_run(layout.dims.M, Capacity::FLOOR);
        let free_run = free_run_constants(&layout, team, layout.dims.N);
        kernels.push(("free_run", free_run));
        validate(kernels, &layout);
    }
}

/// What looks at the candidates of polishing, for segments of every length.
#[test]
fn every_shader_of_statistics_validates() {
    for (M, N, axes, bins) in [
        (1, 1, 1, 30),
        (20, 3, 3, 30),
        (64, 5, 3, 128),
        (100, 4, 2, 30),
        (256, 7, 3, 2),
    ] {
        let dims = Dims::new(M, N, 0).expect("valid");
        let layout = Layout::new(Shape::new(dims, 4, 1).expect("valid"), false, Capacity::FLOOR);
        for segment in [16, 64, 256, 2048] {
            let sizes = Sizes {
                dims,
                models: 24,
                rows: 20_481,
                axes,
                bins,
                columns: N,
                segment,
            };
            let kernels = sizes.kernels(&layout, team(&layout, Capacity::FLOOR));
            validate(kernels.to_vec(), &sizes);
        }
    }
}

/// The almost-linear form of shapes with and without ReLU units, inputs, linear observed units and a second block, with
/// every number of quads to a workgroup that fits.
#[test]
fn every_shader_validates_for_every_cut() {
    let mut fitting = [0; 3];
    for (m, n, k, s, t) in [
        (1, 1, 0, 1, 1),
        (2, 1, 2, 5, 7),
        (20, 3, 0, 16, 200),
        (33, 33, 1, 5, 20),
        (100, 5, 0, 16, 50),
        (133, 64, 0, 256, 100),
        (256, 7, 3, 6, 12),
    ] {
        for p in [0, 1, 2, m - n, m] {
            for (tau, longest) in [(1, 1), (5, 2), (16, 8), (1000, 32)] {
                let shape = Shape::new(Dims::new(m, n, k).expect("valid"), s, t).expect("valid");
                let p = p.min(m);
                let longest = longest.min(t);
                for blocked in Blocked::with_length(shape, s == 5, Capacity::FLOOR, (p, tau), longest) {
                    let V = blocked.layout.V;
                    let kernels = kernels(&Arrangement::Blocked(Box::new(blocked)));
                    validate(kernels, &(shape, p, tau, longest, V));
                    fitting[V / 2] += 1;
                }
            }
        }
    }
    println!("{fitting:?} cuts fit with 1, 2 and 4 quads");
    assert!(
        fitting[0] > 80 && fitting[1] > 40 && fitting[2] > 20,
        "only {fitting:?} cuts fit 16 KiB"
    );
}

/// Without these lines in Cargo.toml `tests/vulkan/` and `tests/webgpu/` compile, run none of their tests and report success.
#[test]
fn the_gpu_tests_run_their_own_harness() {
    let manifest: toml::Table = include_str!("../Cargo.toml").parse().expect("Cargo.toml parses");
    let targets = manifest["test"].as_array().expect("[[test]] is a list");
    for name in ["vulkan", "webgpu"] {
        let own = |t: &toml::Value| t["name"].as_str() == Some(name) && t["harness"].as_bool() == Some(false);
        assert!(targets.iter().any(own), "{targets:?}");
    }
}

fn noop() -> Gpu {
    let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
    Gpu::with_device(device, queue)
}

#[test]
fn the_host_wires_every_kernel_as_it_is_declared() {
    let backend = GpuBackend::with_gpu(
        noop(),
        &GpuOptions {
            memory: Some(1 << 20),
            ..GpuOptions::default()
        },
    );
    for (m, inputs, gaps, form) in [
        (20, false, false, Form::Plain),
        (20, true, true, Form::Plain),
        (70, true, false, Form::Plain),
        (20, true, true, Form::Blocked),
        (70, false, false, Form::Blocked),
    ] {
        let data = training::lorenz(20, inputs, gaps);
        let dims = Dims::new(m, 3, data.K).expect("valid");
        let mut plan = training::plan(training::crowd(8), data.K, 6, 20, form);
        plan.shape.dims = dims;
        let start = training::initial_state(&plan);
        let mut ensemble = backend
            .ensemble(plan.clone(), data, &start)
            .expect("every buffer is accepted");
        for _ in 0..2 {
            ensemble.train_epoch().expect("every dispatch is accepted");
        }
        assert_eq!(ensemble.results(true).expect("results are read").len(), 2);
        ensemble.windows(7, 3).expect("windows are read");
        assert_eq!(ensemble.state().expect("the state is read").members.len(), 8);

        let windows = Windows {
            x: Array3::zeros((6, 21, 3)),
            s: Array3::zeros((6, 21, dims.K)),
        };
        let theta = init(dims, 1);
        backend
            .gradient(plan.shape, &plan.members[0], form, &theta, &windows)
            .expect("every dispatch is accepted");
        let packed = theta.pack();
        let models = [FreeModel { theta: &packed, P: 2 }; 3];
        let runs = vec![
            FreeRun {
                x0: vec![0.0; 3],
                s: Array2::zeros((101, dims.K)),
                steps: 100,
            };
            5
        ];
        for latent in [false, true] {
            backend
                .free_run(dims, &models, &runs, latent)
                .expect("every dispatch is accepted");
        }
    }
}

/// As by every other backend: a division by `tau` and a subtraction of `P` await them.
#[test]
fn members_that_cannot_be_are_errors() {
    let backend = GpuBackend::with_gpu(noop(), &GpuOptions::default());
    let data = training::lorenz(20, false, false);
    for (P, tau) in [(21, 5), (2, 0)] {
        for form in [Form::Plain, Form::Blocked] {
            let mut plan = training::plan(training::crowd(1), 0, 4, 20, form);
            (plan.members[0].P, plan.members[0].tau) = (P, tau);
            let start = training::initial_state(&plan);
            let refused = backend.ensemble(plan.clone(), data.clone(), &start).err();
            assert_eq!(refused.expect("there is no such member").exit_code(), 2);
            let windows = Windows {
                x: Array3::zeros((4, 21, 3)),
                s: Array3::zeros((4, 21, 0)),
            };
            let theta = init(plan.shape.dims, 1);
            let refused = backend.gradient(plan.shape, &plan.members[0], form, &theta, &windows);
            assert_eq!(refused.expect_err("nor here").exit_code(), 2);
        }
    }
}

/// What the noop device is trusted with above: a mistake comes back as an error, not as a panic.
#[test]
fn a_refused_command_is_an_error() {
    let gpu = noop();
    let form = Arrangement::Plain(layouts().remove(0));
    let (name, constants) = kernels(&form).pop().expect("kernels");
    let kernel = gpu.kernel(name, &constants).expect("compiles");
    let short = gpu.scoped(|| {
        gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &kernel.layout,
            entries: &[],
        })
    });
    let error = short.expect_err("no binding is given");
    assert_eq!(error.exit_code(), 1);
    assert!(
        error.hint().is_some() && !error.to_string().contains('\n'),
        "{error}"
    );
    gpu.check().expect("the device is still usable");

    // Outside any scope it is kept and comes back from the next check.
    gpu.queue
        .write_buffer(&gpu.storage("small", &[0u32; 4]), 64, &[0; 16]);
    gpu.check().expect_err("the write was out of bounds");
    gpu.check().expect_err("and the device is not used after it");
}

#[test]
fn a_lost_device_is_an_error() {
    let gpu = noop();
    gpu.device.destroy();
    let result = gpu.read::<u32>(&gpu.storage("gone", &[1u32; 4]), 0, 4);
    let error = result.expect_err("the device is gone");
    assert_eq!(error.exit_code(), 1);
    assert!(error.hint().is_some(), "{error}");
}

#[test]
fn too_much_memory_is_an_error() {
    let gpu = noop();
    let result = gpu.scoped(|| gpu.buffer("huge", u64::MAX / 2, wgpu::BufferUsages::STORAGE));
    assert_eq!(result.expect_err("no device has that much").exit_code(), 1);
}

#[test]
fn a_member_too_large_for_any_buffer_is_an_error() {
    let backend = GpuBackend::with_gpu(noop(), &GpuOptions::default());
    let data = training::lorenz(1000, false, false);
    let mut plan = training::plan(training::crowd(1), 0, 256, 1000, Form::Plain);
    plan.shape.dims = Dims::new(256, 3, 0).expect("valid");
    let start = training::initial_state(&plan);
    let refused = backend
        .ensemble(plan, data, &start)
        .err()
        .expect("262 MB of states, 128 MiB a buffer");
    assert_eq!(refused.exit_code(), 1);
    assert!(refused.hint().is_some(), "{refused}");
}
