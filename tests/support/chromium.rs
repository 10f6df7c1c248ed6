//! Chromium, where it is installed: ALRNN_CHROMIUM names the program to use.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How to get one.
pub const INSTALL: &str = "there is no chromium on this machine (apt-get install chromium)";

pub fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("ALRNN_CHROMIUM") {
        return Some(named.into());
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|program| program.is_file())
}

/// Chromium without a window, whose profile is in `folder`; the console's messages go to stderr.
pub fn headless(chromium: &Path, folder: &Path) -> Command {
    let mut command = Command::new(chromium);
    command
        .args([
            "--headless=new",
            "--no-sandbox",
            "--no-first-run",
            "--disable-background-networking",
            "--enable-logging=stderr",
        ])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .stdin(Stdio::null());
    command
}
