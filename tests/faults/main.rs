//! What may strike while a study trains: a kill at any moment, a full disk, a folder that vanishes or cannot be
//! written, damaged files, a lost device. After each of them `train --resume` ends with the bits of a run that nothing struck.
//!
//! A fault that cannot be staged on this machine is listed as ignored, and the last lines say so.

#[path = "../cli_common/mod.rs"]
mod cli_common;
mod damage;
mod device;
mod disk;
mod kill;
mod mount;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// A test, and why it cannot run here.
type Test = (&'static str, fn(), Option<String>);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tests: Vec<Test> = [kill::tests(), disk::tests(), damage::tests(), device::tests()].concat();
    let trials = tests.iter().map(|(name, test, missing)| {
        let test = *test;
        Trial::test(*name, move || {
            test();
            Ok(())
        })
        .with_ignored_flag(missing.is_some())
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    for (name, _, missing) in &tests {
        if let Some(why) = missing {
            println!("NOT RUN: {name} ({why})");
        }
    }
    conclusion.exit_code()
}
