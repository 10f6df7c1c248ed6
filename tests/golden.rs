//! Every golden case on the CPU backends: loss, gradients and states against automatic differentiation.

mod common;

use alrnn_gpu::backend::Form;
use alrnn_gpu::backend::cpu::CpuBackend;
use alrnn_gpu::backend::golden::TOLERANCE;
use alrnn_gpu::backend::reference::ReferenceBackend;

#[test]
fn reference_matches_every_case() {
    common::golden::check(&ReferenceBackend::new(), Form::Plain, 1e-10);
}

#[test]
fn cpu_plain_matches_every_case() {
    let backend = CpuBackend::new(Some(1)).expect("one thread");
    common::golden::check(&backend, Form::Plain, TOLERANCE);
}

#[test]
fn portable_cpu_plain_matches_every_case() {
    let backend = CpuBackend::portable(Some(1)).expect("one thread");
    common::golden::check(&backend, Form::Plain, TOLERANCE);
}

#[test]
fn cpu_blocked_matches_every_case() {
    let backend = CpuBackend::new(Some(1)).expect("one thread");
    common::golden::check(&backend, Form::Blocked, TOLERANCE);
}
