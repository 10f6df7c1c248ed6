//! Whole ensembles: chunks, submissions, threads, results, timing, a lost device.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::sync::Arc;

use alrnn_gpu::backend::gpu::{Gpu, GpuBackend, GpuOptions};
use alrnn_gpu::backend::{Backend, EnsembleStart, Form, FreeModel, FreeRun, TrainingData, Windows};
use alrnn_gpu::model::Dims;
use ndarray::Array2;

use crate::common::training;
use crate::gradients::theta;
use crate::open;

/// Ten steps of models too wide for registers.
pub fn wide_training(gpu: &GpuBackend) {
    for form in [Form::Plain, Form::Blocked] {
        wide_training_in(gpu, form);
    }
}

fn wide_training_in(gpu: &GpuBackend, form: Form) {
    let data = training::lorenz(20, true, true);
    let mut plan = training::plan(training::crowd(3), data.K, 8, 20, form);
    plan.shape.dims = Dims::new(70, 3, data.K).expect("valid sizes");
    let start = training::initial_state(&plan);
    training::agrees_with_the_reference(gpu, &plan, &data, &start, 1, &format!("wide {form:?}"));
}

/// A memory budget that forces the ensemble into many chunks leaves every bit as it was.
pub fn chunks_change_nothing(gpu: &GpuBackend) {
    for form in [Form::Plain, Form::Blocked, Form::Fused] {
        chunks_change_nothing_in(gpu, form);
    }
}

fn chunks_change_nothing_in(gpu: &GpuBackend, form: Form) {
    let data = training::lorenz(50, false, true);
    let plan = training::plan(training::crowd(11), 0, 16, 50, form);
    let start = training::initial_state(&plan);
    let (whole, results) = training::train(gpu, &plan, &data, &start, 2);
    // About 100 KB a member: chunks of three or four. (Members cut into unlike blocks never share a chunk.)
    let small = GpuBackend::new(&GpuOptions {
        memory: Some(if form == Form::Plain { 400_000 } else { 1 }),
        ..open()
    })
    .expect("opened before");
    let (chunked, chunked_results) = training::train(&small, &plan, &data, &start, 2);
    assert!(whole == chunked, "chunks change the result");
    assert_eq!(results, chunked_results);
    let mut ensemble = small
        .ensemble(plan.clone(), data.clone(), &start)
        .expect("it is built");
    let mut other = gpu.ensemble(plan, data, &start).expect("it is built");
    let differ = |a: &Windows, b: &Windows| {
        a.x.iter()
            .zip(&b.x)
            .any(|(a, b)| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan()))
    };
    for member in [0, 5, 10] {
        let (a, b) = (
            ensemble.windows(member, 7).expect("read"),
            other.windows(member, 7).expect("read"),
        );
        assert!(!differ(&a, &b), "windows of member {member} differ");
    }
}

/// The ensembles of a study share their scratch memory, and each has the bits that it has alone, whichever threads train them
/// at once.
pub fn a_study_changes_nothing(gpu: &GpuBackend) {
    let data = training::lorenz(50, false, false);
    let start = |(M, form)| {
        let mut plan = training::plan(training::crowd(5), 0, 16, 50, form);
        plan.shape.dims = Dims::new(M, 3, 0).expect("valid sizes");
        EnsembleStart {
            state: training::initial_state(&plan),
            data: Arc::clone(&data),
            plan,
        }
    };
    let shapes = [(20, Form::Plain), (12, Form::Blocked), (70, Form::Plain)];
    let study = shapes.map(start).to_vec();
    let mut ensembles = gpu.ensembles(study.clone()).expect("they are built");
    std::thread::scope(|scope| {
        for ensemble in &mut ensembles {
            scope.spawn(|| {
                (0..3)
                    .try_for_each(|_| ensemble.train_epoch())
                    .expect("an epoch runs")
            });
        }
    });
    for (ensemble, start) in ensembles.iter_mut().zip(study) {
        let (alone, _) = training::train(gpu, &start.plan, &start.data, &start.state, 3);
        let together = ensemble.state().expect("the state is read");
        assert!(together == alone, "{:?} differs beside others", start.plan.shape);
    }
}

/// Nor does the number of submissions that an epoch is cut into, down to one a kernel.
pub fn submissions_change_nothing(gpu: &GpuBackend) {
    let data = training::lorenz(50, false, false);
    for form in [Form::Plain, Form::Blocked] {
        submissions_change_nothing_in(gpu, form, &data);
    }
}

fn submissions_change_nothing_in(gpu: &GpuBackend, form: Form, data: &Arc<TrainingData>) {
    let plan = training::plan(training::crowd(4), 0, 16, 50, form);
    let start = training::initial_state(&plan);
    let (whole, results) = training::train(gpu, &plan, data, &start, 2);
    for seconds in [1e-9, 2e-3] {
        let hasty = GpuBackend::new(&GpuOptions {
            submission_seconds: Some(seconds),
            ..open()
        })
        .expect("opened before");
        let (cut, cut_results) = training::train(&hasty, &plan, data, &start, 2);
        assert!(whole == cut, "submissions of {seconds} s change the result");
        assert_eq!(results, cut_results);
    }
}

/// Every kernel of a step is timed, and takes some time.
pub fn profile_times_every_kernel(gpu: &GpuBackend) {
    let plain = ["sample", "forward", "adjoint", "outer", "update"];
    let blocked = [
        "sample",
        "blocked/powers",
        "blocked/forward",
        "blocked/adjoint",
        "blocked/collect",
        "blocked/pull_back",
        "update",
        // What is fallen back on.
        "forward",
        "adjoint",
        "outer",
    ];
    let fused = [
        "sample",
        "blocked/powers",
        "fused/forward",
        "fused/adjoint",
        "blocked/pull_back",
        "update",
        "forward",
        "adjoint",
    ];
    for (form, M, kernels) in [
        (Form::Plain, 70, &plain[..]),
        (Form::Blocked, 70, &blocked),
        (Form::Fused, 16, &fused),
    ] {
        let data = training::lorenz(50, false, false);
        let mut plan = training::plan(vec![training::member(1); 4], 0, 16, 50, form);
        plan.shape.dims = Dims::new(M, 3, 0).expect("valid sizes");
        let start = training::initial_state(&plan);
        let times = gpu.profile(plan, data, &start, 2).expect("the kernels are timed");
        println!("{times:?}");
        let names: Vec<_> = times.iter().map(|t| t.kernel).collect();
        assert_eq!(names, kernels);
        assert!(
            times.iter().all(|t| t.seconds > 0.0 && t.seconds < 10.0),
            "{times:?}"
        );
    }
}

/// Epochs are reported in order, each once, whether or not one waits; many may be enqueued.
pub fn results_come_without_waiting(gpu: &GpuBackend) {
    let data = training::lorenz(20, false, false);
    let plan = training::plan(training::crowd(2), 0, 4, 20, Form::Plain);
    let start = training::initial_state(&plan);
    let mut ensemble = gpu.ensemble(plan, data, &start).expect("it is built");
    let mut seen = Vec::new();
    for _ in 0..12 {
        ensemble.train_epoch().expect("an epoch runs");
        seen.extend(ensemble.results(false).expect("results are read"));
    }
    seen.extend(ensemble.results(true).expect("results are read"));
    assert_eq!(
        seen.iter().map(|r| r.epoch).collect::<Vec<_>>(),
        (0..12).collect::<Vec<_>>()
    );
    assert_eq!(ensemble.state().expect("the state is read").step, 120);
}

/// Scoring runs models freely in one thread while another trains; neither may take the other's answers.
pub fn threads_share_the_device(gpu: &GpuBackend) {
    let data = training::lorenz(20, false, false);
    let plan = training::plan(training::crowd(3), 0, 4, 20, Form::Plain);
    let start = training::initial_state(&plan);
    let (alone, _) = training::train(gpu, &plan, &data, &start, 2);
    let packed = theta(plan.shape.dims, 1).pack();
    let score = || {
        let model = FreeModel { theta: &packed, P: 2 };
        let run = FreeRun {
            x0: vec![0.1, 0.2, 0.3],
            s: Array2::zeros((0, 0)),
            steps: 300,
        };
        gpu.free_run(plan.shape.dims, &[model], &[run], false)
            .expect("the model runs")
    };
    let expected = score();
    std::thread::scope(|scope| {
        let trainer =
            scope.spawn(|| (0..10).all(|_| training::train(gpu, &plan, &data, &start, 2).0 == alone));
        let scorers: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| (0..20).all(|_| score() == expected)))
            .collect();
        assert!(
            trainer.join().expect("the trainer runs"),
            "training differs beside free runs"
        );
        for scorer in scorers {
            assert!(
                scorer.join().expect("the scorer runs"),
                "a free run differs beside training"
            );
        }
    });
}

/// A device that is lost between two epochs is an error of the next calls, and of no other device.
pub fn lost_device(gpu: &GpuBackend) {
    let opened = Gpu::open(&open()).expect("opened before");
    let device = opened.device.clone();
    let lost = GpuBackend::with_gpu(opened, &open());
    let data = training::lorenz(50, false, false);
    let plan = training::plan(training::crowd(3), 0, 16, 50, Form::Plain);
    let start = training::initial_state(&plan);
    let mut ensemble = lost
        .ensemble(plan.clone(), data.clone(), &start)
        .expect("it is built");
    ensemble.train_epoch().expect("an epoch runs");
    ensemble.results(true).expect("results are read");
    device.destroy();
    let failed = [
        ensemble
            .train_epoch()
            .and_then(|()| ensemble.results(true))
            .map(drop),
        ensemble.state().map(drop),
        lost.ensemble(plan.clone(), data.clone(), &start).map(drop),
    ];
    for error in failed.map(|result| result.expect_err("the device is gone")) {
        println!("{error}");
        assert_eq!(error.exit_code(), 1);
        assert!(
            error.hint().is_some() && error.to_string().lines().count() == 1,
            "{error}"
        );
    }
    training::train(gpu, &plan, &data, &start, 1);
}
