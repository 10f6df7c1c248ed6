//! Where the time of a training step goes on this machine's GPU: per kernel, for growing ensembles.
//!
//! `cargo run --release --example gpu_profile -- [--device NAME] [--M 20 --N 3 --P 2 --S 16 --T 200 --tau 16]
//! [--members 1,64,512,4096] [--software]`
//!
//! Prints microseconds a member-step of each kernel (the device's clock where it has one), of a whole epoch as it is
//! trained (the host's clock), and what that is in multiply-adds a second of the plain recurrence
//! (3 M² S T of them a member-step).
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::sync::Arc;
use std::time::Instant;

use alrnn_gpu::backend::gpu::{GpuBackend, GpuOptions};
use alrnn_gpu::backend::{Backend, EnsembleState, Form, Member, MemberState, Optimizer, Plan, TrainingData};
use alrnn_gpu::error::Result;
use alrnn_gpu::model::{Dims, Shape, init};
use clap::Parser;

#[derive(Parser)]
#[command(rename_all = "verbatim")]
struct Arguments {
    #[arg(long)]
    device: Option<String>,
    /// Take a software adapter where there is no GPU.
    #[arg(long)]
    software: bool,
    #[arg(long, default_value_t = 20)]
    M: usize,
    #[arg(long, default_value_t = 3)]
    N: usize,
    #[arg(long, default_value_t = 2)]
    P: usize,
    #[arg(long, default_value_t = 16)]
    S: usize,
    #[arg(long, default_value_t = 200)]
    T: usize,
    #[arg(long, default_value_t = 16)]
    tau: usize,
    #[arg(long, value_delimiter = ',', default_value = "1,64,512,4096")]
    members: Vec<usize>,
    #[arg(long, value_enum, default_value_t = Form::Plain)]
    form: Form,
}

fn main() {
    if let Err(error) = run(&Arguments::parse()) {
        eprintln!("error: {error}");
        if let Some(hint) = error.hint() {
            eprintln!("hint: {hint}");
        }
        std::process::exit(i32::from(error.exit_code()));
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let backend = GpuBackend::new(&GpuOptions {
        adapter: arguments.device.clone(),
        allow_software: arguments.software,
        ..GpuOptions::default()
    })?;
    let &Arguments { M, N, P, S, T, .. } = arguments;
    println!("{}", backend.device().name);
    println!(
        "M {M} N {N} P {P} S {S} T {T} tau {}, {:?} form",
        arguments.tau, arguments.form
    );
    let shape = Shape::new(Dims::new(M, N, 0)?, S, T)?;
    let rows = 10 * (T + 1).max(1000);
    let data = Arc::new(TrainingData {
        N,
        K: 0,
        x: (0..rows * N)
            .map(|i| (0.02 * (i / N) as f32 + (i % N) as f32).sin())
            .collect(),
        s: Vec::new(),
        starts: (0..(rows - T) as u32).collect(),
        has_missing: false,
    });
    for &members in &arguments.members {
        let plan = plan(arguments, shape, members);
        let state = EnsembleState {
            step: 0,
            members: plan
                .members
                .iter()
                .map(|m| MemberState::new(&init(shape.dims, m.seed)))
                .collect(),
        };
        measure(&backend, plan, &data, &state)?;
    }
    Ok(())
}

fn plan(arguments: &Arguments, shape: Shape, members: usize) -> Plan {
    let member = |seed| Member {
        seed,
        P: arguments.P,
        tau: arguments.tau,
        alpha: 1.0,
        noise: 0.05,
        start_lr: 1e-3,
        end_lr: 1e-5,
        lambda_lat: 0.0,
        lambda_obs: 0.0,
        clip: None,
    };
    Plan {
        shape,
        members: (0..members as u32).map(member).collect(),
        optimizer: Optimizer::Radam,
        epochs: 1000,
        batches_per_epoch: 50,
        form: arguments.form,
    }
}

/// Times the kernels one by one, then whole epochs: one to warm up, then until two seconds are over.
fn measure(backend: &GpuBackend, plan: Plan, data: &Arc<TrainingData>, state: &EnsembleState) -> Result<()> {
    let (members, batches) = (plan.members.len(), plan.batches_per_epoch);
    let Shape { dims, S, T } = plan.shape;
    let micro = |seconds: f64| seconds * 1e6 / members as f64;
    println!("{members} members, microseconds a member-step:");
    for time in backend.profile(plan.clone(), Arc::clone(data), state, 5)? {
        println!("  {:8} {:10.3}", time.kernel, micro(time.seconds));
    }
    let mut ensemble = backend.ensemble(plan, Arc::clone(data), state)?;
    ensemble.train_epoch()?;
    ensemble.results(true)?;
    let (start, mut epochs) = (Instant::now(), 0u32);
    while epochs < 2 || start.elapsed().as_secs_f64() < 2.0 {
        ensemble.train_epoch()?;
        epochs += 1;
    }
    ensemble.results(true)?;
    let seconds = start.elapsed().as_secs_f64() / f64::from(epochs * batches);
    let fma = (3 * dims.M * dims.M * S * T) as f64 * members as f64;
    println!(
        "  epoch    {:10.3}   {:.1} G multiply-adds/s",
        micro(seconds),
        fma / seconds * 1e-9
    );
    Ok(())
}
