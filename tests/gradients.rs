//! On shapes nobody chose: the reference's gradient is the derivative of its loss, and the CPU's is the reference's.
#![allow(non_snake_case, reason = "the paper's symbols")]

use alrnn_gpu::backend::cpu::CpuBackend;
use alrnn_gpu::backend::golden::relative_error;
use alrnn_gpu::backend::reference::ReferenceBackend;
use alrnn_gpu::backend::{Backend, Form, Member, Windows};
use alrnn_gpu::model::{Dims, Shape, Theta};
use ndarray::Array3;
use proptest::prelude::*;

/// A member, parameters and windows of one random shape.
#[derive(Clone, Debug)]
struct Case {
    shape: Shape,
    member: Member,
    theta: Theta,
    windows: Windows,
}

prop_compose! {
    fn sizes(max_M: usize, max_S: usize, max_T: usize)(M in 1..=max_M)(
        M in Just(M),
        N in 1..=M,
        P in 0..=M,
        K in 0usize..3,
        S in 1..=max_S,
        T in 1..=max_T,
        tau in 1..=max_T + 2,
    ) -> (Shape, usize, usize) {
        let dims = Dims::new(M, N, K).expect("sizes within limits");
        (Shape::new(dims, S, T).expect("sizes within limits"), P, tau)
    }
}

prop_compose! {
    fn case(max_M: usize, max_S: usize, max_T: usize)(sizes in sizes(max_M, max_S, max_T))(
        values in prop::collection::vec(-1.0f64..1.0, sizes.0.dims.n_params()),
        x in prop::collection::vec(-1.5f64..1.5, sizes.0.S * (sizes.0.T + 1) * sizes.0.dims.N),
        inputs in prop::collection::vec(-1.0f64..1.0, sizes.0.S * (sizes.0.T + 1) * sizes.0.dims.K),
        gaps in prop::collection::vec(0.0f64..1.0, sizes.0.S * (sizes.0.T + 1) * sizes.0.dims.N),
        gap_share in prop_oneof![Just(0.0), Just(0.3), Just(1.0)],
        alpha in prop_oneof![Just(0.0), Just(1.0), 0.0f64..1.0],
        lambda_lat in prop_oneof![Just(0.0), 0.0f64..0.5],
        lambda_obs in prop_oneof![Just(0.0), 0.0f64..0.5],
        sizes in Just(sizes),
    ) -> Case {
        let (shape, P, tau) = sizes;
        let Shape { dims, S, T } = shape;
        // Keeps the recurrence from exploding, so that differences stay accurate.
        let scale = 0.9 / (dims.M as f64).sqrt();
        let values: Vec<f64> = values.iter().map(|v| scale * v).collect();
        let x = x.iter().zip(&gaps).map(|(&x, &gap)| if gap < gap_share { f64::NAN } else { x }).collect();
        Case {
            shape,
            member: Member {
                seed: 1, P, tau, alpha, lambda_lat, lambda_obs, ..Member::default()
            },
            theta: Theta::unpack(dims, &values),
            windows: Windows {
                x: Array3::from_shape_vec((S, T + 1, dims.N), x).expect("length"),
                s: Array3::from_shape_vec((S, T + 1, dims.K), inputs).expect("length"),
            },
        }
    }
}

fn loss(case: &Case, theta: &Theta) -> f64 {
    let gradient = ReferenceBackend::new()
        .gradient(case.shape, &case.member, Form::Plain, theta, &case.windows)
        .expect("the reference computes any shape");
    gradient.mse + gradient.reg
}

/// Central difference along one parameter.
fn difference(case: &Case, index: usize, step: f64) -> f64 {
    let at = |sign: f64| {
        let mut values: Vec<f64> = case.theta.iter().collect();
        values[index] += sign * step;
        loss(case, &Theta::unpack(case.shape.dims, &values))
    };
    (at(1.0) - at(-1.0)) / (2.0 * step)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// The loss is piecewise smooth: a kink (a ReLU or the regularisation's hinge) between the two points spoils a
    /// difference, so a parameter passes at the first of three step sizes that agrees.
    #[test]
    fn finite_differences_agree(case in case(7, 3, 11)) {
        let gradient = ReferenceBackend::new()
            .gradient(case.shape, &case.member, Form::Plain, &case.theta, &case.windows)
            .expect("the reference computes any shape");
        prop_assert!(gradient.theta.is_finite() && (gradient.mse + gradient.reg).is_finite());
        for (index, exact) in gradient.theta.iter().enumerate() {
            let errors = [1e-5, 1e-6, 1e-7].map(|step| (difference(&case, index, step) - exact).abs());
            let tolerance = 1e-5 * (1.0 + exact.abs());
            prop_assert!(
                errors.iter().any(|&error| error <= tolerance),
                "parameter {} has gradient {:e}, differences are off by {:?}", index, exact, errors
            );
        }
    }

    /// Both forms on every instruction set, sequences that do not fill vectors, blocks that do not tile windows.
    #[test]
    fn cpu_agrees_with_the_reference(case in case(45, 37, 40)) {
        agree(&case)?;
    }
}

/// The largest sizes, and the corners of the others.
#[test]
fn cpu_agrees_at_the_limits() {
    for (M, N, P, S, T, tau, alpha) in [
        (256, 1, 2, 33, 12, 5, 1.0),
        (256, 256, 256, 3, 3, 1, 0.5),
        (256, 20, 0, 256, 2, 7, 1.0),
        (1, 1, 1, 1, 1, 1, 0.0),
        (2, 1, 2, 256, 70, 50, 1.0),
        (133, 64, 60, 16, 7, 3, 0.3),
    ] {
        let shape = Shape::new(Dims::new(M, N, 1).expect("sizes"), S, T).expect("sizes");
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let values = |n: usize, runner: &mut proptest::test_runner::TestRunner| {
            let tree = prop::collection::vec(-1.0f64..1.0, n)
                .new_tree(runner)
                .expect("values");
            proptest::strategy::ValueTree::current(&tree)
        };
        let scale = 0.9 / (M as f64).sqrt();
        let theta: Vec<f64> = values(shape.dims.n_params(), &mut runner)
            .iter()
            .map(|v| scale * v)
            .collect();
        let windows = Windows {
            x: Array3::from_shape_vec((S, T + 1, N), values(S * (T + 1) * N, &mut runner)).expect("length"),
            s: Array3::from_shape_vec((S, T + 1, 1), values(S * (T + 1), &mut runner)).expect("length"),
        };
        let member = Member {
            seed: 1,
            P,
            tau,
            alpha,
            lambda_lat: 0.1,
            lambda_obs: 0.1,
            ..Member::default()
        };
        agree(&Case {
            shape,
            member,
            theta: Theta::unpack(shape.dims, &theta),
            windows,
        })
        .expect("it agrees");
    }
}

/// Relative L2 error of the whole gradient, of the states and of the loss.
fn agree(case: &Case) -> Result<(), TestCaseError> {
    let gradient = |backend: &dyn Backend, form| {
        backend
            .gradient(case.shape, &case.member, form, &case.theta, &case.windows)
            .expect("any shape within the limits")
    };
    let want = gradient(&ReferenceBackend::new(), Form::Plain);
    for backend in CpuBackend::every_instruction_set(Some(1)).expect("a thread starts") {
        for form in [Form::Plain, Form::Blocked] {
            let got = gradient(&backend, form);
            let errors = [
                relative_error([got.mse + got.reg], [want.mse + want.reg]),
                relative_error(got.theta.iter(), want.theta.iter()),
                relative_error(got.z, want.z.view()),
            ];
            prop_assert!(
                errors.iter().all(|&error| error <= 1e-4),
                "{} {:?} {:?} {:?}: {:?}",
                backend.device().name,
                form,
                case.shape,
                case.member,
                errors
            );
        }
    }
    Ok(())
}
