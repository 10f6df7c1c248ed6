//! Whole optimiser steps: parity with the reference, and independence of a member's bits from everything else.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::sync::Arc;

use alrnn_gpu::backend::reference::ReferenceBackend;
use alrnn_gpu::backend::{
    Backend, EnsembleState, EpochResult, Form, MISSING, Member, MemberState, Optimizer, Plan, TrainingData,
};
use alrnn_gpu::model::{Dims, Shape, init};

use super::curve;
use super::parity::{assert_close, displacement, widened};

/// Largest relative L2 error of how far 20 optimiser steps moved the parameters, and of moments.
pub const TRAINING_TOLERANCE: f64 = 2e-4;
/// Largest absolute difference of window entries of unit scale: rounding of `x + σ n`.
pub const WINDOW_TOLERANCE: f64 = 1e-6;

const ROWS: usize = 3000;

/// Rows of standardised Lorenz-63 by fourth-order Runge–Kutta, `dt` 0.01, one after another.
pub fn lorenz_rows(rows: usize) -> Vec<f32> {
    let flow = |u: [f64; 3]| {
        [
            10.0 * (u[1] - u[0]),
            u[0] * (28.0 - u[2]) - u[1],
            u[0] * u[1] - 8.0 / 3.0 * u[2],
        ]
    };
    let along = |u: [f64; 3], k: [f64; 3], h: f64| [u[0] + h * k[0], u[1] + h * k[1], u[2] + h * k[2]];
    let (mut u, dt) = ([1.0, 2.0, 20.0], 0.01);
    let mut x = Vec::with_capacity(3 * rows);
    for _ in 0..rows {
        let k1 = flow(u);
        let k2 = flow(along(u, k1, dt / 2.0));
        let k3 = flow(along(u, k2, dt / 2.0));
        let k4 = flow(along(u, k3, dt));
        for i in 0..3 {
            u[i] += dt / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]);
        }
        x.extend([u[0] / 8.0, u[1] / 9.0, (u[2] - 23.5) / 8.6].map(|v| v as f32));
    }
    x
}

/// [`lorenz_rows`] as training data; optionally with inputs (a slow sine and its cosine) and with about a fifth of the
/// values missing.
pub fn lorenz(T: usize, with_inputs: bool, with_gaps: bool) -> Arc<TrainingData> {
    let mut x = lorenz_rows(ROWS);
    if with_gaps {
        // A fixed scatter: the golden ratio's multiples are evenly spread.
        let missing = |i: usize| (i as f64 * 0.618_033_988_75).fract() < 0.2;
        x.iter_mut()
            .enumerate()
            .filter(|(i, _)| missing(*i))
            .for_each(|(_, v)| *v = MISSING);
    }
    let wave = |row: usize| [(0.01 * row as f32).sin(), (0.01 * row as f32).cos()];
    Arc::new(TrainingData {
        N: 3,
        K: if with_inputs { 2 } else { 0 },
        x,
        s: if with_inputs {
            (0..ROWS).flat_map(wave).collect()
        } else {
            Vec::new()
        },
        starts: (0..(ROWS - T) as u32).collect(),
        has_missing: with_gaps,
    })
}

pub fn member(seed: u32) -> Member {
    Member {
        seed,
        P: 2,
        tau: 16,
        noise: 0.05,
        start_lr: 1e-3,
        end_lr: 1e-5,
        ..Member::default()
    }
}

/// A crowd that differs in everything in which members may differ.
pub fn crowd(n: u32) -> Vec<Member> {
    (0..n)
        .map(|i| Member {
            P: (i % 5) as usize,
            tau: [16, 7, 1, 40, 1000][i as usize % 5],
            alpha: [1.0, 0.5, 0.2][i as usize % 3],
            noise: [0.05, 0.0, 0.1][i as usize % 3],
            noise_end: [None, None, Some(0.01)][i as usize % 3],
            inflation: [1.0, 1.1][i as usize % 2],
            start_lr: [1e-3, 3e-3][i as usize % 2],
            lambda_lat: [0.0, 0.1][i as usize % 2],
            lambda_obs: [0.0, 0.0, 0.01][i as usize % 3],
            clip: [None, Some(0.1), None, Some(10.0)][i as usize % 4],
            ..member(100 + i)
        })
        .collect()
}

pub fn plan(members: Vec<Member>, K: usize, S: usize, T: usize, form: Form) -> Plan {
    let dims = Dims::new(20, 3, K).expect("sizes within limits");
    Plan {
        shape: Shape::new(dims, S, T).expect("sizes within limits"),
        members,
        optimizer: Optimizer::Radam,
        epochs: 4,
        batches_per_epoch: 10,
        form,
    }
}

pub fn initial_state(plan: &Plan) -> EnsembleState {
    let new = |member: &Member| MemberState::new(&init(plan.shape.dims, member.seed));
    EnsembleState {
        step: 0,
        members: plan.members.iter().map(new).collect(),
    }
}

/// Trains from `state` for some epochs.
pub fn train(
    backend: &dyn Backend,
    plan: &Plan,
    data: &Arc<TrainingData>,
    state: &EnsembleState,
    epochs: u32,
) -> (EnsembleState, Vec<EpochResult>) {
    let mut ensemble = backend
        .ensemble(plan.clone(), data.clone(), state)
        .expect("the ensemble is built");
    for _ in 0..epochs {
        ensemble.train_epoch().expect("an epoch runs");
    }
    let results = ensemble.results(true).expect("results are read");
    assert_eq!(results.len(), epochs as usize, "one result an epoch");
    assert!(
        ensemble.results(true).expect("results are read").is_empty(),
        "each reported once"
    );
    (ensemble.state().expect("the state is read"), results)
}

/// 20 steps from the same start agree with the reference: displacements, moments and losses, with and without inputs, gaps,
/// clipping and regularisation, with either optimiser.
pub fn matches_the_reference(backend: &dyn Backend, form: Form) {
    for (with_inputs, with_gaps, S, T, optimizer) in [
        (false, false, 16, 200, Optimizer::Radam),
        (true, true, 5, 50, Optimizer::Radam),
        (true, false, 16, 33, Optimizer::Adam),
    ] {
        let data = lorenz(T, with_inputs, with_gaps);
        let mut members = vec![member(1)];
        if T < 200 {
            members = crowd(12);
        }
        let plan = Plan {
            optimizer,
            ..plan(members, data.K, S, T, form)
        };
        let context = format!("{form:?} {optimizer:?} S {S} T {T} inputs {with_inputs} gaps {with_gaps}");
        agrees_with_the_reference(backend, &plan, &data, &initial_state(&plan), 2, &context);
    }
}

/// Trains some epochs from `start` and compares everything that comes of it.
pub fn agrees_with_the_reference(
    backend: &dyn Backend,
    plan: &Plan,
    data: &Arc<TrainingData>,
    start: &EnsembleState,
    epochs: u32,
    context: &str,
) {
    let (got, got_results) = train(backend, plan, data, start, epochs);
    let (want, want_results) = train(&ReferenceBackend::new(), plan, data, start, epochs);
    assert_eq!(got.step, want.step);
    for (e, (got, want)) in got.members.iter().zip(&want.members).enumerate() {
        let context = format!("{context}, member {e}");
        let before = &start.members[e].theta;
        let (moved, should) = (
            displacement(&got.theta, before),
            displacement(&want.theta, before),
        );
        let errors = [
            ("parameters", moved, should),
            ("first moments", widened(&got.m), widened(&want.m)),
            ("second moments", widened(&got.v), widened(&want.v)),
        ]
        .map(|(what, got, want)| {
            assert_close(&format!("{what} of {context}"), &got, &want, TRAINING_TOLERANCE)
        });
        println!("{context}: {errors:?}");
        assert_eq!(got.stopped_at, want.stopped_at, "{context}");
    }
    for (got, want) in got_results.iter().zip(&want_results) {
        assert_eq!(got.epoch, want.epoch);
        let name = format!("losses of {context}, epoch {}", got.epoch);
        assert_close(&name, &widened(&got.loss), &widened(&want.loss), 1e-4);
    }
}

/// Trainings of which every number is known from another framework: losses, and parameters by how far they moved.
pub fn matches_the_curves(backend: &dyn Backend, form: Form) {
    for curve in curve::all(form) {
        let name = curve.name;
        let (plan, data) = (&curve.plan, &curve.data);
        let start = curve.theta.row(0);
        let mut state = curve.start;
        for (epoch, &loss) in curve.loss.iter().enumerate() {
            let (next, results) = train(backend, plan, data, &state, 1);
            state = next;
            let of = |what| format!("{what} of {name} {form:?}, epoch {epoch}");
            let of_loss = assert_close(&of("loss"), &widened(&results[0].loss), &[loss], 1e-4);
            let moved = widened(&state.members[0].theta)
                .into_iter()
                .zip(&start)
                .map(|(a, b)| a - b);
            let should = &curve.theta.row(epoch + 1) - &start;
            let of_theta = assert_close(
                &of("parameters"),
                &moved.collect::<Vec<_>>(),
                &should.to_vec(),
                TRAINING_TOLERANCE,
            );
            println!("{}: {of_theta:e}, loss {of_loss:e}", of("parameters"));
        }
    }
}

/// Gradients up to 1e28, whose squares f32 cannot hold: clipped, they move the parameters as far as any; unclipped, the
/// member is marked as stopped at the step in which the reference stops it. It never stands still in silence.
pub fn huge_gradients(backend: &dyn Backend, form: Form) {
    let mut data = TrainingData::clone(&lorenz(200, false, false));
    data.x = (0..data.x.len()).map(|i| (0.1 * i as f32).sin()).collect();
    let data = Arc::new(data);
    // z grows by this each step, 200 of them.
    for growth in [1.02, 1.05, 1.12, 1.14, 1.16] {
        for optimizer in [Optimizer::Radam, Optimizer::Adam] {
            let clips = [Some(10.0), Some(1e-6), None];
            // Without ReLU units: Adam would make whole steps of the rounding of gradients that are 0 behind closed ones.
            let huge = |clip| Member {
                P: 0,
                tau: 1000,
                noise: 0.0,
                clip,
                ..member(1)
            };
            let plan = Plan {
                optimizer,
                batches_per_epoch: 2,
                ..plan(clips.map(huge).to_vec(), 0, 16, 200, form)
            };
            let mut start = initial_state(&plan);
            let dims = plan.shape.dims;
            for member in &mut start.members {
                member.theta[..dims.M].fill(growth);
                member.theta[dims.M..dims.range_L().start].fill(0.0);
            }
            let (got, _) = train(backend, &plan, &data, &start, 1);
            let (want, _) = train(&ReferenceBackend::new(), &plan, &data, &start, 1);
            for (e, clip) in clips.iter().enumerate() {
                let name = format!("{form:?} {optimizer:?} growth {growth} clip {clip:?}");
                let moved = displacement(&got.members[e].theta, &start.members[e].theta);
                let should = displacement(&want.members[e].theta, &start.members[e].theta);
                let stopped_at = got.members[e].stopped_at;
                println!(
                    "{name}: stopped {stopped_at:?}, moved by {:e}",
                    moved.iter().fold(0.0, |a: f64, b| a.max(b.abs()))
                );
                assert_eq!(stopped_at, want.members[e].stopped_at, "{name}");
                assert!(clip.is_none() || stopped_at.is_none(), "{name} stopped");
                assert!(
                    stopped_at == Some(1) || moved.iter().any(|&d| d != 0.0),
                    "{name} stands still"
                );
                assert_close(&name, &moved, &should, 2e-3);
            }
        }
    }
}

/// Windows and noise are the reference's to rounding; a missing entry stays missing, nothing else becomes so.
pub fn windows_match_the_reference(backend: &dyn Backend) {
    for (S, T, with_inputs, with_gaps) in [(16, 200, false, false), (5, 24, true, true), (33, 7, true, false)]
    {
        let data = lorenz(T, with_inputs, with_gaps);
        let plan = plan(crowd(3), data.K, S, T, Form::Auto);
        let state = initial_state(&plan);
        let ensemble = |b: &dyn Backend| {
            b.ensemble(plan.clone(), data.clone(), &state)
                .expect("it is built")
        };
        let (mut ours, mut reference) = (ensemble(backend), ensemble(&ReferenceBackend::new()));
        for (e, step) in [(0, 0), (1, 0), (2, 3), (2, 37), (0, 99_999)] {
            let got = ours.windows(e, step).expect("windows are read");
            let want = reference.windows(e, step).expect("windows are read");
            assert_eq!(got.x.dim(), want.x.dim());
            assert_eq!(got.s, want.s, "inputs of member {e}, step {step}");
            for ((index, a), b) in got.x.indexed_iter().zip(&want.x) {
                let agree = (a.is_nan() && b.is_nan()) || (a - b).abs() <= WINDOW_TOLERANCE;
                assert!(agree, "x[{index:?}] {a:e} ref {b:e}, member {e}, step {step}");
            }
            assert_eq!(want.x.iter().any(|v| v.is_nan()), with_gaps);
        }
    }
}

/// A member trained alone ends with the bits that it has in a crowd of 64.
pub fn crowd_changes_nothing(backend: &dyn Backend, form: Form) {
    let data = lorenz(50, false, false);
    let everyone = plan(crowd(64), 0, 16, 50, form);
    let (together, results) = train(backend, &everyone, &data, &initial_state(&everyone), 2);
    for e in [0, 1, 17, 63] {
        let alone = plan(vec![everyone.members[e].clone()], 0, 16, 50, form);
        let (state, alone_results) = train(backend, &alone, &data, &initial_state(&alone), 2);
        assert!(
            state.members[0] == together.members[e],
            "member {e} differs alone"
        );
        for (a, b) in alone_results.iter().zip(&results) {
            assert_eq!(a.loss[0].to_bits(), b.loss[e].to_bits(), "loss of member {e}");
        }
    }
}

/// A run continued from its state ends with the bits of an uninterrupted one.
pub fn resume_changes_nothing(backend: &dyn Backend, form: Form) {
    let data = lorenz(50, false, true);
    let plan = plan(crowd(5), 0, 16, 50, form);
    let start = initial_state(&plan);
    let (whole, results) = train(backend, &plan, &data, &start, 4);
    let (half, _) = train(backend, &plan, &data, &start, 1);
    assert_eq!(half.step, 10);
    let (resumed, later) = train(backend, &plan, &data, &half, 3);
    assert!(resumed == whole, "the resumed run ends differently");
    assert_eq!(later, results[1..]);
}

/// A member with an absurd learning rate stops, keeps finite parameters, and disturbs nobody.
pub fn divergence_stays_alone(backend: &dyn Backend, form: Form) {
    let data = lorenz(200, false, false);
    let mut members = crowd(6);
    let calm = plan(members.clone(), 0, 16, 200, form);
    // Unforced over 200 steps with parameters of order 10: f32 overflows within a few optimiser steps.
    (
        members[2].start_lr,
        members[2].end_lr,
        members[2].tau,
        members[2].clip,
    ) = (10.0, 10.0, 1000, None);
    let wild = plan(members, 0, 16, 200, form);
    let start = initial_state(&wild);
    let (state, results) = train(backend, &wild, &data, &start, 4);
    let (undisturbed, _) = train(backend, &calm, &data, &start, 4);
    let stopped = state.members[2].stopped_at.expect("the wild member stops");
    assert!((1..=40).contains(&stopped), "stopped at {stopped}");
    assert!(
        state.members[2].theta.iter().all(|v| v.is_finite()),
        "parameters stay finite"
    );
    let ended = ((stopped - 1) / 10) as usize;
    for (epoch, result) in results.iter().enumerate() {
        assert_eq!(
            result.loss[2].is_nan(),
            epoch >= ended,
            "epoch {epoch}: {:?}",
            result.loss
        );
        assert_eq!(result.stopped_at[2], (epoch >= ended).then_some(stopped));
    }
    for e in [0, 1, 3, 4, 5] {
        assert!(
            state.members[e] == undisturbed.members[e],
            "member {e} was disturbed"
        );
        assert_eq!(state.members[e].stopped_at, None);
    }
    // What it was before the step that it could not take: a stopped member goes on standing still.
    let (again, _) = train(backend, &wild, &data, &state, 1);
    assert!(again.members[2] == state.members[2], "the stopped member moved");
}
