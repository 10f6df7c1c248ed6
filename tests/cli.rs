//! The command line as a user meets it: what is refused, with which words and exit status.

mod cli_common;

use alrnn_gpu::arrays::{read_arrays, save_array};
use alrnn_gpu::model::Model;
use cli_common::{Workplace, alrnn, stderr, stdout};
use ndarray::{Array2, ArrayD};

/// A refusal is one sentence on one line, perhaps with a hint, and exit status 2; never a panic.
fn check_refused(workplace: &Workplace, args: &[&str], expected: &str) {
    let output = workplace.run(args);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{args:?}\n{text}");
    assert!(text.contains(expected), "{args:?}\nexpected: {expected}\n{text}");
    assert!(!text.contains("panicked"), "{text}");
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{args:?}\n{text}");
}

fn values(path: &str) -> ArrayD<f64> {
    read_arrays(path).expect("readable").remove(0).values
}

#[test]
fn bad_data_is_one_sentence_and_exit_2() {
    let w = Workplace::new();
    w.npy("one-d", "<f4", "(4,)", &[0; 16]);
    w.npy("four-d", "<f4", "(1, 1, 2, 2)", &[0; 16]);
    w.npy("empty", "<f4", "(0, 3)", &[]);
    w.npy("complex", "<c8", "(2, 1)", &[0; 16]);
    w.npy("string", "<U1", "(2, 2)", &[0; 16]);
    w.npy("truncated", "<f4", "(100, 3)", &[0; 16]);
    w.npy("huge", "<f8", "(1000000000000, 3)", &[0; 16]);
    let mut values = [1.0f32, 2.0, 3.0, f32::NAN, 5.0, 6.0];
    w.npy_f32("nan", 3, 2, &values);
    values[3] = f32::INFINITY;
    w.npy_f32("inf", 3, 2, &values);
    w.write("not.npy", b"hello");
    w.write("ragged.csv", b"a,b\n1,2\n3\n");
    w.write("words.csv", b"a,b\n1,2\n3,x\n");
    let constant: Vec<f32> = (0..40).map(|i| if i % 2 == 0 { i as f32 } else { 7.0 }).collect();
    w.npy_f32("constant", 20, 2, &constant);
    let wide: Vec<f32> = (0..300).map(|i| i as f32).collect();
    w.npy_f32("wide", 3, 100, &wide);

    for (file, expected) in [
        ("missing.npy", "missing.npy"),
        ("not.npy", "not.npy"),
        ("one-d.npy", "one-d.npy has one dimension"),
        ("four-d.npy", "four-d.npy"),
        ("empty.npy", "empty"),
        ("complex.npy", "complex"),
        ("string.npy", "str"),
        ("truncated.npy", "truncated.npy"),
        ("huge.npy", "huge.npy"),
        ("nan.npy", "row 2, column 2"),
        ("inf.npy", "row 2, column 2"),
        ("ragged.csv", "line 3"),
        ("words.csv", "line 3"),
        ("wide.npy", "transpose"),
    ] {
        check_refused(&w, &["train", "--data", file, "--out", "never"], expected);
    }
    check_refused(
        &w,
        &["train", "--data", "nan.npy", "--out", "never"],
        "--allow-missing",
    );
    check_refused(
        &w,
        &[
            "train",
            "--data",
            "constant.npy",
            "--standardize",
            "--out",
            "never",
        ],
        "column 2",
    );
    check_refused(
        &w,
        &["train", "--data", "constant.npy", "--T", "30", "--out", "never"],
        "T",
    );
    assert!(
        !w.path("never").exists(),
        "a refused command leaves nothing behind"
    );
}

#[test]
fn bad_settings_are_one_sentence_and_exit_2() {
    let w = Workplace::with_data(300);
    for (flags, expected) in [
        (vec!["--P", "21"], "--P 21"),
        (vec!["--M", "2", "--P", "0"], "M = 2"),
        (vec!["--tau", "0"], "--tau 0"),
        (vec!["--noise", "-0.1"], "--noise -0.1"),
        (vec!["--alpha", "2"], "--alpha 2"),
        (vec!["--noise-end", "0"], "--noise-end 0"),
        (vec!["--inflation", "0.9"], "--inflation 0.9"),
        (
            vec!["--preset", "lorenz63", "--inflation", "1.01"],
            "only where they are standardised",
        ),
        (vec!["--T", "300"], "T"),
        (vec!["--preset", "lorentz63"], "did you mean 'lorenz63'?"),
        (vec!["--config", "absent.toml"], "absent.toml"),
        (vec!["--inputs", "data.npy", "--test", "data.npy"], "inputs"),
        (vec!["--backend", "cpu", "--device", "x"], "--device"),
        (vec!["--M", "300"], "M = 300"),
    ] {
        let mut args = vec!["train", "--data", "data.npy", "--out", "never"];
        args.extend(flags);
        check_refused(&w, &args, expected);
    }
    w.write("typo.toml", b"nois = 0.1\n");
    check_refused(
        &w,
        &["train", "--data", "data.npy", "--config", "typo.toml"],
        "did you mean 'noise'?",
    );
    w.write("broken.toml", b"noise = \n");
    check_refused(
        &w,
        &["train", "--data", "data.npy", "--config", "broken.toml"],
        "broken.toml, line 1",
    );
    w.write("full/something", b"x");
    check_refused(
        &w,
        &["train", "--data", "data.npy", "--out", "full"],
        "full is not empty",
    );
    check_refused(&w, &["train", "--resume", "full"], "config.toml");
    check_refused(&w, &["train"], "--data");
    check_refused(&w, &["evaluate", "none.npz", "--data", "data.npy"], "none.npz");
    check_refused(&w, &["simulate", "lorenz36", "--out", "x.npy"], "lorenz");
    check_refused(
        &w,
        &["selftest", "--cases", "full", "--backend", "cpu"],
        "no .npz file in full",
    );
}

#[test]
fn unknown_flags_get_claps_words_and_exit_2() {
    let output = alrnn(&["train", "--dat", "x"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--data"), "{}", stderr(&output));
}

#[test]
fn simulate_makes_the_shipped_data() {
    let w = Workplace::new();
    let output = w.run(&["simulate", "lorenz63", "--steps", "100000", "--out", "lorenz.npy"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let shipped = values(concat!(env!("CARGO_MANIFEST_DIR"), "/data/lorenz.npy"));
    let made = values(&w.path("lorenz.npy").to_string_lossy());
    // It is shipped in single precision and made in double.
    assert!(
        made.mapv(|v| f64::from(v as f32)) == shipped,
        "data/lorenz.npy differs"
    );
    assert_ne!(made, shipped);
}

#[test]
fn selftest_passes_on_the_cpu() {
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    for args in [
        vec!["selftest", "--backend", "cpu", "--json"],
        vec!["selftest", "--backend", "cpu", "--json", "--cases", cases],
    ] {
        let output = alrnn(&args);
        assert!(output.status.success(), "{}", stderr(&output));
        let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
        let cases = json["cases"].as_array().expect("cases");
        assert!(
            cases.len() >= 10 && cases.iter().all(|case| case["passed"] == true),
            "{json}"
        );
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    use std::process::Stdio;
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_alrnn-gpu"))
        .arg("simulate")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ended");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

/// A file of `tests/cases/`.
fn case(name: &str) -> String {
    format!("{}/tests/cases/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Arguments that train one small model on these files for one epoch.
fn train_small<'a>(data: &[&'a str], out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let small = "--preset lorenz63 --M 4 --P 1 --T 10 --tau 5 --epochs 1 --batches-per-epoch 2 --eval-every 1 --backend cpu --threads 1";
    let mut args = vec!["train", "--out", out, "--data"];
    args.extend(data);
    args.extend(small.split(' '));
    args.extend(more);
    args
}

#[test]
fn columns_are_those_of_training() {
    let w = Workplace::new();
    let [train, swapped, renamed] =
        ["train", "swapped", "renamed"].map(|name| case(&format!("column-order/{name}.csv")));
    w.succeed(&train_small(&[&train], "run", &[]));
    let evaluate = |data: &str| w.succeed(&evaluate(data, &[]));
    let in_order = evaluate(&train);
    assert_eq!(stderr(&in_order), "");
    let by_name = evaluate(&swapped);
    assert_eq!(stdout(&by_name), stdout(&in_order));
    assert!(stderr(&by_name).contains("taken by name"), "{}", stderr(&by_name));

    // Without names, columns are where they were; what the model does not know is left out.
    let x = values(&train).into_dimensionality().expect("a table");
    save_array(w.path("plain.npy"), x.view(), None).expect("written");
    let plain = evaluate("plain.npy");
    assert_eq!(
        (stdout(&plain), stderr(&plain)),
        (stdout(&in_order), String::new())
    );
    let wide = std::fs::read_to_string(&swapped)
        .expect("a case")
        .replace('\n', ",7\n");
    w.write("wide.csv", wide.replacen(",7", ",rate", 1).as_bytes());
    let wide = evaluate("wide.csv");
    assert_eq!(stdout(&wide), stdout(&in_order));
    assert!(stderr(&wide).contains("left out is 'rate'"), "{}", stderr(&wide));

    let generate = |data: &str, out: &str| {
        w.succeed(&[
            "generate",
            "run",
            "--data",
            data,
            "--steps",
            "9",
            "--out",
            out,
            "--backend",
            "cpu",
        ]);
        String::from_utf8(w.read(out)).expect("text")
    };
    let trajectory = generate(&train, "a.csv");
    assert!(trajectory.starts_with("v,w\n"), "{trajectory}");
    assert_eq!(generate(&swapped, "b.csv"), trajectory);
    assert_eq!(generate("plain.npy", "c.csv"), trajectory);

    for args in [
        vec!["evaluate", "run", "--data", &renamed],
        vec!["generate", "run", "--data", &renamed, "--out", "never.npy"],
        vec!["analyze", "run", "--data", &renamed, "--out", "never"],
        vec!["evaluate", "--generated", &renamed, "--data", &train],
        train_small(&[&train], "never", &["--test", &renamed]),
        train_small(&[&train, &renamed], "never", &[]),
    ] {
        check_refused(&w, &args, "'pressure'");
    }
    assert!(!w.path("never").exists() && !w.path("never.npy").exists());
    let tested = w.succeed(&train_small(&[&train], "tested", &["--test", &swapped]));
    assert!(stderr(&tested).contains("taken by name"), "{}", stderr(&tested));
    let scores = |run: &str| w.read(format!("{run}/members.csv"));
    assert!(scores("tested") == scores("run"));
}

fn evaluate<'a>(data: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["evaluate", "run", "--data", data, "--backend", "cpu"], more].concat()
}

#[test]
fn dropped_columns_stay_out() {
    let w = Workplace::new();
    let data = case("time-column/gap.csv");
    w.succeed(&train_small(&[&data], "run", &["--drop", "hour"]));
    let config = String::from_utf8(w.read("run/config.toml")).expect("text");
    assert!(config.contains("drop = [\"hour\"]"), "{config}");
    let model = Model::load(w.path("run/best/m000.npz")).expect("a model");
    assert_eq!(model.columns, Some(vec!["level".to_owned()]));
    w.succeed(&["train", "--resume", "run"]);
    w.succeed(&["train", "--config", "run/config.toml", "--out", "again"]);
    let members = |run: &str| w.read(format!("{run}/members.csv"));
    assert!(members("again") == members("run"));

    // A file that has it still is taken by name; one without names needs the flag again.
    let scores = stdout(&w.succeed(&evaluate(&data, &[])));
    assert_eq!(stdout(&w.succeed(&evaluate(&data, &["--drop", "hour"]))), scores);
    let x = values(&data).into_dimensionality().expect("a table");
    save_array(w.path("plain.npy"), x.view(), None).expect("written");
    assert_eq!(
        stdout(&w.succeed(&evaluate("plain.npy", &["--drop", "1"]))),
        scores
    );
    check_refused(&w, &evaluate("plain.npy", &[]), "2 columns");
    check_refused(&w, &evaluate(&data, &["--drop", "huor"]), "'hour', 'level'");
    check_refused(&w, &evaluate(&data, &["--drop", "level"]), "--drop level");
    let generate = [
        "generate",
        "run",
        "--data",
        "plain.npy",
        "--drop",
        "1",
        "--out",
        "g.csv",
    ];
    w.succeed(&[&generate[..], &["--backend", "cpu"]].concat());
    assert!(w.read("g.csv").starts_with(b"level\n"));
    w.succeed(&[
        "analyze",
        "run",
        "--data",
        "plain.npy",
        "--drop",
        "1",
        "--steps",
        "200",
        "--out",
        "read",
    ]);

    w.succeed(&train_small(
        &["plain.npy"],
        "numbered",
        &["--drop", "1", "--test", "plain.npy"],
    ));
    assert!(members("numbered") == members("run"));
}

#[test]
fn clocks_are_warned_of() {
    let w = Workplace::new();
    let x = values(&case("time-column/rounded.csv"))
        .into_dimensionality()
        .expect("a table");
    save_array(w.path("plain.csv"), x.view(), None).expect("written");
    w.write(
        "named.csv",
        ["level,date\n", &"1,5\n3,6\n2,4\n".repeat(50)]
            .concat()
            .as_bytes(),
    );
    let case = |name: &str| case(&format!("time-column/{name}.csv"));
    for (data, drop) in [
        (case("rounded"), "--drop secs"),
        (case("jitter"), "--drop stamp"),
        (case("gap"), "--drop hour"),
        (case("newest-first"), "--drop day"),
        ("plain.csv".to_owned(), "--drop 1"),
        ("named.csv".to_owned(), "--drop date"),
    ] {
        let out = &drop["--drop ".len()..];
        let said = stderr(&w.succeed(&train_small(&[&data], out, &["--standardize"])));
        assert!(said.contains("clock") && said.contains(drop), "{data}: {said}");
        let flags = ["--standardize", "--drop", out];
        let said = stderr(&w.succeed(&train_small(&[&data], &format!("{out}-without"), &flags)));
        assert!(!said.contains("warning"), "{data}: {said}");
    }
}

#[test]
fn what_varies_beside_a_large_offset_is_kept_or_warned_of() {
    let w = Workplace::new();
    let (pressure, model) = (
        case("large-offset/pressure.npy"),
        case("large-offset/standardized.npz"),
    );
    let expected = values(&pressure);
    let mut read = Vec::new();
    for out in ["p.npy", "p.csv", "p.csv.gz"] {
        let output = w.succeed(&[
            "generate",
            &model,
            "--data",
            &pressure,
            "--out",
            out,
            "--backend",
            "cpu",
        ]);
        assert!(!stderr(&output).contains("warning"), "{}", stderr(&output));
        let made = values(&w.path(out).to_string_lossy());
        let worst = (&made - &expected)
            .iter()
            .fold(0.0f64, |worst, d| worst.max(d.abs()));
        assert!(worst < 1e-4, "{out}: {worst}");
        read.push(made);
    }
    assert!(
        read[0] == read[1] && read[0] == read[2],
        "text and bytes hold the same numbers"
    );

    let (raw, model) = (case("large-offset/raw.npy"), case("large-offset/raw.npz"));
    for args in [
        vec!["evaluate", &model, "--data", &raw, "--backend", "cpu"],
        vec![
            "generate",
            &model,
            "--data",
            &raw,
            "--out",
            "r.npy",
            "--backend",
            "cpu",
        ],
        train_small(&[&raw], "raw", &[]),
    ] {
        let said = stderr(&w.run(&args));
        for words in [
            "warning: column 1 of",
            "column 2 of",
            "single precision",
            "--standardize",
        ] {
            assert!(said.contains(words), "{args:?}: {said}");
        }
    }
    let said = stderr(&w.succeed(&train_small(&[&raw], "scaled", &["--standardize"])));
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn tables_that_are_written_are_read_back() {
    let w = Workplace::new();
    let (model, data) = (case("flags/model.npz"), case("flags/comma-name.csv"));
    let generate = |model: &str, data: &str, out: &str| {
        w.succeed(&[
            "generate",
            model,
            "--data",
            data,
            "--steps",
            "30",
            "--out",
            out,
            "--backend",
            "cpu",
        ])
    };
    generate(&model, &data, "n.csv");
    w.succeed(&["evaluate", &model, "--data", "n.csv", "--backend", "cpu"]);

    let mut named = Model::load(&model).expect("a model");
    for (i, names) in [
        ["x, raw", "y"],
        ["#spikes", "say \"hi\""],
        ["a;b", "c\td"],
        ["two\nlines", "μV"],
    ]
    .into_iter()
    .enumerate()
    {
        named.columns = Some(names.map(str::to_owned).to_vec());
        named.save(w.path("named.npz")).expect("saved");
        save_array(w.path("plain.npy"), Array2::<f64>::eye(2).view(), None).expect("written");
        for ending in ["csv", "tsv", "csv.gz"] {
            let out = format!("{i}.{ending}");
            generate("named.npz", "plain.npy", &out);
            let read = read_arrays(&w.path(&out).to_string_lossy())
                .expect("readable")
                .remove(0);
            assert_eq!(read.columns, named.columns, "{out}");
            assert_eq!(read.values.shape(), [31, 2], "{out}");
        }
    }
}

#[test]
fn all_files_are_checked_before_one_is_written() {
    let w = Workplace::new();
    let (model, data) = (case("flags/model.npz"), case("flags/comma-name.csv"));
    w.succeed(&[
        "generate",
        &model,
        "--data",
        &data,
        "--steps",
        "3",
        "--backend",
        "cpu",
        "--latent",
        "--out",
        "z.npy.gz",
    ]);
    assert_eq!(values(&w.path("z-latent.npy.gz").to_string_lossy()).shape()[0], 4);
    w.succeed(&["simulate", "forced-lorenz", "--steps", "100", "--out", "f.npy.gz"]);
    assert_eq!(
        values(&w.path("f-inputs.npy.gz").to_string_lossy()).shape()[0],
        100
    );

    w.write("x.csv", b"u,v\n1,2\n3,5\n");
    let before = w.read("x.csv");
    w.write("folder.npy/inside", b"");
    let simulate = ["simulate", "forced-lorenz", "--steps", "100", "--out"];
    for (args, expected) in [
        (
            vec!["generate", &model, "--data", "x.csv", "--out", "./x.csv"],
            "x.csv",
        ),
        (
            vec!["generate", &model, "--data", &data, "--out", "g.dat"],
            "g.dat",
        ),
        (
            vec!["generate", &model, "--data", &data, "--out", "absent/g.csv"],
            "no folder absent",
        ),
        (
            vec!["generate", &model, "--data", &data, "--out", "folder.npy"],
            "is a folder",
        ),
        (
            [&simulate[..], &["s.npy", "--inputs-out", "s.npy"]].concat(),
            "written twice",
        ),
        (
            [&simulate[..], &["s.npy", "--inputs-out", "s.txt"]].concat(),
            "s.txt",
        ),
        (
            [&simulate[..], &["s.npy", "--inputs-out", "absent/s.npy"]].concat(),
            "no folder absent",
        ),
    ] {
        check_refused(&w, &args, expected);
    }
    assert_eq!(w.read("x.csv"), before);
    for absent in ["g.dat", "s.npy", "absent"] {
        assert!(!w.path(absent).exists(), "{absent}");
    }
}
