//! The command line as a user meets it: what is refused, with which words and exit status.

mod cli_common;

use alrnn_gpu::arrays::read_arrays;
use cli_common::{Workplace, alrnn, stderr, stdout};
use ndarray::ArrayD;

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
