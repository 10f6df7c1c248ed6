//! Answers made with NumPy and SciPy.

use std::fs::File;
use std::path::Path;

use alrnn_gpu::metrics::{Histogram, Mixture, Spectra, SpectrumPlan, hellinger};
use ndarray::{Array1, Array2};
use ndarray_npy::NpzReader;
use realfft::RealFftPlanner;

use super::close;

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
                assert_eq!(actual.rows, 0);
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
    let stated = values[0].standard_error.expect("an estimate");
    let combined = stated.hypot(error);
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
        (0.6..1.6).contains(&(stated / spread)),
        "{:?}, spread {spread}",
        values[0]
    );
}
