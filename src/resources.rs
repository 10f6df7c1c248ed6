//! What this machine can hold: what cannot fit is refused before anything is allocated or written.

use std::path::Path;

use indicatif::HumanBytes;
use sysinfo::{MemoryRefreshKind, System};

use crate::error::{Error, Result};

/// A store of bytes: what there is, and what of it is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Room {
    kind: &'static str,
    total: u64,
    free: u64,
}

/// Refuses what would take more main memory than this process can have.
///
/// `what` names the flag and its value; `bytes` is what will be taken at the same time, counted with saturation. Swap
/// counts as memory; limits of a container, of a job (control groups) and of the shell (`ulimit -v`) count as well.
///
/// # Errors
/// Exit status 2 where it exceeds all that there is, 1 where only too little is free.
pub fn require_memory(what: &str, bytes: u64) -> Result<()> {
    memory().require(what, bytes)
}

/// Refuses what would take more space than there is on the file system of `path`, which need not exist yet.
///
/// # Errors
/// As [`require_memory`].
pub fn require_disk(what: &str, path: &Path, bytes: u64) -> Result<()> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let there = absolute.ancestors().find(|folder| folder.exists());
    // Where nothing can be learnt, writing will tell.
    match there.map(fs4::statvfs) {
        Some(Ok(disk)) => Room {
            kind: "disk space",
            total: disk.total_space(),
            free: disk.available_space(),
        }
        .require(what, bytes),
        _ => Ok(()),
    }
}

impl Room {
    fn require(self, what: &str, bytes: u64) -> Result<()> {
        let Self { kind, total, free } = self;
        let needs = format!("{what} would take {} of {kind}", HumanBytes(bytes));
        // A system that does not tell says 0.
        if total == 0 || bytes <= free {
            Ok(())
        } else if bytes > total {
            Err(
                Error::input(format!("{needs}, of which there are {}", HumanBytes(total)))
                    .with_hint("use a smaller number"),
            )
        } else {
            Err(
                Error::runtime(format!("{needs}, of which {} are free", HumanBytes(free)))
                    .with_hint("free some of it, or use a smaller number"),
            )
        }
    }
}

fn memory() -> Room {
    let mut system = System::new();
    system.refresh_memory_specifics(MemoryRefreshKind::everything());
    let mut room = Room {
        kind: "memory",
        total: system.total_memory().saturating_add(system.total_swap()),
        free: system.available_memory().saturating_add(system.free_swap()),
    };
    if let Some(limits) = system.cgroup_limits() {
        room.total = room
            .total
            .min(limits.total_memory.saturating_add(system.total_swap()));
        room.free = room.free.min(limits.free_memory.saturating_add(limits.free_swap));
    }
    if let Some((limit, used)) = address_space() {
        room.total = room.total.min(limit);
        room.free = room.free.min(limit.saturating_sub(used));
    }
    room
}

/// The shell's limit on this process's addresses, where there is one, and how many are in use.
#[cfg(target_os = "linux")]
fn address_space() -> Option<(u64, u64)> {
    use rustix::process::{Resource, getrlimit};

    let limit = getrlimit(Resource::As).current?;
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split_whitespace().next()?.parse().ok()?;
    Some((limit, pages.saturating_mul(rustix::param::page_size() as u64)))
}

#[cfg(not(target_os = "linux"))]
fn address_space() -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_let_through_and_what_does_not_is_named() {
        let room = Room {
            kind: "memory",
            total: 1 << 34,
            free: 1 << 30,
        };
        room.require("--steps 1", 1 << 30).expect("it fits");
        for (bytes, code, text) in [
            (
                (1 << 30) + 1,
                1,
                "--steps 9 would take 1.00 GiB of memory, of which 1.00 GiB are free",
            ),
            (
                1 << 35,
                2,
                "--steps 9 would take 32.00 GiB of memory, of which there are 16.00 GiB",
            ),
            (u64::MAX, 2, "--steps 9 would take"),
        ] {
            let error = room.require("--steps 9", bytes).expect_err("too much");
            assert_eq!(error.exit_code(), code);
            assert!(error.to_string().starts_with(text), "{error}");
        }
        let silent = Room {
            total: 0,
            free: 0,
            ..room
        };
        silent.require("--steps 9", u64::MAX).expect("nothing is known");
    }

    #[test]
    fn this_machine_holds_a_byte_and_no_exabyte() {
        require_memory("one", 1).expect("a byte");
        require_disk("one", Path::new("/no/such/folder/x.npy"), 1).expect("a byte");
        assert_eq!(
            require_memory("all", u64::MAX).expect_err("too much").exit_code(),
            2
        );
        let disk = require_disk("all", Path::new("x.npy"), u64::MAX);
        assert_eq!(disk.expect_err("too much").exit_code(), 2);
    }
}
