//! A job array on a real Slurm, started for this test alone (`slurm.sh`). Without Slurm the test is listed as
//! ignored and the last line says so.

use std::path::Path;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let missing = ["slurmctld", "slurmd", "munged", "sbatch"]
        .into_iter()
        .find(|name| !installed(name));
    let trial = Trial::test("a_job_array_with_a_killed_task_is_the_whole_study", || {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let status = Command::new("bash")
            .arg(here.join("tests/slurm.sh"))
            .arg(env!("CARGO_BIN_EXE_alrnn-gpu"))
            .arg(here.join("README.md"))
            .status()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("slurm.sh: {status}").into())
        }
    });
    let conclusion = libtest_mimic::run(&arguments, vec![trial.with_ignored_flag(missing.is_some())]);
    if let Some(name) = missing {
        println!("NOT RUN: the Slurm test ({name} is not installed; Debian: slurm-wlm)");
    }
    conclusion.exit_code()
}

fn installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|folder| folder.join(name).is_file())
}
