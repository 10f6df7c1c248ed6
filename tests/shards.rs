//! A study trained in parts (`--shard`) and joined (`merge`) is the study that one machine trains.

mod cli_common;

use std::process::Output;

use cli_common::{Workplace, assert_one_sentence, assert_same_results, small_study, stderr};

/// Eight members; those of parts 3 and 4 diverge.
const STUDY: [&str; 3] = ["--start-lr", "0.001,1e30", "--resume"];
const PARTS: [&str; 4] = ["part-1", "part-2", "part-3", "part-4"];

fn train(w: &Workplace, out: &str, more: &[&str]) -> Output {
    w.run(&small_study(out, &[&STUDY, more].concat()))
}

/// As [`train`], with one learning rate at which nothing diverges.
fn train_calm(w: &Workplace, out: &str, shard: Option<&str>, start_lr: &str) -> Output {
    let mut flags = vec!["--start-lr", start_lr, "--resume"];
    flags.extend(shard.iter().flat_map(|shard| ["--shard", shard]));
    w.run(&small_study(out, &flags))
}

/// Trains the parts; a part whose members all diverge says so with exit status 1 and is finished all the same.
fn train_parts(w: &Workplace) {
    for (i, part) in PARTS.iter().enumerate() {
        let output = train(w, part, &["--shard", &format!("{}/4", i + 1)]);
        assert_eq!(
            output.status.code(),
            Some(i32::from(i >= 2)),
            "{}",
            stderr(&output)
        );
    }
}

fn merge(w: &Workplace, parts: &[&str], out: &str) -> Output {
    w.run(&[&["merge"], parts, &["--out", out]].concat())
}

/// The part of `config.toml` that says what was asked for.
fn settings(w: &Workplace, run: &str) -> String {
    let text = String::from_utf8(w.read(format!("{run}/config.toml"))).expect("text");
    text.split("[run]").next().unwrap_or_default().to_owned()
}

#[test]
fn four_parts_are_the_whole_study() {
    let w = Workplace::with_data(300);
    assert!(train(&w, "whole", &[]).status.success());
    train_parts(&w);
    let output = merge(&w, &PARTS, "merged");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_same_results(&w, "whole", "merged");
    assert_eq!(settings(&w, "whole"), settings(&w, "merged"));
    // In any order, and from one part that holds all.
    let output = merge(&w, &["part-3", "part-1", "part-4", "part-2"], "mixed");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_same_results(&w, "whole", "mixed");
    // What is merged can be used as any run.
    w.succeed(&["evaluate", "merged", "--data", "data.npy", "--backend", "cpu"]);
}

#[test]
fn a_part_that_is_missing_is_named_and_the_rest_is_usable() {
    let w = Workplace::with_data(300);
    train_parts(&w);
    std::fs::remove_dir_all(w.path("part-3")).expect("removed");
    // Part 2 began and never finished: its config has no `finished`.
    let config = String::from_utf8(w.read("part-2/config.toml")).expect("text");
    let unfinished: Vec<&str> = config
        .lines()
        .filter(|line| !line.starts_with("finished"))
        .collect();
    w.write("part-2/config.toml", unfinished.join("\n").as_bytes());

    let output = merge(&w, &PARTS, "merged");
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for expected in [
        "part-2 has not finished",
        "train --resume part-2",
        "part-3 is not a run folder",
        "part 3/4 is not among the runs",
        "4 members in merged",
    ] {
        assert!(text.contains(expected), "no '{expected}' in {text}");
    }
    let members = String::from_utf8(w.read("merged/members.csv")).expect("text");
    let ids: Vec<&str> = members.lines().skip(1).map(|line| &line[..4]).collect();
    assert_eq!(ids, ["m000", "m003", "m004", "m007"]);
    w.succeed(&["evaluate", "merged", "--data", "data.npy", "--backend", "cpu"]);

    // Once they are there, the whole can be had.
    assert!(train(&w, "part-2", &["--shard", "2/4"]).status.success());
    train(&w, "part-3", &["--shard", "3/4"]);
    assert!(train(&w, "whole", &[]).status.success());
    assert!(merge(&w, &PARTS, "complete").status.success());
    assert_same_results(&w, "whole", "complete");
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let w = Workplace::with_data(300);
    for (out, shard, start_lr) in [
        ("1-of-2", Some("1/2"), "0.001"),
        ("2-of-2", Some("2/2"), "0.001"),
        ("1-of-3", Some("1/3"), "0.001"),
        ("copy", Some("1/2"), "0.001"),
        ("other", Some("2/2"), "0.002"),
        ("whole", None, "0.001"),
    ] {
        let output = train_calm(&w, out, shard, start_lr);
        assert!(output.status.success(), "{}", stderr(&output));
    }
    for (parts, expected) in [
        (["1-of-2", "copy"], "both hold part 1/2"),
        (["1-of-2", "other"], "they differ in start-lr"),
        (["1-of-2", "1-of-3"], "they differ in the number of parts"),
        (["1-of-2", "whole"], "whole is a whole study, not a part of one"),
        (["nothing", "neither"], "nothing is not a run folder"),
    ] {
        assert_one_sentence(&merge(&w, &parts, "merged"), 2, expected);
        assert!(!w.path("merged").exists(), "{parts:?}");
    }
    assert!(merge(&w, &["1-of-2", "2-of-2"], "merged").status.success());
    assert_one_sentence(&merge(&w, &["1-of-2", "2-of-2"], "merged"), 2, "not empty");
    // A part is continued as the part that it is.
    assert_one_sentence(&train_calm(&w, "1-of-2", Some("2/2"), "0.001"), 2, "--shard");
    assert_one_sentence(&train_calm(&w, "new", Some("9/9"), "0.001"), 2, "--shard");
}

/// Trains as task `id` of a Slurm job array that was submitted for `tasks`.
fn train_in_array(w: &Workplace, out: &str, id: usize, tasks: &[usize], more: &[&str]) -> Output {
    let mut command = w.command(&small_study(out, &[&["--resume"], more].concat()));
    let step = tasks.get(1).map_or(1, |second| second - tasks[0]);
    for (name, value) in [
        ("ID", id),
        ("MIN", tasks[0]),
        ("MAX", tasks[tasks.len() - 1]),
        ("COUNT", tasks.len()),
        ("STEP", step),
    ] {
        command.env(format!("SLURM_ARRAY_TASK_{name}"), value.to_string());
    }
    command.output().expect("started")
}

fn members(w: &Workplace, run: &str) -> Vec<String> {
    let text = String::from_utf8(w.read(format!("{run}/members.csv"))).expect("text");
    text.lines().skip(1).map(|line| line[..4].to_owned()).collect()
}

#[test]
fn a_task_trains_the_part_it_is_told_whatever_is_submitted_with_it() {
    let w = Workplace::with_data(300);
    for (i, tasks) in [&[1, 2, 3, 4][..], &[2], &[2, 4], &[1, 2], &[2, 3, 9]]
        .iter()
        .enumerate()
    {
        let out = format!("submission-{i}");
        let output = train_in_array(&w, &out, 2, tasks, &["--shard", "2/4"]);
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(members(&w, &out), ["m001"], "{tasks:?}");
    }
}

#[test]
fn a_task_of_a_study_without_a_word_on_its_part_is_refused() {
    let w = Workplace::with_data(300);
    for tasks in [&[1, 2, 3, 4][..], &[2], &[2, 4], &[1, 2]] {
        let output = train_in_array(&w, "never", 2, tasks, &[]);
        assert_one_sentence(&output, 2, "--shard");
        assert!(stderr(&output).contains("--shard 1/1"), "{}", stderr(&output));
        assert!(!w.path("never").exists(), "{tasks:?}");
    }
    // A config file says it as well as a flag.
    w.write("part.toml", b"shard = '4/4'\n");
    let output = train_in_array(&w, "file", 2, &[1, 2], &["--config", "part.toml"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(members(&w, "file"), ["m003"]);
}

#[test]
fn a_folder_keeps_its_part() {
    let w = Workplace::with_data(300);
    let begin = |out: &str, shard: &str| {
        let output = train_in_array(&w, out, 2, &[1, 2, 3, 4], &["--shard", shard]);
        assert!(output.status.success(), "{}", stderr(&output));
    };
    begin("part-2", "2/4");
    begin("all", "1/1");
    for (out, expected) in [("part-2", 1), ("all", 4)] {
        for tasks in [&[2][..], &[2, 4], &[1, 2]] {
            let output = train_in_array(&w, out, 2, tasks, &[]);
            assert!(output.status.success(), "{}", stderr(&output));
            assert_eq!(members(&w, out).len(), expected, "{out} {tasks:?}");
        }
    }
    assert_one_sentence(
        &train_in_array(&w, "part-2", 2, &[2], &["--shard", "1/2"]),
        2,
        "--shard",
    );
}

#[test]
fn a_sweep_of_one_model_a_task_is_not_cut() {
    let w = Workplace::with_data(300);
    let one = ["--M", "5", "--seeds", "1"];
    for id in 2..5 {
        let (out, tau) = (format!("tau-{id}"), id.to_string());
        let output = train_in_array(&w, &out, id, &[2, 3, 4], &[&one[..], &["--tau", &tau]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(members(&w, &out), ["m000"]);
    }
    // A sweep of several models a task says that all are meant.
    let output = train_in_array(&w, "whole", 3, &[2, 3, 4], &["--tau", "3", "--shard", "1/1"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(members(&w, "whole").len(), 4);
}

#[test]
fn a_part_that_cannot_be_is_refused() {
    let w = Workplace::with_data(300);
    for shard in [
        "0/4",
        "5/4",
        "1/9",
        "-1/4",
        "/4",
        "1/18446744073709551615",
        "1/1000001",
    ] {
        assert_one_sentence(
            &train_in_array(&w, "never", 1, &[1], &["--shard", shard]),
            2,
            "--shard",
        );
        assert!(!w.path("never").exists(), "{shard}");
    }
}
