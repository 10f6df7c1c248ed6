//! Every golden case on the CPU backends: loss, gradients and states against automatic differentiation.

mod common;

use alrnn_gpu::backend::cpu::CpuBackend;
use alrnn_gpu::backend::golden::TOLERANCE;
use alrnn_gpu::backend::reference::ReferenceBackend;
use alrnn_gpu::backend::{Backend, Form};

#[test]
fn reference_matches_every_case() {
    common::golden::check(&ReferenceBackend::new(), Form::Plain, 1e-10);
}

#[test]
fn cpu_plain_matches_every_case() {
    for backend in CpuBackend::every_instruction_set(Some(1)).expect("one thread") {
        println!("{}", backend.device().name);
        common::golden::check(&backend, Form::Plain, TOLERANCE);
    }
}

#[test]
fn cpu_blocked_matches_every_case() {
    for backend in CpuBackend::every_instruction_set(Some(1)).expect("one thread") {
        println!("{}", backend.device().name);
        common::golden::check(&backend, Form::Blocked, TOLERANCE);
    }
}
