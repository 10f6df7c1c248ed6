//! From files to trials, windows and f32 rows; one sentence for each thing that would silently spoil a model.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::path::PathBuf;

use alrnn_gpu::arrays::save_array;
use alrnn_gpu::backend::{MISSING, is_missing};
use alrnn_gpu::dataset::{Dataset, LoadRequest, load};
use alrnn_gpu::error::Error;
use alrnn_gpu::model::Scaling;
use ndarray::{Array2, Array3, array, s};
use ndarray_npy::{NpzWriter, write_npy};
use tempfile::TempDir;

/// A folder of array files that goes away with the test.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn add(&self, name: &str, x: &Array2<f64>) -> String {
        save_array(self.path(name), x.view(), None).expect("written");
        self.spec(name)
    }

    fn text(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).expect("written");
        self.spec(name)
    }

    fn spec(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    /// Message and hint of the refusal, with the folder's path taken out.
    fn refusal(&self, request: &LoadRequest) -> (String, String) {
        let error = load(request).expect_err("refused");
        assert_eq!(error.exit_code(), 2, "{error}");
        self.shorten(&error)
    }

    fn shorten(&self, error: &Error) -> (String, String) {
        let folder = format!("{}/", self.0.path().to_string_lossy());
        let shorten = |text: &str| text.replace(&folder, "");
        (
            shorten(&error.to_string()),
            shorten(error.hint().unwrap_or_default()),
        )
    }
}

fn request(data: &[&String]) -> LoadRequest {
    LoadRequest {
        data: data.iter().map(|&s| s.clone()).collect(),
        ..LoadRequest::default()
    }
}

/// Rows `t`, columns `t` and `−10 t`.
fn ramp(rows: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, 2), |(t, j)| t as f64 * [1.0, -10.0][j])
}

#[test]
fn trials_come_from_files_arrays_and_globs() {
    let files = Files::new();
    let (a, b) = (files.add("a.npy", &ramp(5)), files.add("b.csv", &ramp(7)));
    let dataset = load(&request(&[&a, &b])).expect("two files");
    assert_eq!(
        (dataset.N, dataset.K, dataset.rows(), dataset.missing()),
        (2, 0, 12, 0)
    );
    assert_eq!(dataset.trials[1].x, ramp(7));
    assert_eq!(dataset.trials[1].s.dim(), (7, 0));
    assert!(dataset.trials[1].name.ends_with("b.csv"));
    assert_eq!(dataset.scaling, None);

    let cube = Array3::from_shape_fn((2, 4, 2), |(r, t, j)| (100 * r + 10 * t + j) as f64);
    write_npy(files.path("cube.npy"), &cube).expect("written");
    let dataset = load(&request(&[&files.spec("cube.npy")])).expect("two trials");
    assert_eq!(dataset.trials[1].x, cube.slice(s![1, .., ..]));
    assert!(dataset.trials[1].name.ends_with("cube.npy (trial 2)"));

    let mut npz = NpzWriter::new(std::fs::File::create(files.path("rec.npz")).expect("created"));
    for (key, rows) in [("t_10", 9), ("t_2", 8), ("other", 3)] {
        npz.add_array(key, &ramp(rows)).expect("written");
    }
    npz.finish().expect("written");
    let dataset = load(&request(&[&files.spec("rec.npz:t_*")])).expect("two arrays");
    let rows: Vec<_> = dataset.trials.iter().map(|t| t.x.nrows()).collect();
    assert_eq!(rows, [8, 9]);
}

#[test]
fn inputs_go_with_their_trials() {
    let files = Files::new();
    let (a, b) = (files.add("a.npy", &ramp(5)), files.add("b.npy", &ramp(7)));
    let (u, v) = (
        files.add("u.npy", &Array2::from_elem((5, 3), 0.5)),
        files.add("v.npy", &Array2::from_elem((7, 3), 0.25)),
    );
    let with = |data: &[&String], inputs: &[&String]| LoadRequest {
        inputs: inputs.iter().map(|&s| s.clone()).collect(),
        ..request(data)
    };
    let dataset = load(&with(&[&a, &b], &[&u, &v])).expect("matching");
    assert_eq!(dataset.K, 3);
    assert_eq!(dataset.trials[1].s, Array2::from_elem((7, 3), 0.25));
    let (data, _) = dataset.training(4).expect("windows");
    assert_eq!((data.K, data.s.len(), data.s[0], data.s[35]), (3, 36, 0.5, 0.25));

    let (message, _) = files.refusal(&with(&[&a, &b], &[&u]));
    assert_eq!(message, "the data have 2 trials, the inputs 1 trial");
    let (message, _) = files.refusal(&with(&[&a, &b], &[&v, &u]));
    assert_eq!(message, "v.npy has 7 rows of inputs, its data a.npy have 5");
    let transposed = files.add("w.npy", &Array2::zeros((3, 5)));
    let (_, hint) = files.refusal(&with(&[&a], &[&transposed]));
    assert!(hint.contains("transposed"), "{hint}");
    let mut gap = Array2::zeros((5, 3));
    gap[(3, 1)] = f64::NAN;
    let gap = files.add("gap.npy", &gap);
    let (message, _) = files.refusal(&LoadRequest {
        allow_missing: true,
        ..with(&[&a], &[&gap])
    });
    assert_eq!(
        message,
        "gap.npy has no value (NaN) at row 4, column 2; inputs must be complete"
    );
    let uneven = files.add("uneven.npy", &Array2::zeros((7, 2)));
    let (message, _) = files.refusal(&with(&[&a, &b], &[&u, &uneven]));
    assert_eq!(message, "uneven.npy has 2 columns where u.npy has 3");
}

#[test]
fn shapes_that_are_no_recording() {
    let files = Files::new();
    let write = |name: &str, values: ndarray::ArrayD<f64>| {
        write_npy(files.path(name), &values).expect("written");
        files.spec(name)
    };
    for (shape, expected, advice) in [
        (
            &[4][..],
            "x.npy has one dimension (4 values); observations are T rows × N columns",
            "x[:, None]",
        ),
        (
            &[],
            "x.npy is a single number; observations are an array of T rows × N columns",
            "",
        ),
        (
            &[1, 2, 3, 4],
            "x.npy has 4 dimensions; T × N (one trial) and R × T × N (R trials) are read",
            "reshape",
        ),
        (&[0, 3], "x.npy is empty (shape 0 × 3)", ""),
        (
            &[3, 5000],
            "x.npy has 3 rows × 5000 columns: data have one row a time step, so this looks transposed",
            "x.T",
        ),
        (
            &[2, 3, 50],
            "x.npy (trial 2) has 3 rows × 50 columns: data have one row a time step, so this looks transposed",
            "transpose(0, 2, 1)",
        ),
    ] {
        let path = write("x.npy", ndarray::ArrayD::from_elem(shape, 1.0));
        let (message, hint) = files.refusal(&request(&[&path]));
        assert_eq!(message, expected);
        assert!(hint.contains(advice), "{hint}");
    }
    let (a, b) = (
        files.add("a.npy", &ramp(5)),
        files.add("b.npy", &Array2::ones((5, 3))),
    );
    let (message, _) = files.refusal(&request(&[&a, &b]));
    assert_eq!(message, "b.npy has 3 columns where a.npy has 2");
    let (message, _) = files.refusal(&request(&[]));
    assert_eq!(message, "no data were given");
}

#[test]
fn a_short_trial_beside_a_long_one_is_not_transposed() {
    let files = Files::new();
    let (long, short) = (files.add("a.npy", &ramp(50)), files.add("b.npy", &ramp(1)));
    assert_eq!(load(&request(&[&long, &short])).expect("loads").trials.len(), 2);
}

#[test]
fn missing_and_impossible_values() {
    let files = Files::new();
    let mut x = ramp(6);
    x[(2, 1)] = f64::NAN;
    let one = files.add("one.npy", &x);
    let (message, hint) = files.refusal(&request(&[&one]));
    assert_eq!(message, "one.npy has a missing value (NaN) at row 3, column 2");
    assert!(hint.contains("--allow-missing"), "{hint}");
    x[(4, 0)] = f64::NAN;
    let two = files.add("two.npy", &x);
    let whole = files.add("whole.npy", &ramp(6));
    let (message, _) = files.refusal(&request(&[&whole, &two]));
    assert_eq!(
        message,
        "2 of 24 values are missing (NaN), the first at row 3, column 2 of two.npy"
    );
    let allowed = |data: &[&String]| LoadRequest {
        allow_missing: true,
        ..request(data)
    };
    assert_eq!(load(&allowed(&[&whole, &two])).expect("allowed").missing(), 2);

    x.column_mut(1).fill(f64::NAN);
    let gone = files.add("gone.npy", &x);
    let (message, _) = files.refusal(&allowed(&[&gone]));
    assert_eq!(message, "column 2 of gone.npy has no value at all");
    assert!(
        load(&allowed(&[&whole, &gone])).is_ok(),
        "observed in another trial"
    );

    for (value, expected) in [
        (f64::INFINITY, "bad.npy is infinite at row 1, column 2"),
        (f64::NEG_INFINITY, "bad.npy is infinite at row 1, column 2"),
        (
            -1e35,
            "bad.npy: -1e35 at row 1, column 2 is too large (|x| < 1e30 in data)",
        ),
    ] {
        let mut x = ramp(6);
        x[(0, 1)] = value;
        let (message, _) = files.refusal(&allowed(&[&files.add("bad.npy", &x)]));
        assert_eq!(message, expected);
    }
}

#[test]
fn standardising_pools_trials_and_keeps_the_units() {
    let files = Files::new();
    let (a, b) = (files.add("a.npy", &ramp(5)), files.add("b.npy", &ramp(9)));
    let dataset = load(&LoadRequest {
        standardize: true,
        ..request(&[&a, &b])
    })
    .expect("loads");
    let pooled: Vec<f64> = dataset
        .trials
        .iter()
        .flat_map(|t| t.x.column(0).to_vec())
        .collect();
    let mean = pooled.iter().sum::<f64>() / 14.0;
    let variance = pooled.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / 13.0;
    assert!(
        mean.abs() < 1e-14 && (variance - 1.0).abs() < 1e-14,
        "{mean} {variance}"
    );
    assert!(dataset.scaling.is_some(), "kept");
    let back = Scaling::restored(dataset.scaling.as_ref(), dataset.trials[1].x.clone());
    assert!((back - ramp(9)).iter().all(|d| d.abs() < 1e-13));

    let constant = files.text("c.csv", "time,flat\n1,3\n2,3\n4,3\n");
    let (message, _) = files.refusal(&LoadRequest {
        standardize: true,
        ..request(&[&constant])
    });
    assert_eq!(
        message,
        "column 2 (flat) of c.csv is constant (3), so it cannot be standardised"
    );
}

#[test]
fn a_model_brings_its_own_units() {
    let files = Files::new();
    let a = files.add("a.npy", &ramp(5));
    let with = |mean: Vec<f64>, scale: Vec<f64>| LoadRequest {
        scaling: Some(Scaling { mean, scale }),
        standardize: true,
        ..request(&[&a])
    };
    let dataset = load(&with(vec![1.0, 0.0], vec![2.0, 10.0])).expect("loads");
    assert_eq!(dataset.trials[0].x.row(3).to_vec(), [1.0, -3.0]);
    let (message, _) = files.refusal(&with(vec![0.0], vec![1.0]));
    assert_eq!(message, "a.npy has 2 columns, but the model was trained on 1");
}

#[test]
fn columns_are_taken_by_name() {
    let files = Files::new();
    let a = files.text("a.csv", "x,y\n1,2\n3,4\n5,6\n");
    let swapped = files.text("b.csv", "y,x\n20,10\n40,30\n");
    let wider = files.text("c.csv", "z,y,x\n7,2,1\n7,4,3\n7,6,5\n");
    let named = |names: &[&str]| Some(names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>());
    let dataset = load(&request(&[&a])).expect("loads");
    assert_eq!(dataset.columns, named(&["x", "y"]));

    // Between files, the first names count.
    let dataset = load(&request(&[&a, &swapped, &wider])).expect("loads");
    assert_eq!(dataset.columns, named(&["x", "y"]));
    assert_eq!(dataset.trials[1].x, array![[10.0, 20.0], [30.0, 40.0]]);
    assert_eq!(dataset.trials[2].x, dataset.trials[0].x);
    assert_eq!(dataset.places, [1, 2]);
    let (message, hint) = files.refusal(&request(&[&wider, &a]));
    assert_eq!(message, "a.csv has no column 'z', which c.csv has");
    assert!(hint.contains("rename"), "{hint}");

    // A model's names, in whichever order.
    let for_model = |data: &[&String], names: &[&str]| LoadRequest {
        columns: named(names),
        ..request(data)
    };
    let dataset = load(&for_model(&[&wider], &["y", "x"])).expect("loads");
    assert_eq!(dataset.columns, named(&["y", "x"]));
    assert_eq!(dataset.places, [2, 3]);
    assert_eq!(dataset.trials[0].x.row(0).to_vec(), [2.0, 1.0]);
    assert_eq!(dataset.label(0), format!("column 2 (y) of {wider}"));
    let (message, _) = files.refusal(&for_model(&[&a], &["x", "pressure"]));
    assert_eq!(
        message,
        "a.csv has no column 'pressure', which the model was trained on; it has 'y', which is not known"
    );

    // Arrays without names are taken as they are, and so are columns that only count.
    let plain = files.add("plain.npy", &ramp(4));
    let dataset = load(&for_model(&[&plain], &["v", "w"])).expect("loads");
    assert_eq!(
        (dataset.columns, &dataset.trials[0].x),
        (named(&["v", "w"]), &ramp(4))
    );
    let counted = files.text("counted.csv", "0,1\n1,2\n3,4\n");
    assert!(load(&for_model(&[&counted], &["v", "w"])).is_ok());
    assert!(load(&for_model(&[&a], &["0", "1"])).is_ok());

    // Two columns of one name cannot be told apart, unless all stand as they did.
    let twice = files.text("twice.csv", "x,x,y\n1,2,3\n4,5,6\n7,8,9\n");
    assert!(load(&for_model(&[&twice], &["x", "x", "y"])).is_ok());
    let (message, _) = files.refusal(&for_model(&[&twice], &["x", "y"]));
    assert!(
        message.starts_with("twice.csv has several columns called 'x'"),
        "{message}"
    );
}

#[test]
fn inputs_are_taken_by_name_too() {
    let files = Files::new();
    let data = files.add("x.npy", &ramp(3));
    let inputs = files.text("s.csv", "light,sound\n1,2\n3,4\n5,6\n");
    let with = |names: &[&str]| LoadRequest {
        inputs: vec![inputs.clone()],
        input_columns: Some(names.iter().map(|&n| n.to_owned()).collect()),
        ..request(&[&data])
    };
    let dataset = load(&with(&["sound", "light"])).expect("loads");
    assert_eq!(dataset.trials[0].s, array![[2.0, 1.0], [4.0, 3.0], [6.0, 5.0]]);
    let (message, _) = files.refusal(&with(&["light", "touch"]));
    assert!(
        message.contains("'touch'") && message.contains("'sound'"),
        "{message}"
    );
    let dataset = load(&LoadRequest {
        input_columns: None,
        ..with(&[])
    })
    .expect("loads");
    assert_eq!(dataset.input_columns, Some(vec!["light".into(), "sound".into()]));
}

#[test]
fn columns_are_dropped_by_name_or_number() {
    let files = Files::new();
    let a = files.text("a.csv", "time,x,y\n0,1,2\n1,3,4\n2,5,6\n");
    let without = |data: &[&String], drop: &[&str]| LoadRequest {
        drop: drop.iter().map(|&d| d.to_owned()).collect(),
        ..request(data)
    };
    let expected = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
    for drop in [["time"], ["1"]] {
        let dataset = load(&without(&[&a], &drop)).expect("loads");
        assert_eq!(dataset.trials[0].x, expected, "{drop:?}");
        assert_eq!(dataset.columns, Some(vec!["x".into(), "y".into()]));
        assert_eq!((dataset.N, dataset.places), (2, vec![2, 3]));
    }
    // A name wins over a number.
    let counted = files.text("counted.csv", "0,1,2\n5,1,2\n6,3,4\n7,5,6\n");
    let dataset = load(&without(&[&counted], &["1"])).expect("loads");
    assert_eq!(dataset.columns, Some(vec!["0".into(), "2".into()]));
    let cube = Array3::from_shape_fn((2, 4, 3), |(r, t, j)| (100 * r + 10 * t + j) as f64);
    write_npy(files.path("cube.npy"), &cube).expect("written");
    let dataset = load(&without(&[&files.spec("cube.npy")], &["2"])).expect("loads");
    assert_eq!(dataset.trials[1].x, cube.slice(s![1, .., ..;2]));

    for (drop, expected) in [
        (
            "tiem",
            "--drop tiem: a.csv has no such column; its columns are 'time', 'x', 'y'",
        ),
        (
            "4",
            "--drop 4: a.csv has no such column; its columns are 'time', 'x', 'y'",
        ),
        (
            "0",
            "--drop 0: a.csv has no such column; its columns are 'time', 'x', 'y'",
        ),
    ] {
        assert_eq!(files.refusal(&without(&[&a], &[drop])).0, expected);
    }
    assert_eq!(
        files.refusal(&without(&[&a], &["tiem"])).1,
        "did you mean 'time'?"
    );
    let (message, hint) = files.refusal(&without(&[&files.spec("cube.npy")], &["time"]));
    assert_eq!(message, "--drop time: cube.npy has 3 columns without names");
    assert!(hint.contains("1 to 3"), "{hint}");
    let (message, _) = files.refusal(&without(&[&a], &["time", "x", "y"]));
    assert_eq!(message, "--drop leaves no column of a.csv, which has 3");
    let (message, _) = files.refusal(&LoadRequest {
        columns: Some(vec!["x".into()]),
        ..without(&[&a], &["x"])
    });
    assert!(message.starts_with("--drop x leaves out column 'x'"), "{message}");

    // One of several files may be without the column; held-out data need not have it at all.
    let b = files.text("b.csv", "x,y\n7,8\n9,1\n");
    assert_eq!(load(&without(&[&a, &b], &["time"])).expect("loads").rows(), 5);
    let held_out = |drop: &str| LoadRequest {
        drop_if_there: true,
        columns: Some(vec!["x".into(), "y".into()]),
        ..without(&[&b], &[drop])
    };
    for drop in ["time", "1"] {
        assert_eq!(load(&held_out(drop)).expect("loads").N, 2, "{drop}");
    }

    // Places in messages are those of the file.
    let gap = files.text("gap.csv", "time,x,y\n0,1,2\n1,3,\n2,5,6\n");
    let (message, _) = files.refusal(&without(&[&gap], &["time"]));
    assert_eq!(message, "gap.csv has a missing value (NaN) at line 3, column 3");
}

#[test]
fn constant_up_to_rounding_is_constant() {
    let files = Files::new();
    let standardized = |data: &String| LoadRequest {
        standardize: true,
        ..request(&[data])
    };
    let case = format!(
        "{}/tests/cases/constant-column/rounding.csv",
        env!("CARGO_MANIFEST_DIR")
    );
    let (message, hint) = files.refusal(&standardized(&case));
    assert!(message.starts_with("column 2 (bias) of"), "{message}");
    assert!(message.contains("is constant up to rounding"), "{message}");
    assert!(hint.contains("--drop"), "{hint}");
    let wave = |offset: f64, size: f64| {
        Array2::from_shape_fn((50, 1), |(t, _)| offset + size * (0.7 * t as f64).sin())
    };
    let single = wave(0.1, 1e-9).mapv(|v| v as f32);
    write_npy(files.path("single.npy"), &single).expect("written");
    let (message, _) = files.refusal(&standardized(&files.spec("single.npy")));
    assert!(message.contains("constant"), "{message}");
    for (offset, size) in [(101_325.0, 0.02), (0.0, 1e-12), (-1e-12, 1e-15), (1.0, 1e-10)] {
        let dataset = load(&standardized(&files.add("wave.npy", &wave(offset, size)))).expect("varies");
        let scale = dataset.scaling.expect("standardised").scale[0];
        assert!((0.5 * size..size).contains(&scale), "{offset} ± {size}: {scale}");
    }
}

#[test]
fn the_hash_is_of_numbers_not_of_files() {
    let files = Files::new();
    let x = ramp(6);
    let hash = |path: &String| load(&request(&[path])).expect("loads").hash;
    let plain = hash(&files.add("x.npy", &x));
    assert_eq!(plain.len(), 64);
    assert_eq!(hash(&files.add("x.csv", &x)), plain);
    write_npy(files.path("f32.npy"), &x.mapv(|v| v as f32)).expect("written");
    assert_eq!(hash(&files.spec("f32.npy")), plain);
    write_npy(
        files.path("fortran.npy"),
        &x.t().as_standard_layout().reversed_axes(),
    )
    .expect("written");
    assert_eq!(hash(&files.spec("fortran.npy")), plain);
    let standardized = load(&LoadRequest {
        standardize: true,
        ..request(&[&files.spec("x.npy")])
    });
    assert_eq!(standardized.expect("loads").hash, plain);
    let reshaped = x.clone().into_shape_with_order((12, 1)).expect("12 values");
    assert_ne!(hash(&files.add("reshaped.npy", &reshaped)), plain);
    let mut other = x;
    other[(5, 1)] = -50.000_000_1;
    assert_ne!(hash(&files.add("other.npy", &other)), plain);
}

fn dataset(trials: &[Array2<f64>]) -> Dataset {
    let files = Files::new();
    let paths: Vec<String> = trials
        .iter()
        .enumerate()
        .map(|(i, x)| files.add(&format!("{i}.npy"), x))
        .collect();
    load(&LoadRequest {
        data: paths,
        allow_missing: true,
        ..LoadRequest::default()
    })
    .expect("loads")
}

#[test]
fn windows_stay_within_their_trial() {
    let data = dataset(&[ramp(6), ramp(3), ramp(5), ramp(4)]);
    let (training, skipped) = data.training(3).expect("windows");
    // Rows 0..6, 6..9, 9..14, 14..18; a window holds 4 rows.
    assert_eq!(training.starts, [0, 1, 2, 9, 10, 14]);
    assert_eq!((training.N, training.K, training.x.len()), (2, 0, 36));
    assert!(!training.has_missing);
    assert_eq!(training.x[2 * 9 + 2], 1.0, "row 10 is row 1 of the third trial");
    assert_eq!(skipped.len(), 1);
    assert_eq!((skipped[0].rows, skipped[0].window), (3, 4));
    assert!(
        skipped[0]
            .to_string()
            .ends_with("1.npy is left out: it has 3 rows, a window needs T + 1 = 4")
    );
}

#[test]
fn windows_have_something_to_predict() {
    let nan = f64::NAN;
    let mut x = ramp(8);
    // Observed rows: 0, 1 and, in one column, 6.
    x.slice_mut(s![2..6, ..]).fill(nan);
    x[(6, 0)] = nan;
    x.row_mut(7).fill(nan);
    let unobserved = array![[1.0, 1.0], [nan, nan], [nan, nan]];
    let (training, skipped) = dataset(&[x, unobserved]).training(2).expect("windows");
    // Targets of start t are rows t + 1 and t + 2: observed for 0 (row 1), 4 and 5 (row 6).
    assert_eq!(training.starts, [0, 4, 5]);
    assert!(training.has_missing);
    assert_eq!(training.x[4], MISSING);
    assert!(is_missing(training.x[12]) && !is_missing(training.x[13]));
    assert_eq!(skipped.len(), 1);
    assert!(
        skipped[0]
            .to_string()
            .ends_with("none of its windows has an observed value to predict")
    );
}

#[test]
fn no_window_at_all_is_an_error_that_says_what_fits() {
    let refusal = |trials: &[Array2<f64>], T: usize| {
        let error = dataset(trials).training(T).expect_err("no window");
        assert_eq!(error.exit_code(), 2);
        (error.to_string(), error.hint().unwrap_or_default().to_string())
    };
    let (message, hint) = refusal(&[ramp(10)], 10);
    assert_eq!(
        message,
        "a window of T = 10 steps needs 11 rows, but the data have 10 rows"
    );
    assert_eq!(hint, "the largest --T that fits is 9");
    assert!(dataset(&[ramp(10)]).training(9).is_ok());
    let (message, _) = refusal(&[ramp(10), ramp(12)], 50);
    assert_eq!(
        message,
        "a window of T = 50 steps needs 51 rows, but the longest of the 2 trials has 12 rows"
    );
    let mut x = ramp(10);
    x.slice_mut(s![1.., ..]).fill(f64::NAN);
    let (message, _) = refusal(&[x], 3);
    assert_eq!(
        message,
        "no window of T = 3 steps has an observed value to predict"
    );
}
