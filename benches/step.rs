//! Member-steps per second of every backend on this machine, by form, shape and ensemble size.
//!
//! `cargo bench --bench step -- 'lorenz63 Blocked.* E=8$'` for a part of it, `-- --list` for the names. A GPU takes part
//! where there is a hardware one, a software rasteriser only with `ALRNN_BENCH_SOFTWARE=1`; `ALRNN_BENCH_THREADS` sets the
//! CPU's threads. What cannot run here, or would take longer than `ALRNN_BENCH_PATIENCE` seconds (60), says so: NOT RUN.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alrnn_gpu::backend::cpu::CpuBackend;
use alrnn_gpu::backend::gpu::{GpuBackend, GpuOptions, hardware_available};
use alrnn_gpu::backend::{
    Backend, Ensemble, EnsembleState, Form, Member, MemberState, Optimizer, Plan, TrainingData,
};
use alrnn_gpu::error::Result;
use alrnn_gpu::model::{Dims, Shape, init};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// A published setting's sizes, with the numbers of ReLU units to time it with.
#[derive(Clone, Copy)]
struct Setting {
    name: &'static str,
    M: usize,
    P: &'static [usize],
    N: usize,
    T: usize,
    tau: usize,
    noise: f64,
}

const SETTINGS: [Setting; 5] = [
    Setting {
        name: "lorenz63",
        M: 20,
        P: &[2, 10],
        N: 3,
        T: 200,
        tau: 16,
        noise: 0.05,
    },
    Setting {
        name: "fmri",
        M: 50,
        P: &[2, 25],
        N: 20,
        T: 72,
        tau: 7,
        noise: 0.0,
    },
    Setting {
        name: "ecg",
        M: 100,
        P: &[2],
        N: 5,
        T: 50,
        tau: 10,
        noise: 0.01,
    },
    Setting {
        name: "lorenz96",
        M: 100,
        P: &[50],
        N: 20,
        T: 50,
        tau: 20,
        noise: 0.05,
    },
    Setting {
        name: "eeg",
        M: 133,
        P: &[2, 60],
        N: 64,
        T: 100,
        tau: 10,
        noise: 0.0,
    },
];
const BATCH_SIZE: usize = 16;
/// Models trained together.
const SIZES: [u32; 5] = [1, 8, 64, 512, 4096];
/// Optimiser steps in an epoch, the unit that is timed.
const STEPS: u32 = 10;
/// Times that a row is timed.
const SAMPLES: usize = 10;

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

/// Why a row has no number.
struct NotRun(String);

/// Leaves the row that is being timed; criterion has no other way out of one.
fn not_run(why: impl Into<String>) -> ! {
    resume_unwind(Box::new(NotRun(why.into())))
}

/// A row of the table.
#[derive(Clone, Copy)]
struct Row {
    setting: Setting,
    P: usize,
    form: Form,
    E: u32,
}

impl Row {
    fn id(self) -> String {
        let Row { setting, P, form, E } = self;
        format!("{} {form:?}/M={} P={P} E={E}", setting.name, setting.M)
    }

    fn ensemble(self, backend: &dyn Backend) -> Result<Box<dyn Ensemble>> {
        let Row { setting, P, form, E } = self;
        let Setting {
            M, N, T, tau, noise, ..
        } = setting;
        let shape = Shape::new(Dims::new(M, N, 0)?, BATCH_SIZE, T)?;
        let member = |seed| Member {
            seed,
            P,
            tau,
            noise,
            start_lr: 1e-3,
            end_lr: 1e-5,
            ..Member::default()
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
        backend.ensemble(plan, data(setting), &state)
    }

    /// The ensemble, if its row takes no longer than one is willing to wait.
    fn prepare(self, backend: &dyn Backend, patience: Duration) -> Box<dyn Ensemble> {
        let mut ensemble = self
            .ensemble(backend)
            .unwrap_or_else(|error| not_run(error.to_string()));
        let expected = |epoch: Duration| epoch * (SAMPLES as u32 + 1);
        let mut epoch = time(&mut *ensemble, 1);
        if expected(epoch) > patience && epoch < patience / 4 {
            epoch = time(&mut *ensemble, 1); // the first one may have waited for a driver's compiler
        }
        if expected(epoch) > patience {
            not_run(format!("it would take {:.0} s", expected(epoch).as_secs_f64()));
        }
        ensemble
    }
}

/// Time of `epochs` epochs, the device idle before and after.
fn time(ensemble: &mut dyn Ensemble, epochs: u64) -> Duration {
    let mut run = || -> Result<Duration> {
        ensemble.results(true)?;
        let begin = Instant::now();
        for _ in 0..epochs {
            ensemble.train_epoch()?;
        }
        let results = ensemble.results(true)?;
        let elapsed = begin.elapsed();
        if results
            .iter()
            .any(|result| result.stopped_at.iter().any(Option::is_some))
        {
            not_run("a member diverged: its steps would cost nothing");
        }
        Ok(elapsed)
    };
    run().unwrap_or_else(|error| not_run(error.to_string()))
}

fn steps(criterion: &mut Criterion, backend: &dyn Backend, sizes: &[u32], patience: Duration) {
    let device = &backend.device().name;
    let mut group = criterion.benchmark_group(device);
    group
        .sample_size(SAMPLES)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    for setting in SETTINGS {
        for (&P, &E) in setting.P.iter().flat_map(|P| sizes.iter().map(move |E| (P, E))) {
            for form in [Form::Plain, Form::Blocked, Form::Fused] {
                // On the CPU, and for so many ReLU units, it is the blocked one.
                if form == Form::Fused && (backend.device().backend != "gpu" || P > 4) {
                    continue;
                }
                let row = Row { setting, P, form, E };
                group.throughput(Throughput::Elements(u64::from(E * STEPS)));
                // Made when the row's turn comes, and not at all when the command line leaves the row out.
                let mut ensemble = None;
                let timed = catch_unwind(AssertUnwindSafe(|| {
                    group.bench_function(row.id(), |bencher| {
                        let ensemble = ensemble.get_or_insert_with(|| row.prepare(backend, patience));
                        bencher.iter_custom(|epochs| time(&mut **ensemble, epochs));
                    });
                }));
                if let Err(cause) = timed {
                    match cause.downcast::<NotRun>() {
                        Ok(why) => eprintln!("\nNOT RUN: {device}/{}: {}", row.id(), why.0),
                        Err(panic) => resume_unwind(panic),
                    }
                }
            }
        }
    }
}

/// A number from the environment.
fn variable<V: FromStr<Err: Debug>>(name: &str) -> Option<V> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect(name))
}

fn all(criterion: &mut Criterion) {
    let patience = Duration::from_secs(variable("ALRNN_BENCH_PATIENCE").unwrap_or(60));
    let cpu = CpuBackend::new(variable("ALRNN_BENCH_THREADS")).expect("threads start");
    steps(criterion, &cpu, &SIZES, patience);
    let allow_software = variable("ALRNN_BENCH_SOFTWARE") == Some(1);
    if !hardware_available() && !allow_software {
        eprintln!(
            "NOT RUN: the GPU's rows (no hardware GPU; ALRNN_BENCH_SOFTWARE=1 times a software rasteriser)"
        );
        return;
    }
    let options = GpuOptions {
        allow_software,
        block_length: variable("ALRNN_BENCH_BLOCK"),
        ..GpuOptions::default()
    };
    match GpuBackend::new(&options) {
        Ok(gpu) => steps(criterion, &gpu, &SIZES, patience),
        Err(error) => eprintln!("NOT RUN: the GPU's rows ({error})"),
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
