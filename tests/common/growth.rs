//! Powers of `B = diag(A) + W` that grow too far for the almost-linear form: such steps take the plain one.
#![allow(non_snake_case, reason = "the paper's symbols")]

use alrnn_gpu::backend::reference::ReferenceBackend;
use alrnn_gpu::backend::{Backend, EnsembleState, Form, Member, Optimizer, Plan};
use alrnn_gpu::model::{Dims, Theta};

use super::parity::{assert_close, widened};
use super::training::{self, TRAINING_TOLERANCE};

/// A few members of `M` units in the blocked form, and a state in which the bias soon closes the ReLU units: the factor of
/// `B` that is theirs, one a member, is hardly ever that of a state.
fn held_back(M: usize, factors: &[f32], change: impl Fn(Member) -> Member) -> (Plan, EnsembleState) {
    let members = (0..factors.len()).map(|i| change(training::member(100 + i as u32)));
    let mut plan = training::plan(members.collect(), 0, 8, 50, Form::Blocked);
    plan.shape.dims = Dims::new(M, 3, 0).expect("sizes within limits");
    let dims = plan.shape.dims;
    let mut start = training::initial_state(&plan);
    for (member, factor) in start.members.iter_mut().zip(factors) {
        for p in M - 2..M {
            member.theta[p] = 0.5;
            member.theta[dims.range_W()][p * M + p] = factor - 0.5;
            member.theta[dims.range_h()][p] = -1.0;
            let L = &mut member.theta[dims.range_L()][(p - 3) * 3..][..3];
            L.iter_mut().for_each(|l| *l *= 0.1);
        }
    }
    (plan, start)
}

/// By first moments, averages of gradients. (Parameters behind closed units have a gradient of 0, whose rounding the
/// optimiser makes whole steps of.)
fn agrees_with_the_reference(backend: &dyn Backend, plan: &Plan, start: &EnsembleState) {
    let data = training::lorenz(50, false, false);
    let (got, got_results) = training::train(backend, plan, &data, start, 2);
    let (want, want_results) = training::train(&ReferenceBackend::new(), plan, &data, start, 2);
    for (e, (got, want)) in got.members.iter().zip(&want.members).enumerate() {
        let name = format!("first moments of member {e}");
        let error = assert_close(&name, &widened(&got.m), &widened(&want.m), TRAINING_TOLERANCE);
        println!("{name}: {error:e}");
    }
    for (got, want) in got_results.iter().zip(&want_results) {
        assert_close("losses", &widened(&got.loss), &widened(&want.loss), 1e-4);
    }
}

fn in_plain(plan: &Plan) -> Plan {
    Plan {
        form: Form::Plain,
        ..plan.clone()
    }
}

/// Members with large powers train in the plain form, bit by bit; the others beside them in blocks. That depends on their
/// parameters alone.
pub fn is_watched(backend: &dyn Backend) {
    let data = training::lorenz(50, false, false);
    let (plan, start) = held_back(20, &[0.6, 2.5, 0.8, 3.0], |member| member);
    agrees_with_the_reference(backend, &plan, &start);

    let (all, _) = training::train(backend, &plan, &data, &start, 2);
    let (plain, _) = training::train(backend, &in_plain(&plan), &data, &start, 2);
    for (e, (ours, plain)) in all.members.iter().zip(&plain.members).enumerate() {
        assert_eq!(ours == plain, e % 2 == 1, "member {e}");
        let alone = Plan {
            members: vec![plan.members[e].clone()],
            ..plan.clone()
        };
        let start = EnsembleState {
            step: 0,
            members: vec![start.members[e].clone()],
        };
        let (alone, _) = training::train(backend, &alone, &data, &start, 2);
        assert!(alone.members[0] == *ours, "member {e} differs alone");
    }
    let (half, _) = training::train(backend, &plan, &data, &start, 1);
    let (resumed, _) = training::train(backend, &plan, &data, &half, 1);
    assert!(resumed == all, "the resumed run ends differently");

    let ensemble = ReferenceBackend::new().ensemble(plan.clone(), data, &start);
    let windows = ensemble
        .and_then(|mut e| e.windows(1, 0))
        .expect("windows are read");
    let theta = Theta::unpack(plan.shape.dims, &start.members[1].theta);
    let gradient = |b: &dyn Backend| {
        let gradient = b.gradient(plan.shape, &plan.members[1], Form::Blocked, &theta, &windows);
        gradient
            .expect("it is computed")
            .theta
            .iter()
            .collect::<Vec<f64>>()
    };
    let (got, want) = (gradient(backend), gradient(&ReferenceBackend::new()));
    assert_close("gradient where powers grow", &got, &want, 1e-5);
}

/// Powers of `M` units that grow too far in the middle of a training: from there on it has the bits of a plain one that starts
/// with these parameters.
pub fn is_crossed(backend: &dyn Backend, widths: &[usize]) {
    let data = training::lorenz(50, false, false);
    for &M in widths {
        // A regularisation that makes B larger, each step by the learning rate. Whatever the blocks' length, some of these
        // are below the bound at first and above it later.
        let larger = |member: Member| Member {
            lambda_lat: -0.1,
            start_lr: 7e-3,
            end_lr: 7e-3,
            ..member
        };
        let (plan, start) = held_back(M, &[0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5], larger);
        let plan = Plan {
            optimizer: Optimizer::Adam,
            ..plan
        };
        let train = |plan: &Plan, from: &EnsembleState| training::train(backend, plan, &data, from, 1).0;
        let first = train(&plan, &start);
        let second = train(&plan, &first);
        let plain = train(&in_plain(&plan), &start);
        let later_plain = train(&in_plain(&plan), &first);
        let crossed = (0..plan.members.len())
            .filter(|&e| first.members[e] != plain.members[e] && second.members[e] == later_plain.members[e]);
        let crossed: Vec<usize> = crossed.collect();
        println!("M {M}: members {crossed:?} cross the bound in the first epoch");
        assert!(!crossed.is_empty(), "M {M}: none");
    }
}
