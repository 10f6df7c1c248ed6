//! The library's errors as Python exceptions: its one sentence, then what to do in brackets.

use alrnn_gpu::config::Settings;
use alrnn_gpu::error::Error;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

/// `ValueError` for what the user can mend in settings or data, `RuntimeError` for the rest.
pub fn exception(error: &Error) -> PyErr {
    let text = match error.hint() {
        Some(hint) => format!("{error} ({hint})"),
        None => error.to_string(),
    };
    let text = in_python(&text);
    match error {
        Error::Input { .. } => PyValueError::new_err(text),
        Error::Io { .. } | Error::Runtime { .. } => PyRuntimeError::new_err(text),
    }
}

/// Flags and settings by the names that they have in Python: `--start-lr` is `start_lr`.
fn in_python(text: &str) -> String {
    let mut parts = text.split("--");
    let mut named = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if !part.starts_with(|c: char| c.is_ascii_alphabetic()) {
            named.push_str("--");
        }
        let end = part.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        let (flag, rest) = part.split_at(end.unwrap_or(part.len()));
        named.push_str(&flag.replace('-', "_"));
        named.push_str(rest);
    }
    let keys = Settings::keys().into_iter().filter(|key| key.contains('-'));
    keys.fold(named, |text, key| text.replace(&key, &key.replace('-', "_")))
}
