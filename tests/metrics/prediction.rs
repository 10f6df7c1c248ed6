//! PE(n).

use alrnn_gpu::metrics::PredictionData;
use alrnn_gpu::model::{Dims, Theta};
use ndarray::{Array1, Array2};
use proptest::prelude::*;

use super::{plain_prediction_error, prediction_error, theta, trials, views};

proptest! {
    #[test]
    fn prediction_error_is_that_of_the_definition(
        N in 1usize..5, extra in 0usize..14, share in 0.0..1.0f64, K in 0usize..3, steps in 1usize..14,
        gaps in any::<bool>(), seed in 0u32..1000
    ) {
        let dims = Dims { M: N + extra, N, K };
        let P = (share * (dims.M + 1) as f64) as usize;
        let model = theta(dims, seed);
        let trials = trials(&[90, steps, 41, 1], N, K, if gaps { 0.3 } else { 0.0 }, seed);
        let (expected, pairs) = plain_prediction_error(&trials, &model, P, steps);
        let data = PredictionData::new(&views(&trials), steps);
        let (actual, actual_pairs) = prediction_error(&data, &model, P);
        prop_assert_eq!(actual_pairs, pairs);
        prop_assert!((actual - expected).abs() <= 1e-4 * expected, "{actual} {expected}");
    }
}

#[test]
fn prediction_error_survives_models_that_powers_of_b_do_not() {
    // B = diag(A) + W grows like 3^k in the second unit, but that unit is negative nearly always, where it shrinks.
    let dims = Dims { M: 2, N: 1, K: 0 };
    let mut model = Theta::zeros(dims);
    model.A = Array1::from_vec(vec![0.5, 0.5]);
    model.W = Array2::from_shape_vec((2, 2), vec![0.0, 0.3, 0.2, -3.5]).expect("2 x 2");
    model.h = Array1::from_vec(vec![0.1, -1.0]);
    model.L[[0, 0]] = 0.4;
    let trials = trials(&[400], 1, 0, 0.0, 3);
    for steps in [1, 5, 40] {
        let (expected, _) = plain_prediction_error(&trials, &model, 1, steps);
        let data = PredictionData::new(&views(&trials), steps);
        let (actual, _) = prediction_error(&data, &model, 1);
        assert!(
            (actual - expected).abs() <= 1e-5 * expected,
            "{steps} steps: {actual} {expected}"
        );
    }
}

#[test]
fn a_model_that_overflows_has_no_finite_prediction_error() {
    let dims = Dims { M: 3, N: 2, K: 0 };
    let mut model = theta(dims, 1);
    model.A.fill(1e6);
    let trials = trials(&[50], 2, 0, 0.0, 3);
    let data = PredictionData::new(&views(&trials), 20);
    assert!(!prediction_error(&data, &model, 1).0.is_finite());
    model.A.fill(f64::NAN);
    assert!(prediction_error(&data, &model, 1).0.is_nan());
}

#[test]
fn more_steps_than_rows_leave_nothing_to_predict() {
    let model = theta(Dims { M: 4, N: 2, K: 0 }, 1);
    let trials = trials(&[150], 2, 0, 0.0, 3);
    for steps in [150, 1 << 40, usize::MAX] {
        let data = PredictionData::new(&views(&trials), steps);
        let (mse, pairs) = prediction_error(&data, &model, 1);
        assert!(mse.is_nan() && pairs == 0, "{steps}: {mse}, {pairs} pairs");
    }
}
