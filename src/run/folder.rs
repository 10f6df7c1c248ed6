use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::fs::is_temporary;

/// The file that is locked while a process trains.
const LOCK: &str = ".lock";
const SUBFOLDERS: [&str; 2] = ["best", "last"];

/// A run folder. While training writes to it, a lock that dies with the process keeps others out.
#[derive(Debug)]
pub struct RunFolder {
    root: PathBuf,
    lock: Option<File>,
}

impl Drop for RunFolder {
    /// Closing the file would not do: a process that another thread is just about to start may hold it for a moment more.
    fn drop(&mut self) {
        if let Some(lock) = &self.lock {
            // What cannot be unlocked is unlocked by the end of the process.
            let _ = lock.unlock();
        }
    }
}

impl RunFolder {
    /// Makes a new folder for a run. One that holds no more than the beginnings of a killed process will do.
    ///
    /// # Errors
    /// When something is there already, or it cannot be made.
    pub fn create(root: &Path) -> Result<Self> {
        refuse_occupied(root)?;
        std::fs::create_dir_all(root).map_err(|error| Error::io("make the folder", root, error))?;
        let folder = Self::locked(root)?;
        // Another process may have trained here between the look and the lock.
        refuse_occupied(root)?;
        Ok(folder)
    }

    /// Opens a folder to continue its run.
    pub fn resume(root: &Path) -> Result<Self> {
        Self::open(root)?;
        Self::locked(root)
    }

    /// Removes what a killed process left half written; nothing else writes here while the lock is held.
    fn remove_torn_files(&self) {
        let below = SUBFOLDERS.map(|name| self.root.join(name));
        for folder in below.into_iter().chain([self.root.clone()]) {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if is_temporary(&entry.path()) {
                    // Litter, not harm: a failure to remove it is no reason to stop.
                    let _ = std::fs::remove_file(entry.path());
                }
            }
        }
    }

    /// Opens a folder to read it.
    pub fn open(root: &Path) -> Result<Self> {
        let folder = Self {
            root: root.to_path_buf(),
            lock: None,
        };
        if !folder.config().is_file() {
            return Err(Error::input(format!(
                "{} is not a run folder (it has no config.toml)",
                root.display()
            ))
            .with_hint("a run folder is what `train --out` made"));
        }
        Ok(folder)
    }

    /// A folder to write to, with its subfolders.
    fn locked(root: &Path) -> Result<Self> {
        let path = root.join(LOCK);
        let file = File::create(&path).map_err(|error| Error::io("write", &path, error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let root = root.display();
                return Err(Error::input(format!("another process is training in {root}"))
                    .with_hint("wait for it to end, or use another --out"));
            }
            // Some network file systems know no locks; training there is better than not training.
            Err(TryLockError::Error(error)) => log::warn!(
                "{} cannot be locked ({error}): do not train twice in it",
                root.display()
            ),
        }
        for path in SUBFOLDERS.map(|name| root.join(name)) {
            std::fs::create_dir_all(&path).map_err(|error| Error::io("make the folder", &path, error))?;
        }
        let folder = Self {
            root: root.to_path_buf(),
            lock: Some(file),
        };
        folder.remove_torn_files();
        Ok(folder)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    pub fn members(&self) -> PathBuf {
        self.root.join("members.csv")
    }

    pub fn log(&self) -> PathBuf {
        self.root.join("log.csv")
    }

    pub fn checkpoint(&self) -> PathBuf {
        self.root.join("checkpoint.bin")
    }

    pub fn best(&self, id: &str) -> PathBuf {
        self.root.join("best").join(format!("{id}.npz"))
    }

    pub fn last(&self, id: &str) -> PathBuf {
        self.root.join("last").join(format!("{id}.npz"))
    }
}

/// Refuses a folder that holds anything but what a run makes before its `config.toml`.
pub fn refuse_occupied(root: &Path) -> Result<()> {
    let entries = match std::fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return Err(
                Error::input(format!("{} is a file, not a folder", root.display()))
                    .with_hint("use another --out"),
            );
        }
        Err(error) => return Err(Error::io("open", root, error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| Error::io("read", root, error))?.path();
        let name = path.file_name().unwrap_or_default();
        let is_empty = |folder: &Path| {
            std::fs::read_dir(folder)
                .is_ok_and(|entries| entries.flatten().all(|entry| is_temporary(&entry.path())))
        };
        let begun = name == "checkpoint.bin" && RunFolder::open(root).is_err();
        let unused = SUBFOLDERS.iter().any(|s| name == *s) && is_empty(&path);
        if begun || unused || name == LOCK || is_temporary(&path) {
            continue;
        }
        let shown = root.display();
        let way_on = match RunFolder::open(root) {
            Ok(_) => format!(", or continue what is there: --resume {shown}"),
            Err(_) => String::new(),
        };
        return Err(Error::input(format!("the folder {shown} is not empty"))
            .with_hint(format!("use another --out{way_on}")));
    }
    Ok(())
}
