//! Member-steps per second of every backend on this machine, by form, shape and ensemble size.
//!
//! `cargo bench --bench step -- 'cpu.*lorenz63'` for a part of it. A GPU takes part where there is a hardware one,
//! a software rasteriser only with `ALRNN_BENCH_SOFTWARE=1`; `ALRNN_BENCH_THREADS` sets the CPU's threads.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use alrnn_gpu::backend::cpu::CpuBackend;
use alrnn_gpu::backend::gpu::{GpuBackend, GpuOptions, hardware_available};
use alrnn_gpu::backend::{
    Backend, Ensemble, EnsembleState, Form, Member, MemberState, Optimizer, Plan, TrainingData,
};
use alrnn_gpu::model::{Dims, Shape, init};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// A published setting's sizes.
#[derive(Clone, Copy)]
struct Setting {
    name: &'static str,
    M: usize,
    P: usize,
    N: usize,
    T: usize,
    tau: usize,
    noise: f64,
}

const SETTINGS: [Setting; 5] = [
    Setting {
        name: "lorenz63",
        M: 20,
        P: 2,
        N: 3,
        T: 200,
        tau: 16,
        noise: 0.05,
    },
    Setting {
        name: "fmri",
        M: 50,
        P: 2,
        N: 20,
        T: 72,
        tau: 7,
        noise: 0.0,
    },
    Setting {
        name: "ecg",
        M: 100,
        P: 2,
        N: 5,
        T: 50,
        tau: 10,
        noise: 0.01,
    },
    Setting {
        name: "lorenz96",
        M: 100,
        P: 50,
        N: 20,
        T: 50,
        tau: 20,
        noise: 0.05,
    },
    Setting {
        name: "eeg",
        M: 133,
        P: 60,
        N: 64,
        T: 100,
        tau: 10,
        noise: 0.0,
    },
];
const BATCH_SIZE: usize = 16;
/// Optimiser steps in an epoch, the unit that is timed.
const STEPS: u32 = 10;

/// Smooth curves of unit size: what is trained on does not change what a step costs.
fn data(setting: Setting) -> Arc<TrainingData> {
    const ROWS: usize = 5000;
    let N = setting.N;
    let wave = |i: usize| (0.01 * ((i / N) * (1 + i % N)) as f32).sin();
    Arc::new(TrainingData {
        N,
        K: 0,
        x: (0..ROWS * N).map(wave).collect(),
        s: Vec::new(),
        starts: (0..(ROWS - setting.T) as u32).collect(),
        has_missing: false,
    })
}

fn ensemble(backend: &dyn Backend, setting: Setting, E: u32, form: Form) -> Option<Box<dyn Ensemble>> {
    let Setting {
        M,
        P,
        N,
        T,
        tau,
        noise,
        ..
    } = setting;
    let shape = Shape::new(Dims::new(M, N, 0).ok()?, BATCH_SIZE, T).ok()?;
    let member = |seed| Member {
        seed,
        P,
        tau,
        alpha: 1.0,
        noise,
        start_lr: 1e-3,
        end_lr: 1e-5,
        lambda_lat: 0.0,
        lambda_obs: 0.0,
        clip: None,
    };
    let plan = Plan {
        shape,
        members: (0..E).map(member).collect(),
        optimizer: Optimizer::Radam,
        epochs: 100_000,
        batches_per_epoch: STEPS,
        form,
    };
    let new = |member: &Member| MemberState::new(&init(shape.dims, member.seed));
    let state = EnsembleState {
        step: 0,
        members: plan.members.iter().map(new).collect(),
    };
    backend.ensemble(plan, data(setting), &state).ok()
}

/// Time of `epochs` epochs, the device idle before and after.
fn time(ensemble: &mut dyn Ensemble, epochs: u64) -> Duration {
    ensemble.results(true).expect("results are read");
    let begin = Instant::now();
    for _ in 0..epochs {
        ensemble.train_epoch().expect("an epoch runs");
    }
    let results = ensemble.results(true).expect("results are read");
    let elapsed = begin.elapsed();
    assert!(
        results
            .iter()
            .all(|result| result.stopped_at.iter().all(Option::is_none)),
        "a member diverged: its steps would cost nothing"
    );
    elapsed
}

fn steps(criterion: &mut Criterion, backend: &dyn Backend, sizes: &[u32]) {
    let mut group = criterion.benchmark_group(backend.device().name.clone());
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    for setting in SETTINGS {
        for &E in sizes {
            for form in [Form::Plain, Form::Blocked] {
                let id = BenchmarkId::new(
                    format!("{} {form:?}", setting.name),
                    format!("M={} E={E}", setting.M),
                );
                group.throughput(Throughput::Elements(u64::from(E * STEPS)));
                let Some(mut ensemble) = ensemble(backend, setting, E, form) else {
                    eprintln!(
                        "{}: no room for {E} members of {}",
                        backend.device().name,
                        setting.name
                    );
                    continue;
                };
                group.bench_function(id, |bencher| {
                    bencher.iter_custom(|epochs| time(&mut *ensemble, epochs))
                });
            }
        }
    }
}

fn all(criterion: &mut Criterion) {
    let threads = std::env::var("ALRNN_BENCH_THREADS")
        .ok()
        .map(|n| n.parse().expect("a number of threads"));
    let cpu = CpuBackend::new(threads).expect("threads start");
    steps(criterion, &cpu, &[1, 8, 64]);
    let allow_software = std::env::var_os("ALRNN_BENCH_SOFTWARE").is_some_and(|value| value == "1");
    if hardware_available() || allow_software {
        let options = GpuOptions {
            allow_software,
            ..GpuOptions::default()
        };
        let gpu = GpuBackend::new(&options).expect("the adapter opens");
        let sizes: &[u32] = if hardware_available() {
            &[1, 8, 64, 512, 4096]
        } else {
            &[1, 8]
        };
        steps(criterion, &gpu, sizes);
    } else {
        eprintln!(
            "no hardware GPU: its rows are missing (ALRNN_BENCH_SOFTWARE=1 times a software rasteriser)"
        );
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
