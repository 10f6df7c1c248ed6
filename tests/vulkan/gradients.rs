//! Gradients of shapes at the edges of the layouts, of random ones, and in blocks of every length.
#![allow(non_snake_case, reason = "the paper's symbols")]

use alrnn_gpu::backend::golden::{TOLERANCE, check_case};
use alrnn_gpu::backend::gpu::{GpuBackend, GpuOptions};
use alrnn_gpu::backend::reference::ReferenceBackend;
use alrnn_gpu::backend::{Backend, Form, Member, Windows};
use alrnn_gpu::model::{Dims, Shape, Theta, init};
use alrnn_gpu::rng::threefry2x32;
use ndarray::Array3;

use crate::common::parity::assert_close;
use crate::common::{golden, training};
use crate::open;

/// Parameters whose recurrence neither dies out nor explodes over a few steps.
pub fn theta(dims: Dims, seed: u32) -> Theta {
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
pub fn odd_shapes(gpu: &GpuBackend, form: Form) {
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
    let context = format!(
        "{form:?} {shape:?} P {} tau {} alpha {} gaps {gaps}",
        member.P, member.tau, member.alpha
    );
    let errors = golden::fields(&got, &want)
        .iter()
        .map(|(what, got, want)| assert_close(&format!("{what} at {context}"), got, want, 1e-5))
        .collect::<Vec<f64>>();
    println!("{context}: {errors:?}");
    errors.into_iter().fold(0.0, f64::max)
}

/// Golden cases in blocks of every length that their forcing interval allows.
pub fn every_block_length(_: &GpuBackend) {
    let mut lengths = 0;
    for case in golden::all_cases() {
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

/// Shapes that nobody chose, in blocks of lengths that nobody chose; small ones with few ReLU units for the fused form.
pub fn random_shapes(form: Form) {
    let mut worst: f64 = 0.0;
    for i in 0..16 {
        let word =
            |stream, n: usize| alrnn_gpu::rng::index(threefry2x32([7, stream], [i, 0])[0], n as u32) as usize;
        let (M, N, P, K) = if form == Form::Fused {
            let M = 2 + word(0, 24);
            let N = 1 + word(1, M.min(6) - 1);
            (M, N, 1 + word(2, 4.min(M - N)), 0)
        } else {
            let M = [1 + word(0, 24), 1 + word(0, 110)][i as usize % 2];
            (M, 1 + word(1, M), word(2, M + 1), word(3, 3))
        };
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
        worst = worst.max(agree(&gpu, form, shape, &member, i % 4 == 0));
    }
    println!("largest relative error {worst:e}");
}
