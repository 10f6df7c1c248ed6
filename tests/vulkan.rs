//! What runs on an adapter (hardware, or a software one such as lavapipe). Without any, every test is listed as
//! ignored and the last lines say so; ALRNN_REQUIRE_GPU=1 makes that a failure.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod common;

use std::process::ExitCode;
use std::sync::Arc;

use alrnn_gpu::backend::golden::{TOLERANCE, check_case};
use alrnn_gpu::backend::gpu::source::{Constants, expand};
use alrnn_gpu::backend::gpu::{AdapterDescription, Gpu, GpuBackend, GpuOptions, adapters};
use alrnn_gpu::backend::reference::ReferenceBackend;
use alrnn_gpu::backend::{Backend, Form, FreeModel, FreeRun, Member, TrainingData, Windows};
use alrnn_gpu::model::{Dims, Shape, Theta, init};
use alrnn_gpu::rng::{normal_pair, threefry2x32};
use common::training;
use libtest_mimic::{Arguments, Trial};
use ndarray::{Array2, Array3};

type Check = fn(&GpuBackend);

const TESTS: &[(&str, Check)] = &[
    ("random_numbers", random_numbers),
    ("golden_cases", |gpu| {
        common::golden::check(gpu, Form::Plain, 1e-4)
    }),
    ("golden_cases_blocked", |gpu| {
        common::golden::check(gpu, Form::Blocked, 1e-4)
    }),
    ("every_block_length_matches_the_golden_cases", every_block_length),
    ("odd_shapes_match_the_reference", |gpu| {
        odd_shapes(gpu, Form::Plain)
    }),
    ("odd_shapes_blocked_match_the_reference", |gpu| {
        odd_shapes(gpu, Form::Blocked)
    }),
    ("random_shapes_blocked_match_the_reference", random_shapes),
    ("selftest_passes_from_the_command_line", selftest),
    ("windows_match_the_reference", |gpu| {
        training::windows_match_the_reference(gpu)
    }),
    ("training_matches_the_reference", |gpu| {
        training::matches_the_reference(gpu, Form::Plain)
    }),
    ("blocked_training_matches_the_reference", |gpu| {
        training::matches_the_reference(gpu, Form::Blocked)
    }),
    ("wide_training_matches_the_reference", wide_training),
    ("a_crowd_changes_nothing", |gpu| {
        training::crowd_changes_nothing(gpu, Form::Auto)
    }),
    ("a_crowd_changes_nothing_blocked", |gpu| {
        training::crowd_changes_nothing(gpu, Form::Blocked)
    }),
    ("chunks_change_nothing", chunks_change_nothing),
    ("submissions_change_nothing", submissions_change_nothing),
    ("profile_times_every_kernel", profile_times_every_kernel),
    ("resume_changes_nothing", |gpu| {
        training::resume_changes_nothing(gpu, Form::Auto)
    }),
    ("resume_changes_nothing_blocked", |gpu| {
        training::resume_changes_nothing(gpu, Form::Blocked)
    }),
    ("divergence_stays_alone", |gpu| {
        training::divergence_stays_alone(gpu, Form::Auto)
    }),
    ("divergence_stays_alone_blocked", |gpu| {
        training::divergence_stays_alone(gpu, Form::Blocked)
    }),
    ("results_come_without_waiting", results_come_without_waiting),
    ("free_runs_match_the_reference", free_runs),
    ("threads_share_the_device", threads_share_the_device),
    ("unknown_adapter_is_one_sentence", unknown_adapter),
    ("a_lost_device_is_one_sentence", lost_device),
];

fn open() -> GpuOptions {
    GpuOptions {
        allow_software: true,
        ..GpuOptions::default()
    }
}

/// Relative L2 distance.
fn distance<'a>(got: impl IntoIterator<Item = &'a f64>, want: impl IntoIterator<Item = &'a f64>) -> f64 {
    let (mut difference, mut size) = (0.0, 0.0);
    for (a, b) in got.into_iter().zip(want) {
        difference += (a - b) * (a - b);
        size += b * b;
    }
    if size == 0.0 {
        difference.sqrt()
    } else {
        (difference / size).sqrt()
    }
}

/// The WGSL twins of `rng` against it: threefry to the bit, with its published known answers, normals to rounding.
fn random_numbers(_: &GpuBackend) {
    const COUNT: usize = 4096;
    let text = "#import threefry\n#import normal\n\
        @group(0) @binding(0) var<storage, read> words: array<vec4<u32>>;\n\
        @group(0) @binding(1) var<storage, read_write> out: array<vec4<u32>>;\n\
        @compute @workgroup_size(64)\n\
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {\n\
            let w = words[id.x];\n\
            let bits = threefry2x32(w.xy, w.zw);\n\
            let n = normal_pair(bits);\n\
            out[2 * id.x] = vec4(bits, bitcast<vec2<u32>>(n));\n\
            out[2 * id.x + 1] = vec4(uniform_index(bits.x, w.w), 0u, 0u, 0u);\n\
        }";
    let source = expand(text, &Constants::default()).expect("the imports exist");
    let mut words: Vec<[u32; 4]> = (0..COUNT as u32)
        .map(|i| [i % 7, 1, i, 0xffff_fff0 ^ (i << 9)])
        .collect();
    words[0] = [0; 4];
    words[1] = [u32::MAX; 4];
    words[2] = [0x1319_8a2e, 0x0370_7344, 0x243f_6a88, 0x85a3_08d3];
    let gpu = Gpu::open(&open()).expect("opened before");
    let out = run_raw(&gpu, &source, &words, 2 * COUNT);

    let known = [
        [0x6b20_0159, 0x99ba_4efe],
        [0x1cb9_96fc, 0xbb00_2be7],
        [0xc492_3a9c, 0x483d_f7a0],
    ];
    for (i, expected) in known.into_iter().enumerate() {
        assert_eq!(out[2 * i][..2], expected, "known answer {i}");
    }
    for (w, got) in words.iter().zip(out.chunks_exact(2)) {
        let bits = threefry2x32([w[0], w[1]], [w[2], w[3]]);
        assert_eq!(got[0][..2], bits, "threefry of {w:x?}");
        assert_eq!(got[1][0], alrnn_gpu::rng::index(bits[0], w[3]), "index of {w:x?}");
        for (a, b) in got[0][2..]
            .iter()
            .map(|&n| f32::from_bits(n))
            .zip(normal_pair(bits))
        {
            assert!(
                (a - b).abs() <= 1e-6 * (1.0 + b.abs()),
                "normal of {w:x?}: {a:e}, host {b:e}"
            );
        }
    }
}

/// Runs a kernel of one input and one output, 64 invocations a workgroup.
fn run_raw(gpu: &Gpu, source: &str, input: &[[u32; 4]], outputs: usize) -> Vec<[u32; 4]> {
    let module = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(source.into()),
    });
    let pipeline = gpu
        .device
        .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
    let buffers = [
        gpu.storage("in", input),
        gpu.storage("out", &vec![[u32::MAX; 4]; outputs]),
    ];
    let entries: Vec<_> = buffers
        .iter()
        .zip(0..)
        .map(|(buffer, binding)| wgpu::BindGroupEntry {
            binding,
            resource: buffer.as_entire_binding(),
        })
        .collect();
    let bind = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries,
    });
    let mut encoder = gpu
        .device
        .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &bind, &[]);
        pass.dispatch_workgroups(input.len() as u32 / 64, 1, 1);
    }
    gpu.queue.submit([encoder.finish()]);
    gpu.read(&buffers[1], 0, outputs).expect("the results are read")
}

/// Parameters whose recurrence neither dies out nor explodes over a few steps.
fn theta(dims: Dims, seed: u32) -> Theta {
    let mut theta = init(dims, seed);
    let spread = 60.0 / (dims.M as f64).sqrt();
    theta.W.mapv_inplace(|w| spread * w);
    theta.A.mapv_inplace(|a| 0.6 * a);
    theta
        .h
        .indexed_iter_mut()
        .for_each(|(i, h)| *h = 0.1 * (i as f64).sin());
    theta
}

fn windows(shape: Shape, gaps: bool) -> Windows {
    let wave = |s: usize, t: usize, n: usize| (0.7 * s as f64 + 0.31 * t as f64 + 1.3 * n as f64).sin();
    let Shape { dims, S, T } = shape;
    Windows {
        x: Array3::from_shape_fn((S, T + 1, dims.N), |(s, t, n)| {
            let missing = gaps && (s + 2 * t + 3 * n) % 5 == 0;
            if missing { f64::NAN } else { wave(s, t, n) }
        }),
        s: Array3::from_shape_fn((S, T + 1, dims.K), |(s, t, k)| wave(s + 3, t, k + 7)),
    }
}

/// Sizes at the edges of every layout: one unit, not a multiple of 4, just above 64, the largest.
fn odd_shapes(gpu: &GpuBackend, form: Form) {
    //        M    N   K   S   T  P    tau  alpha gaps
    let cases = [
        (1, 1, 0, 1, 1, 0, 1, 1.0, false),
        (2, 1, 0, 5, 3, 2, 1, 0.5, true),
        (5, 5, 2, 4, 9, 5, 2, 1.0, false),
        (20, 3, 0, 17, 20, 0, 4, 0.3, false),
        (33, 33, 0, 3, 6, 33, 3, 1.0, true),
        (64, 10, 1, 6, 8, 20, 5, 1.0, false),
        (65, 3, 0, 7, 8, 65, 4, 0.7, false),
        (100, 5, 3, 16, 12, 2, 10, 1.0, true),
        (130, 130, 0, 5, 5, 60, 2, 1.0, false),
        (256, 7, 0, 6, 6, 128, 3, 1.0, false),
        (20, 3, 0, 256, 4, 2, 2, 1.0, false),
    ];
    for (M, N, K, S, T, P, tau, alpha, gaps) in cases {
        let shape = Shape::new(Dims::new(M, N, K).expect("valid sizes"), S, T).expect("valid sizes");
        let member = Member {
            P,
            tau,
            alpha,
            lambda_lat: 0.1,
            lambda_obs: 0.01,
            ..training::member(1)
        };
        agree(gpu, form, shape, &member, gaps);
    }
}

/// Loss, states and gradient are those of the reference; the largest relative error.
fn agree(gpu: &GpuBackend, form: Form, shape: Shape, member: &Member, gaps: bool) -> f64 {
    let (theta, windows) = (theta(shape.dims, 3), windows(shape, gaps));
    let run = |b: &dyn Backend| {
        b.gradient(shape, member, form, &theta, &windows)
            .expect("the gradient is computed")
    };
    let (got, want) = (run(gpu), run(&ReferenceBackend::new()));
    let errors = [
        ("loss", distance(&[got.mse, got.reg], &[want.mse, want.reg])),
        ("z", distance(&got.z, &want.z)),
        ("dA", distance(&got.theta.A, &want.theta.A)),
        ("dW", distance(&got.theta.W, &want.theta.W)),
        ("dh", distance(&got.theta.h, &want.theta.h)),
        ("dL", distance(&got.theta.L, &want.theta.L)),
        ("dC", distance(&got.theta.C, &want.theta.C)),
    ];
    println!(
        "{form:?} {shape:?} P {} tau {} alpha {} gaps {gaps}: {errors:?}",
        member.P, member.tau, member.alpha
    );
    for (name, error) in errors {
        assert!(
            error <= 1e-5,
            "{name} at {form:?} {shape:?} {member:?}: relative error {error:e}"
        );
    }
    errors.iter().map(|&(_, error)| error).fold(0.0, f64::max)
}

/// Golden cases in blocks of every length that their forcing interval allows.
fn every_block_length(_: &GpuBackend) {
    let mut lengths = 0;
    for case in common::golden::all_cases() {
        let longest = case.member.tau.min(case.shape.T);
        // With inputs and gaps; every unit a ReLU; never forced.
        if !["both", "all_relu", "no_forcing"].contains(&case.name.as_str()) {
            continue;
        }
        for block_length in (1..=longest).filter(|&k| k <= 8 || k == longest) {
            let gpu = GpuBackend::new(&GpuOptions {
                block_length: Some(block_length),
                ..open()
            })
            .expect("opened before");
            let errors = check_case(&gpu, &case, Form::Blocked).expect("the case is computed");
            println!("{:12} blocks of {block_length}: {errors:?}", case.name);
            assert!(
                errors.within(TOLERANCE),
                "{} in blocks of {block_length}",
                case.name
            );
            lengths += 1;
        }
    }
    assert!(lengths > 15, "only {lengths} lengths were tried");
}

/// Shapes that nobody chose, in blocks of lengths that nobody chose.
fn random_shapes(_: &GpuBackend) {
    let mut worst: f64 = 0.0;
    for i in 0..16 {
        let word =
            |stream, n: usize| alrnn_gpu::rng::index(threefry2x32([7, stream], [i, 0])[0], n as u32) as usize;
        let M = [1 + word(0, 24), 1 + word(0, 110)][i as usize % 2];
        let (N, P, K) = (1 + word(1, M), word(2, M + 1), word(3, 3));
        let (S, T) = (1 + word(4, 20), 1 + word(5, 30));
        let (tau, block_length) = (1 + word(6, T + 3), 1 + word(7, 7));
        let member = Member {
            P,
            tau,
            alpha: [1.0, 0.4, 0.0][i as usize % 3],
            lambda_lat: 0.1,
            lambda_obs: 0.01,
            ..training::member(1)
        };
        let shape = Shape::new(Dims::new(M, N, K).expect("valid sizes"), S, T).expect("valid sizes");
        let gpu = GpuBackend::new(&GpuOptions {
            block_length: Some(block_length),
            ..open()
        })
        .expect("opened before");
        worst = worst.max(agree(&gpu, Form::Blocked, shape, &member, i % 4 == 0));
    }
    println!("largest relative error {worst:e}");
}

fn selftest(gpu: &GpuBackend) {
    let adapters = adapters();
    let used = |a: &&AdapterDescription| gpu.device().name.starts_with(&a.name);
    let adapter = adapters.iter().find(used).expect("the adapter is listed");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_alrnn-gpu"))
        .args([
            "selftest",
            "--backend",
            "gpu",
            "--device",
            &adapter.name,
            "--cases",
        ])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"))
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("all ") && text.contains("wide"), "{text}");
}

/// Ten steps of models too wide for registers.
fn wide_training(gpu: &GpuBackend) {
    for form in [Form::Plain, Form::Blocked] {
        wide_training_in(gpu, form);
    }
}

fn wide_training_in(gpu: &GpuBackend, form: Form) {
    let data = training::lorenz(20, true, true);
    let mut plan = training::plan(training::crowd(3), data.K, 8, 20, form);
    plan.shape.dims = Dims::new(70, 3, data.K).expect("valid sizes");
    let start = training::initial_state(&plan);
    let (got, _) = training::train(gpu, &plan, &data, &start, 1);
    let (want, _) = training::train(&ReferenceBackend::new(), &plan, &data, &start, 1);
    for (e, (got, want)) in got.members.iter().zip(&want.members).enumerate() {
        let wide = |v: &[f32]| v.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        let error = distance(&wide(&got.theta), &wide(&want.theta));
        assert!(
            error <= training::PARAMETER_TOLERANCE,
            "member {e}: relative error {error:e}"
        );
    }
}

/// A memory budget that forces the ensemble into many chunks leaves every bit as it was.
fn chunks_change_nothing(gpu: &GpuBackend) {
    for form in [Form::Plain, Form::Blocked] {
        chunks_change_nothing_in(gpu, form);
    }
}

fn chunks_change_nothing_in(gpu: &GpuBackend, form: Form) {
    let data = training::lorenz(50, false, true);
    let plan = training::plan(training::crowd(11), 0, 16, 50, form);
    let start = training::initial_state(&plan);
    let (whole, results) = training::train(gpu, &plan, &data, &start, 2);
    // About 100 KB a member: chunks of three or four. (Members cut into unlike blocks never share a chunk.)
    let small = GpuBackend::new(&GpuOptions {
        memory: Some(if form == Form::Plain { 400_000 } else { 1 }),
        ..open()
    })
    .expect("opened before");
    let (chunked, chunked_results) = training::train(&small, &plan, &data, &start, 2);
    assert!(whole == chunked, "chunks change the result");
    assert_eq!(results, chunked_results);
    let mut ensemble = small
        .ensemble(plan.clone(), data.clone(), &start)
        .expect("it is built");
    let mut other = gpu.ensemble(plan, data, &start).expect("it is built");
    let differ = |a: &Windows, b: &Windows| {
        a.x.iter()
            .zip(&b.x)
            .any(|(a, b)| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan()))
    };
    for member in [0, 5, 10] {
        let (a, b) = (
            ensemble.windows(member, 7).expect("read"),
            other.windows(member, 7).expect("read"),
        );
        assert!(!differ(&a, &b), "windows of member {member} differ");
    }
}

/// Nor does the number of submissions that an epoch is cut into, down to one a kernel.
fn submissions_change_nothing(gpu: &GpuBackend) {
    let data = training::lorenz(50, false, false);
    for form in [Form::Plain, Form::Blocked] {
        submissions_change_nothing_in(gpu, form, &data);
    }
}

fn submissions_change_nothing_in(gpu: &GpuBackend, form: Form, data: &Arc<TrainingData>) {
    let plan = training::plan(training::crowd(4), 0, 16, 50, form);
    let start = training::initial_state(&plan);
    let (whole, results) = training::train(gpu, &plan, data, &start, 2);
    for seconds in [1e-9, 2e-3] {
        let hasty = GpuBackend::new(&GpuOptions {
            submission_seconds: Some(seconds),
            ..open()
        })
        .expect("opened before");
        let (cut, cut_results) = training::train(&hasty, &plan, data, &start, 2);
        assert!(whole == cut, "submissions of {seconds} s change the result");
        assert_eq!(results, cut_results);
    }
}

/// Every kernel of a step is timed, and takes some time.
fn profile_times_every_kernel(gpu: &GpuBackend) {
    let plain = ["sample", "forward", "adjoint", "outer", "update"];
    let blocked = [
        "sample",
        "blocked/powers",
        "blocked/forward",
        "blocked/adjoint",
        "blocked/collect",
        "blocked/pull_back",
        "update",
    ];
    for (form, kernels) in [(Form::Plain, &plain[..]), (Form::Blocked, &blocked)] {
        let data = training::lorenz(50, false, false);
        let mut plan = training::plan(training::crowd(4), 0, 16, 50, form);
        plan.shape.dims = Dims::new(70, 3, 0).expect("valid sizes");
        let start = training::initial_state(&plan);
        let times = gpu.profile(plan, data, &start, 2).expect("the kernels are timed");
        println!("{times:?}");
        let names: Vec<_> = times.iter().map(|t| t.kernel).collect();
        assert_eq!(names, kernels);
        assert!(
            times.iter().all(|t| t.seconds > 0.0 && t.seconds < 10.0),
            "{times:?}"
        );
    }
}

/// Epochs are reported in order, each once, whether or not one waits; many may be enqueued.
fn results_come_without_waiting(gpu: &GpuBackend) {
    let data = training::lorenz(20, false, false);
    let plan = training::plan(training::crowd(2), 0, 4, 20, Form::Plain);
    let start = training::initial_state(&plan);
    let mut ensemble = gpu.ensemble(plan, data, &start).expect("it is built");
    let mut seen = Vec::new();
    for _ in 0..12 {
        ensemble.train_epoch().expect("an epoch runs");
        seen.extend(ensemble.results(false).expect("results are read"));
    }
    seen.extend(ensemble.results(true).expect("results are read"));
    assert_eq!(
        seen.iter().map(|r| r.epoch).collect::<Vec<_>>(),
        (0..12).collect::<Vec<_>>()
    );
    assert_eq!(ensemble.state().expect("the state is read").step, 120);
}

/// A short horizon, so that rounding has no time to grow; runs of unequal length, more than one dispatch.
fn free_runs(gpu: &GpuBackend) {
    for (M, N, K, runs, latent) in [(20, 3, 0, 1, false), (7, 2, 2, 6, true), (100, 5, 1, 3, false)] {
        let dims = Dims::new(M, N, K).expect("valid sizes");
        let packed: Vec<Vec<f32>> = (0..3).map(|i| theta(dims, i).pack()).collect();
        let models: Vec<FreeModel<'_>> = packed
            .iter()
            .zip([0, 1, M])
            .map(|(theta, P)| FreeModel { theta, P })
            .collect();
        let starts: Vec<FreeRun> = (0..runs)
            .map(|r| FreeRun {
                x0: (0..N)
                    .map(|n| {
                        if r == 1 && n == 0 {
                            f32::NAN
                        } else {
                            (r + 2 * n) as f32 * 0.1
                        }
                    })
                    .collect(),
                s: if K == 0 {
                    Array2::zeros((0, 0))
                } else {
                    Array2::from_shape_fn((150 + r + 1, K), |(t, k)| ((t + 5 * k) as f32 * 0.3).sin())
                },
                steps: 150 + r,
            })
            .collect();
        let run = |b: &dyn Backend| {
            b.free_run(dims, &models, &starts, latent)
                .expect("the models run")
        };
        let (got, want) = (run(gpu), run(&ReferenceBackend::new()));
        assert_eq!((got.len(), got[0].len()), (3, runs));
        for (model, (got, want)) in got.iter().zip(&want).enumerate() {
            for (r, (got, want)) in got.iter().zip(want).enumerate() {
                assert_eq!(got.dim(), (150 + r + 1, if latent { M } else { N }));
                let wide = |a: &Array2<f32>| a.mapv(f64::from);
                let error = distance(&wide(got), &wide(want));
                assert!(
                    error <= 1e-4,
                    "M {M} model {model} run {r}: relative error {error:e}"
                );
            }
        }
    }
}

/// Scoring runs models freely in one thread while another trains; neither may take the other's answers.
fn threads_share_the_device(gpu: &GpuBackend) {
    let data = training::lorenz(20, false, false);
    let plan = training::plan(training::crowd(3), 0, 4, 20, Form::Plain);
    let start = training::initial_state(&plan);
    let (alone, _) = training::train(gpu, &plan, &data, &start, 2);
    let packed = theta(plan.shape.dims, 1).pack();
    let score = || {
        let model = FreeModel { theta: &packed, P: 2 };
        let run = FreeRun {
            x0: vec![0.1, 0.2, 0.3],
            s: Array2::zeros((0, 0)),
            steps: 300,
        };
        gpu.free_run(plan.shape.dims, &[model], &[run], false)
            .expect("the model runs")
    };
    let expected = score();
    std::thread::scope(|scope| {
        let trainer =
            scope.spawn(|| (0..10).all(|_| training::train(gpu, &plan, &data, &start, 2).0 == alone));
        let scorers: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| (0..20).all(|_| score() == expected)))
            .collect();
        assert!(
            trainer.join().expect("the trainer runs"),
            "training differs beside free runs"
        );
        for scorer in scorers {
            assert!(
                scorer.join().expect("the scorer runs"),
                "a free run differs beside training"
            );
        }
    });
}

fn unknown_adapter(_: &GpuBackend) {
    let error = GpuBackend::new(&GpuOptions {
        adapter: Some("no such adapter".into()),
        ..open()
    })
    .expect_err("there is none of that name");
    assert_eq!(error.exit_code(), 2);
    assert!(error.hint().is_some_and(|h| h.contains("0: ")), "{error}");
}

/// A device that is lost between two epochs is an error of the next calls, and of no other device.
fn lost_device(gpu: &GpuBackend) {
    let opened = Gpu::open(&open()).expect("opened before");
    let device = opened.device.clone();
    let lost = GpuBackend::with_gpu(opened, &open());
    let data = training::lorenz(50, false, false);
    let plan = training::plan(training::crowd(3), 0, 16, 50, Form::Plain);
    let start = training::initial_state(&plan);
    let mut ensemble = lost
        .ensemble(plan.clone(), data.clone(), &start)
        .expect("it is built");
    ensemble.train_epoch().expect("an epoch runs");
    ensemble.results(true).expect("results are read");
    device.destroy();
    let failed = [
        ensemble
            .train_epoch()
            .and_then(|()| ensemble.results(true))
            .map(drop),
        ensemble.state().map(drop),
        lost.ensemble(plan.clone(), data.clone(), &start).map(drop),
    ];
    for error in failed.map(|result| result.expect_err("the device is gone")) {
        println!("{error}");
        assert_eq!(error.exit_code(), 1);
        assert!(
            error.hint().is_some() && error.to_string().lines().count() == 1,
            "{error}"
        );
    }
    training::train(gpu, &plan, &data, &start, 1);
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let backend = GpuBackend::new(&open());
    let required = std::env::var_os("ALRNN_REQUIRE_GPU").is_some_and(|v| v == "1");
    let backend = backend.map(Arc::new).map_err(|e| e.to_string());
    let trials = TESTS.iter().map(|&(name, check)| {
        let backend = backend.clone();
        let ignored = backend.is_err() && !required;
        Trial::test(name, move || {
            check(&*backend?);
            Ok(())
        })
        .with_ignored_flag(ignored)
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if let Err(why) = &backend {
        println!("GPU tests NOT RUN ({why}):");
        TESTS.iter().for_each(|(name, _)| println!("  {name}"));
        println!("Install a Vulkan driver (Debian's software one: mesa-vulkan-drivers) to run them.");
    }
    conclusion.exit_code()
}
