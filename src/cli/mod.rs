//! The command line: arguments to library calls, results to stdout, messages to stderr.

mod analyze;
mod args;
mod choices;
mod compare;
mod devices;
mod evaluate;
mod generate;
mod merge;
mod minimal;
mod output;
mod page;
mod polish;
mod report;
mod selftest;
mod simulate;
mod suggest;
#[cfg(test)]
mod tests;
mod train;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::error::{Error, Result};
pub use args::is_number;
use args::{Cli, Command};

/// Exit status of a process. ([`ExitCode`] is one that cannot be read, which a program that is called from another needs.)
type Status = u8;
const SUCCESS: Status = 0;
/// After Ctrl-C, as shells give it: 128 + SIGINT.
const INTERRUPTED: Status = 130;

/// The command line's definition: commands, flags, what they take.
pub fn command() -> clap::Command {
    args::with_signs(args::with_defaults_in_help(Cli::command()))
}

/// The program.
pub fn main() -> ExitCode {
    ExitCode::from(main_with(std::env::args_os().collect()))
}

/// Parses arguments (the first one is the program's name), runs, and turns the outcome into an exit status. For
/// processes that do nothing else: it takes logging, Ctrl-C and rayon's global pool, and ends the process where the
/// arguments are wrong or ask for help.
pub fn main_with(args: Vec<OsString>) -> u8 {
    start_logging();
    let parsed = command()
        .try_get_matches_from(&args)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    match parsed {
        Ok(cli) => run(cli.command).unwrap_or_else(|error| explain(&error)),
        Err(error) => {
            let args = args.iter().skip(1).map(|arg| arg.to_string_lossy().into_owned());
            suggest::by_letter(error, &command(), &args.collect::<Vec<_>>()).exit()
        }
    }
}

fn run(command: Command) -> Result<Status> {
    let done = |()| SUCCESS;
    // Of training, a config file may say how many.
    let (threads, run): (_, Box<dyn FnOnce() -> Result<Status>>) = match command {
        Command::Train(args) => {
            let request = train::Request::new(&args)?;
            (request.settings.threads, Box::new(move || train::run(&request)))
        }
        Command::Minimal(args) => {
            let request = minimal::Request::new(&args)?;
            (
                request.train.settings.threads,
                Box::new(move || minimal::run(&request)),
            )
        }
        Command::Compare(args) => (None, Box::new(move || compare::run(args).map(done))),
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
        Command::Page(args) => (None, Box::new(move || page::run(&args).map(done))),
        Command::Merge(args) => (None, Box::new(|| merge::run(args))),
        Command::Simulate(args) => (None, Box::new(move || simulate::run(args).map(done))),
        Command::Devices(args) => (None, Box::new(move || devices::run(args).map(done))),
    };
    start_threads(threads)?;
    run()
}

/// One line for the error, one for what to do about it.
fn explain(error: &Error) -> Status {
    if let Error::Io { source, .. } = error
        && source.kind() == std::io::ErrorKind::BrokenPipe
    {
        return SUCCESS; // The reader of our output has seen enough.
    }
    eprintln!("error: {error}");
    if let Some(hint) = error.hint() {
        eprintln!("hint: {hint}");
    }
    error.exit_code()
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
