//! Every numeric flag at its ends: the flags are those of the command line's own definition, so that a new one is
//! covered as soon as it is there.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use clap::FromArgMatches;

use super::args::{Cli, Command};
use super::{
    analyze, command, compare, evaluate, generate, is_number, minimal, page, polish, report, simulate, train,
};
use crate::backend::cpu::CpuBackend;
use crate::error::Result;
use crate::rng::{Stream, index, threefry2x32};
use crate::train::{Data, Task};

/// Numbers that fit nothing, or barely.
const EDGES: [&str; 34] = [
    "0",
    "1",
    "-1",
    "-0",
    "0.5",
    "2",
    "255",
    "256",
    "257",
    "4096",
    "100000",
    "1000000000",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "1000000000000000000",
    "4611686018427387904",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e18",
    "1e-320",
    "1e308",
    "0..1000000000",
    "1..100000",
    "20..256:4",
    "0..1:1e-18",
    "1,2,4",
    "2/3",
    "1/18446744073709551615",
    "0..18446744073709551615:4611686018427387904",
];
/// What no number is.
const NONSENSE: [&str; 10] = [
    "nan", "-nan", "inf", "-inf", "", " ", "x", "1e999", "--out", "5..1",
];

/// Arguments with which each command runs, the flags aside.
fn base(command: &str) -> &'static [&'static str] {
    const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/flags/model.npz");
    const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/flags/comma-name.csv");
    match command {
        "train" | "minimal" => &["--data", DATA, "--out", "never/made", "--backend", "cpu"],
        "page" => &["--data", DATA, "--out", "never-made.html"],
        "polish" => &[MODEL, "--data", DATA, "--out", "never/made", "--backend", "cpu"],
        "evaluate" => &[MODEL, "--data", DATA, "--backend", "cpu"],
        "generate" => &[
            MODEL,
            "--data",
            DATA,
            "--out",
            "never-made.csv",
            "--backend",
            "cpu",
        ],
        "compare" => &[MODEL, MODEL, "--data", DATA],
        "analyze" => &[MODEL, "--out", "never/made"],
        "report" => &["never/made"],
        "simulate" => &["forced-lorenz", "--out", "never-made.npy"],
        "selftest" => &["--backend", "cpu"],
        _ => panic!("how is '{command}' run? It takes numbers"),
    }
}

/// Settings with which training and its checks take no time.
const SMALL: [(&str, &str); 5] = [("M", "4"), ("P", "1"), ("T", "10"), ("tau", "5"), ("epochs", "1")];

/// All that a command can refuse before it computes or writes.
fn prepare(command: &Command) -> Result<()> {
    match command {
        Command::Train(args) => prepare_training(train::Request::new(args)?),
        Command::Minimal(args) => prepare_training(minimal::Request::new(args)?.train),
        Command::Compare(args) => compare::prepare(args).map(drop),
        Command::Page(args) => {
            let page::Request { settings, data, .. } = page::Request::new(args)?;
            Task::new(&settings, &data).map(drop)
        }
        Command::Polish(args) => polish::Request::new(args.clone()).map(drop),
        Command::Evaluate(args) => evaluate::prepare(args).map(drop),
        Command::Generate(args) => generate::prepare(args).map(drop),
        Command::Analyze(args) => analyze::prepare(args).map(drop),
        Command::Report(args) => report::options(args).check(),
        Command::Simulate(args) => match &args.system {
            Some(system) => simulate::request(args, system).map(drop),
            None => Ok(()),
        },
        Command::Merge(_) | Command::Selftest(_) | Command::Devices(_) => Ok(()),
    }
}

fn prepare_training(request: train::Request) -> Result<()> {
    let train::Request { settings, place, .. } = request;
    place.check(&settings)?;
    let data = Data::load(&settings)?;
    Task::new(&settings, &data)?.require_room(&CpuBackend::new(None)?, &place)
}

/// Commands and their numeric flags, as `command()` defines them.
fn numeric_flags() -> Vec<(String, Vec<String>)> {
    let definition = command();
    let commands = definition.get_subcommands().map(|sub| {
        let flags = sub.get_arguments().filter(|arg| is_number(arg));
        let names = flags.filter_map(|arg| arg.get_long().map(str::to_owned));
        (sub.get_name().to_owned(), names.collect())
    });
    commands
        .filter(|(_, flags): &(_, Vec<_>)| !flags.is_empty())
        .collect()
}

/// What the user would read, and the exit status, where the command is refused.
fn refusal(name: &str, given: &[(&str, &str)]) -> Option<(String, i32)> {
    let mut line = vec!["alrnn-gpu", name];
    line.extend(base(name));
    let flags: Vec<(String, &str)> = given
        .iter()
        .map(|(flag, value)| (format!("--{flag}"), *value))
        .collect();
    let small: Vec<(String, &str)> = SMALL
        .iter()
        .filter(|(flag, _)| {
            ["train", "minimal", "page"].contains(&name) && given.iter().all(|(other, _)| other != flag)
        })
        .map(|(flag, value)| (format!("--{flag}"), *value))
        .collect();
    line.extend(
        flags
            .iter()
            .chain(&small)
            .flat_map(|(flag, value)| [flag.as_str(), value]),
    );
    let parsed = command()
        .try_get_matches_from(&line)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    match parsed {
        Err(error) => Some((error.to_string(), error.exit_code())),
        Ok(cli) => prepare(&cli.command).err().map(|error| {
            let hint = error
                .hint()
                .map_or_else(String::new, |hint| format!("hint: {hint}\n"));
            (format!("error: {error}\n{hint}"), i32::from(error.exit_code()))
        }),
    }
}

/// A refusal is one sentence that names a flag that was given, with exit status 1 or 2; never a panic.
fn check(name: &str, given: &[(&str, &str)]) -> Option<i32> {
    let outcome = catch_unwind(AssertUnwindSafe(|| refusal(name, given)));
    let (text, code) = outcome.unwrap_or_else(|_| panic!("{name} {given:?} panics"))?;
    assert!(code == 1 || code == 2, "{name} {given:?}: exit status {code}");
    let sentences = text.lines().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(sentences, 1, "{name} {given:?}: {text}");
    assert!(
        given.iter().any(|(flag, _)| text.contains(&format!("--{flag}"))),
        "{name} {given:?} is refused without a word on a flag: {text}"
    );
    Some(code)
}

#[test]
fn every_flag_is_there() {
    let flags = numeric_flags();
    let count: usize = flags.iter().map(|(_, flags)| flags.len()).sum();
    assert!(count >= 45, "{flags:?}");
    for (name, _) in &flags {
        assert_eq!(refusal(name, &[]), None, "{name} as it is run here");
    }
}

#[test]
fn nonsense_is_refused_by_its_flag() {
    for (name, flags) in numeric_flags() {
        for flag in &flags {
            for value in NONSENSE {
                assert_eq!(
                    check(&name, &[(flag, value)]),
                    Some(2),
                    "{name} --{flag} '{value}'"
                );
            }
            for value in EDGES {
                check(&name, &[(flag, value)]);
            }
        }
    }
}

#[test]
fn ten_thousand_lines_of_numbers_are_run_or_refused() {
    let commands = numeric_flags();
    let mut refused = 0;
    for case in 0..10_000 {
        let draw = |what: u32, below: usize| {
            let [word, _] = threefry2x32([11, Stream::System as u32], [case, what]);
            index(word, below as u32) as usize
        };
        // By flags, so that all are tried equally often.
        let all = commands
            .iter()
            .flat_map(|(name, flags)| flags.iter().map(move |_| (name, flags)));
        let all: Vec<_> = all.collect();
        let (name, flags) = all[draw(0, all.len())];
        let mut given: Vec<(&str, &str)> = Vec::new();
        for i in 0..1 + draw(1, 4) as u32 {
            let flag = flags[draw(2 + 2 * i, flags.len())].as_str();
            let value = draw(3 + 2 * i, EDGES.len() + NONSENSE.len() / 2);
            let value = EDGES
                .iter()
                .chain(&NONSENSE)
                .nth(value)
                .expect("below their number");
            if given.iter().all(|(other, _)| *other != flag) {
                given.push((flag, value));
            }
        }
        refused += usize::from(check(name, &given).is_some());
    }
    assert!(
        (5_000..9_900).contains(&refused),
        "{refused} of 10,000 are refused"
    );
    assert!(
        !Path::new("never").exists()
            && !Path::new("never-made.csv").exists()
            && !Path::new("never-made.html").exists()
    );
}
