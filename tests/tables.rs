//! Tables as people and programs write them: read whole, or refused in words that name the place. The files of
//! `tests/cases` are read as they are, others of their kinds are made here.

mod cli_common;

use alrnn_gpu::arrays::{NamedArray, read_csv, refuse_faults};
use alrnn_gpu::dataset::{Dataset, LoadRequest, load};
use cli_common::{Workplace, assert_one_sentence, stderr};
use ndarray::{Array2, array};

fn case(name: &str) -> String {
    format!("{}/tests/cases/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn request(name: &str) -> LoadRequest {
    LoadRequest {
        data: vec![case(name)],
        ..LoadRequest::default()
    }
}

fn loaded(name: &str, allow_missing: bool) -> Dataset {
    let request = LoadRequest {
        allow_missing,
        ..request(name)
    };
    load(&request).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Message and hint of the refusal of a case, or of one with columns left out.
fn refusal(name: &str, drop: &[&str]) -> (String, String) {
    let request = LoadRequest {
        drop: drop.iter().map(|&column| column.to_owned()).collect(),
        ..request(name)
    };
    let error = load(&request).expect_err(name);
    assert_eq!(error.exit_code(), 2, "{name}");
    (error.to_string(), error.hint().unwrap_or_default().to_owned())
}

fn table(text: &str) -> NamedArray {
    let table = read_csv(text.as_bytes(), "x.csv", b',').expect("text");
    assert_eq!(table.lines.len(), table.values.shape()[0], "{text:?}");
    table
}

/// The values of a table without fault.
fn values(text: &str) -> Array2<f64> {
    let table = table(text);
    assert_eq!(table.faults, vec![], "{text:?}");
    table.values.into_dimensionality().expect("two dimensions")
}

fn fault(text: &str) -> (String, String) {
    let error = refuse_faults(&table(text).faults, |_| true).expect_err(text);
    (error.to_string(), error.hint().unwrap_or_default().to_owned())
}

/// `values`, with NaN equal to NaN.
fn assert_values(text: &str, expected: &Array2<f64>) {
    let found = values(text);
    let bits = |x: &Array2<f64>| x.mapv(|v| if v.is_nan() { None } else { Some(v) });
    assert_eq!(bits(&found), bits(expected), "{text:?}");
}

const NAN: f64 = f64::NAN;

#[test]
fn cases_that_are_read_whole() {
    for (name, rows, columns) in [
        ("hash-cell/comment.csv", 150, Some(["u", "v"])),
        ("number-header/channels.csv", 150, Some(["1", "2"])),
        ("number-header/quoted.csv", 150, Some(["10", "20"])),
        ("number-header/counts.csv", 150, None),
        ("python2-header/long.npy", 150, None),
        ("separator/comment.csv", 150, Some(["u", "v"])),
        ("separator/blank-first.csv", 150, Some(["u", "v"])),
        ("hints/decimal-comma.csv", 60, None),
        ("unclear/sep-line.csv", 150, Some(["u", "v"])),
        ("unclear/utf16.csv", 150, Some(["u", "v"])),
        ("unclear/trailing-comma.csv", 150, Some(["u", "v"])),
        ("unclear/minus-sign.csv", 150, Some(["u", "v"])),
    ] {
        let data = loaded(name, false);
        assert_eq!((data.rows(), data.N), (rows, 2), "{name}");
        assert_eq!(
            data.columns,
            columns.map(|names| names.map(str::to_owned).to_vec()),
            "{name}"
        );
    }
    let one = loaded("number-header/one-column.csv", false);
    assert_eq!((one.rows(), one.columns), (150, Some(vec!["0".to_owned()])));
    assert_eq!(
        loaded("hints/decimal-comma.csv", false).trials[0]
            .x
            .row(0)
            .to_vec(),
        [-0.0523, 0.8336]
    );
    let minus = &loaded("unclear/minus-sign.csv", false).trials[0].x;
    assert!(minus.iter().any(|&v| v == -0.0471));
}

#[test]
fn missing_cells_keep_their_rows_and_are_refused_by_line() {
    for (name, line, missing) in [
        ("hash-cell/first-column.csv", 42, 3),
        ("hash-cell/division.csv", 9, 2),
        ("blank-line/one-column.csv", 42, 3),
    ] {
        let (message, hint) = refusal(name, &[]);
        assert!(
            message.contains(&format!("the first at line {line}, column 1 of")),
            "{message}"
        );
        assert!(hint.contains("--allow-missing"), "{hint}");
        let data = loaded(name, true);
        assert_eq!((data.rows(), data.missing()), (150, missing), "{name}");
        assert!(data.trials[0].x[(line - 2, 0)].is_nan(), "{name}");
    }
}

#[test]
fn cases_that_are_refused_by_name() {
    for (name, expected, advice) in [
        (
            "line-numbers/crlf.csv",
            "crlf.csv, line 31, column 1: 'oops' is not a number",
            "NA",
        ),
        (
            "line-numbers/blank.csv",
            "blank.csv, line 32, column 1: 'oops' is not a number",
            "NA",
        ),
        (
            "hints/date.csv",
            "date.csv, line 2, column 1: '2016-07-01 00:00:00' is not a number",
            "date or time: leave the column out with --drop date",
        ),
        (
            "hints/thousands.csv",
            "line 2, column 1: the comma in '1,000' separates thousands",
            "write 1000,",
        ),
        (
            "hints/units.csv",
            "line 2 is no row of numbers: it holds units",
            "leave line 2 out",
        ),
        (
            "unclear/row-names.csv",
            "line 2 has 3 cells where the header has 2 names",
            "--drop 1",
        ),
    ] {
        let (message, hint) = refusal(name, &[]);
        assert!(message.contains(expected), "{message}");
        assert!(hint.contains(advice), "{hint}");
    }
}

/// What a hint advises leads to the end.
#[test]
fn columns_that_cannot_be_read_can_be_dropped() {
    for (name, drop, columns, rows) in [
        ("hints/date.csv", "date", vec!["u", "v"], 60),
        ("hints/thousands.csv", "1", vec!["v"], 60),
        ("unclear/row-names.csv", "1", vec!["u", "v"], 150),
    ] {
        let request = LoadRequest {
            drop: vec![drop.to_owned()],
            ..request(name)
        };
        let data = load(&request).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((data.rows(), data.missing()), (rows, 0), "{name}");
        assert_eq!(
            data.columns,
            Some(columns.iter().map(|&c| c.to_owned()).collect()),
            "{name}"
        );
    }
}

#[test]
fn error_marks_are_cells_and_comments_stand_above() {
    for text in [
        "u,v\n1,2\n#N/A,4\n5,#DIV/0!\n",
        "u;v\n1;2\n#NV;4\n5;#ZAHL!\n",
        "# day 2, rig 1\n\nu,v\n# mV, mA\n1,2\n#VALEUR!,4\n5,#####\n",
        "u,v\r\n1,2\r\n\"#REF!\",4\r\n5,\"#NUM!\"\r\n",
        "1,2\n#NAME?,4\n5,#NULL!",
    ] {
        assert_values(text, &array![[1.0, 2.0], [NAN, 4.0], [5.0, NAN]]);
    }
    assert_values("#N/A,1\n2,3\n", &array![[NAN, 1.0], [2.0, 3.0]]);
    assert_values("#N/A\n2\n#SPILL!\n", &array![[NAN], [2.0], [NAN]]);
    for (text, line) in [
        ("u,v\n1,2\n# pause\n3,4\n", 3),
        ("1,2\n#3,4\n5,6\n", 2),
        ("1\n# pause\n3\n", 2),
        ("u,v\n\n1,2\n3,4\n# the end\n", 5),
    ] {
        let (message, hint) = fault(text);
        assert!(
            message.starts_with(&format!("x.csv, line {line} starts with # below")),
            "{message}"
        );
        assert!(hint.contains("above the table"), "{hint}");
    }
}

#[test]
fn an_empty_line_of_one_column_is_an_empty_cell() {
    for end in ["\n", "\r\n", "\r"] {
        for header in ["", "u", "\"u\"", "# note\n2.0"] {
            let empty = ["", "\"\"", "  "][end.len() % 3];
            let lines = [header, "1.5", "", empty, "2.5", "", "3.5"];
            let text = lines[usize::from(header.is_empty())..].join(end);
            let mut expected = vec![1.5, NAN, NAN, 2.5, NAN, 3.5];
            if header.ends_with("2.0") {
                expected.insert(0, 2.0);
            }
            let expected = Array2::from_shape_vec((expected.len(), 1), expected).expect("a column");
            for tail in ["", end, &end.repeat(3)] {
                assert_values(&format!("{text}{tail}"), &expected);
            }
        }
    }
    assert_eq!(table("u\n1\n\n2\n").lines, [2, 3, 4]);
    assert_values("\n\n1\n2\n", &array![[NAN], [NAN], [1.0], [2.0]]);
    assert_values("u\n\n1\n", &array![[NAN], [1.0]]);
    assert_values("u,\n1,\n\n2,\n", &array![[1.0], [NAN], [2.0]]);
    // Windows programs that translate line ends twice.
    assert_values("u\r\r\n1\r\r\n2\r\r\n", &array![[1.0], [2.0]]);
}

#[test]
fn an_empty_line_between_rows_may_be_a_lost_row() {
    for (text, line) in [
        ("u,v\n1,2\n\n3,4\n5,6\n", 3),
        ("1,2\r\n3,4\r\n  \r\n\r\n5,6\r\n", 3),
    ] {
        let (message, hint) = fault(text);
        assert_eq!(
            message,
            format!("x.csv, line {line} is empty between two rows, so a row may be lost")
        );
        assert!(hint.contains("leave the line out"), "{hint}");
    }
    for text in ["\nu,v\n\n1,2\n3,4\n5,6\n\n\n", "u,v\n\n1,2\n\n3,4\n\n5,6\n"] {
        assert_values(text, &array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    }
}

#[test]
fn commas_are_read_where_nothing_contradicts() {
    let expected = array![[0.5, 1.0], [12.25, -3.0]];
    for text in [
        "0,5;1\n12,25;-3\n",
        "u;v\n0,5;1,0\n12,25;-3\n",
        "u\tv\n0,5\t1,000\n12,25\t-3\n",
        "u,v\n\"0,5\",\"1\"\n\"12,25\",-3\n",
    ] {
        assert_values(text, &expected);
    }
    for (text, expected, advice) in [
        (
            "u;v\n1,000;2\n2,500;3\n",
            "'1,000' may separate thousands or decimals",
            "1000 or 1.000, whichever it is",
        ),
        (
            "\"1,000\",0.5\n999,0.25\n",
            "'1,000' separates thousands",
            "write 1000, without",
        ),
        (
            "u;v\n0,5;2\n2.5;3\n",
            "'0,5' does not go with the point in '2.5' (line 3)",
            "decimal point",
        ),
        ("u;v\n1.234,5;2\n", "'1.234,5' is not a number", "write 1234.5"),
        (
            "u,v\n\"1,234,567\",2\n",
            "'1,234,567' is not a number",
            "write 1234567",
        ),
        ("u\n1 234\n", "'1 234' is not a number", "write 1234"),
        ("u,v\n0,5,0,7\n", "4 cells where the first line has 2", "decimal"),
        (
            "u\n0,5\n0,7\n",
            "2 cells where the header has 1 name",
            "decimal commas as points",
        ),
    ] {
        let (message, hint) = fault(text);
        assert!(message.contains(expected), "{message}");
        assert!(hint.contains(advice), "{hint}");
    }
}

#[test]
fn separators_at_line_ends_are_no_column() {
    let expected = array![[1.0, 2.0], [3.0, NAN]];
    for text in [
        "u,v,\n1,2,\n3,,\n",
        "u,v\n1,2,\n3,,\n",
        "u,v,\n1,2\n3,\n",
        "u;v;;\n1;2;;\n3;;;\n",
        "1,2,\n3,,\n",
    ] {
        assert_values(text, &expected);
    }
    // A column of its own keeps its gaps; one without a name keeps its values.
    assert_values("u,v\n1,\n3,\n", &array![[1.0, NAN], [3.0, NAN]]);
    assert_values("1,2\n3,\n", &expected);
    assert_values("u,\n1,2\n3,\n", &expected);
    assert!(
        fault("u,v\n1,2,\n3\n")
            .0
            .starts_with("x.csv, line 3: 1 cells where the first line has 2")
    );
    assert_values("1,2,\n3,4,5\n", &array![[1.0, 2.0, NAN], [3.0, 4.0, 5.0]]);
}

#[test]
fn lines_are_an_editors() {
    for (text, line) in [
        ("# a\r\n# b\r\n\r\nu,v\r\n1,2\r\nx,4\r\n", 6),
        ("u,v\r1,2\rx,4\r", 3),
        ("\"u\n(mV)\",v\n1,2\nx,4\n", 4),
        ("sep=;\r\nu;v\r\n1;2\r\nx;4\r\n", 4),
        ("\u{feff}\n1,2\nx,4\n", 3),
    ] {
        let (message, _) = fault(text);
        assert!(
            message.starts_with(&format!("x.csv, line {line}, column 1: 'x'")),
            "{text:?}: {message}"
        );
    }
    let (message, hint) = fault("u,v\n1,2\n\"3,4\n5,6\n");
    assert!(message.starts_with("x.csv, line 3: 1 cells where"), "{message}");
    assert!(hint.contains("quote"), "{hint}");
}

#[test]
fn row_numbers_and_row_names_are_told() {
    for (text, columns) in [
        (",u,v\n0,1.5,2\n1,3,4\n", ["", "u", "v"]),
        ("\"\",\"u\",\"v\"\n\"a\",1.5,2\n\"b\",3,4\n", ["", "u", "v"]),
        (",0,1\n0,1.5,2\n1,3,4\n", ["", "0", "1"]),
        ("u v\tw\n1\t1.5\t2\n2\t3\t4\n", ["", "u v", "w"]),
    ] {
        let table = table(text);
        assert_eq!(table.columns, Some(columns.map(str::to_owned).to_vec()), "{text}");
        assert_eq!(
            table.values.slice_axis(ndarray::Axis(1), (1..).into()),
            array![[1.5, 2.0], [3.0, 4.0]].into_dyn()
        );
        let error = refuse_faults(&table.faults, |_| true).expect_err(text);
        assert!(error.hint().expect("a hint").contains("--drop 1"));
        refuse_faults(&table.faults, |column| column > 0).expect("the others are whole");
    }
}

const SMALL: [&str; 21] = [
    "--preset",
    "lorenz63",
    "--P",
    "1",
    "--T",
    "10",
    "--tau",
    "5",
    "--epochs",
    "1",
    "--batches-per-epoch",
    "2",
    "--eval-every",
    "1",
    "--backend",
    "cpu",
    "--threads",
    "1",
    "--bins",
    "5",
    "--out",
];

#[test]
fn what_is_uncertain_is_said_when_trained() {
    let w = Workplace::new();
    let train = |file: &str, out: &str, units: &str| {
        let mut args = vec!["train", "--data", file, "--M", units];
        args.extend(SMALL);
        args.push(out);
        stderr(&w.succeed(&args))
    };
    for (name, expected) in [
        (
            "number-header/channels.csv",
            "the first line (1, 2) is taken for column names",
        ),
        (
            "number-header/one-column.csv",
            "the first line (0) is taken for column names",
        ),
    ] {
        let text = train(&case(name), name, "4");
        assert!(text.contains(expected), "{text}");
    }
    let text = train(&case("number-header/counts.csv"), "counts", "8");
    assert!(!text.contains("first line"), "{text}");
    let text = train(&case("hints/neurons.npy"), "neurons", "40");
    assert!(
        text.contains("no trial of the data is longer than 25 rows"),
        "{text}"
    );
    w.write("electrodes.csv", b"1,2\n1.21,1.93\n1.44,1.61\n1.68,1.35\n1.3,1.7\n1.1,1.9\n1.4,1.5\n1.2,1.8\n1.5,1.4\n1.3,1.6\n1.2,1.9\n1.4,1.7\n1.1,1.8\n");
    let text = train("electrodes.csv", "electrodes", "4");
    assert!(
        text.contains("the first line (1, 2) is taken for a row, but looks like column names"),
        "{text}"
    );
}

#[test]
fn files_of_other_programs_are_named_wherever_they_are_read() {
    let w = Workplace::new();
    let file = case("unclear/state-dict.pt");
    let (model, data) = (case("flags/model.npz"), case("flags/comma-name.csv"));
    for args in [
        vec![
            "evaluate",
            file.as_str(),
            "--data",
            data.as_str(),
            "--backend",
            "cpu",
        ],
        vec![
            "generate",
            &file,
            "--data",
            &data,
            "--out",
            "g.npy",
            "--backend",
            "cpu",
        ],
        vec!["analyze", &file, "--out", "a"],
        vec!["train", "--data", &file, "--out", "never"],
        vec!["evaluate", &model, "--data", &file, "--backend", "cpu"],
        vec!["train", "--data", &data, "--inputs", &file, "--out", "never"],
    ] {
        let output = w.run(&args);
        assert_one_sentence(&output, 2, "state-dict.pt is a PyTorch file");
        let hint = stderr(&output);
        assert!(
            hint.contains("numpy.savez('state-dict.npz'") && hint.contains("torch.load('state-dict.pt')"),
            "{hint}"
        );
    }
    assert!(!w.path("never").exists() && !w.path("a").exists());
}
