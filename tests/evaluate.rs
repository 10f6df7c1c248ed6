//! `evaluate` and `generate` on data with gaps, and on trajectories of other programs.

mod cli_common;

use cli_common::{Workplace, alrnn, assert_one_sentence, stderr, stdout};
use serde_json::Value;

fn case(name: &str) -> String {
    format!("{}/tests/cases/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn json(output: &std::process::Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_str(&stdout(output)).expect("JSON")
}

/// Scores of one trajectory file.
fn generated(w: &Workplace, file: &str, flags: &[&str]) -> Value {
    let args = ["evaluate", "--generated", file, "--data", "data.csv", "--json"];
    json(&w.run(&[&args, flags].concat()))["generated"][0].take()
}

/// An orbit of the Hénon map, `rows` rows from row `first` on; NaN where `missing` says so.
fn henon(first: usize, rows: usize, missing: impl Fn(usize, usize) -> bool) -> String {
    let (mut x, mut y) = (0.1, 0.1);
    let mut text = String::from("x,y\n");
    for t in 0..first + rows {
        if t >= first {
            let cell = |n: usize, v: f64| {
                if missing(t - first, n) {
                    "nan".into()
                } else {
                    v.to_string()
                }
            };
            text += &format!("{},{}\n", cell(0, x), cell(1, y));
        }
        (x, y) = (1.0 - 1.4 * x * x + y, 0.3 * x);
    }
    text
}

fn never(_: usize, _: usize) -> bool {
    false
}

#[test]
fn predictions_start_from_complete_rows() {
    let (model, data) = (case("missing-start/lozi.npz"), case("missing-start/sparse.npy"));
    for steps in ["1", "5", "8"] {
        let output = alrnn(&[
            "evaluate",
            &model,
            "--data",
            &data,
            "--allow-missing",
            "--pe-steps",
            steps,
            "--backend",
            "cpu",
            "--json",
        ]);
        let pe = json(&output)["models"][0]["pe"].as_f64().expect("PE");
        assert!(pe < 1e-6, "PE({steps}) of the exact map: {pe:e}");
    }
}

#[test]
fn spectra_of_gappy_data_are_compared_with_the_same_gaps() {
    let (model, data) = (
        case("gappy-spectrum/fast.npz"),
        case("gappy-spectrum/every-second-row.npy"),
    );
    let output = alrnn(&[
        "evaluate",
        &model,
        "--data",
        &data,
        "--allow-missing",
        "--backend",
        "cpu",
        "--json",
    ]);
    let scores = json(&output);
    let dh = scores["models"][0]["dh"].as_f64().expect("D_H");
    assert!(dh < 0.01, "D_H of the exact map: {dh}");
    assert!(
        scores["noise_floor"]["dh"].as_f64().expect("D_H") < 0.05,
        "{scores}"
    );
}

#[test]
fn scores_that_gaps_leave_undefined_are_said() {
    let w = Workplace::new();
    // Never both at once, and the second in every twelfth row only.
    w.write(
        "data.csv",
        henon(100, 600, |t, n| (n == 1) == (t % 12 != 1)).as_bytes(),
    );
    let output = w.run(&[
        "evaluate",
        "--generated",
        "data.csv",
        "--data",
        "data.csv",
        "--allow-missing",
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    let words = stderr(&output);
    assert!(words.contains("D_H leaves out column 2 (y)"), "{words}");
    assert!(words.contains("PE(20) is undefined"), "{words}");
}

#[test]
fn a_run_from_an_incomplete_row_says_so() {
    let w = Workplace::new();
    let missing = |t: usize, n: usize| t < 2 || t == 5 && n == 1;
    w.write("data.csv", henon(100, 40, missing).as_bytes());
    let model = case("missing-start/lozi.npz");
    let generate = |flags: &[&str]| {
        let args = [
            "generate",
            &model,
            "--data",
            "data.csv",
            "--allow-missing",
            "--backend",
            "cpu",
            "--out",
            "out.csv",
        ];
        w.run(&[&args, flags].concat())
    };
    let output = generate(&[]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("the run starts from row 2"),
        "{}",
        stderr(&output)
    );
    let lines = |name: &str| String::from_utf8(w.read(name)).expect("text").lines().count();
    assert_eq!(lines("out.csv"), 1 + 38);
    let output = generate(&["--start", "5"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let words = stderr(&output);
    assert!(
        words.contains("row 5 (counted from 0): column 2 (y) of data.csv has no value there"),
        "{words}"
    );
    let complete = generate(&["--start", "7"]);
    assert!(
        complete.status.success() && !stderr(&complete).contains("warning"),
        "{}",
        stderr(&complete)
    );

    w.write("out.csv", b"as it was");
    assert_one_sentence(
        &generate(&["--start", "1"]),
        2,
        "row 1 of data.csv (counted from 0) has no value",
    );
    assert_one_sentence(
        &generate(&["--start", "40"]),
        2,
        "--start 40: data.csv has 40 rows",
    );
    for start in ["-1", "-7", "1.5", "first"] {
        assert_one_sentence(&generate(&["--start", start]), 2, "rows are counted from 0");
    }
    assert_eq!(w.read("out.csv"), b"as it was");
}

#[test]
fn trajectories_of_any_program_are_scored() {
    let w = Workplace::new();
    w.write("data.csv", henon(100, 2000, never).as_bytes());
    w.write("another.csv", henon(5000, 2000, never).as_bytes());
    w.write("longer.csv", henon(5000, 3100, never).as_bytes());
    w.write("shorter.csv", henon(5000, 900, never).as_bytes());
    let text = String::from_utf8(henon(100, 2000, never).into_bytes()).expect("text");
    let rows: Vec<&str> = text.lines().skip(1).collect();
    let still = format!("x,y\n{}", "0.6,0.2\n".repeat(2000));
    w.write("still.csv", still.as_bytes());
    // The invariant density alone, in an order that no dynamics has.
    let shuffled: Vec<&str> = (0..2000).map(|i| rows[i * 1009 % 2000]).collect();
    w.write(
        "shuffled.csv",
        format!("x,y\n{}\n", shuffled.join("\n")).as_bytes(),
    );

    let args = [
        "evaluate",
        "--generated",
        "data.csv",
        "another.csv",
        "longer.csv",
        "shorter.csv",
        "still.csv",
        "shuffled.csv",
        "--data",
        "data.csv",
        "--bins",
        "10",
    ];
    let scores = json(&w.run(&[&args[..], &["--json"]].concat()));
    assert!(scores.get("models").is_none(), "{scores}");
    let floor = |key: &str| scores["noise_floor"][key].as_f64().expect("a number");
    let of = |i: usize, key: &str| scores["generated"][i][key].as_f64().unwrap_or(f64::NAN);
    for i in 0..6 {
        assert_eq!(scores["generated"][i]["trajectory"], args[2 + i]);
        assert!(scores["generated"][i]["pe"].is_null() && scores["generated"][i]["pairs_pe"] == 0);
    }
    assert!(of(0, "dstsp").abs() < 1e-9 && of(0, "dh") < 1e-9, "{scores}");
    for i in 1..4 {
        assert!(
            of(i, "dstsp") < 2.0 * floor("dstsp") && of(i, "dh") < 2.0 * floor("dh"),
            "{scores}"
        );
    }
    assert_eq!([of(1, "points_inside"), of(2, "points_inside")], [2000.0, 3100.0]);
    assert_eq!([of(2, "points_dh"), of(3, "points_dh")], [2000.0, 900.0]);
    assert!(
        of(4, "dstsp") > 20.0 * floor("dstsp") && of(4, "dh") == 1.0,
        "{scores}"
    );
    assert!(
        of(5, "dstsp").abs() < 1e-9 && of(5, "dh") > 3.0 * floor("dh"),
        "{scores}"
    );

    let table = stdout(&w.succeed(&args));
    for part in ["trajectory", "shuffled.csv", "noise floor"] {
        assert!(table.contains(part), "{table}");
    }
}

#[test]
fn trajectories_stand_beside_models_in_the_units_of_the_data() {
    let w = Workplace::with_data(600);
    w.succeed(&cli_common::small_study(
        "run",
        &["--standardize", "--M", "5", "--seeds", "1"],
    ));
    w.succeed(&[
        "generate",
        "run",
        "--data",
        "data.npy",
        "--backend",
        "cpu",
        "--out",
        "free.csv",
    ]);
    let output = w.run(&[
        "evaluate",
        "run",
        "--generated",
        "free.csv",
        "--data",
        "data.npy",
        "--backend",
        "cpu",
        "--json",
    ]);
    let scores = json(&output);
    // The model's own free run, written in the data's units and read again.
    for key in ["dstsp", "dh"] {
        let of = |rows: &str| scores[rows][0][key].as_f64().expect("a number");
        assert!(
            (of("models") - of("generated")).abs() < 1e-3 * of("models"),
            "{key}: {scores}"
        );
    }
    assert!(scores["models"][0]["pe"].is_number() && scores["generated"][0]["pe"].is_null());
    assert_one_sentence(
        &w.run(&[
            "evaluate",
            "run",
            "--generated",
            "free.csv",
            "--standardize",
            "--data",
            "data.npy",
        ]),
        2,
        "cannot be used with",
    );
}

#[test]
fn standardising_gives_the_scores_of_a_standardised_model() {
    // Twelve columns: Gaussian mixtures, whose variance is in units of the data.
    let w = Workplace::new();
    let table = |seed: f64, unit: f64| {
        let cell = |t: usize, n: usize| {
            unit * (n as f64 + 1.0 + (0.3 * t as f64 * (1.0 + 0.1 * n as f64) + seed).sin())
        };
        let row = |t| {
            (0..12)
                .map(|n| cell(t, n).to_string())
                .collect::<Vec<_>>()
                .join(",")
        };
        (0..300).map(|t| row(t) + "\n").collect::<String>()
    };
    for (name, seed, unit) in [
        ("data.csv", 0.0, 1.0),
        ("run.csv", 0.5, 1.0),
        ("mv.csv", 0.0, 1e3),
        ("run-mv.csv", 0.5, 1e3),
    ] {
        w.write(name, table(seed, unit).as_bytes());
    }
    let dstsp = |run: &str, data: &str, flags: &[&str]| {
        let args = ["evaluate", "--generated", run, "--data", data, "--json"];
        json(&w.run(&[&args, flags].concat()))["generated"][0]["dstsp"]
            .as_f64()
            .expect("D_stsp")
    };
    let z = dstsp("run.csv", "data.csv", &["--standardize"]);
    let z_mv = dstsp("run-mv.csv", "mv.csv", &["--standardize"]);
    assert!((z - z_mv).abs() < 1e-6 * z.abs(), "{z} {z_mv}");
    assert!(dstsp("run-mv.csv", "mv.csv", &[]) > 100.0 * z);
}

#[test]
fn trajectories_for_trials_and_gaps() {
    let w = Workplace::new();
    let bytes = |seeds: &[f64], rows: usize| -> Vec<u8> {
        let value = |seed: f64, t: usize, n: usize| ((0.7 + seed) * t as f64 + n as f64 + seed).sin();
        let values = seeds
            .iter()
            .flat_map(|&seed| (0..rows).flat_map(move |t| (0..2).map(move |n| value(seed, t, n))));
        values.flat_map(f64::to_le_bytes).collect()
    };
    w.npy("trials", "<f8", "(3, 200, 2)", &bytes(&[0.0, 0.1, 0.2], 200));
    w.npy("two", "<f8", "(2, 200, 2)", &bytes(&[0.0, 0.1], 200));
    w.npy("one", "<f8", "(200, 2)", &bytes(&[0.0], 200));
    let scores = |file: &str, data: &str| {
        json(&w.run(&[
            "evaluate",
            "--generated",
            file,
            "--data",
            data,
            "--bins",
            "8",
            "--json",
        ]))
    };
    let same = scores("trials.npy", "trials.npy");
    assert!(same["generated"][0]["dh"].as_f64().expect("D_H") < 1e-9, "{same}");
    assert_eq!(scores("one.npy", "trials.npy")["generated"][0]["points_dh"], 600);
    assert_eq!(scores("trials.npy", "one.npy")["generated"][0]["points_dh"], 600);
    assert_one_sentence(
        &w.run(&["evaluate", "--generated", "two.npy", "--data", "trials.npy"]),
        2,
        "two.npy holds 2 trajectories where the data have 3 trials",
    );

    // The complete record against itself with gaps, from its first row and from the first complete one.
    let gaps = |t: usize, n: usize| t < 3 && n == 0 || (t * 7 + n * 5) % 11 < 4;
    w.write("data.csv", henon(100, 1500, gaps).as_bytes());
    w.write("whole.csv", henon(100, 1500, never).as_bytes());
    for file in ["whole.csv", "data.csv"] {
        let scores = generated(&w, file, &["--allow-missing", "--bins", "10"]);
        let of = |key: &str| scores[key].as_f64().expect("a number");
        assert!(of("dstsp").abs() < 1e-9 && of("dh") < 1e-9, "{file}: {scores}");
    }
}

#[test]
fn trajectories_that_do_not_fit_are_one_sentence() {
    let w = Workplace::new();
    w.write("data.csv", henon(100, 300, never).as_bytes());
    w.write(
        "swapped.csv",
        henon(100, 300, never).replacen("x,y", "y,z", 1).as_bytes(),
    );
    w.write("wide.csv", "1,2,3\n".repeat(300).as_bytes());
    w.npy_f32("transposed", 2, 300, &[0.5; 600]);
    w.write(
        "diverged.csv",
        (henon(100, 200, never) + &"nan,inf\n".repeat(100)).as_bytes(),
    );
    let evaluate = |file: &str| w.run(&["evaluate", "--generated", file, "--data", "data.csv"]);
    for (file, words) in [
        ("absent.csv", "absent.csv"),
        ("swapped.csv", "swapped.csv"),
        ("wide.csv", "wide.csv has 3 columns, the data have 2"),
        ("transposed.npy", "transposed.npy has 300 columns"),
    ] {
        assert_one_sentence(&evaluate(file), 2, words);
    }
    assert!(stderr(&evaluate("transposed.npy")).contains("transposed"));
    assert_one_sentence(&w.run(&["evaluate", "--data", "data.csv"]), 2, "required");
    assert_one_sentence(
        &w.run(&["evaluate", "--standardize", "--data", "data.csv"]),
        2,
        "",
    );

    let output = evaluate("diverged.csv");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("row 201, column 1"),
        "{}",
        stderr(&output)
    );
    let scores = generated(&w, "diverged.csv", &["--bins", "10"]);
    assert_eq!(
        (scores["dh"].as_f64(), scores["points_inside"].as_u64()),
        (Some(1.0), Some(200)),
        "{scores}"
    );
}

#[test]
fn columns_of_trajectories_are_those_of_the_data() {
    let w = Workplace::new();
    let rows = henon(100, 400, never);
    let cells: Vec<Vec<&str>> = rows.lines().map(|line| line.split(',').collect()).collect();
    let table = |order: &[usize], clock: bool| {
        let line = |(t, row): (usize, &Vec<&str>)| {
            let time = if t == 0 {
                "time".into()
            } else {
                (t as f64 * 0.1).to_string()
            };
            let cells = order.iter().map(|&n| row[n].to_owned());
            let cells: Vec<String> = clock.then_some(time).into_iter().chain(cells).collect();
            cells.join(",") + "\n"
        };
        cells.iter().enumerate().map(line).collect::<String>()
    };
    let nameless = |text: String| text.split_once('\n').expect("a header").1.to_owned();
    w.write("data.csv", table(&[0, 1], true).as_bytes());
    w.write("data-nameless.csv", nameless(table(&[0, 1], true)).as_bytes());
    for (name, text) in [
        ("same.csv", table(&[0, 1], true)),
        ("swapped.csv", table(&[1, 0], false)),
        ("nameless.csv", nameless(table(&[0, 1], true))),
        ("without-clock.csv", nameless(table(&[0, 1], false))),
    ] {
        w.write(name, text.as_bytes());
        for (data, clock) in [("data.csv", "time"), ("data-nameless.csv", "1")] {
            // Names and numbers do not stand for each other.
            if [("data-nameless.csv", "swapped.csv"), ("data.csv", "nameless.csv")].contains(&(data, name)) {
                continue;
            }
            let output = w.run(&[
                "evaluate",
                "--generated",
                name,
                "--data",
                data,
                "--drop",
                clock,
                "--json",
            ]);
            let scores = json(&output)["generated"][0].take();
            let of = |key: &str| scores[key].as_f64().expect("a number");
            assert!(
                of("dstsp").abs() < 1e-9 && of("dh") < 1e-9,
                "{name}, {data}: {scores}"
            );
        }
    }
}
