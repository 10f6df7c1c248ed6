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
        hint: Option<String>,
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
            hint: None,
        }
    }

    /// Attaches what the user can do about it.
    #[must_use]
    pub fn with_hint(mut self, text: impl Into<String>) -> Self {
        let (Self::Input { hint, .. } | Self::Io { hint, .. } | Self::Runtime { hint, .. }) = &mut self;
        *hint = Some(text.into());
        self
    }

    pub fn hint(&self) -> Option<&str> {
        let (Self::Input { hint, .. } | Self::Io { hint, .. } | Self::Runtime { hint, .. }) = self;
        hint.as_deref()
    }

    /// Process exit status: 2 for what the user can mend in the command or its data, 1 otherwise.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Input { .. } => 2,
            Self::Io { .. } | Self::Runtime { .. } => 1,
        }
    }
}
