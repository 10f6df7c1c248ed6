//! `kill -9` at any instant.

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use alrnn_gpu::rng::threefry2x32;

use crate::Test;
use crate::cli_common::{Workplace, assert_same_results, results, small_study};

pub fn tests() -> Vec<Test> {
    vec![
        ("a_hundred_kills_end_in_the_same_bits", a_hundred_kills, None),
        ("kills_in_a_row_end_in_the_same_bits", kills_in_a_row, None),
    ]
}

const KILLS: usize = 100;

/// Makes the study write its files as often as it can: it scores every epoch.
const BUSY: [&str; 7] = ["--threads", "1", "--epochs", "8", "--eval-every", "1", "--resume"];

/// Starts the study in the folder `out`, or continues it; kills it after this long, if that is given.
/// Returns whether it ended by itself, and how long it ran.
fn train(w: &Workplace, out: &str, kill_after: Option<Duration>) -> (bool, Duration) {
    let mut command = w.command(&small_study(out, &BUSY));
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let begin = Instant::now();
    let mut child = command.spawn().expect("started");
    if let Some(time) = kill_after {
        std::thread::sleep(time);
        child.kill().expect("killed, or ended before");
    }
    let output = child.wait_with_output().expect("ended");
    let elapsed = begin.elapsed();
    if output.status.code().is_some() {
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{out}: {text}");
    }
    (output.status.success(), elapsed)
}

/// The study without any fault, and how long it takes: the shortest of three.
fn unharmed(w: &Workplace) -> Duration {
    ["whole", "second", "third"]
        .iter()
        .map(|out| train(w, out, None).1)
        .min()
        .expect("three runs")
}

/// A fraction in [0, 1), the same in every run of the test.
fn fraction(stream: u32, i: usize) -> f64 {
    f64::from(threefry2x32([7, stream], [i as u32, 0])[0]) / 2f64.powi(32)
}

fn a_hundred_kills() {
    let w = Workplace::with_data(300);
    let duration = unharmed(&w);
    let (expected, names) = (results(&w, "whole"), listing(&w, "whole"));
    let (next, killed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // How far killed processes had come: nothing known of the run, no checkpoint, a checkpoint; and too late to kill.
    let counts: [AtomicUsize; 4] = Default::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while killed.load(Ordering::Relaxed) < KILLS {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    assert!(i < 4 * KILLS, "most processes end before they are killed");
                    let out = format!("run-{i}");
                    let (ended, _) = train(&w, &out, Some(duration.mul_f64(1.02 * fraction(0, i))));
                    let reached = match ended {
                        true => 3,
                        false if w.path(format!("{out}/checkpoint.bin")).exists() => 2,
                        false if w.path(format!("{out}/config.toml")).exists() => 1,
                        false => 0,
                    };
                    killed.fetch_add(usize::from(!ended), Ordering::Relaxed);
                    counts[reached].fetch_add(1, Ordering::Relaxed);
                    assert!(train(&w, &out, None).0, "{out}");
                    assert!(
                        results(&w, &out) == expected,
                        "{out} differs from the run that was never killed"
                    );
                    assert_eq!(listing(&w, &out), names, "{out}");
                    std::fs::remove_dir_all(w.path(&out)).expect("removed");
                }
            });
        }
    });
    let [early, begun, trained, late] = counts.map(AtomicUsize::into_inner);
    println!(
        "{} kills in runs of {:.0} ms, all resumed to the same bits: {early} before config.toml, {begun} before the \
         first checkpoint, {trained} later ({late} more ended before their kill)",
        early + begun + trained,
        1e3 * duration.as_secs_f64()
    );
    assert!(
        early + begun + trained >= KILLS && trained >= KILLS / 5,
        "the kills do not cover the run"
    );
}

fn kills_in_a_row() {
    let w = Workplace::with_data(300);
    let duration = unharmed(&w);
    let mut kills = 0;
    while kills < 25 {
        let (ended, _) = train(&w, "run", Some(duration.mul_f64(0.4 + 0.5 * fraction(1, kills))));
        if ended {
            break;
        }
        kills += 1;
    }
    assert!(kills >= 2, "only {kills} kills before the end");
    assert!(train(&w, "run", None).0);
    assert_same_results(&w, "whole", "run");
}

/// The names in a run folder; no temporary file stays.
fn listing(w: &Workplace, run: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(w.path(run))
        .expect("folder")
        .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
