//! The command line: arguments to library calls, results to stdout, messages to stderr.

mod analyze;
mod args;
mod choices;
mod devices;
mod evaluate;
mod generate;
mod merge;
mod output;
mod polish;
mod report;
mod selftest;
mod simulate;
mod suggest;
#[cfg(test)]
mod tests;
mod train;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::error::{Error, Result};
pub use args::is_number;
use args::{Cli, Command};

/// Exit status after Ctrl-C, as shells give it: 128 + SIGINT.
const INTERRUPTED: u8 = 130;

/// The command line's definition: commands, flags, what they take.
pub fn command() -> clap::Command {
    args::with_signs(args::with_defaults_in_help(Cli::command()))
}

/// Parses, runs, and turns the outcome into an exit status.
pub fn main() -> ExitCode {
    start_logging();
    let parsed = command()
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    match parsed {
        Ok(cli) => run(cli.command).unwrap_or_else(|error| explain(&error)),
        Err(error) => {
            let args: Vec<String> = std::env::args().skip(1).collect();
            suggest::by_letter(error, &command(), &args).exit()
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let done = |()| ExitCode::SUCCESS;
    // Of training, a config file may say how many.
    let (threads, run): (_, Box<dyn FnOnce() -> Result<ExitCode>>) = match command {
        Command::Train(args) => {
            let request = train::Request::new(&args)?;
            (request.settings.threads, Box::new(move || train::run(&request)))
        }
        Command::Polish(args) => {
            let request = polish::Request::new(args)?;
            (request.threads(), Box::new(move || polish::run(&request)))
        }
        Command::Evaluate(args) => (
            args.device.threads,
            Box::new(move || evaluate::run(args).map(done)),
        ),
        Command::Generate(args) => (
            args.device.threads,
            Box::new(move || generate::run(args).map(done)),
        ),
        Command::Selftest(args) => (
            args.device.threads,
            Box::new(move || selftest::run(args).map(done)),
        ),
        Command::Analyze(args) => (None, Box::new(move || analyze::run(args).map(done))),
        Command::Report(args) => (None, Box::new(move || report::run(args).map(done))),
        Command::Merge(args) => (None, Box::new(|| merge::run(args))),
        Command::Simulate(args) => (None, Box::new(move || simulate::run(args).map(done))),
        Command::Devices(args) => (None, Box::new(move || devices::run(args).map(done))),
    };
    start_threads(threads)?;
    run()
}

/// One line for the error, one for what to do about it.
fn explain(error: &Error) -> ExitCode {
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

/// Training, scoring and analysis share one pool of this many threads. Comes before all that uses it, such as reading
/// data.
fn start_threads(threads: Option<usize>) -> Result<()> {
    if let Some(threads) = threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()
            .map_err(|error| Error::runtime(format!("cannot start {threads} threads: {error}")))?;
    }
    Ok(())
}

/// Warnings of this crate alone (what the graphics stack has to say comes back as errors), unless `RUST_LOG` says otherwise.
fn start_logging() {
    let default = env_logger::Env::default().default_filter_or("alrnn_gpu=warn");
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
