//! Array files made by NumPy (`tests/arrays/make.py`), and readers against random and damaged bytes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use alrnn_gpu::arrays::{
    NamedArray, parse_arrays, read_arrays, read_csv, read_npy, refuse_faults, save_array,
};
use alrnn_gpu::model::Model;
use ndarray::{Array2, ArrayD, Axis, array};
use proptest::prelude::*;

fn fixture(name: &str) -> String {
    format!("{}/tests/arrays/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn table() -> Array2<f64> {
    Array2::from_shape_fn((4, 3), |(i, j)| (3 * i + j) as f64)
}

fn only(name: &str) -> NamedArray {
    let mut arrays = read_arrays(&fixture(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(arrays.len(), 1, "{name}");
    arrays.remove(0)
}

fn refusal(name: &str) -> (String, String) {
    let error = read_arrays(&fixture(name)).expect_err(name);
    assert_eq!(error.exit_code(), 2, "{name}");
    let message = error.to_string();
    assert!(message.contains(name), "{message}");
    (message, error.hint().unwrap_or_default().to_string())
}

#[test]
fn every_real_dtype_order_and_endianness() {
    for dtype in ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"] {
        for order in ["little", "big"] {
            let name = format!("{dtype}_{order}.npy");
            assert_eq!(only(&name).values, table().into_dyn(), "{name}");
        }
    }
    assert_eq!(only("fortran.npy").values, table().into_dyn());
    assert_eq!(only("signed.npy").values, (table() - 6.0).into_dyn());
    let truth = table().mapv(|v| f64::from(u8::from(v > 4.0)));
    assert_eq!(only("bool.npy").values, truth.into_dyn());
    assert_eq!(only("table.npy.gz").values, table().into_dyn());
    for name in ["trials.npy", "trials_fortran.npy"] {
        let trials = only(name).values;
        assert_eq!(trials.shape(), [2, 4, 3]);
        assert_eq!(trials.index_axis(Axis(0), 1), (table() + 100.0).into_dyn());
    }
}

/// NumPy wrote whole numbers with an L under Python 2, also within lists of fields and beside names.
#[test]
fn headers_of_python_2_are_read() {
    for (shape, expected) in [
        ("(2L, 3L)", vec![2, 3]),
        ("(6L,)", vec![6]),
        ("(1L, 2L, 3)", vec![1, 2, 3]),
    ] {
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend((0..6).flat_map(|v| f64::from(v).to_le_bytes()));
        let read = read_npy(&bytes, "x.npy").expect("readable");
        assert_eq!(read.shape(), expected);
        assert!(read.iter().copied().eq((0..6).map(f64::from)), "{shape}");
    }
}

#[test]
fn npz_by_key_glob_and_alone() {
    assert_eq!(only("one.npz").values, table().into_dyn());
    assert_eq!(only("rec.npz:stimulus").values.shape(), [4, 1]);
    let trials = read_arrays(&fixture("rec.npz:trial_*")).expect("two match");
    let names: Vec<_> = trials
        .iter()
        .map(|a| a.name.rsplit(':').next().expect("a key"))
        .collect();
    assert_eq!(names, ["trial_9", "trial_10"]);
    assert_eq!(trials[1].values, (table() + 10.0).into_dyn());

    let (message, hint) = refusal("rec.npz");
    assert!(
        message.ends_with("holds 3 arrays (stimulus, trial_9, trial_10): say which"),
        "{message}"
    );
    assert!(hint.contains("rec.npz:stimulus"), "{hint}");
    let error = read_arrays(&fixture("rec.npz:x"))
        .expect_err("no such key")
        .to_string();
    assert!(
        error.ends_with("rec.npz has no array x; it holds stimulus, trial_9, trial_10"),
        "{error}"
    );
    refusal("none.npz");
}

#[test]
fn what_is_not_real_numbers_is_named() {
    for (name, what, advice) in [
        ("complex.npy", "complex numbers", "real part"),
        ("text.npy", "text", "float64"),
        ("bytes.npy", "text", "float64"),
        ("dates.npy", "dates", "time column"),
        ("objects.npy", "Python objects", ".npz"),
        ("records.npy", "records", "array of numbers"),
        ("longdouble.npy", "extended floats", "float64"),
    ] {
        let (message, hint) = refusal(name);
        assert!(
            message.contains(&format!("holds {what}, not real numbers")),
            "{message}"
        );
        assert!(hint.contains(advice), "{hint}");
    }
}

#[test]
fn files_that_are_no_arrays() {
    let error = read_arrays(&fixture("f8_litle.npy")).expect_err("missing");
    assert!(error.to_string().starts_with("there is no file "), "{error}");
    assert!(
        error
            .hint()
            .expect("a hint")
            .ends_with("tests/arrays/f8_little.npy?")
    );
    assert_eq!(error.exit_code(), 2);

    let error = read_arrays(&fixture("*.npy")).expect_err("no glob");
    assert!(error.hint().expect("a hint").contains("the shell expands"));

    let cases: [(&str, &[u8], &str); 8] = [
        ("x.npy", b"", "x.npy is an empty file"),
        ("x.npy", b"hello", "x.npy is not an .npy file"),
        ("x.npz", b"hello", "x.npz is not an .npz file"),
        (
            "x.npz",
            b"PK\x03\x04 and no more",
            "x.npz is not a readable .npz file",
        ),
        ("x.csv.gz", b"\x1f\x8bnot gzip", "x.csv.gz cannot be unpacked"),
        ("x.mat", b"MATLAB 5.0", "x.mat is a MATLAB file"),
        ("x.h5", b"\x89HDF", "x.h5 is an HDF5 file"),
        ("x.txt", b"1 2 3", "x.txt is of a format that is not known"),
    ];
    for (path, bytes, expected) in cases {
        let error = parse_arrays(bytes, path, None).expect_err(path);
        assert!(error.to_string().starts_with(expected), "{error}");
        assert_eq!(error.exit_code(), 2, "{path}");
    }
    let whole = std::fs::read(fixture("f8_little.npy")).expect("there");
    let error = read_npy(&whole[..whole.len() - 1], "x.npy")
        .expect_err("cut short")
        .to_string();
    assert!(
        error.contains("promises 4 × 3 values of 96 bytes, only 95 are there"),
        "{error}"
    );
    let error = read_npy(&whole[..50], "x.npy")
        .expect_err("cut short")
        .to_string();
    assert!(error.contains("ends within its header"), "{error}");
}

#[test]
fn a_small_file_cannot_unpack_to_a_huge_one() {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![0u8; 1 << 20];
    for _ in 0..300 {
        encoder.write_all(&zeros).expect("memory takes every write");
    }
    let bomb = encoder.finish().expect("memory takes every write");
    let error = parse_arrays(&bomb, "x.npy.gz", None)
        .expect_err("300 MiB of zeros")
        .to_string();
    assert!(error.starts_with("x.npy.gz unpacks to more than"), "{error}");
}

fn csv(text: &str) -> Result<(Array2<f64>, Option<Vec<String>>), String> {
    let table = read_csv(text.as_bytes(), "x.csv", b',').map_err(|e| e.to_string())?;
    refuse_faults(&table.faults, |_| true).map_err(|e| e.to_string())?;
    let values = table.values.into_dimensionality().expect("two dimensions");
    Ok((values, table.columns))
}

#[test]
fn csv_with_and_without_header() {
    let numbers = array![[1.0, -2.5], [3e-4, 4.0]];
    let names = Some(vec!["x".to_string(), "the y".to_string()]);
    assert_eq!(csv("1,-2.5\n3e-4,4\n"), Ok((numbers.clone(), None)));
    assert_eq!(
        csv("\u{feff}x,the y\r\n1, -2.5\r\n3e-4,4"),
        Ok((numbers.clone(), names.clone()))
    );
    assert_eq!(csv("x;the y\n1;-2.5\n3e-4;4\n"), Ok((numbers.clone(), names)));
    let counted = Some(vec!["0".to_string(), "1".to_string()]);
    assert_eq!(csv("0,1\n1,-2.5\n3e-4,4\n"), Ok((numbers.clone(), counted)));
    assert_eq!(csv("# made by me\n1,-2.5\n3e-4,4\n"), Ok((numbers, None)));
    assert_eq!(only("savetxt.csv").values, table().into_dyn());
    let (gaps, _) = csv("a,b\n,1\nNA,2\nnan,3\nNull,4\n").expect("gaps are values");
    assert!(gaps.column(0).iter().all(|v| v.is_nan()));
    assert_eq!(gaps.column(1).to_vec(), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn csv_mistakes_are_named_with_line_and_column() {
    for (text, expected) in [
        ("1,2\n3\n", "x.csv, line 2: 1 cells where the first line has 2"),
        ("a,b\n1,2\n3,x\n", "x.csv, line 3, column 2: 'x' is not a number"),
        ("1,x\n2,3\n", "x.csv, line 1, column 2: 'x' is not a number"),
        (
            "t,x\n2024-01-01,3\n",
            "x.csv, line 2, column 1: '2024-01-01' is not a number",
        ),
        (",x\n0,3\n", "x.csv: the first column has no name"),
        (
            "a;b\n1,5;2.5\n",
            "x.csv, line 2, column 1: the comma in '1,5' does not go with the point in '2.5'",
        ),
    ] {
        let error = csv(text).expect_err(text);
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn written_files_read_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let values = array![[0.1, f64::NAN], [1e-30, -3.0]];
    let columns = ["a".to_string(), "b".to_string()];
    for name in ["x.npy", "x.csv", "x.tsv", "x.npy.gz", "x.csv.gz"] {
        let path = folder.path().join(name);
        let header = name.contains("sv").then_some(columns.as_slice());
        save_array(&path, values.view(), header).expect("written");
        let read = read_arrays(&path.to_string_lossy()).expect("readable").remove(0);
        let bits = |a: &ArrayD<f64>| a.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&read.values), bits(&values.clone().into_dyn()), "{name}");
        assert_eq!(read.columns.as_deref(), header, "{name}");
    }
    let error = save_array(folder.path().join("x.dat"), values.view(), None).expect_err("unknown");
    assert_eq!(error.exit_code(), 2);
}

/// An `.npy` written independently of the library's own writer.
fn encode(shape: &[usize], values: &[i64], dtype: &str, big: bool, fortran: bool) -> Vec<u8> {
    let sizes: Vec<_> = shape.iter().map(|d| format!("{d},")).collect();
    let header = format!(
        "{{'descr': '{}{dtype}', 'fortran_order': {}, 'shape': ({}), }}\n",
        if big { '>' } else { '<' },
        if fortran { "True" } else { "False" },
        sizes.join(" ")
    );
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    for &v in values {
        let mut element = match dtype {
            "f8" => (v as f64).to_le_bytes().to_vec(),
            "f4" => (v as f32).to_le_bytes().to_vec(),
            "i8" | "u8" => v.to_le_bytes().to_vec(),
            "i4" | "u4" => (v as i32).to_le_bytes().to_vec(),
            "i2" | "u2" => (v as i16).to_le_bytes().to_vec(),
            _ => vec![v as u8],
        };
        if big {
            element.reverse();
        }
        bytes.extend(element);
    }
    bytes
}

fn any_npy() -> impl Strategy<Value = (Vec<usize>, Vec<i64>, &'static str, bool, bool)> {
    let dtype = prop::sample::select(vec!["f8", "f4", "i8", "u8", "i4", "u4", "i2", "u2", "i1", "u1"]);
    prop::collection::vec(0usize..5, 0..4).prop_flat_map(move |shape| {
        let count: usize = shape.iter().product();
        let values = prop::collection::vec(0i64..128, count);
        (Just(shape), values, dtype.clone(), any::<bool>(), any::<bool>())
    })
}

/// Every parser a file can reach; none may panic, whatever the bytes.
fn parse_everything(bytes: &[u8]) {
    let parsed = catch_unwind(AssertUnwindSafe(|| {
        for path in ["x.npy", "x.npz", "x.csv", "x.tsv"] {
            let _ = parse_arrays(bytes, path, None);
        }
        let _ = parse_arrays(bytes, "x.npz", Some("*"));
        let _ = Model::from_bytes(bytes, "model.npz");
    }));
    assert!(parsed.is_ok(), "a reader panicked on {bytes:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn npy_round_trips((shape, values, dtype, big, fortran) in any_npy()) {
        let read = read_npy(&encode(&shape, &values, dtype, big, fortran), "x.npy").expect("well formed");
        prop_assert_eq!(read.shape(), shape.as_slice());
        // Memory order of a Fortran array is logical order with axes reversed.
        let stored: Vec<f64> = if fortran { read.t().iter().copied().collect() } else { read.iter().copied().collect() };
        prop_assert_eq!(stored, values.iter().map(|&v| v as f64).collect::<Vec<_>>());
    }

    #[test]
    fn damaged_files_never_panic(
        which in 0usize..7,
        cut in 0.0f64..1.2,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let names = ["f8_big.npy", "trials_fortran.npy", "records.npy", "rec.npz", "one.npz", "table.npy.gz", "foreign_model.npz"];
        let mut bytes = std::fs::read(fixture(names[which])).expect("there");
        bytes.truncate((bytes.len() as f64 * cut) as usize);
        for (index, byte) in flips {
            if !bytes.is_empty() {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
        }
        parse_everything(&bytes);
    }

    #[test]
    fn random_headers_never_panic(text in "[{}()\\[\\]',: 0-9a-zA-Z<>|+.e\\\\-]{0,80}") {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16 + 1).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(b"\n0123456789");
        parse_everything(&bytes);
    }

    #[test]
    fn random_tables_never_panic(text in "[0-9a,.;\"\n\t #-]{0,200}") {
        parse_everything(text.as_bytes());
    }
}
