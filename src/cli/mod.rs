//! The command line: arguments to library calls, results to stdout, messages to stderr.

mod analyze;
mod args;
mod devices;
mod evaluate;
mod generate;
mod merge;
mod output;
mod progress;
mod selftest;
mod simulate;
mod train;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::error::{Error, Result};
use args::{Cli, Command};

/// Exit status after Ctrl-C, as shells give it: 128 + SIGINT.
const INTERRUPTED: u8 = 130;

/// Parses, runs, and turns the outcome into an exit status.
pub fn main() -> ExitCode {
    start_logging();
    let matches = args::with_defaults_in_help(Cli::command()).get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    match run(cli.command) {
        Ok(status) => status,
        Err(error) => report(&error),
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Train(args) => train::run(*args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Generate(args) => generate::run(args),
        Command::Analyze(args) => analyze::run(args),
        Command::Merge(args) => merge::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Selftest(args) => selftest::run(args),
        Command::Devices(args) => devices::run(args),
    }
}

/// One line for the error, one for what to do about it.
fn report(error: &Error) -> ExitCode {
    if let Error::Io { source, .. } = error
        && source.kind() == std::io::ErrorKind::BrokenPipe
    {
        return ExitCode::SUCCESS; // The reader of our output has seen enough.
    }
    eprintln!("error: {error}");
    if let Some(hint) = error.hint() {
        eprintln!("hint: {hint}");
    }
    ExitCode::from(error.exit_code())
}

/// Warnings of this crate and errors of the graphics stack, unless `RUST_LOG` says otherwise.
fn start_logging() {
    let default = env_logger::Env::default().default_filter_or("error,alrnn_gpu=warn");
    env_logger::Builder::from_env(default)
        .format(|out, record| {
            use std::io::Write;
            let level = match record.level() {
                log::Level::Warn => "warning".to_owned(),
                level => level.to_string().to_lowercase(),
            };
            writeln!(out, "{level}: {}", record.args())
        })
        .init();
}
