//! Training through the command line: what a run folder holds, and that resuming ends in the same bits.

mod cli_common;

use std::process::{Child, Stdio};

use alrnn_gpu::config::resolve_over;
use alrnn_gpu::run::Run;
use cli_common::{Workplace, assert_same_results, results, small_study, stderr, stdout, wait_for};
use toml::Table;

fn train(w: &Workplace, out: &str, more: &[&str]) -> std::process::Output {
    w.run(&small_study(out, more))
}

/// Starts to train, silently.
fn start(w: &Workplace, out: &str, more: &[&str]) -> Child {
    let mut command = w.command(&small_study(out, more));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("started")
}

#[test]
fn a_study_leaves_a_complete_run_folder() {
    let w = Workplace::with_data(400);
    let output = train(&w, "run", &["--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON on stdout");
    assert_eq!(json["members"].as_array().map(Vec::len), Some(4));

    let log = String::from_utf8(w.read("run/log.csv")).expect("text");
    assert_eq!(
        log.lines().next(),
        Some("epoch,member,loss,lr,D_stsp,D_H,PE,roughness,saturated,verdict")
    );
    let rows: Vec<Vec<&str>> = log
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect();
    assert_eq!(rows.len(), 3 * 4, "{log}");
    assert!(
        rows.iter()
            .all(|row| row.len() == 10 && row[2].parse::<f64>().is_ok()),
        "{log}"
    );
    for id in ["m000", "m001", "m002", "m003"] {
        w.read(format!("run/best/{id}.npz"));
        w.read(format!("run/last/{id}.npz"));
    }
    let config = String::from_utf8(w.read("run/config.toml")).expect("text");
    assert!(config.contains("[run]") && config.contains("hash = "), "{config}");

    // The one reader finds all of it.
    let run = Run::read(&w.path("run")).expect("a run");
    assert!(run.is_finished() && run.config == config);
    let members = run.members().expect("members");
    assert_eq!(members.len(), run.record.members);
    let log = run.log().expect("a log");
    assert!(log.iter().all(|row| members.iter().any(|m| m.id == row.member)));
    let models = run.models().expect("models");
    assert_eq!(models.len(), 4);
    let best = members.iter().min_by(|a, b| a.compare(b)).expect("a best member");
    assert_eq!(models[0], (best.id.clone(), run.folder.best(&best.id)));
    let settings = resolve_over(&run.settings, None, Table::new());
    assert_eq!(settings.expect("settings"), run.settings);

    // The folder's own config repeats the run, bit for bit.
    w.succeed(&["train", "--config", "run/config.toml", "--out", "again"]);
    assert_same_results(&w, "run", "again");

    // Models of the folder can be used, by run, by member, by file.
    for model in ["run", "run:m002", "run/best/m002.npz"] {
        w.succeed(&["evaluate", model, "--data", "data.npy", "--backend", "cpu"]);
        w.succeed(&[
            "generate",
            model,
            "--data",
            "data.npy",
            "--steps",
            "50",
            "--out",
            "traj.npy",
            "--backend",
            "cpu",
        ]);
    }
    let refused = w.run(&["evaluate", "run:m009", "--data", "data.npy"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));

    // A second run does not touch the first.
    let refused = train(&w, "run", &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("not empty"), "{}", stderr(&refused));
}

/// With a learning rate that moves models back and forth, some are best before the end.
#[test]
fn the_best_state_is_restored_where_that_is_asked_for() {
    let w = Workplace::with_data(400);
    let rough = ["--start-lr", "0.05", "--end-lr", "0.05"];
    let [ended, restored] = [&rough[..], &[&rough[..], &["--restore-best"]].concat()].map(|more| {
        let out = format!("run{}", more.len());
        let output = train(&w, &out, more);
        assert!(output.status.success(), "{}", stderr(&output));
        out
    });
    assert_eq!(
        w.read(format!("{ended}/log.csv")),
        w.read(format!("{restored}/log.csv"))
    );
    let members = |run: &str| {
        Run::read(&w.path(run))
            .expect("a run")
            .members()
            .expect("members")
    };
    let mut earlier = 0;
    for (ended, row) in members(&ended).iter().zip(members(&restored)) {
        let file = |which: &str| w.read(format!("{restored}/{which}/{}.npz", row.id));
        assert!(file("last") == file("best"), "{}", row.id);
        assert_eq!((row.last_epoch, row.last_D_stsp), (row.best_epoch, row.D_stsp));
        assert_eq!((row.best_epoch, row.D_stsp), (ended.best_epoch, ended.D_stsp));
        earlier += usize::from(ended.last_epoch != ended.best_epoch);
    }
    assert!(earlier > 0, "all are best at the end");
}

#[test]
fn evaluate_repeats_the_scores_of_training() {
    let w = Workplace::with_data(400);
    assert!(train(&w, "run", &[]).status.success());
    let output = w.succeed(&[
        "evaluate",
        "run",
        "--data",
        "data.npy",
        "--backend",
        "cpu",
        "--json",
    ]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let members = String::from_utf8(w.read("run/members.csv")).expect("text");
    let column = members
        .lines()
        .next()
        .expect("header")
        .split(',')
        .position(|name| name == "D_H")
        .expect("D_H");
    for row in members
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect::<Vec<_>>())
    {
        let model = json["models"]
            .as_array()
            .expect("models")
            .iter()
            .find(|m| m["model"] == row[0])
            .expect(row[0]);
        assert_eq!(
            model["dh"].as_f64().expect("D_H"),
            row[column].parse::<f64>().expect("D_H"),
            "{}",
            row[0]
        );
    }
}

#[test]
fn resume_after_an_interruption_ends_in_the_same_bits() {
    let w = Workplace::with_data(400);
    let long = [
        "--epochs",
        "600",
        "--batches-per-epoch",
        "20",
        "--eval-every",
        "7",
    ];
    assert!(train(&w, "whole", &long).status.success());

    let mut child = start(&w, "cut", &long);
    // Interrupt once the first checkpoint is there, wherever training then is.
    wait_for(&w, "cut/checkpoint.bin", &mut child);
    let status = interrupt(&mut child);
    // A fast machine may be done by then; resuming a finished run is then what is tested.
    assert!(matches!(status.code(), Some(130 | 0)), "{status:?}");
    w.succeed(&["train", "--resume", "cut"]);
    assert_same_results(&w, "whole", "cut");
}

#[test]
fn resume_after_a_kill_ends_in_the_same_bits() {
    let w = Workplace::with_data(400);
    let long = [
        "--epochs",
        "400",
        "--batches-per-epoch",
        "20",
        "--eval-every",
        "3",
    ];
    assert!(train(&w, "whole", &long).status.success());
    let mut child = start(&w, "cut", &long);
    wait_for(&w, "cut/log.csv", &mut child);
    child.kill().expect("killed");
    child.wait().expect("ended");
    // A torn row, as a crash in the middle of a write leaves it.
    let mut log = w.read("cut/log.csv");
    log.extend(b"39,m000,0.1");
    w.write("cut/log.csv", &log);
    w.succeed(&["train", "--resume", "cut"]);
    assert_same_results(&w, "whole", "cut");
}

#[test]
fn resume_refuses_what_would_change_the_result() {
    let w = Workplace::with_data(400);
    assert!(train(&w, "run", &[]).status.success());
    let before = results(&w, "run");
    w.succeed(&["simulate", "rossler", "--steps", "400", "--out", "other.npy"]);
    for (flags, expected) in [
        (vec!["--data", "other.npy"], "hash"),
        (vec!["--M", "12"], "--M 12"),
        (vec!["--epochs", "9"], "--epochs 9"),
    ] {
        let mut args = vec!["train", "--resume", "run"];
        args.extend(flags);
        let output = w.run(&args);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
    let mut checkpoint = w.read("run/checkpoint.bin");
    let middle = checkpoint.len() / 2;
    checkpoint[middle] ^= 1;
    w.write("run/checkpoint.bin", &checkpoint);
    let output = w.run(&["train", "--resume", "run"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("checkpoint.bin is damaged"),
        "{}",
        stderr(&output)
    );
    assert!(before == results(&w, "run"), "the models are untouched");
}

#[test]
fn a_diverging_member_stops_alone() {
    let w = Workplace::with_data(400);
    assert!(train(&w, "calm", &["--start-lr", "0.001"]).status.success());
    let output = train(&w, "mixed", &["--start-lr", "0.001,1e30"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("diverged in epoch"),
        "{}",
        stderr(&output)
    );
    let members = String::from_utf8(w.read("mixed/members.csv")).expect("text");
    assert_eq!(
        members.lines().filter(|line| line.contains(",diverged,")).count(),
        4,
        "{members}"
    );
    // Grid order is M, learning rate, seed: the calm members are 0, 1 and 4, 5.
    for (calm, mixed) in [
        ("m000", "m000"),
        ("m001", "m001"),
        ("m002", "m004"),
        ("m003", "m005"),
    ] {
        assert!(
            w.read(format!("calm/last/{calm}.npz")) == w.read(format!("mixed/last/{mixed}.npz")),
            "{calm} and {mixed} differ"
        );
    }
    let output = train(&w, "lost", &["--start-lr", "1e30"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("every member diverged"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn two_processes_cannot_train_in_one_folder() {
    let w = Workplace::with_data(400);
    let long = ["--epochs", "100000"];
    let mut child = start(&w, "run", &long);
    wait_for(&w, "run/checkpoint.bin", &mut child);
    let output = w.run(&["train", "--resume", "run"]);
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("another process"), "{}", stderr(&output));
}

#[test]
fn held_out_data_are_scored_in_place_of_the_training_data() {
    let w = Workplace::with_data(400);
    w.succeed(&[
        "simulate", "lorenz63", "--steps", "300", "--seed", "5", "--out", "test.npy",
    ]);
    let output = train(&w, "run", &["--test", "test.npy", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(json["members"][0]["points_D_H"].as_u64(), Some(300));
}

/// What Ctrl-C does.
fn interrupt(child: &mut Child) -> std::process::ExitStatus {
    let status = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill");
    assert!(status.success() || child.try_wait().expect("status").is_some());
    child.wait().expect("ended")
}
