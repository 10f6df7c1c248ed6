//! Missing observations: both sides of a score miss what the data miss.

use alrnn_gpu::dataset::Trial;
use alrnn_gpu::metrics::{PredictionData, ScoreSettings, Scorer, Spectra, interpolated, noise_floor};
use alrnn_gpu::model::{Dims, Theta};
use alrnn_gpu::rng::{Stream, uniforms};
use ndarray::{Array1, Array2, arr2, s};

use super::scorer::{dataset, without_inputs};
use super::{close, prediction_error, theta, views, walk};

/// A share of the values missing, at random.
fn with_gaps(x: &Array2<f64>, missing: f32, seed: u32) -> Array2<f64> {
    let mut draws = uniforms(seed, Stream::System);
    x.mapv(|v| if draws.next() < Some(missing) { f64::NAN } else { v })
}

/// A rotation by `angle` a step, and its orbit.
fn rotation(angle: f64, rows: usize) -> (Theta, Array2<f64>) {
    let (sin, cos) = angle.sin_cos();
    let mut model = Theta::zeros(Dims { M: 2, N: 2, K: 0 });
    model.A = Array1::from_vec(vec![cos, cos]);
    model.W = arr2(&[[0.0, -sin], [sin, 0.0]]);
    let orbit = |(t, n): (usize, usize)| match n {
        0 => (angle * t as f64).cos(),
        _ => (angle * t as f64).sin(),
    };
    (model, Array2::from_shape_fn((rows, 2), orbit))
}

#[test]
fn an_exact_model_has_no_prediction_error_whatever_is_missing() {
    let (model, x) = rotation(0.4, 300);
    for missing in [0.02, 0.3, 0.6] {
        let gaps = [without_inputs(with_gaps(&x, missing, 7))];
        for steps in [1, 5, 20] {
            let data = PredictionData::new(&views(&gaps), steps);
            let (mse, actual_pairs) = prediction_error(&data, &model, 0);
            assert!(mse < 1e-9, "{missing} missing, {steps} steps: {mse}");
            let complete = |t: usize| gaps[0].0.row(t).iter().all(|v| !v.is_nan());
            let any = |t: usize| gaps[0].0.row(t).iter().any(|v| !v.is_nan());
            let pairs = (0..300 - steps)
                .filter(|&t| complete(t) && any(t + steps))
                .count();
            assert_eq!(actual_pairs, pairs);
        }
    }
}

#[test]
fn without_a_complete_start_there_is_no_prediction_error() {
    let (model, mut x) = rotation(0.4, 100);
    // Each column is observed in every second row, in turn.
    for t in 0..100 {
        x[[t, t % 2]] = f64::NAN;
    }
    let data = PredictionData::new(&views(&[without_inputs(x)]), 3);
    let (mse, pairs) = prediction_error(&data, &model, 0);
    assert!(mse.is_nan() && pairs == 0, "{mse}, {pairs} pairs");
}

#[test]
fn the_same_run_has_the_same_spectrum_whatever_is_missing() {
    let x = walk(500, 3, 1);
    let other = walk(500, 3, 2);
    for (missing, seed) in [(0.01, 1), (0.5, 2), (0.85, 3)] {
        let gaps = with_gaps(&x, missing, seed);
        let spectra = Spectra::new(&[gaps.view()], 3.0);
        assert!(spectra.distance(&[x.view()]) < 1e-12, "{missing}");
        // Another run is compared as if it had been recorded with the same gaps.
        let lacking = |values: &[f64], data: &[f64]| -> Vec<f64> {
            let pairs = values.iter().zip(data);
            let values = pairs.map(|(&v, g)| if g.is_nan() { f64::NAN } else { v });
            interpolated(values.collect())
        };
        let (mut masked, mut filled) = (other.clone(), gaps.clone());
        for n in 0..3 {
            let column = gaps.column(n).to_vec();
            let run = lacking(&other.column(n).to_vec(), &column);
            masked.column_mut(n).assign(&Array1::from_vec(run));
            filled
                .column_mut(n)
                .assign(&Array1::from_vec(interpolated(column)));
        }
        let expected = Spectra::new(&[filled.view()], 3.0).distance(&[masked.view()]);
        close("D_H", spectra.distance(&[other.view()]), expected, 1e-12);
    }
}

#[test]
fn a_run_that_is_not_finite_where_the_data_are_is_at_distance_1() {
    let x = walk(400, 1, 1);
    let gaps = with_gaps(&x, 0.3, 1);
    let spectra = Spectra::new(&[gaps.view()], 3.0);
    let observed = (0..400).find(|&t| !gaps[[t, 0]].is_nan()).expect("70 %");
    let mut run = x.clone();
    run[[observed, 0]] = f64::NAN;
    assert_eq!(spectra.distance(&[run.view()]), 1.0);
}

#[test]
fn a_column_that_is_hardly_observed_has_no_spectrum() {
    let x = walk(400, 2, 1);
    let mut gaps = x.clone();
    for t in (0..400).filter(|t| t % 11 > 0) {
        gaps[[t, 1]] = f64::NAN;
    }
    let spectra = Spectra::new(&[gaps.view()], 3.0);
    assert_eq!(spectra.sparse(), [0, 1]);
    let other = walk(400, 2, 2);
    let first = Spectra::new(&[x.slice(s![.., ..1])], 3.0).distance(&[other.slice(s![.., ..1])]);
    assert_eq!(spectra.distance(&[other.view()]), first);
    let none = Spectra::new(&[gaps.slice(s![.., 1..])], 3.0);
    assert!(none.distance(&[other.slice(s![.., 1..])]).is_nan() && none.rows() == 0);
}

#[test]
fn the_noise_floor_does_not_count_gaps_as_a_difference() {
    let settings = ScoreSettings::default();
    let (_, x) = rotation(2.3, 802);
    let floor = |x: &Array2<f64>| noise_floor(&[x.view()], &settings).expect("valid").dh;
    let complete = floor(&x);
    // Halves of 401 rows: what is observed in every second row is observed in turn in them.
    let mut second_rows = x.clone();
    second_rows.slice_mut(s![..;2, ..]).fill(f64::NAN);
    let mut late = x.clone();
    late.slice_mut(s![401..;2, ..]).fill(f64::NAN);
    let mut random = with_gaps(&x, 0.6, 4);
    random.row_mut(0).fill(0.5);
    for (name, gaps) in [("every second", second_rows), ("late", late), ("random", random)] {
        let dh = floor(&gaps);
        assert!(dh < complete + 0.1, "{name}: {dh}, without gaps {complete}");
    }
}

#[test]
fn rows_missing_for_a_reason_are_missing_in_the_run_too() {
    // What exceeds the sensor's range is missing, so the complete rows are not where the system is.
    let (model, x) = rotation(0.37, 600);
    let clipped = x.mapv(|v| if v > 0.3 { f64::NAN } else { v });
    let data = dataset(vec![without_inputs(clipped.clone())]);
    let scorer = Scorer::new(
        &data,
        ScoreSettings {
            bins: 8,
            ..Default::default()
        },
    )
    .expect("valid");
    let start = data.trials[0].start();
    let run = x.slice(s![start.., ..]).mapv(|v| v as f32);
    let scores = scorer.score(&[run], prediction_error(scorer.predictions(), &model, 0).0);
    let complete = clipped
        .rows()
        .into_iter()
        .filter(|r| r.iter().all(|v| !v.is_nan()))
        .count();
    assert!(scores.dstsp < 1e-6 && scores.dh < 1e-4, "{scores:?}");
    assert_eq!((scores.points_dstsp, scores.points_inside), (complete, complete));
}

#[test]
fn free_runs_start_from_a_complete_row() {
    let start = |x: Array2<f64>| {
        Trial {
            name: "x".into(),
            s: Array2::zeros((x.nrows(), 0)),
            x,
        }
        .start()
    };
    let gap = f64::NAN;
    let x = arr2(&[
        [gap, gap],
        [1.0, gap],
        [2.0, 3.0],
        [4.0, 5.0],
        [gap, 6.0],
        [7.0, 8.0],
    ]);
    assert_eq!(start(x.clone()), 2);
    assert_eq!(start(x.slice(s![3.., ..]).to_owned()), 0);
    // A complete row past the middle would cost more rows than an incomplete start does harm.
    assert_eq!(start(x.slice(s![..4, ..]).to_owned()), 1);
    assert_eq!(start(arr2(&[[gap, gap], [gap, gap]])), 0);

    let data = dataset(vec![without_inputs(x)]);
    let scorer = Scorer::new(&data, ScoreSettings::default()).expect("valid");
    assert_eq!(
        (scorer.free_runs()[0].x0.clone(), scorer.free_runs()[0].steps),
        (vec![2.0, 3.0], 3)
    );
}

#[test]
fn trajectories_are_scored_without_a_model() {
    let (a, b) = (walk(600, 2, 1), walk(200, 2, 2));
    let data = dataset(vec![without_inputs(a.clone()), without_inputs(b.clone())]);
    let scorer = Scorer::new(
        &data,
        ScoreSettings {
            bins: 8,
            ..Default::default()
        },
    )
    .expect("valid");
    let score = |runs: &[&Array2<f64>]| {
        let runs: Vec<_> = runs.iter().map(|x| x.view()).collect();
        scorer.score_trajectories("file", &runs)
    };
    // The data themselves.
    let same = score(&[&a, &b]).expect("as many");
    assert!(
        same.dstsp.abs() < 1e-9 && same.dh < 1e-9 && same.pe.is_nan(),
        "{same:?}"
    );
    assert_eq!(
        (same.points_dstsp, same.points_inside, same.points_dh),
        (800, 800, 800)
    );
    // In f32 as a model's free run.
    let (c, d) = (walk(600, 2, 3), walk(200, 2, 4));
    let dims = Dims { M: 2, N: 2, K: 0 };
    let runs = [&c, &d].map(|x| x.mapv(|v| v as f32));
    let model = scorer.score(
        &runs,
        prediction_error(scorer.predictions(), &theta(dims, 1), 0).0,
    );
    let [c32, d32] = [&runs[0], &runs[1]].map(|x| x.mapv(f64::from));
    let free = score(&[&c32, &d32]).expect("as many");
    assert_eq!((free.dstsp, free.dh), (model.dstsp, model.dh));
    // A single one of another length: all its rows for D_stsp, the common ones of every trial for D_H.
    let long = walk(1000, 2, 5);
    let one = score(&[&long]).expect("one");
    let expected = Spectra::new(&[a.view(), b.view()], 20.0)
        .distance(&[long.slice(s![..600, ..]), long.slice(s![..200, ..])]);
    assert_eq!((one.dh, one.points_dh), (expected, 800));
    assert!(one.points_inside > 900, "{one:?}");
    let short = walk(150, 2, 6);
    assert_eq!(score(&[&short]).expect("one").points_dh, 300);
    let error = score(&[&a, &b, &c]).expect_err("three for two");
    assert!(
        error
            .to_string()
            .contains("3 trajectories where the data have 2 trials"),
        "{error}"
    );
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn trajectories_share_the_gaps_of_the_data() {
    let x = walk(500, 2, 1);
    let mut gaps = with_gaps(&x, 0.4, 3);
    gaps.slice_mut(s![..3, 0]).fill(f64::NAN);
    let data = dataset(vec![without_inputs(gaps.clone())]);
    let start = data.trials[0].start();
    assert!(start >= 3);
    let scorer = Scorer::new(
        &data,
        ScoreSettings {
            bins: 8,
            ..Default::default()
        },
    )
    .expect("valid");
    // The complete record, from its first row or from the row that free runs start from, and the gappy one itself.
    for run in [x.view(), x.slice(s![start.., ..]), gaps.view()] {
        let scores = scorer.score_trajectories("file", &[run]).expect("one");
        assert!(scores.dstsp.abs() < 1e-9 && scores.dh < 1e-9, "{scores:?}");
        assert_eq!(scores.points_dstsp, scores.points_inside);
    }
}
