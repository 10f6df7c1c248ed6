//! File systems for a test to break.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A mount that ends with its value.
pub struct Mount(PathBuf);

fn mount(arguments: &[&str], at: &Path) -> bool {
    Command::new("mount")
        .args(arguments)
        .arg(at)
        .output()
        .is_ok_and(|output| output.status.success())
}

impl Mount {
    /// An empty file system of this many KiB, in memory.
    pub fn tmpfs(at: &Path, kib: usize) -> Option<Self> {
        std::fs::create_dir_all(at).ok()?;
        let size = format!("size={kib}k");
        mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], at).then(|| Self(at.to_path_buf()))
    }

    /// The folder itself, read-only.
    pub fn read_only(at: &Path) -> Option<Self> {
        let path = at.to_str()?;
        let bound = mount(&["--bind", path], at).then(|| Self(at.to_path_buf()))?;
        mount(&["-o", "remount,ro,bind"], at).then_some(bound)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Why this process may not mount, if it may not.
pub fn missing() -> Option<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mounted = Mount::tmpfs(&folder.path().join("try"), 64);
    mounted
        .is_none()
        .then(|| "this process may not mount file systems; run it as root".to_owned())
}
