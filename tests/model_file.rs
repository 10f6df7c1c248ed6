//! Model files: exact round trips, files made elsewhere, and one sentence for each way to be wrong.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::io::Cursor;

use alrnn_gpu::arrays::parse_arrays;
use alrnn_gpu::model::{Dims, Model, Scaling, Theta, init};
use ndarray::{Array1, Array2, ArrayD, arr0, array};
use ndarray_npy::NpzWriter;

fn model(M: usize, N: usize, K: usize) -> Model {
    let dims = Dims { M, N, K };
    // Through f32, as a trained model comes.
    let theta = Theta::unpack(dims, &init(dims, 3).pack());
    Model {
        theta,
        P: M / 2,
        scaling: None,
        dt: None,
        columns: None,
        input_columns: None,
    }
}

#[test]
fn round_trips_are_exact() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.npz");
    for (M, N, K) in [(20, 3, 0), (5, 5, 0), (7, 2, 3), (1, 1, 1)] {
        let mut model = model(M, N, K);
        for units in [false, true] {
            if units {
                model.dt = Some(0.01);
                model.scaling = Some(Scaling {
                    mean: (0..N).map(|j| j as f64 / 3.0).collect(),
                    scale: vec![0.1; N],
                });
                let odd = ["v, mV", "\"w\"", "μ\n", "", "ends in \0"];
                let name = |j: usize| odd.get(j).map_or_else(|| j.to_string(), |&name| name.to_owned());
                model.columns = Some((0..N).map(name).collect());
                model.input_columns = (K > 0).then(|| (0..K).map(name).collect());
            }
            model.save(&path).expect("saved");
            let read = Model::load(&path).expect("loaded");
            assert_eq!(read, model, "M {M} N {N} K {K}");
            let bits = |m: &Model| m.theta.pack().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&read), bits(&model));
            assert_eq!(
                std::fs::read(&path).expect("read"),
                read.to_bytes(),
                "equal models, equal bytes"
            );
        }
    }
}

#[test]
fn holds_the_documented_arrays() {
    let bytes = model(4, 4, 0).to_bytes();
    let arrays = parse_arrays(&bytes, "m.npz", Some("*")).expect("an npz");
    let shapes: Vec<_> = arrays
        .iter()
        .map(|a| (a.name.as_str(), a.values.shape()))
        .collect();
    let expected: [(&str, &[usize]); 6] = [
        ("m.npz:A", &[4]),
        ("m.npz:L", &[0, 4]),
        ("m.npz:N", &[]),
        ("m.npz:P", &[]),
        ("m.npz:W", &[4, 4]),
        ("m.npz:h", &[4]),
    ];
    assert_eq!(shapes, expected);
}

/// Names are bytes, which every reader of numbers takes; a list of them in JSON.
#[test]
fn names_are_bytes_of_json() {
    let mut named = model(4, 2, 0);
    named.columns = Some(vec!["v".into(), "w, raw".into()]);
    let arrays = parse_arrays(&named.to_bytes(), "m.npz", Some("columns")).expect("an npz");
    let bytes: Vec<u8> = arrays[0].values.iter().map(|&v| v as u8).collect();
    assert_eq!(bytes, br#"["v","w, raw"]"#);
}

/// Written by NumPy: `A` a float32 diagonal matrix, `W` in Fortran order, `P` a float of one element, no `N`.
#[test]
fn a_foreign_file_loads() {
    let path = format!("{}/tests/arrays/foreign_model.npz", env!("CARGO_MANIFEST_DIR"));
    let model = Model::load(path).expect("loads");
    assert_eq!(model.theta.dims(), Dims { M: 3, N: 2, K: 0 });
    assert_eq!(model.theta.A, array![0.5, 0.25, -0.125]);
    assert_eq!(model.theta.L, array![[0.5, -1.5]]);
    assert_eq!(model.P, 1);
    // numpy.random.default_rng(0).normal(size=(3, 3))[0, 1]
    assert_eq!(model.theta.W[(0, 1)], -0.132_104_863_291_301_9);
}

/// The golden cases carry `A W h L` without `P`: the sentence says so.
#[test]
fn a_missing_array_is_named() {
    let path = format!("{}/tests/golden/tiny.npz", env!("CARGO_MANIFEST_DIR"));
    let error = Model::load(path).expect_err("no P").to_string();
    assert!(
        error.contains("tiny.npz is not a usable model: there is no P (it holds A, L, W,"),
        "{error}"
    );
}

/// A correct file of M = 3, N = 2, P = 1 with one array replaced (or left out).
fn altered(key: &str, values: Option<ArrayD<f64>>) -> Vec<u8> {
    let mut arrays = vec![
        ("A", Array1::from_elem(3, 0.5).into_dyn()),
        ("W", Array2::zeros((3, 3)).into_dyn()),
        ("h", Array1::zeros(3).into_dyn()),
        ("L", Array2::zeros((1, 2)).into_dyn()),
        ("P", arr0(1.0).into_dyn()),
    ];
    arrays.retain(|(k, _)| *k != key);
    arrays.extend(values.map(|v| (key, v)));
    let mut writer = NpzWriter::new(Cursor::new(Vec::new()));
    for (name, values) in &arrays {
        writer.add_array(*name, values).expect("memory takes every write");
    }
    writer.finish().expect("memory takes every write").into_inner()
}

#[test]
fn what_does_not_fit_is_one_sentence() {
    let v =
        |values: &[f64]| Some(ArrayD::from_shape_vec(vec![values.len()], values.to_vec()).expect("a vector"));
    let zeros = |shape: &[usize]| Some(ArrayD::zeros(shape));
    let n = |value: f64| Some(arr0(value).into_dyn());
    let mut nan = ArrayD::zeros(vec![3, 3]);
    nan[[1, 2]] = f64::NAN;
    let mut coupled = ArrayD::zeros(vec![3, 3]);
    coupled[[1, 2]] = 0.5;
    for (key, values, expected) in [
        ("W", None, "there is no W (it holds A, L, P, h)"),
        ("L", None, "there is no L"),
        ("P", None, "there is no P"),
        ("W", zeros(&[3, 4]), "W is 3 × 4, expected M × M = 3 × 3"),
        ("W", zeros(&[9]), "W is 9, expected M × M = 3 × 3"),
        (
            "W",
            Some(nan),
            "W[2, 3] (counted from 1) is NaN, not a finite f32 number",
        ),
        ("h", v(&[0.0, 1e300, 0.0]), "h[2] (counted from 1) is 1e300"),
        ("h", zeros(&[2]), "h is 2, expected M = 3"),
        (
            "A",
            Some(coupled),
            "A is a matrix that is not diagonal (row 2, column 3, counted from 1)",
        ),
        (
            "A",
            zeros(&[2, 3]),
            "A is 2 × 3, expected M = a vector, or a diagonal matrix",
        ),
        ("L", zeros(&[2, 2]), "L is 2 × 2, expected (M − N) × N = 1 × 2"),
        ("L", zeros(&[2]), "L is 2, expected (M − N) × N = a matrix"),
        ("P", n(4.0), "P = 4 ReLU units, but only M = 3 units"),
        ("P", n(0.5), "P = 0.5 is not a whole number from 0 on"),
        ("P", n(-1.0), "P = -1 is not a whole number from 0 on"),
        ("P", zeros(&[2]), "P is 2, expected P = one number"),
        ("N", n(4.0), "N = 4 observed of M = 3 units"),
        ("C", zeros(&[2, 1]), "C is 2 × 1, expected M × K = 3 × K"),
        ("mean", zeros(&[2]), "it has mean but no scale"),
        ("scale", zeros(&[2]), "it has scale but no mean"),
        ("dt", n(0.0), "dt = 0 is not above 0"),
        ("columns", zeros(&[2]), "columns holds no names"),
        (
            "columns",
            v(&br#"["v"]"#.map(f64::from)),
            "columns holds 1 names of 2 columns",
        ),
    ] {
        let error = Model::from_bytes(&altered(key, values), "m.npz").expect_err(expected);
        assert_eq!(error.exit_code(), 2);
        let message = error.to_string();
        let expected = format!("m.npz is not a usable model: {expected}");
        assert!(message.starts_with(&expected), "{message}\nexpected: {expected}");
    }
    for (key, values) in [
        ("A", Some(ArrayD::from_elem(vec![3, 1], 0.5))),
        ("h", zeros(&[3, 1])),
        ("P", Some(ArrayD::from_elem(vec![1], 2.0))),
        ("C", zeros(&[3, 0])),
        ("N", n(2.0)),
        ("unknown", zeros(&[5])),
    ] {
        Model::from_bytes(&altered(key, values), "m.npz").unwrap_or_else(|e| panic!("{key}: {e}"));
    }
    let error = Model::from_bytes(b"not a model", "m.npz").expect_err("no zip");
    assert!(error.hint().expect("a hint").contains("A, W, h, L and P"));
}
