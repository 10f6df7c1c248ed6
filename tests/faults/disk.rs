//! Disks and folders that fail while training writes to them.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use alrnn_gpu::run::Checkpoint;

use crate::Test;
use crate::cli_common::{Workplace, assert_one_sentence, assert_same_results, small_study, stderr, wait_for};
use crate::mount::{self, Mount};

pub fn tests() -> Vec<Test> {
    let unix = (!cfg!(unix)).then(|| "it needs a Unix shell".to_owned());
    vec![
        ("a_full_disk_loses_nothing", full_disk, mount::missing()),
        ("a_full_quota_loses_nothing", full_quota, unix.clone()),
        ("a_read_only_folder_is_one_sentence", read_only, mount::missing()),
        ("a_vanished_folder_is_one_sentence", vanished, unix),
    ]
}

/// A study long enough to strike at, with `epochs` to choose.
fn study<'a>(out: &'a str, epochs: &'a str) -> Vec<&'a str> {
    let flags = [
        "--threads",
        "1",
        "--M",
        "5",
        "--epochs",
        epochs,
        "--eval-every",
        "1",
    ];
    small_study(out, &flags)
}

fn start(w: &Workplace, args: &[&str]) -> Child {
    let mut command = w.command(args);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("started")
}

fn end(child: Child) -> Output {
    child.wait_with_output().expect("ended")
}

/// The checkpoint of a run that failed can be read and is of an epoch before the last.
fn assert_whole_checkpoint(w: &Workplace, run: &str, epochs: u32) {
    let checkpoint = Checkpoint::load(&w.path(run).join("checkpoint.bin")).expect("whole");
    let done = checkpoint.expect("there").epochs_done;
    assert!((1..=epochs).contains(&done), "{done} epochs");
}

/// Writes zeros until the disk holds no more.
fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).expect("made");
    while file.write_all(&[0; 512]).is_ok() {}
}

fn full_disk() {
    const EPOCHS: &str = "400";
    let w = Workplace::with_data(300);
    let _disk = Mount::tmpfs(&w.path("disk"), 512).expect("mounted before");
    w.succeed(&study("whole", EPOCHS));

    let mut child = start(&w, &study("disk/run", EPOCHS));
    wait_for(&w, "disk/run/checkpoint.bin", &mut child);
    fill(&w.path("disk/filler"));
    let output = end(child);
    assert_one_sentence(&output, 1, "No space left on device");
    assert!(
        stderr(&output).contains("train --resume disk/run"),
        "{}",
        stderr(&output)
    );
    assert_whole_checkpoint(&w, "disk/run", 400);

    // Still full: the same sentence, and still nothing is lost.
    let again = w.run(&["train", "--resume", "disk/run"]);
    assert_one_sentence(&again, 1, "No space left on device");
    assert_whole_checkpoint(&w, "disk/run", 400);

    std::fs::remove_file(w.path("disk/filler")).expect("removed");
    w.succeed(&["train", "--resume", "disk/run"]);
    assert_same_results(&w, "whole", "disk/run");
}

/// No file may pass a size that the log reaches after some epochs, so that its last row is torn.
fn full_quota() {
    let w = Workplace::with_data(300);
    w.succeed(&study("whole", "60"));
    let blocks = w.read("whole/checkpoint.bin").len() / 512 + 2;
    assert!(
        w.read("whole/log.csv").len() > 512 * blocks,
        "the log never fills the quota"
    );
    let output = Command::new("sh")
        .args([
            "-c",
            &format!("ulimit -f {blocks}; trap '' XFSZ; exec \"$@\""),
            "sh",
        ])
        .arg(env!("CARGO_BIN_EXE_alrnn-gpu"))
        .args(study("run", "60"))
        .current_dir(w.path(""))
        .output()
        .expect("started");
    assert_one_sentence(&output, 1, "cannot write run/log.csv: File too large");
    assert_whole_checkpoint(&w, "run", 59);
    let log = w.read("run/log.csv");
    assert!(
        log.last().is_some_and(|&byte| byte != b'\n'),
        "the last row is not torn"
    );
    w.succeed(&["train", "--resume", "run"]);
    assert_same_results(&w, "whole", "run");
}

fn read_only() {
    let w = Workplace::with_data(300);
    w.succeed(&study("folder/run", "3"));
    let disk = Mount::read_only(&w.path("folder")).expect("mounted");
    assert_one_sentence(&w.run(&study("folder/new", "3")), 1, "folder/new");
    assert_one_sentence(
        &w.run(&["train", "--resume", "folder/run"]),
        1,
        "folder/run/.lock",
    );
    // Reading needs no writing.
    w.succeed(&["evaluate", "folder/run", "--data", "data.npy", "--backend", "cpu"]);
    drop(disk);
    w.succeed(&["train", "--resume", "folder/run"]);
}

fn vanished() {
    const EPOCHS: &str = "400";
    let w = Workplace::with_data(300);
    w.succeed(&study("whole", EPOCHS));
    let mut child = start(&w, &study("run", EPOCHS));
    wait_for(&w, "run/checkpoint.bin", &mut child);
    std::fs::rename(w.path("run"), w.path("moved")).expect("moved");
    let output = end(child);
    assert_one_sentence(&output, 1, "cannot write run/");
    assert!(!w.path("run").exists(), "the folder came back");
    w.succeed(&["train", "--resume", "moved"]);
    assert_same_results(&w, "whole", "moved");
}
