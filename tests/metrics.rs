//! Metrics against answers made with NumPy and SciPy, against plain independent implementations, and their
//! properties.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use alrnn_gpu::dataset::{Dataset, Trial};
use alrnn_gpu::metrics::{
    DstspKind, Histogram, Mixture, PredictionData, ScoreSettings, Scorer, Spectra, SpectrumPlan, hellinger,
    noise_floor, smooth,
};
use alrnn_gpu::model::{Dims, Theta};
use alrnn_gpu::rng::{Stream, normals, uniforms};
use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate, s};
use ndarray_npy::NpzReader;
use proptest::prelude::*;
use realfft::RealFftPlanner;

// --- Golden cases ---------------------------------------------------------------------------------------------

struct Golden(NpzReader<File>);

impl Golden {
    fn open(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden/metrics")
            .join(name);
        Self(NpzReader::new(File::open(&path).expect("golden file")).expect("golden npz"))
    }

    fn matrix(&mut self, key: &str) -> Array2<f64> {
        self.0.by_name(key).expect("golden matrix")
    }

    fn vector(&mut self, key: &str) -> Array1<f64> {
        self.0.by_name(key).expect("golden vector")
    }

    fn bins(&mut self) -> Array1<i64> {
        self.0.by_name("bins").expect("golden bins")
    }
}

fn close(name: &str, actual: f64, expected: f64, tolerance: f64) {
    let error = (actual - expected).abs() / expected.abs().max(1e-300);
    assert!(
        error <= tolerance,
        "{name}: {actual:e}, expected {expected:e}, relative error {error:e}"
    );
}

const BINNED: [&str; 4] = [
    "lorenz.npz",
    "outside.npz",
    "scalar_odd_length.npz",
    "six_dimensions.npz",
];

#[test]
fn binned_state_space_divergence_is_the_golden_one() {
    for name in BINNED {
        let mut golden = Golden::open(name);
        let (X, G) = (golden.matrix("X"), golden.matrix("G"));
        for (&bins, &expected) in golden.bins().iter().zip(&golden.vector("d_stsp")) {
            let actual = Histogram::new(&[X.view()], bins as usize)
                .expect("few bins")
                .divergence(&[G.view()]);
            if expected.is_nan() {
                assert!(actual.value.is_nan(), "{name}: {actual:?}");
                assert_eq!(actual.inside, 0);
            } else {
                close(name, actual.value, expected, 1e-9);
            }
        }
    }
}

#[test]
fn spectral_distance_is_the_golden_one() {
    for name in BINNED.into_iter().chain(["lorenz96_gmm.npz"]) {
        let mut golden = Golden::open(name);
        let (X, G) = (golden.matrix("X"), golden.matrix("G"));
        let (smoothing, expected) = (golden.vector("smoothing"), golden.vector("d_h"));
        for (&smoothing, &expected) in smoothing.iter().zip(&expected) {
            let actual = Spectra::new(&[X.view()], smoothing).distance(&[G.view()]);
            close(name, actual, expected, 1e-9);
        }
    }
    let mut golden = Golden::open("lorenz.npz");
    let (X, G) = (golden.matrix("X"), golden.matrix("G"));
    let smoothing = golden.vector("smoothing");
    let expected = golden.matrix("d_h_per_dimension");
    for ((row, n), &expected) in expected.indexed_iter() {
        let plan = SpectrumPlan::new(&mut RealFftPlanner::new(), X.nrows(), smoothing[row]);
        let amplitudes = |x: &Array2<f64>| plan.amplitudes(x.column(n).to_vec()).expect("a spectrum");
        close(
            "per dimension",
            hellinger(&amplitudes(&X), &amplitudes(&G)),
            expected,
            1e-9,
        );
    }
}

#[test]
fn mixture_state_space_divergence_is_the_golden_one_within_its_error() {
    const SEEDS: f64 = 16.0;
    let mut golden = Golden::open("lorenz96_gmm.npz");
    let (X, G) = (golden.matrix("X"), golden.matrix("G"));
    let variance = golden.vector("sigma2")[0];
    let (expected, error) = (golden.vector("d_stsp_gmm")[0], golden.vector("standard_error")[0]);
    let mut values = Vec::new();
    for seed in 0..SEEDS as u32 {
        let actual = Mixture::new(&[X.view()], variance, seed).divergence(&[G.view()]);
        values.push(actual);
    }
    let combined = values[0].standard_error.hypot(error);
    assert!(
        (values[0].value - expected).abs() <= 3.0 * combined,
        "{:?}, expected {expected} ± {error}",
        values[0]
    );
    // All samples together are closer, and their spread is the error each of them states.
    let mean = values.iter().map(|v| v.value).sum::<f64>() / SEEDS;
    let spread = (values.iter().map(|v| (v.value - mean).powi(2)).sum::<f64>() / (SEEDS - 1.0)).sqrt();
    let combined = (spread / SEEDS.sqrt()).hypot(error);
    assert!(
        (mean - expected).abs() <= 3.0 * combined,
        "mean {mean} ± {combined}, expected {expected}"
    );
    assert!(
        (0.6..1.6).contains(&(values[0].standard_error / spread)),
        "{:?}, spread {spread}",
        values[0]
    );
}

// --- Smoothing ------------------------------------------------------------------------------------------------

/// `scipy.ndimage.gaussian_filter1d(x, sigma, mode="reflect")`, SciPy 1.x in double precision.
#[test]
fn smoothing_is_that_of_scipy() {
    let cases: [(f64, &[f64], &[f64]); 5] = [
        (
            1.0,
            &[1.0, 2.0, 4.0, 8.0, 16.0],
            &[
                1.5051988452812555,
                2.5761144354343966,
                5.010017453929052,
                9.043372869256832,
                12.865296396098467,
            ],
        ),
        (
            2.5,
            &[1.0, -3.0, 0.5],
            &[-0.4918714448673375, -0.5000203910314767, -0.5081081641011856],
        ),
        (
            0.7,
            &[3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0],
            &[
                2.579523239295585,
                2.0464702232890994,
                2.767836182693429,
                2.5149245888176277,
                4.961348702872886,
                6.6343273850890245,
                4.326670170043224,
                5.168899507899128,
            ],
        ),
        (0.1, &[3.0, 1.0, 4.0], &[3.0, 1.0, 4.0]),
        (
            20.0,
            &[1.0, 0.0, 0.0, 5.0],
            &[
                1.5000023202000845,
                1.4999944709555952,
                1.4999894253769774,
                1.5000137834673446,
            ],
        ),
    ];
    for (sigma, signal, expected) in cases {
        let actual = smooth(signal.to_vec(), sigma);
        assert_eq!(actual.len(), expected.len());
        for (i, (&a, &e)) in actual.iter().zip(expected).enumerate() {
            assert!(
                (a - e).abs() <= 1e-12,
                "sigma {sigma}, {signal:?}[{i}]: {a:e}, expected {e:e}"
            );
        }
    }
}

proptest! {
    #[test]
    fn smoothing_is_the_reflected_convolution(length in 1usize..120, sigma in 0.0..60.0f64, seed in 0u32..1000) {
        let signal: Vec<f64> = normals(seed, Stream::System).take(length).map(f64::from).collect();
        let radius = (4.0 * sigma + 0.5) as i64;
        let reflected = |mut i: i64| loop {
            if i < 0 { i = -1 - i } else if i >= length as i64 { i = 2 * length as i64 - 1 - i } else { return signal[i as usize] }
        };
        let weight = |k: i64| if radius == 0 { 1.0 } else { (-0.5 * (k as f64 / sigma).powi(2)).exp() };
        let total: f64 = (-radius..=radius).map(weight).sum();
        let actual = smooth(signal.clone(), sigma);
        for (i, a) in actual.iter().enumerate() {
            let expected: f64 = (-radius..=radius).map(|k| weight(k) / total * reflected(i as i64 + k)).sum();
            prop_assert!((a - expected).abs() <= 1e-12, "[{i}] {a:e}, expected {expected:e}");
        }
    }
}

// --- D_stsp ---------------------------------------------------------------------------------------------------

/// A wandering trajectory `[T, N]`.
fn walk(T: usize, N: usize, seed: u32) -> Array2<f64> {
    let mut x = Array2::zeros((T, N));
    let mut draws = normals(seed, Stream::System).map(f64::from);
    for t in 1..T {
        for n in 0..N {
            x[[t, n]] = 0.95 * x[[t - 1, n]] + 0.3 * draws.next().expect("endless");
        }
    }
    x
}

/// All `binsᴺ` bins, each with its pseudo-count.
fn dense_divergence(data: &Array2<f64>, generated: &Array2<f64>, bins: usize) -> f64 {
    let N = data.ncols();
    let (low, high): (Vec<f64>, Vec<f64>) = data
        .columns()
        .into_iter()
        .map(|x| {
            let margin = 0.1 * x.std(1.0);
            (
                x.fold(f64::MAX, |a, &b| a.min(b)) - margin,
                x.fold(f64::MIN, |a, &b| a.max(b)) + margin,
            )
        })
        .unzip();
    let histogram = |x: &Array2<f64>| {
        let mut counts = vec![0.0; bins.pow(N as u32)];
        for row in x.rows() {
            let at: Option<usize> = (0..N).try_fold(0, |at, n| {
                let edge = |b: usize| low[n] + (high[n] - low[n]) * b as f64 / bins as f64;
                (0..bins)
                    .find(|&b| edge(b) <= row[n] && row[n] < edge(b + 1))
                    .map(|b| at * bins + b)
            });
            if let Some(at) = at {
                counts[at] += 1.0;
            }
        }
        let total: f64 = counts.iter().sum();
        let smoothed = total + 1e-5 * counts.len() as f64;
        counts.iter().map(|c| (c + 1e-5) / smoothed).collect::<Vec<f64>>()
    };
    let (p, q) = (histogram(data), histogram(generated));
    p.iter().zip(&q).map(|(p, q)| p * (p / q).ln()).sum()
}

proptest! {
    #[test]
    fn sparse_divergence_is_the_dense_one(
        N in 1usize..4, bins in 1usize..9, T in 2usize..200, U in 1usize..200, seed in 0u32..1000
    ) {
        let (data, generated) = (walk(T, N, seed), 0.8 * walk(U, N, seed + 1000));
        let histogram = Histogram::new(&[data.view()], bins).expect("few bins");
        let sparse = histogram.divergence(&[generated.view()]);
        prop_assume!(sparse.inside > 0);
        let dense = dense_divergence(&data, &generated, bins);
        prop_assert!((sparse.value - dense).abs() <= 1e-10 * (1.0 + dense), "{} {dense}", sparse.value);
        prop_assert!(sparse.value >= -1e-12);
        // The same rows in another order and cut into other blocks.
        let reversed = generated.slice(s![..;-1, ..]);
        let (a, b) = reversed.split_at(Axis(0), U / 3);
        prop_assert_eq!(histogram.divergence(&[a, b]), sparse);
        prop_assert!(histogram.divergence(&[data.view()]).value.abs() <= 1e-12);
    }
}

#[test]
fn ten_dimensions_and_thirty_bins_cost_the_visited_bins() {
    let (data, generated) = (walk(2000, 10, 1), walk(2000, 10, 2));
    let histogram = Histogram::new(&[data.view()], 30).expect("30^10 fits in 64 bits");
    let divergence = histogram.divergence(&[generated.view()]);
    // Counts by hand: Σ_visited p ln(p/q), and Z_p, Z_q differ by the rows dropped.
    assert!(
        divergence.value > 0.0 && divergence.value.is_finite(),
        "{divergence:?}"
    );
    assert_eq!(histogram.divergence(&[data.view()]).value, 0.0);
    let error = Histogram::new(&[data.view()], 1000).expect_err("1000^10 passes 64 bits");
    assert_eq!(error.exit_code(), 2);
    assert!(
        error.hint().is_some_and(|hint| hint.contains("84")),
        "{error} {:?}",
        error.hint()
    );
}

#[test]
fn constant_columns_single_rows_and_runaways_are_defined() {
    let mut data = walk(100, 2, 3);
    data.column_mut(1).fill(5.0);
    let histogram = Histogram::new(&[data.view()], 10).expect("few bins");
    assert_eq!(histogram.divergence(&[data.view()]).value, 0.0);
    let mut run = data.mapv(|v| v as f32);
    run.slice_mut(s![50.., 0]).fill(f32::INFINITY);
    run.slice_mut(s![60.., 0]).fill(f32::NAN);
    assert_eq!(histogram.divergence(&[run.view()]).inside, 50);
    let row = data.slice(s![..1, ..]);
    let single = Histogram::new(&[row], 10).expect("few bins").divergence(&[row]);
    assert_eq!((single.value, single.inside), (0.0, 1));
    run.fill(f32::NAN);
    assert!(histogram.divergence(&[run.view()]).value.is_nan());
    let mixture = Mixture::new(&[data.view()], 1.0, 0).divergence(&[run.view()]);
    assert!(mixture.value.is_nan() && mixture.components == 0);
}

#[test]
fn a_mixture_is_at_no_distance_from_itself_and_at_the_known_one_from_a_shifted_point() {
    let data = walk(300, 12, 4);
    let same = Mixture::new(&[data.view()], 0.3, 1).divergence(&[data.view()]);
    assert_eq!(
        (same.value, same.standard_error, same.components),
        (0.0, 0.0, 300)
    );
    // Two single Gaussians: KL = |shift|² / 2σ².
    let point = Array2::<f64>::zeros((1, 12));
    let divergence = Mixture::new(&[point.view()], 0.5, 1).divergence(&[(&point + 0.5).view()]);
    let expected = 12.0 * 0.25 / (2.0 * 0.5);
    assert!(
        (divergence.value - expected).abs() <= 4.0 * divergence.standard_error,
        "{divergence:?}, expected {expected}"
    );
}

// --- D_H ------------------------------------------------------------------------------------------------------

proptest! {
    #[test]
    fn spectral_distance_lies_between_0_and_1(T in 4usize..300, smoothing in 0.0..30.0f64, seed in 0u32..1000) {
        let (a, b) = (walk(T, 2, seed), walk(T, 2, seed + 1000));
        let spectra = Spectra::new(&[a.view()], smoothing);
        let distance = spectra.distance(&[b.view()]);
        prop_assert!((0.0..=1.0).contains(&distance), "{distance}");
        // Units do not matter, nor where the zero is.
        let rescaled = spectra.distance(&[(3.0 * &b + 7.0).view()]);
        prop_assert!((distance - rescaled).abs() <= 1e-9, "{distance} {rescaled}");
        prop_assert_eq!(spectra.distance(&[a.view()]), 0.0);
    }
}

#[test]
fn runs_without_a_spectrum_are_at_distance_1() {
    let data = walk(200, 2, 5);
    let spectra = Spectra::new(&[data.view()], 5.0);
    let half = spectra.distance(&[data.view()]) / 2.0 + 0.5;
    for bad in [0.0, f32::NAN, f32::INFINITY] {
        let mut run = data.mapv(|v| v as f32);
        run.column_mut(0).fill(bad);
        let distance = spectra.distance(&[run.view()]);
        assert!((distance - half).abs() < 1e-3, "{bad}: {distance}");
    }
    let mut late = data.mapv(|v| v as f32);
    late[[199, 0]] = f32::NAN;
    assert!(spectra.distance(&[late.view()]) > 0.499);
    // Columns that are constant in the data are not compared.
    let mut flat = data.clone();
    flat.column_mut(0).fill(2.0);
    assert!(Spectra::new(&[flat.view()], 5.0).distance(&[data.view()]) <= 1e-9);
}

#[test]
fn spectra_of_trials_are_weighted_by_length_and_gaps_are_bridged() {
    let (a, b, short) = (walk(300, 1, 6), walk(101, 1, 7), walk(3, 1, 8));
    let (ga, gb) = (walk(300, 1, 9), walk(101, 1, 10));
    let one = |x: &Array2<f64>, g: &Array2<f64>| Spectra::new(&[x.view()], 2.0).distance(&[g.view()]);
    let all = Spectra::new(&[a.view(), short.view(), b.view()], 2.0);
    let distance = all.distance(&[ga.view(), short.view(), gb.view()]);
    let expected = (300.0 * one(&a, &ga) + 101.0 * one(&b, &gb)) / 401.0;
    assert!((distance - expected).abs() <= 1e-12, "{distance} {expected}");
    assert_eq!(all.rows(), 401);

    let mut gaps = a.clone();
    let mut bridged = a.clone();
    gaps.slice_mut(s![..2, 0]).fill(f64::NAN);
    bridged.slice_mut(s![..2, 0]).fill(a[[2, 0]]);
    gaps.slice_mut(s![50..53, 0]).fill(f64::NAN);
    for k in 0..3 {
        bridged[[50 + k, 0]] = a[[49, 0]] + (a[[53, 0]] - a[[49, 0]]) * (k + 1) as f64 / 4.0;
    }
    gaps[[299, 0]] = f64::NAN;
    bridged[[299, 0]] = a[[298, 0]];
    assert!((one(&gaps, &ga) - one(&bridged, &ga)).abs() <= 1e-12);
}

// --- PE -------------------------------------------------------------------------------------------------------

/// A model whose states neither vanish nor explode within a few steps.
fn theta(dims: Dims, seed: u32) -> Theta {
    let scale = 0.7 / (dims.M as f64).sqrt();
    let draws: Vec<f64> = normals(seed, Stream::InitW)
        .take(dims.n_params())
        .map(f64::from)
        .collect();
    let mut theta = Theta::unpack(dims, &draws);
    theta.W *= scale;
    theta.A *= 0.3;
    theta.h *= 0.1;
    theta.L *= 0.5;
    theta
}

/// The definition, in f64 and one step after the other: (mse, pairs).
fn plain_prediction_error(
    trials: &[(Array2<f64>, Array2<f64>)],
    theta: &Theta,
    P: usize,
    steps: usize,
) -> (f64, usize) {
    let (mut sum, mut entries, mut pairs) = (0.0, 0, 0);
    for (x, inputs) in trials {
        for t in 0..x.nrows().saturating_sub(steps) {
            let start = x.row(t).to_vec();
            if start.iter().all(|v| v.is_nan()) {
                continue;
            }
            let mut z = theta.initial_state(&start);
            for k in 1..=steps {
                z = theta.step(P, &z, &inputs.row(t + k).to_vec());
            }
            let observed: Vec<_> = (0..x.ncols()).filter(|&n| !x[[t + steps, n]].is_nan()).collect();
            entries += observed.len();
            pairs += usize::from(!observed.is_empty());
            sum += observed
                .iter()
                .map(|&n| (z[n] - x[[t + steps, n]]).powi(2))
                .sum::<f64>();
        }
    }
    (sum / entries as f64, pairs)
}

fn views(trials: &[(Array2<f64>, Array2<f64>)]) -> Vec<(ArrayView2<'_, f64>, ArrayView2<'_, f64>)> {
    trials.iter().map(|(x, s)| (x.view(), s.view())).collect()
}

/// Trials of unequal length with inputs; a share of the values missing.
fn trials(lengths: &[usize], N: usize, K: usize, missing: f64, seed: u32) -> Vec<(Array2<f64>, Array2<f64>)> {
    let mut holes = uniforms(seed, Stream::System).map(f64::from);
    lengths
        .iter()
        .zip(seed..)
        .map(|(&T, seed)| {
            let x = walk(T, N, seed).mapv(|v| if holes.next() < Some(missing) { f64::NAN } else { v });
            (x, walk(T, K, seed + 77))
        })
        .collect()
}

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
        let actual = PredictionData::new(&views(&trials), steps).score(dims, &model.pack(), P);
        prop_assert_eq!(actual.pairs, pairs);
        prop_assert!((actual.mse - expected).abs() <= 1e-4 * expected, "{} {expected}", actual.mse);
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
        let actual = PredictionData::new(&views(&trials), steps).score(dims, &model.pack(), 1);
        assert!(
            (actual.mse - expected).abs() <= 1e-5 * expected,
            "{steps} steps: {} {expected}",
            actual.mse
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
    assert!(!data.score(dims, &model.pack(), 1).mse.is_finite());
    model.A.fill(f64::NAN);
    assert!(data.score(dims, &model.pack(), 1).mse.is_nan());
    let long = PredictionData::new(&views(&trials), 50).score(dims, &theta(dims, 1).pack(), 1);
    assert!(long.mse.is_nan() && long.pairs == 0);
}

// --- Scorer ---------------------------------------------------------------------------------------------------

fn dataset(trials: Vec<(Array2<f64>, Array2<f64>)>) -> Dataset {
    let (N, K) = (trials[0].0.ncols(), trials[0].1.ncols());
    let trials = trials.into_iter().enumerate().map(|(i, (x, s))| Trial {
        name: format!("trial {i}"),
        x,
        s,
    });
    Dataset {
        trials: trials.collect(),
        N,
        K,
        scaling: None,
        columns: None,
        hash: String::new(),
    }
}

fn without_inputs(x: Array2<f64>) -> (Array2<f64>, Array2<f64>) {
    let s = Array2::zeros((x.nrows(), 0));
    (x, s)
}

#[test]
fn scorer_scores_the_data_themselves_as_perfect() {
    let data = dataset(vec![
        without_inputs(walk(500, 3, 1)),
        without_inputs(walk(120, 3, 2)),
    ]);
    let scorer = Scorer::new(&data, ScoreSettings::default()).expect("valid");
    assert_eq!(scorer.dstsp_kind(), DstspKind::Bins);
    let runs = scorer.free_runs();
    assert_eq!(runs.iter().map(|run| run.steps).collect::<Vec<_>>(), [499, 119]);
    assert_eq!(runs[0].s.dim(), (0, 0));
    let dims = Dims { M: 5, N: 3, K: 0 };
    let perfect: Vec<_> = data.trials.iter().map(|t| t.x.mapv(|v| v as f32)).collect();
    let model = theta(dims, 1).pack();
    let scores = scorer.score(&perfect, dims, &model, 2);
    assert!(scores.dstsp.abs() < 0.05 && scores.dh < 1e-6, "{scores:?}");
    assert_eq!(
        (scores.points_dstsp, scores.points_inside, scores.points_dh),
        (620, 620, 620)
    );
    assert_eq!(scores.pairs_pe, 480 + 100);
    // Shared by threads, the same bits each time.
    let again: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| scorer.score(&perfect, dims, &model, 2)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    assert!(again.iter().all(|other| *other == scores), "{again:?}");
}

#[test]
fn scorer_handles_gaps_trials_and_inputs() {
    let mut raw = trials(&[300, 80, 2], 3, 2, 0.1, 11);
    raw[0].0.slice_mut(s![..5, ..]).fill(f64::NAN);
    raw[0].0[[5, 0]] = 1.5;
    let data = dataset(raw.clone());
    let scorer = Scorer::new(
        &data,
        ScoreSettings {
            pe_steps: 4,
            ..Default::default()
        },
    )
    .expect("valid");
    let runs = scorer.free_runs();
    assert_eq!(runs.iter().map(|run| run.steps).collect::<Vec<_>>(), [294, 79, 1]);
    assert_eq!(runs[0].x0[0], 1.5);
    assert_eq!(runs[0].s.dim(), (295, 2));
    assert_eq!(runs[0].s[[1, 0]], raw[0].1[[6, 0]] as f32);

    let dims = Dims { M: 6, N: 3, K: 2 };
    let model = theta(dims, 4);
    let generated: Vec<Array2<f32>> = runs.iter().map(|run| free_run(&model, 2, run)).collect();
    let scores = scorer.score(&generated, dims, &model.pack(), 2);
    raw[0].0 = raw[0].0.slice(s![5.., ..]).to_owned();
    raw[0].1 = raw[0].1.slice(s![5.., ..]).to_owned();
    let complete = raw
        .iter()
        .flat_map(|(x, _)| x.rows())
        .filter(|r| r.iter().all(|v| v.is_finite()));
    assert_eq!(scores.points_dstsp, complete.count());
    assert_eq!(scores.points_dh, 375);
    let (expected, pairs) = plain_prediction_error(&raw, &model, 2, 4);
    close("PE", scores.pe, expected, 1e-4);
    assert_eq!(scores.pairs_pe, pairs);
    assert!(
        scores.dstsp.is_finite() && (0.0..=1.0).contains(&scores.dh),
        "{scores:?}"
    );

    let floor = scorer.noise_floor().expect("valid");
    assert!(
        floor.dstsp.is_finite() && (0.0..=1.0).contains(&floor.dh),
        "{floor:?}"
    );
}

fn free_run(model: &Theta, P: usize, run: &alrnn_gpu::backend::FreeRun) -> Array2<f32> {
    let N = run.x0.len();
    let x0: Vec<f64> = run.x0.iter().map(|&v| f64::from(v)).collect();
    let mut z = model.initial_state(&x0);
    let mut out = Array2::zeros((run.steps + 1, N));
    for t in 0..=run.steps {
        if t > 0 {
            let s: Vec<f64> = if run.s.is_empty() {
                vec![]
            } else {
                run.s.row(t).iter().map(|&v| f64::from(v)).collect()
            };
            z = model.step(P, &z, &s);
        }
        out.row_mut(t).assign(&z.slice(s![..N]).mapv(|v| v as f32));
    }
    out
}

#[test]
fn many_dimensions_are_scored_by_mixtures() {
    let x = walk(400, 12, 1);
    let data = dataset(vec![without_inputs(x.clone())]);
    let settings = ScoreSettings {
        gmm_variance: 0.3,
        ..Default::default()
    };
    let scorer = Scorer::new(&data, settings.clone()).expect("valid");
    assert_eq!(scorer.dstsp_kind().label(), "GMM");
    let dims = Dims { M: 12, N: 12, K: 0 };
    let run = walk(400, 12, 2).mapv(|v| v as f32);
    let scores = scorer.score(std::slice::from_ref(&run), dims, &theta(dims, 1).pack(), 3);
    let direct = Mixture::new(&[x.view()], 0.3, 0).divergence(&[run.view()]);
    assert_eq!(scores.dstsp, direct.value);
    assert_eq!(scores.dstsp_standard_error, Some(direct.standard_error));
    let floor = noise_floor(&[x.view()], &settings).expect("valid");
    assert!(
        floor.dstsp > 0.0 && floor.dstsp_standard_error.is_some_and(|e| e > 0.0),
        "{floor:?}"
    );
    assert_eq!(floor.rows, 200);
}

#[test]
fn noise_floor_is_the_second_half_scored_against_the_first() {
    let (a, b) = (walk(401, 2, 1), walk(200, 2, 2));
    let settings = ScoreSettings {
        bins: 8,
        ..Default::default()
    };
    let floor = noise_floor(&[a.view(), b.view()], &settings).expect("valid");
    let (a1, a2) = (a.slice(s![..200, ..]), a.slice(s![201.., ..]));
    let (b1, b2) = (b.slice(s![..100, ..]), b.slice(s![100.., ..]));
    let pooled = |x, y| concatenate![Axis(0), x, y];
    let dense = dense_divergence(&pooled(a1, b1), &pooled(a2, b2), 8);
    close("D_stsp", floor.dstsp, dense, 1e-9);
    let expected = Spectra::new(&[a1, b1], 20.0).distance(&[a2, b2]);
    assert_eq!(floor.dh, expected);
    assert_eq!(floor.rows, 300);
}

#[test]
fn senseless_settings_are_refused() {
    let data = dataset(vec![without_inputs(walk(50, 2, 1))]);
    let default = ScoreSettings::default;
    let cases: HashMap<&str, ScoreSettings> = HashMap::from([
        ("bins", ScoreSettings { bins: 0, ..default() }),
        (
            "variance",
            ScoreSettings {
                gmm_variance: f64::NAN,
                ..default()
            },
        ),
        (
            "smoothing",
            ScoreSettings {
                smoothing: -1.0,
                ..default()
            },
        ),
        (
            "step",
            ScoreSettings {
                pe_steps: 0,
                ..default()
            },
        ),
    ]);
    for (word, settings) in cases {
        let error = Scorer::new(&data, settings).err().expect("refused");
        assert!(error.to_string().contains(word), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}
