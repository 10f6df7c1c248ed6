//! Files that something else has damaged.

use crate::Test;
use crate::cli_common::{Workplace, assert_one_sentence, assert_same_results, small_study, stderr};

pub fn tests() -> Vec<Test> {
    vec![
        ("damaged_files_are_named", damaged_files, None),
        ("a_shorter_log_goes_on_with_a_warning", shorter_log, None),
        ("beginnings_of_a_killed_process_are_no_run", beginnings, None),
    ]
}

const RUN: &str = "run";

fn trained() -> Workplace {
    let w = Workplace::with_data(300);
    w.succeed(&small_study(RUN, &["--threads", "1", "--shard", "1/1"]));
    w
}

/// A way to damage a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Damage {
    /// Two thirds of it are left.
    Cut,
    Empty,
    /// A byte in the middle is another, and no text.
    Changed,
    /// A folder of its name, which even root cannot read as a file.
    Unreadable,
}

fn damage(w: &Workplace, file: &str, how: Damage) {
    let mut bytes = w.read(file);
    match how {
        Damage::Cut => bytes.truncate(bytes.len() * 2 / 3),
        Damage::Empty => bytes.clear(),
        Damage::Changed => {
            let middle = bytes.len() / 2;
            bytes[middle] = !bytes[middle] | 0x80;
        }
        Damage::Unreadable => {
            std::fs::remove_file(w.path(file)).expect("removed");
            std::fs::create_dir(w.path(file)).expect("made");
            return;
        }
    }
    w.write(file, &bytes);
}

/// Commands that read each file of a run folder: whatever is wrong with it, they end with exit status 1 or 2 and one
/// sentence that names it, and another copy of the folder is not touched.
fn damaged_files() {
    use Damage::{Changed, Cut, Empty, Unreadable};
    let w = trained();
    let resume: &[&str] = &["train", "--resume", RUN];
    let merge: &[&str] = &["merge", RUN, "--out", "merged"];
    let evaluate: &[&str] = &["evaluate", "run:m000", "--data", "data.npy", "--backend", "cpu"];
    let all: &[Damage] = &[Cut, Empty, Changed, Unreadable];
    let cases: [(&str, &[&str], &[Damage]); 10] = [
        ("run/checkpoint.bin", resume, all),
        ("run/config.toml", resume, &[Cut, Empty, Changed]),
        ("run/config.toml", merge, &[Cut, Empty, Changed]),
        // A cut or changed log is mended when a run goes on.
        ("run/log.csv", resume, &[Unreadable]),
        ("run/log.csv", merge, &[Cut, Changed, Unreadable]),
        ("run/members.csv", evaluate, &[Cut, Changed, Unreadable]),
        ("run/members.csv", merge, all),
        ("run/best/m000.npz", evaluate, &[Cut, Empty, Changed]),
        ("run/last/m001.npz", merge, all),
        ("data.npy", resume, all),
    ];
    for (file, command, damages) in cases {
        let whole = w.read(file);
        for &how in damages {
            damage(&w, file, how);
            let output = w.run(command);
            println!(
                "{file} {how:?}: {}",
                stderr(&output).trim_end().replace('\n', " / ")
            );
            let code = output.status.code().unwrap_or(-1);
            assert!(code == 1 || code == 2, "{file} {how:?}: {}", stderr(&output));
            assert_one_sentence(&output, code, expected(file));
            if how == Unreadable {
                std::fs::remove_dir(w.path(file)).expect("removed");
            }
            w.write(file, &whole);
            if w.path("merged").exists() {
                std::fs::remove_dir_all(w.path("merged")).expect("removed");
            }
        }
    }
    // All is as before.
    w.succeed(resume);
    w.succeed(merge);
    assert_same_results(&w, RUN, "merged");
}

/// How the message names the file.
fn expected(file: &str) -> &str {
    match file {
        "run/config.toml" => "config.toml",
        "data.npy" => "data",
        _ => file,
    }
}

/// Rows that are lost are lost; the run goes on, and nothing but the log is other than it would be.
fn shorter_log() {
    let w = trained();
    let (log, checkpoint) = (w.read("run/log.csv"), w.read("run/checkpoint.bin"));
    w.succeed(&["merge", RUN, "--out", "before"]);
    for left in [0, 10, log.len() - 7] {
        w.write("run/checkpoint.bin", &checkpoint);
        w.write("run/log.csv", &log[..left]);
        let output = w.succeed(&["train", "--resume", RUN]);
        assert!(
            stderr(&output).contains("warning: run/log.csv is shorter than the checkpoint says"),
            "{}",
            stderr(&output)
        );
        let now = w.read("run/log.csv");
        assert!(
            log.starts_with(&now) && now.last().is_none_or(|&byte| byte == b'\n'),
            "{left}"
        );
        assert!(w.read("run/members.csv") == w.read("before/members.csv"));
    }
    w.write("run/checkpoint.bin", &checkpoint);
    std::fs::remove_file(w.path("run/log.csv")).expect("removed");
    let output = w.succeed(&["train", "--resume", RUN]);
    assert!(
        stderr(&output).contains("run/log.csv is gone"),
        "{}",
        stderr(&output)
    );
}

/// A process that was killed before `config.toml` leaves a folder that counts as empty; anything else in it does not.
fn beginnings() {
    let w = trained();
    let again = |w: &Workplace| w.run(&["train", "--config", "run/config.toml", "--out", "new"]);
    w.write("new/.lock", b"");
    w.write("new/.abc.tmp", b"[run");
    std::fs::create_dir(w.path("new/best")).expect("made");
    w.write("new/best/.def.tmp", b"");
    assert!(again(&w).status.success());
    assert_same_results(&w, RUN, "new");
    assert!(!w.path("new/.abc.tmp").exists());
    for file in ["other/notes.txt", "other/best/m000.npz"] {
        w.write(file, b"mine");
        let output = w.run(&["train", "--config", "run/config.toml", "--out", "other"]);
        assert_one_sentence(&output, 2, "the folder other is not empty");
        assert!(!stderr(&output).contains("--resume"), "{}", stderr(&output));
        assert_eq!(w.read(file), b"mine");
        std::fs::remove_dir_all(w.path("other")).expect("removed");
    }
}
