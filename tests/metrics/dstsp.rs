//! D_stsp by bins and by mixtures.

use std::collections::HashMap;

use alrnn_gpu::metrics::{Histogram, Mixture};
use ndarray::{Array2, ArrayView1, Axis, s};
use proptest::prelude::*;

use super::{close, walk};

/// The data's range in each dimension, widened by 0.1 standard deviations.
fn ranges(data: &Array2<f64>) -> (Vec<f64>, Vec<f64>) {
    let columns = data.columns().into_iter();
    let range = columns.map(|x| {
        let margin = 0.1 * x.std(1.0);
        let (low, high) = (
            x.fold(f64::MAX, |a, &b| a.min(b)),
            x.fold(f64::MIN, |a, &b| a.max(b)),
        );
        (low - margin, high + margin)
    });
    range.unzip()
}

/// All `binsᴺ` bins, each with its pseudo-count.
pub fn dense_divergence(data: &Array2<f64>, generated: &Array2<f64>, bins: usize) -> f64 {
    let N = data.ncols();
    let (low, high) = ranges(data);
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
        prop_assume!(sparse.rows > 0);
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
fn more_bins_than_a_table_holds_are_counted_alike() {
    let (data, generated) = (walk(3000, 2, 1), walk(3000, 2, 2));
    for bins in [255, 256, 257, 300] {
        let sparse = Histogram::new(&[data.view()], bins)
            .expect("few bins")
            .divergence(&[generated.view()]);
        close(
            "D_stsp",
            sparse.value,
            dense_divergence(&data, &generated, bins),
            1e-9,
        );
    }
}

#[test]
fn ten_dimensions_and_thirty_bins_cost_the_visited_bins() {
    let data = walk(2000, 10, 1);
    let mut generated = walk(2000, 10, 2);
    generated
        .slice_mut(s![..500, ..])
        .assign(&data.slice(s![..500, ..]));
    let histogram = Histogram::new(&[data.view()], 30).expect("30^10 fits in 64 bits");
    let divergence = histogram.divergence(&[generated.view()]);

    let mut counts: HashMap<Vec<i64>, (f64, f64)> = HashMap::new();
    let (low, high) = ranges(&data);
    let at = |row: ArrayView1<'_, f64>| -> Option<Vec<i64>> {
        let numbers = (0..10).map(|n| ((row[n] - low[n]) / (high[n] - low[n]) * 30.0).floor() as i64);
        let numbers: Vec<i64> = numbers.collect();
        numbers.iter().all(|b| (0..30).contains(b)).then_some(numbers)
    };
    for at in data.rows().into_iter().filter_map(at) {
        counts.entry(at).or_default().0 += 1.0;
    }
    for at in generated.rows().into_iter().filter_map(at) {
        counts.entry(at).or_default().1 += 1.0;
    }
    let all = 30f64.powi(10);
    let (mut p_total, mut q_total) = (1e-5 * all, 1e-5 * all);
    counts
        .values()
        .for_each(|(c, g)| (p_total, q_total) = (p_total + c, q_total + g));
    let term = |c: f64, g: f64| {
        let (p, q) = ((c + 1e-5) / p_total, (g + 1e-5) / q_total);
        p * (p / q).ln()
    };
    let visited: f64 = counts.values().map(|&(c, g)| term(c, g)).sum();
    let expected = visited + (all - counts.len() as f64) * term(0.0, 0.0);
    close("D_stsp", divergence.value, expected, 1e-7);
    assert_eq!(histogram.divergence(&[data.view()]).value, 0.0);

    let error = Histogram::new(&[data.view()], 1000).expect_err("1000^10 passes 64 bits");
    assert_eq!(error.exit_code(), 2);
    let hint = error.hint().expect("says what would do");
    assert!(hint.contains("84"), "{error} {hint}");
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
    assert_eq!(histogram.divergence(&[run.view()]).rows, 50);
    let row = data.slice(s![..1, ..]);
    let single = Histogram::new(&[row], 10).expect("few bins").divergence(&[row]);
    assert_eq!((single.value, single.rows), (0.0, 1));
    run.fill(f32::NAN);
    assert!(histogram.divergence(&[run.view()]).value.is_nan());
    let mixture = Mixture::new(&[data.view()], 1.0, 0).divergence(&[run.view()]);
    assert!(mixture.value.is_nan() && mixture.rows == 0);
}

#[test]
fn a_mixture_is_at_no_distance_from_itself_and_at_the_known_one_from_a_shifted_point() {
    let data = walk(300, 12, 4);
    let same = Mixture::new(&[data.view()], 0.3, 1).divergence(&[data.view()]);
    assert_eq!(
        (same.value, same.standard_error, same.rows),
        (0.0, Some(0.0), 300)
    );
    // Two single Gaussians: KL = |shift|² / 2σ².
    let point = Array2::<f64>::zeros((1, 12));
    let divergence = Mixture::new(&[point.view()], 0.5, 1).divergence(&[(&point + 0.5).view()]);
    let error = divergence.standard_error.expect("an estimate");
    let expected = 12.0 * 0.25 / (2.0 * 0.5);
    assert!(
        (divergence.value - expected).abs() <= 4.0 * error,
        "{divergence:?}, expected {expected}"
    );
}
