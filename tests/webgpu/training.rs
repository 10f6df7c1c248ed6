//! Training and free runs in the browser beside those of the library.

use std::sync::Arc;

use alrnn_gpu::backend::cpu::CpuBackend;
use alrnn_gpu::backend::gpu::export;
use alrnn_gpu::backend::gpu::memory::params::Params;
use alrnn_gpu::backend::gpu::schedule::step::{params, rates};
use alrnn_gpu::backend::reference::ReferenceBackend;
use alrnn_gpu::backend::{Backend, Form, FreeModel, FreeRun, Member, Optimizer, Plan};
use alrnn_gpu::model::{Dims, init};
use ndarray::Array2;
use serde_json::json;

use crate::backend::InBrowser;
use crate::browser::{Browser, bytes};
use crate::common::parity::{assert_close, displacement, widened};
use crate::common::training::{self, TRAINING_TOLERANCE};

/// Two epochs of ten steps from the same start: how far parameters moved, moments and losses. Both sides round to f32 and
/// sum in orders of their own, so that each is held to what it may differ from the f64 reference by
/// ([`TRAINING_TOLERANCE`]; losses 1e-4), as every other backend is.
pub fn matches_the_cpu(browser: &Arc<Browser>, form: Form) {
    let cpu = CpuBackend::new(None).expect("threads");
    for (with_inputs, with_gaps, S, T) in [(false, false, 16, 200), (true, true, 5, 50)] {
        let data = training::lorenz(T, with_inputs, with_gaps);
        // Members that differ have kernels of their own in the blocked form.
        let members = match form {
            Form::Plain if with_gaps => training::crowd(3),
            _ => vec![training::member(1)],
        };
        let plan = training::plan(members, data.K, S, T, form);
        let start = training::initial_state(&plan);
        let (got, got_results) = training::train(&InBrowser::new(browser), &plan, &data, &start, 2);
        let (want, want_results) = training::train(&cpu, &plan, &data, &start, 2);
        for (e, (got, want)) in got.members.iter().zip(&want.members).enumerate() {
            let before = &start.members[e].theta;
            let errors = [
                (
                    "parameters",
                    displacement(&got.theta, before),
                    displacement(&want.theta, before),
                ),
                ("first moments", widened(&got.m), widened(&want.m)),
                ("second moments", widened(&got.v), widened(&want.v)),
            ]
            .map(|(what, got, want)| {
                let name = format!("{what} of member {e}, {form:?}, T {T}");
                assert_close(&name, &got, &want, TRAINING_TOLERANCE)
            });
            println!("{form:?} T {T} member {e}: {errors:?}");
            assert_eq!(got.stopped_at, want.stopped_at);
        }
        for (got, want) in got_results.iter().zip(&want_results) {
            assert_eq!(got.epoch, want.epoch);
            assert_close("losses", &widened(&got.loss), &widened(&want.loss), 1e-4);
        }
    }
}

/// Narrow and wide, with inputs, over 150 steps, so that rounding has no time to grow.
pub fn free_runs(browser: &Arc<Browser>) {
    for (M, N, K, P) in [(20, 3, 0, 2), (7, 2, 2, 7), (100, 5, 1, 50)] {
        let dims = Dims::new(M, N, K).expect("valid sizes");
        let theta = init(dims, 5).pack();
        let run = FreeRun {
            x0: (0..N)
                .map(|n| if n == 1 { f32::NAN } else { 0.4 - 0.1 * n as f32 })
                .collect(),
            s: Array2::from_shape_fn((151, K), |(t, k)| ((t + 5 * k) as f32 * 0.3).sin()),
            steps: 150,
        };
        let run = |backend: &dyn Backend| {
            let model = FreeModel { theta: &theta, P };
            let mut rows = backend
                .free_run(dims, &[model], std::slice::from_ref(&run), true)
                .expect("it runs");
            rows.remove(0)
                .remove(0)
                .iter()
                .map(|&v| f64::from(v))
                .collect::<Vec<f64>>()
        };
        let (got, want) = (run(&InBrowser::new(browser)), run(&ReferenceBackend::new()));
        assert_close(&format!("free run of M {M}"), &got, &want, 1e-4);
    }
}

/// What the host computes by itself, the parameters of a step and the learning rates and noise of an epoch, is what the library does.
pub fn schedule(browser: &Arc<Browser>) {
    let data = training::lorenz(50, false, false);
    for optimizer in [Optimizer::Radam, Optimizer::Adam] {
        for (start_lr, end_lr) in [(5e-3, 1e-5), (0.0, 1e-5)] {
            let member = Member {
                start_lr,
                end_lr,
                ..training::member(1)
            };
            let falls = Member {
                noise_end: Some(0.002),
                ..member.clone()
            };
            let silent = Member {
                noise: 0.0,
                ..member.clone()
            };
            let plan = Plan {
                optimizer,
                epochs: 2_000,
                ..training::plan(vec![member, falls, silent], 0, 16, 50, Form::Plain)
            };
            let steps: Vec<u32> = (0..40)
                .chain([99, 1_000, 9_999, 10_000, 54_321, 1_000_000])
                .collect();
            let epochs = [0, 1, 7, 999, 1_999];
            let exported =
                export::training(&plan, &data, &training::initial_state(&plan)).expect("a document");
            let job = json!({ "kind": "schedule", "training": exported, "steps": steps, "epochs": epochs });
            let answer = browser.ask(&job);
            for (i, &step) in steps.iter().enumerate() {
                let got: Params = bytemuck::pod_read_unaligned(&bytes(&answer["params"][i]));
                let want = params(&plan, data.starts.len(), step);
                let close = |a: f32, b: f32| (a - b).abs() <= f32::EPSILON * b.abs();
                assert!(
                    close(got.m_scale, want.m_scale)
                        && close(got.v_scale, want.v_scale)
                        && close(got.rect, want.rect),
                    "{optimizer:?}: {got:?} where the library has {want:?}"
                );
                let others = |p: Params| Params {
                    m_scale: 0.0,
                    v_scale: 0.0,
                    rect: 0.0,
                    ..p
                };
                assert_eq!(
                    bytemuck::bytes_of(&others(got)),
                    bytemuck::bytes_of(&others(want)),
                    "step {step}"
                );
            }
            for (i, &epoch) in epochs.iter().enumerate() {
                let pairs = answer["rates"][i].as_array().expect("numbers");
                let want = rates(&plan, &[0, 1, 2], epoch);
                for (got, want) in pairs.iter().zip(want.as_flattened()) {
                    let got = got.as_f64().expect("a number") as f32;
                    assert!(
                        (got - want).abs() <= f32::EPSILON * want,
                        "epoch {epoch}: {got} where {want}"
                    );
                }
                assert_eq!(pairs.len(), 6);
            }
        }
    }
}
