//! The reference's gradient is the derivative of its loss, on shapes nobody chose.
#![allow(non_snake_case, reason = "the paper's symbols")]

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
    fn sizes()(M in 1usize..8)(
        M in Just(M),
        N in 1..=M,
        P in 0..=M,
        K in 0usize..3,
        S in 1usize..4,
        T in 1usize..12,
        tau in 1usize..14,
    ) -> (Shape, usize, usize) {
        let dims = Dims::new(M, N, K).expect("sizes within limits");
        (Shape::new(dims, S, T).expect("sizes within limits"), P, tau)
    }
}

prop_compose! {
    fn case()(sizes in sizes())(
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
                seed: 1, P, tau, alpha, noise: 0.0, start_lr: 0.0, end_lr: 0.0, lambda_lat, lambda_obs, clip: None,
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
    fn finite_differences_agree(case in case()) {
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
}
