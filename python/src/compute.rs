//! Where work is done: without the interpreter's lock, on rayon's global pool.

use std::sync::{Once, OnceLock};

use alrnn_gpu::error::{Error, Result};
use log::LevelFilter;
use pyo3::prelude::*;
use pyo3_log::{Caching, Logger};

use crate::error::exception;

/// The process whose threads the pool has.
static PROCESS: OnceLock<u32> = OnceLock::new();

/// Does this without the interpreter's lock. The library's warnings go to the logger `alrnn_gpu` of Python.
pub fn detached<R: Send>(py: Python<'_>, work: impl FnOnce() -> Result<R> + Send) -> PyResult<R> {
    hand_on_warnings(py)?;
    refuse_fork().map_err(|e| exception(&e))?;
    py.detach(work).map_err(|e| exception(&e))
}

/// Not before it is needed: the command line keeps a log of its own.
fn hand_on_warnings(py: Python<'_>) -> PyResult<()> {
    static ONCE: Once = Once::new();
    let logger = Logger::new(py, Caching::LoggersAndLevels)?
        .filter(LevelFilter::Off)
        .filter_target("alrnn_gpu".into(), LevelFilter::Warn);
    // Where a logger is there already, it stays.
    ONCE.call_once(|| drop(logger.install()));
    Ok(())
}

/// A forked process has none of its parent's threads, and would wait for them for ever.
fn refuse_fork() -> Result<()> {
    if *PROCESS.get_or_init(std::process::id) == std::process::id() {
        return Ok(());
    }
    Err(
        Error::runtime("this process was forked from one that computes, and has none of its threads")
            .with_hint("start processes with multiprocessing.get_context(\"spawn\"), or by joblib's loky"),
    )
}

/// Starts the pool with this many threads, where the settings name a number.
///
/// # Errors
/// When it has another number already.
pub fn start_threads(threads: Option<usize>) -> Result<()> {
    let Some(threads) = threads else {
        return Ok(());
    };
    // Fails where the pool is there.
    let _ = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global();
    match rayon::current_num_threads() {
        found if found == threads => Ok(()),
        found => Err(Error::input(format!(
            "--threads {threads}: this process computes on {found} threads since its first call"
        ))
        .with_hint("the number of threads is chosen once a process")),
    }
}
