//! One error type for the library. A message says what is wrong and where; a hint says what to do.

use std::path::{Path, PathBuf};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The candidate closest to `name`, for a hint "did you mean": by edits (a swap of neighbours is one), where at most two
/// letters of five differ, so that it can be a slip of the pen. The first among equals.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= 0.6)
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, candidate)| candidate)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_slip_of_the_pen_has_a_nearest_name() {
        let names = ["lorenz63", "lorenz96", "rossler", "ecg"];
        for (name, meant) in [
            ("lorentz63", Some("lorenz63")),
            ("lorenz69", Some("lorenz63")),
            ("lorenz9", Some("lorenz96")),
            ("lorenz", Some("lorenz63")),
            ("rössler", Some("rossler")),
            ("egc", Some("ecg")),
            ("eeg", Some("ecg")),
            ("fmri", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, names), meant, "{name}");
        }
    }
}
