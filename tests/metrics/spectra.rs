//! Smoothing and D_H.

use alrnn_gpu::metrics::{Spectra, smooth};
use alrnn_gpu::rng::{Stream, normals};
use ndarray::{Array2, s};
use proptest::prelude::*;

use super::walk;

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
    gaps.slice_mut(s![..2, 0]).fill(f64::NAN);
    gaps.slice_mut(s![50..53, 0]).fill(f64::NAN);
    gaps[[299, 0]] = f64::NAN;
    // On both sides: what the data lack is bridged in the run as well.
    let bridged = |x: &Array2<f64>| {
        let mut bridged = x.clone();
        bridged.slice_mut(s![..2, 0]).fill(x[[2, 0]]);
        for k in 0..3 {
            bridged[[50 + k, 0]] = x[[49, 0]] + (x[[53, 0]] - x[[49, 0]]) * (k + 1) as f64 / 4.0;
        }
        bridged[[299, 0]] = x[[298, 0]];
        bridged
    };
    assert!((one(&gaps, &ga) - one(&bridged(&a), &bridged(&ga))).abs() <= 1e-12);
}
