//! The kernels through another compiler and driver: Chromium's WebGPU, whose Tint also proves that barriers are reached by
//! all threads, on SwiftShader; run by the host that pages of `alrnn-gpu page` carry. Listed as ignored where there is no
//! Chromium (the last lines say so); ALRNN_CHROMIUM names the program to use, ALRNN_REQUIRE_GPU=1 makes its lack a failure.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod backend;
mod browser;
#[path = "../support/chromium.rs"]
mod chromium;
#[path = "../common/mod.rs"]
mod common;
mod page;
mod sources;
mod training;

use std::process::ExitCode;
use std::sync::Arc;

use alrnn_gpu::backend::Form;
use backend::InBrowser;
use browser::Browser;
use libtest_mimic::{Arguments, Trial};

type Check = fn(&Arc<Browser>);

const TESTS: &[(&str, Check)] = &[
    ("every_source_compiles", sources::every_source_compiles),
    (
        "barriers_in_branches_are_refused",
        sources::barriers_in_branches_are_refused,
    ),
    ("golden_cases", |b| {
        common::golden::check(&InBrowser::new(b), Form::Plain, 1e-4)
    }),
    ("golden_cases_blocked", golden_cases_blocked),
    ("golden_cases_fused", golden_cases_fused),
    ("twenty_steps_match_the_cpu", |b| {
        training::matches_the_cpu(b, Form::Plain)
    }),
    ("twenty_steps_match_the_cpu_blocked", |b| {
        training::matches_the_cpu(b, Form::Blocked)
    }),
    ("free_runs_match_the_reference", training::free_runs),
    ("the_schedule_is_the_library_s", training::schedule),
    ("a_page_trains_as_the_cpu", page::trains_as_the_cpu),
    ("a_page_says_what_is_missing", page::says_what_is_missing),
];

/// A case for each of what the form's kernels do: no, few and only ReLU units, weak forcing, inputs, gaps. Others, which
/// `vulkan` runs, would have the browser compile eleven kernels each, ten seconds of a core.
fn golden_cases_blocked(browser: &Arc<Browser>) {
    let mut cases = common::golden::all_cases();
    cases.retain(|case| {
        ["all_relu", "gtf", "inputs", "linear", "missing", "tiny"].contains(&case.name.as_str())
    });
    assert_eq!(cases.len(), 6);
    common::golden::check_cases(&InBrowser::new(browser), Form::Blocked, 1e-4, cases);
}

/// Weak forcing, gaps.
fn golden_cases_fused(browser: &Arc<Browser>) {
    let mut cases = common::golden::all_cases();
    cases.retain(|case| ["gtf", "missing"].contains(&case.name.as_str()));
    assert_eq!(cases.len(), 2);
    common::golden::check_cases(&InBrowser::new(browser), Form::Fused, 1e-4, cases);
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let chromium = chromium::find();
    let required = std::env::var_os("ALRNN_REQUIRE_GPU").is_some_and(|v| v == "1");
    let browser = chromium.map(|program| Arc::new(Browser::new(program)));
    let trials = TESTS.iter().map(|&(name, check)| {
        let browser = browser.clone();
        let ignored = browser.is_none() && !required;
        Trial::test(name, move || {
            check(&browser.ok_or(chromium::INSTALL)?);
            Ok(())
        })
        .with_ignored_flag(ignored)
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if browser.is_none() {
        println!("WebGPU tests NOT RUN ({}):", chromium::INSTALL);
        TESTS.iter().for_each(|(name, _)| println!("  {name}"));
    }
    // Ends the browser, which a value that is never dropped would leave running.
    drop(browser);
    conclusion.exit_code()
}
