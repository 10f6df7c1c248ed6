//! Whole optimiser steps of the CPU backend; see `common/training.rs` for what each check demands.

#![allow(non_snake_case, reason = "the paper's symbols")]

mod common;

use alrnn_gpu::backend::cpu::CpuBackend;
use alrnn_gpu::backend::{Backend, Form};
use common::training;

fn cpu(threads: usize) -> CpuBackend {
    CpuBackend::new(Some(threads)).expect("threads start")
}

#[test]
fn cpu_matches_the_reference() {
    training::matches_the_reference(&cpu(2), Form::Plain);
    training::matches_the_reference(&cpu(2), Form::Blocked);
}

#[test]
fn cpu_matches_curves_from_elsewhere() {
    for backend in CpuBackend::every_instruction_set(Some(1)).expect("one thread") {
        training::matches_the_curves(&backend, Form::Plain);
        training::matches_the_curves(&backend, Form::Blocked);
    }
}

#[test]
fn growth_is_watched() {
    for backend in CpuBackend::every_instruction_set(Some(2)).expect("threads start") {
        common::growth::is_watched(&backend);
        common::growth::is_crossed(&backend, &[20]);
    }
}

#[test]
fn huge_gradients_are_clipped_or_said() {
    for backend in CpuBackend::every_instruction_set(Some(1)).expect("one thread") {
        training::huge_gradients(&backend, Form::Plain);
        training::huge_gradients(&backend, Form::Blocked);
    }
}

#[test]
fn cpu_windows_match_the_reference() {
    for backend in CpuBackend::every_instruction_set(Some(1)).expect("one thread") {
        training::windows_match_the_reference(&backend);
    }
}

#[test]
fn a_crowd_changes_nothing() {
    training::crowd_changes_nothing(&cpu(2), Form::Plain);
    training::crowd_changes_nothing(&cpu(2), Form::Blocked);
    training::crowd_changes_nothing(&cpu(2), Form::Auto);
}

#[test]
fn resume_changes_nothing() {
    training::resume_changes_nothing(&cpu(2), Form::Plain);
    training::resume_changes_nothing(&cpu(2), Form::Blocked);
}

#[test]
fn divergence_stays_alone() {
    training::divergence_stays_alone(&cpu(2), Form::Plain);
    training::divergence_stays_alone(&cpu(2), Form::Blocked);
}

/// The number of threads is no part of a result either.
#[test]
fn threads_change_nothing() {
    let data = training::lorenz(50, false, false);
    let plan = training::plan(training::crowd(7), 0, 16, 50, Form::Plain);
    let start = training::initial_state(&plan);
    let (one, _) = training::train(&cpu(1), &plan, &data, &start, 2);
    let (three, _) = training::train(&cpu(3), &plan, &data, &start, 2);
    assert!(one == three, "one thread and three end differently");
}

/// Nor is it where a member alone has several, which take turns in the ways that the backend knows; or two members, which
/// leave their memory to each other.
#[test]
fn threads_of_one_member_change_nothing() {
    let crowd = training::crowd(8);
    for form in [Form::Plain, Form::Blocked] {
        for (members, S, with_inputs, with_gaps) in [
            (&[0][..], 16, false, false),
            (&[3], 16, true, true),
            (&[6], 20, false, true),
            (&[1], 40, true, false),
            (&[7], 5, false, false),
            (&[3, 0], 20, false, false),
        ] {
            let data = training::lorenz(37, with_inputs, with_gaps);
            let some = members.iter().map(|&member| crowd[member].clone()).collect();
            let plan = training::plan(some, data.K, S, 37, form);
            let start = training::initial_state(&plan);
            let all = |threads| CpuBackend::every_instruction_set(Some(threads)).expect("threads start");
            for (one, several) in all(1).iter().zip(&all(4)) {
                let alone = training::train(one, &plan, &data, &start, 4);
                let shared = training::train(several, &plan, &data, &start, 4);
                let name = &several.device().name;
                assert!(alone == shared, "{name}: members {members:?}, S {S}, {form:?}");
            }
        }
    }
}
