//! One error type for the library. A message says what is wrong and where; a hint says what to do.

use std::path::{Path, PathBuf};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. A diverged ensemble member is data, not an `Error`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user's input (a flag, a file, a combination of them) cannot be used.
    #[error("{message}")]
    Input { message: String, hint: Option<String> },
    /// The operating system refused a file operation.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    /// The run could not go on (device lost, every member diverged, …).
    #[error("{message}")]
    Runtime { message: String, hint: Option<String> },
}

impl Error {
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input {
            message: message.into(),
            hint: None,
        }
    }

    pub fn runtime(message: impl Into<String>) -> Self {
        Self::Runtime {
            message: message.into(),
            hint: None,
        }
    }

    pub fn io(action: &'static str, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io {
            action,
            path: path.as_ref().to_path_buf(),
            source,
        }
    }

    /// Attaches what the user can do about it (no effect on an `Io` error).
    #[must_use]
    pub fn with_hint(mut self, text: impl Into<String>) -> Self {
        match &mut self {
            Self::Input { hint, .. } | Self::Runtime { hint, .. } => *hint = Some(text.into()),
            Self::Io { .. } => {}
        }
        self
    }

    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Input { hint, .. } | Self::Runtime { hint, .. } => hint.as_deref(),
            Self::Io { .. } => None,
        }
    }

    /// Process exit status: 2 for what the user can mend in the command or its data, 1 otherwise.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Input { .. } => 2,
            Self::Io { .. } | Self::Runtime { .. } => 1,
        }
    }
}
