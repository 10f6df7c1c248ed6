//! Every golden case on the CPU backends: loss, gradients and states against automatic differentiation.

mod common;

use alrnn_gpu::backend::Form;
use alrnn_gpu::backend::reference::ReferenceBackend;

#[test]
fn reference_matches_every_case() {
    common::golden::check(&ReferenceBackend::new(), Form::Plain, 1e-10);
}
