//! Numbers that cannot be held, on the built program under a limit of memory, where what is not refused in time aborts.
#![cfg(unix)]

mod cli_common;

use std::collections::BTreeSet;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use alrnn_gpu::cli;
use cli_common::{Workplace, assert_one_sentence, stderr};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/flags/model.npz");
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/flags/comma-name.csv");
/// Kilobytes of addresses that the program may use.
const LIMIT: &str = "8000000";

/// Runs the program under the limit.
fn limited(w: &Workplace, args: &[&str]) -> Output {
    Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -v {LIMIT} && exec \"$0\" \"$@\""))
        .arg(env!("CARGO_BIN_EXE_alrnn-gpu"))
        .args(args)
        .current_dir(w.path(""))
        .output()
        .expect("a shell")
}

/// All that is in the folder, at any depth.
fn contents(w: &Workplace) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![w.path("")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            found.insert(path.display().to_string());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

fn check_refused(w: &Workplace, args: &[&str], code: Option<i32>, flag: &str) {
    let before = contents(w);
    let output = limited(w, args);
    let code = code.unwrap_or_else(|| output.status.code().unwrap_or(-1));
    assert!(
        code == 1 || code == 2,
        "{args:?}: {:?} {}",
        output.status,
        stderr(&output)
    );
    assert_one_sentence(&output, code, flag);
    assert_eq!(before, contents(w), "{args:?} leaves something behind");
}

/// Trains `DATA` for a moment.
const TRAIN: [&str; 20] = [
    "train",
    "--preset",
    "lorenz63",
    "--data",
    DATA,
    "--M",
    "4",
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
    "--backend",
    "cpu",
    "--threads=1",
];

/// [`TRAIN`] with other values.
fn train(changes: &[(&'static str, &'static str)]) -> Vec<&'static str> {
    let mut args: Vec<&str> = TRAIN.to_vec();
    for (flag, value) in changes {
        match args.iter().position(|arg| arg == flag) {
            Some(at) => args[at + 1] = value,
            None => args.extend([flag, value]),
        }
    }
    args
}

#[test]
fn steps_that_cannot_be_held_are_refused() {
    let w = Workplace::new();
    let generate = |steps: &'static str| {
        vec![
            "generate",
            MODEL,
            "--data",
            DATA,
            "--steps",
            steps,
            "--out",
            "g.csv",
            "--backend",
            "cpu",
        ]
    };
    for steps in [
        "18446744073709551615",
        "9223372036854775807",
        "1000000000000000000",
        "100000000000",
        "1000000000",
        "-1",
    ] {
        check_refused(&w, &generate(steps), None, "--steps");
    }
    for steps in [
        "18446744073709551615",
        "1000000000000000000",
        "4000000000",
        "1000000000",
        "1",
    ] {
        check_refused(
            &w,
            &["simulate", "lorenz63", "--steps", steps, "--out", "s.npy"],
            None,
            "--steps",
        );
    }
    check_refused(
        &w,
        &["simulate", "lorenz96", "--dims", "10000", "--out", "s.npy"],
        None,
        "--steps",
    );
    let analyze =
        |flag: &'static str, value: &'static str| vec!["analyze", MODEL, flag, value, "--out", "a/b"];
    for (flag, value) in [
        ("--steps", "4611686018427387904"),
        ("--steps", "4294967295"),
        ("--transient", "18446744073709551615"),
        ("--transient", "4294967296"),
        ("--max-period", "18446744073709551615"),
        ("--max-word-length", "18446744073709551615"),
        ("--search-budget", "4611686018427387904"),
        ("--dt", "nan"),
        ("--dt", "0"),
    ] {
        check_refused(&w, &analyze(flag, value), None, flag);
    }
}

#[test]
fn a_study_that_cannot_be_held_is_refused() {
    let w = Workplace::new();
    for (changes, flag) in [
        (vec![("--batches-per-epoch", "4000000000")], "--batches-per-epoch"),
        (vec![("--batches-per-epoch", "2000000000")], "--batches-per-epoch"),
        (vec![("--epochs", "4000000000")], "--epochs"),
        (vec![("--seeds", "4000000000")], "--seeds"),
        (vec![("--T", "18446744073709551615")], "--T"),
        (vec![("--T", "1..200000")], "--T"),
        (
            vec![("--M", "256"), ("--seeds", "100000")],
            "--seeds (100000 values)",
        ),
        (
            vec![
                ("--epochs", "2000000000"),
                ("--eval-every", "1"),
                ("--seeds", "90000"),
            ],
            "--eval-every",
        ),
        (vec![("--shard", "1/18446744073709551615")], "--shard"),
    ] {
        check_refused(&w, &[train(&changes), vec!["--out", "b"]].concat(), None, flag);
    }
    let grid = train(&[
        ("--M", "20..256"),
        ("--T", "1..100000"),
        ("--batch-size", "1..256"),
    ]);
    let output = limited(&w, &[grid, vec!["--out", "h"]].concat());
    assert_one_sentence(&output, 2, "6067200000 members");
    assert!(
        stderr(&output).contains("--T (100000 values)"),
        "{}",
        stderr(&output)
    );
    // A file's numbers follow the same rules.
    for (text, flag) in [
        ("threads = 0", "--threads 0"),
        ("threads = 100000", "--threads 100000"),
        ("pe-steps = 0", "--pe-steps 0"),
        ("bins = 0", "--bins 0"),
        ("smoothing = nan", "--smoothing NaN"),
        ("gmm-variance = 0.0", "--gmm-variance 0"),
        ("dt = inf", "--dt inf"),
        ("eval-every = 0", "--eval-every 0"),
        ("batches-per-epoch = 4000000000", "--batches-per-epoch"),
    ] {
        w.write("c.toml", format!("{text}\n").as_bytes());
        let args = [
            "train",
            "--data",
            DATA,
            "--config",
            "c.toml",
            "--out",
            "b",
            "--backend",
            "cpu",
        ];
        check_refused(&w, &args, None, flag);
    }
}

#[test]
fn more_steps_than_rows_leave_no_prediction_error() {
    let w = Workplace::new();
    for steps in ["150", "1000000000000", "9223372036854775807"] {
        let args = [
            "evaluate",
            MODEL,
            "--data",
            DATA,
            "--pe-steps",
            steps,
            "--backend",
            "cpu",
            "--json",
        ];
        let output = limited(&w, &args);
        assert!(output.status.success(), "{steps}: {}", stderr(&output));
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(json["models"][0]["pe"], serde_json::Value::Null, "{json}");
        assert_eq!(json["models"][0]["pairs_pe"], 0, "{json}");
        assert!(json["models"][0]["dstsp"].is_number(), "{json}");
    }
}

#[test]
fn threads_follow_one_rule_everywhere() {
    let w = Workplace::new();
    for threads in ["0", "-1", "4097", "18446744073709551615", "nan"] {
        for command in [
            vec!["train", "--data", DATA, "--out", "never"],
            vec!["evaluate", MODEL, "--data", DATA],
            vec!["generate", MODEL, "--data", DATA, "--out", "never.csv"],
            vec!["selftest"],
        ] {
            let args = [&command[..], &["--threads", threads, "--backend", "cpu"]].concat();
            check_refused(&w, &args, Some(2), "--threads");
        }
    }
}

#[test]
fn a_report_takes_numbers_above_0() {
    let w = Workplace::new();
    let output = limited(&w, &train(&[("--out", "r")]));
    assert!(output.status.success(), "{}", stderr(&output));
    for factor in ["nan", "-1", "inf", "-inf", "0", "1e999", "three"] {
        check_refused(
            &w,
            &["report", "r", "--success-factor", factor],
            Some(2),
            "--success-factor",
        );
    }
    for steps in ["0", "-1", "18446744073709551615"] {
        check_refused(&w, &["report", "r", "--steps", steps], Some(2), "--steps");
    }
    // Without its data a free run is as long as asked for.
    let config = String::from_utf8(w.read("r/config.toml")).expect("text");
    w.write(
        "r/config.toml",
        config.replace("comma-name.csv", "gone.csv").as_bytes(),
    );
    check_refused(&w, &["report", "r", "--steps", "1000000000000"], None, "--steps");
}

#[test]
fn a_flag_of_the_same_letter_is_suggested() {
    let w = Workplace::new();
    let output = limited(&w, &["train", "--data", DATA, "--m", "4"]);
    assert_one_sentence(&output, 2, "--m");
    let text = stderr(&output);
    assert!(text.contains("'--M'") && !text.contains("--smoothing"), "{text}");
}

/// Arguments with which a command runs, the flags aside; what it writes is called `made`.
fn base(command: &str) -> Vec<&'static str> {
    match command {
        "train" => train(&[("--out", "made"), ("--eval-every", "1")]),
        "minimal" => {
            let mut args = train(&[("--out", "made"), ("--eval-every", "1")]);
            args[0] = "minimal";
            args
        }
        "page" => vec!["page", "--data", DATA, "--out", "made.html"],
        "compare" => vec!["compare", MODEL, MODEL, "--data", DATA, "--out", "made"],
        "polish" => vec![
            "polish",
            MODEL,
            "--data",
            DATA,
            "--generations",
            "1",
            "--pe-steps",
            "1",
            "--out",
            "made",
            "--threads",
            "1",
        ],
        "evaluate" => vec![
            "evaluate",
            MODEL,
            "--data",
            DATA,
            "--backend",
            "cpu",
            "--threads",
            "1",
        ],
        "generate" => {
            vec![
                "generate",
                MODEL,
                "--data",
                DATA,
                "--out",
                "made.csv",
                "--backend",
                "cpu",
                "--threads",
                "1",
            ]
        }
        "analyze" => vec!["analyze", MODEL, "--steps", "1000", "--out", "made"],
        "report" => vec!["report", "none"],
        "simulate" => vec!["simulate", "forced-lorenz", "--steps", "100", "--out", "made.npy"],
        "selftest" => vec!["selftest", "--backend", "cpu", "--threads", "1"],
        _ => panic!("how is '{command}' run? It takes numbers"),
    }
}

/// Every numeric flag with numbers that are huge, negative or none: refused in a sentence, or run to the end.
#[test]
fn no_number_ends_in_a_panic_or_an_abort() {
    const VALUES: [&str; 12] = [
        "-1",
        "nan",
        "-inf",
        "",
        "1e-320",
        "0",
        "4294967296",
        "1000000000000000000",
        "4611686018427387904",
        "9223372036854775807",
        "18446744073709551615",
        "0..4000000000",
    ];
    let definition = cli::command();
    let cases: Vec<(String, String, &str)> = definition
        .get_subcommands()
        .flat_map(|sub| sub.get_arguments().map(move |arg| (sub, arg)))
        .filter(|(_, arg)| cli::is_number(arg))
        .filter_map(|(sub, arg)| Some((sub.get_name().to_owned(), arg.get_long()?.to_owned())))
        .flat_map(|(name, flag)| VALUES.map(|value| (name.clone(), flag.clone(), value)))
        .collect();
    assert!(cases.len() >= 45 * VALUES.len());
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((name, flag, value)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            run_one(name, &format!("--{flag}"), value);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(work);
        }
    });
}

fn run_one(name: &str, flag: &str, value: &str) {
    let w = Workplace::new();
    let mut args = base(name);
    match args
        .iter()
        .position(|arg| *arg == flag || arg.split('=').next() == Some(flag))
    {
        Some(at) if args[at].contains('=') => {
            args.remove(at);
            args.extend([flag, value]);
        }
        Some(at) => args[at + 1] = value,
        None => args.extend([flag, value]),
    }
    let output = limited(&w, &args);
    let text = stderr(&output);
    match output.status.code() {
        Some(0) => {}
        Some(code @ (1 | 2)) => {
            assert_one_sentence(&output, code, "");
            // Diverging is a result, with a run folder, and so is a study that tells nothing of its ReLUs.
            if !text.contains("diverged") && !text.contains("no number of ReLUs") {
                assert!(
                    contents(&w).is_empty(),
                    "{args:?} leaves something behind: {text}"
                );
            }
        }
        _ => panic!("{args:?}: {:?} {text}", output.status),
    }
}
