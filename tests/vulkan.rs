//! What runs on an adapter (hardware, or a software one such as lavapipe). Without any, every test is listed as
//! ignored and the last lines say so; ALRNN_REQUIRE_GPU=1 makes that a failure.

mod common;

use std::process::ExitCode;
use std::sync::Arc;

use alrnn_gpu::backend::Form;
use alrnn_gpu::backend::gpu::{GpuBackend, GpuOptions};
use libtest_mimic::{Arguments, Trial};

type Check = fn(&GpuBackend);

const TESTS: &[(&str, Check)] = &[("golden_cases", golden_cases)];

fn golden_cases(gpu: &GpuBackend) {
    common::golden::check(gpu, Form::Plain, 1e-4);
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let backend = GpuBackend::new(&GpuOptions {
        allow_software: true,
        ..GpuOptions::default()
    });
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
