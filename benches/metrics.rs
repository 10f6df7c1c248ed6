//! Time to score one model on the default shape: Lorenz-63, 100,000 × 3, M 20, P 2, one core and all of them.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::hint::black_box;

use alrnn_gpu::backend::{FreeModel, prediction_error};
use alrnn_gpu::dataset::{Dataset, Trial};
use alrnn_gpu::metrics::{Histogram, Mixture, ScoreSettings, Scorer, Spectra};
use alrnn_gpu::model::{Dims, init};
use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::{Array2, s};

/// Rows of a Lorenz-63 trajectory, standardised; `shift` picks another stretch of it.
fn lorenz(rows: usize, shift: usize) -> Array2<f64> {
    let f = |v: [f64; 3]| {
        [
            10.0 * (v[1] - v[0]),
            v[0] * (28.0 - v[2]) - v[1],
            v[0] * v[1] - 8.0 / 3.0 * v[2],
        ]
    };
    let dt = 0.01;
    let step = |v: [f64; 3]| {
        let along = |k: [f64; 3], h: f64| std::array::from_fn(|i| v[i] + h * k[i]);
        let k1 = f(v);
        let k2 = f(along(k1, dt / 2.0));
        let k3 = f(along(k2, dt / 2.0));
        let k4 = f(along(k3, dt));
        std::array::from_fn(|i| v[i] + dt / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]))
    };
    let mut v = [1.0, 2.0, 20.0];
    (0..1000 + shift).for_each(|_| v = step(v));
    let mut x = Array2::zeros((rows, 3));
    for mut row in x.rows_mut() {
        row.iter_mut().zip(v).for_each(|(slot, value)| *slot = value);
        v = step(v);
    }
    for mut column in x.columns_mut() {
        let (mean, sd) = (column.mean().unwrap_or(0.0), column.std(0.0));
        column.mapv_inplace(|v| (v - mean) / sd);
    }
    x
}

fn score(c: &mut Criterion) {
    let (x, run) = (lorenz(100_000, 0), lorenz(100_000, 200_000).mapv(|v| v as f32));
    let s = Array2::zeros((x.nrows(), 0));
    let dataset = Dataset {
        trials: vec![Trial {
            name: "lorenz".into(),
            x: x.clone(),
            s: s.clone(),
        }],
        N: 3,
        K: 0,
        ..Dataset::default()
    };
    let dims = Dims { M: 20, N: 3, K: 0 };
    let theta = init(dims, 1).pack();
    let model = |P| FreeModel { theta: &theta, P };
    let scorer = Scorer::new(&dataset, ScoreSettings::default()).expect("valid");
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("a thread");
    let runs = [run.clone()];
    let predictions = scorer.predictions();
    let rows = predictions.rows();
    let pe = |P| prediction_error(dims, model(P), rows, &rows.starts, predictions.steps());
    let mut group = c.benchmark_group("metrics/lorenz 100000x3");
    group.bench_function("score, one thread", |b| {
        one.install(|| b.iter(|| black_box(scorer.score(&runs, pe(2)))))
    });
    group.bench_function("score, all threads", |b| {
        b.iter(|| black_box(scorer.score(&runs, pe(2))))
    });
    let histogram = Histogram::new(&[x.view()], 30).expect("few bins");
    group.bench_function("D_stsp bins, one thread", |b| {
        b.iter(|| black_box(histogram.divergence(&[run.view()])))
    });
    let spectra = Spectra::new(&[x.view()], 20.0);
    group.bench_function("D_H, one thread", |b| {
        one.install(|| b.iter(|| black_box(spectra.distance(&[run.view()]))))
    });
    for P in [2, 5, 20] {
        group.bench_function(format!("PE(20) P {P}, one thread"), |b| {
            one.install(|| b.iter(|| black_box(pe(P))))
        });
    }
    group.finish();
}

fn mixture(c: &mut Criterion) {
    let x = lorenz(10_000, 0);
    let wide = Array2::from_shape_fn((10_000, 20), |(t, n)| x[[(t * 7 + n * 131) % 10_000, n % 3]]);
    let run = wide.slice(s![..;-1, ..]).mapv(|v| 0.9 * v as f32);
    let mixture = Mixture::new(&[wide.view()], 1.0, 0);
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("a thread");
    let mut group = c.benchmark_group("metrics/10000x20");
    group.sample_size(20);
    group.bench_function("D_stsp GMM, one thread", |b| {
        one.install(|| b.iter(|| black_box(mixture.divergence(&[run.view()]))))
    });
    group.finish();
}

criterion_group!(benches, score, mixture);
criterion_main!(benches);
