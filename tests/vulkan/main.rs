//! What runs on an adapter (hardware, or a software one such as lavapipe). Without any, every test is listed as
//! ignored and the last lines say so; ALRNN_REQUIRE_GPU=1 makes that a failure. ALRNN_DEVICE names the adapter; where the built
//! program and the checkout were moved, ALRNN_BINARY and CARGO_MANIFEST_DIR name them.
#![allow(non_snake_case, reason = "the paper's symbols")]

#[path = "../common/mod.rs"]
mod common;
mod ensembles;
mod gradients;
mod statistics;

use std::process::ExitCode;
use std::sync::Arc;

use alrnn_gpu::backend::gpu::shader::source::{Constants, expand_text};
use alrnn_gpu::backend::gpu::{AdapterDescription, Gpu, GpuBackend, GpuOptions, adapters};
use alrnn_gpu::backend::reference::ReferenceBackend;
use alrnn_gpu::backend::{Backend, Form, FreeModel, FreeRun};
use alrnn_gpu::model::{Dims, Model, Theta};
use alrnn_gpu::rng::{normal_pair, threefry2x32};
use common::parity::assert_close;
use common::training;
use gradients::theta;
use libtest_mimic::{Arguments, Trial};
use ndarray::Array2;

type Check = fn(&GpuBackend);

const TESTS: &[(&str, Check)] = &[
    ("random_numbers", random_numbers),
    ("golden_cases", |gpu| {
        common::golden::check(gpu, Form::Plain, 1e-4)
    }),
    ("golden_cases_blocked", |gpu| {
        common::golden::check(gpu, Form::Blocked, 1e-4)
    }),
    ("golden_cases_fused", |gpu| {
        common::golden::check(gpu, Form::Fused, 1e-4)
    }),
    (
        "every_block_length_matches_the_golden_cases",
        gradients::every_block_length,
    ),
    ("odd_shapes_match_the_reference", |gpu| {
        gradients::odd_shapes(gpu, Form::Plain)
    }),
    ("odd_shapes_blocked_match_the_reference", |gpu| {
        gradients::odd_shapes(gpu, Form::Blocked)
    }),
    ("random_shapes_blocked_match_the_reference", |_| {
        gradients::random_shapes(Form::Blocked)
    }),
    ("random_shapes_fused_match_the_reference", |_| {
        gradients::random_shapes(Form::Fused)
    }),
    ("selftest_passes_from_the_command_line", selftest),
    ("evaluate_gives_the_scores_of_the_cpu", evaluate),
    ("windows_match_the_reference", |gpu| {
        training::windows_match_the_reference(gpu)
    }),
    ("training_matches_the_reference", |gpu| {
        training::matches_the_reference(gpu, Form::Plain)
    }),
    ("blocked_training_matches_the_reference", |gpu| {
        training::matches_the_reference(gpu, Form::Blocked)
    }),
    ("fused_training_matches_the_reference", |gpu| {
        training::matches_the_reference(gpu, Form::Fused)
    }),
    ("wide_training_matches_the_reference", ensembles::wide_training),
    ("training_matches_curves_from_elsewhere", |gpu| {
        training::matches_the_curves(gpu, Form::Plain)
    }),
    ("blocked_training_matches_curves_from_elsewhere", |gpu| {
        training::matches_the_curves(gpu, Form::Blocked)
    }),
    ("growth_is_watched", |gpu| common::growth::is_watched(gpu)),
    // Wide kernels read a copy of W that both forms must keep.
    ("growth_is_crossed", |gpu| {
        common::growth::is_crossed(gpu, &[20, 70])
    }),
    ("huge_gradients_are_clipped_or_said", |gpu| {
        training::huge_gradients(gpu, Form::Plain)
    }),
    ("huge_gradients_are_clipped_or_said_blocked", |gpu| {
        training::huge_gradients(gpu, Form::Blocked)
    }),
    ("a_crowd_changes_nothing", |gpu| {
        training::crowd_changes_nothing(gpu, Form::Auto)
    }),
    ("a_crowd_changes_nothing_blocked", |gpu| {
        training::crowd_changes_nothing(gpu, Form::Blocked)
    }),
    ("a_crowd_changes_nothing_fused", |gpu| {
        training::crowd_changes_nothing(gpu, Form::Fused)
    }),
    ("chunks_change_nothing", ensembles::chunks_change_nothing),
    ("a_study_changes_nothing", ensembles::a_study_changes_nothing),
    (
        "submissions_change_nothing",
        ensembles::submissions_change_nothing,
    ),
    (
        "profile_times_every_kernel",
        ensembles::profile_times_every_kernel,
    ),
    ("resume_changes_nothing", |gpu| {
        training::resume_changes_nothing(gpu, Form::Auto)
    }),
    ("resume_changes_nothing_blocked", |gpu| {
        training::resume_changes_nothing(gpu, Form::Blocked)
    }),
    ("resume_changes_nothing_fused", |gpu| {
        training::resume_changes_nothing(gpu, Form::Fused)
    }),
    ("divergence_stays_alone", |gpu| {
        training::divergence_stays_alone(gpu, Form::Auto)
    }),
    ("divergence_stays_alone_blocked", |gpu| {
        training::divergence_stays_alone(gpu, Form::Blocked)
    }),
    (
        "results_come_without_waiting",
        ensembles::results_come_without_waiting,
    ),
    ("free_runs_match_the_reference", free_runs),
    ("statistics_match_the_cpu", statistics::match_the_cpu),
    (
        "statistics_do_not_depend_on_the_crowd",
        statistics::crowd_changes_nothing,
    ),
    ("polishing_is_the_same", statistics::polishing_is_the_same),
    ("threads_share_the_device", ensembles::threads_share_the_device),
    ("unknown_adapter_is_one_sentence", unknown_adapter),
    ("a_lost_device_is_one_sentence", ensembles::lost_device),
];

fn open() -> GpuOptions {
    GpuOptions {
        adapter: std::env::var("ALRNN_DEVICE").ok(),
        allow_software: true,
        ..GpuOptions::default()
    }
}

/// The WGSL twins of `rng` against it: threefry to the bit, with its published known answers, normals to rounding.
fn random_numbers(_: &GpuBackend) {
    const COUNT: usize = 4096;
    let text = "#include \"shared/threefry.wgsl\"\n#include \"shared/normal.wgsl\"\n\
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
    let source = expand_text("numbers.wgsl", text, &Constants::default()).expect("the imports exist");
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

fn selftest(gpu: &GpuBackend) {
    let cases = common::checkout().join("tests/golden");
    let text = run_on(gpu, &["selftest", "--cases", &cases.to_string_lossy()]);
    assert!(text.contains("all ") && text.contains("wide"), "{text}");
}

/// What the built program prints where it runs on this adapter.
fn run_on(gpu: &GpuBackend, arguments: &[&str]) -> String {
    let adapters = adapters();
    let used = |a: &&AdapterDescription| gpu.device().name.starts_with(&a.name);
    let adapter = adapters.iter().find(used).expect("the adapter is listed");
    run(&[arguments, &["--backend", "gpu", "--device", &adapter.name]].concat())
}

fn run(arguments: &[&str]) -> String {
    let built = env!("CARGO_BIN_EXE_alrnn-gpu").into();
    let output = std::process::Command::new(std::env::var_os("ALRNN_BINARY").unwrap_or(built))
        .args(arguments)
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// Every score of a model whose free run forgets rounding: two slow oscillations, one switching a ReLU unit.
fn evaluate(gpu: &GpuBackend) {
    let dims = Dims::new(5, 2, 0).expect("valid sizes");
    let mut theta = Theta::zeros(dims);
    for (at, angle) in [(0, 0.11f64), (2, 0.29)] {
        let (sin, cos) = (0.9995 * angle.sin(), 0.9995 * angle.cos());
        theta.W[[at, at]] = cos;
        theta.W[[at + 1, at + 1]] = cos;
        theta.W[[at, at + 1]] = -sin;
        theta.W[[at + 1, at]] = sin;
    }
    (theta.W[[4, 2]], theta.W[[0, 4]], theta.A[4], theta.h[4]) = (1.0, 0.05, 0.2, -0.1);
    theta.L.fill(0.6);
    let model = Model {
        theta,
        P: 1,
        scaling: None,
        dt: None,
        columns: None,
        input_columns: None,
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (model_file, data_file) = (path("model.npz"), path("data.npy"));
    model.save(&model_file).expect("it is written");
    let wave = |t: usize, n: usize| (0.11 * t as f32 + 1.5 * n as f32).sin();
    let data = Array2::from_shape_fn((2000, 2), |(t, n)| wave(t, n) + 0.3 * wave(3 * t, n));
    ndarray_npy::write_npy(&data_file, &data).expect("it is written");

    let arguments = ["evaluate", &model_file, "--data", &data_file, "--json"];
    let scores = |text: String| serde_json::from_str(&text).expect("JSON");
    let ours = numbers(&scores(run_on(gpu, &arguments)), "");
    let cpu = numbers(
        &scores(run(&[&arguments[..], &["--backend", "cpu"]].concat())),
        "",
    );
    println!("{ours:?}");
    assert!(
        ours.iter()
            .any(|(name, value)| name.ends_with("/pe") && *value > 0.0)
    );
    assert_eq!(ours.len(), cpu.len());
    for ((name, a), (other, b)) in ours.iter().zip(&cpu) {
        assert_eq!(name, other);
        // A bin's edge may lie between two roundings of a point.
        assert!(
            (a - b).abs() <= 1e-3 * b.abs(),
            "{name}: {a:e} on the GPU, {b:e} on the CPU"
        );
    }
}

/// The numbers of a document, by where they stand.
fn numbers(document: &serde_json::Value, at: &str) -> Vec<(String, f64)> {
    use serde_json::Value;
    match document {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .flat_map(|(i, item)| numbers(item, &format!("{at}/{i}")))
            .collect(),
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, item)| numbers(item, &format!("{at}/{key}")))
            .collect(),
        _ => document
            .as_f64()
            .map(|number| vec![(at.to_owned(), number)])
            .unwrap_or_default(),
    }
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
                let all = |a: &Array2<f32>| a.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
                let name = format!("M {M} model {model} run {r}");
                assert_close(&name, &all(got), &all(want), 1e-4);
            }
        }
    }
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
