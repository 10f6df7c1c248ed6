//! What an unknown flag was meant to be, where clap's guess by similar spelling is not the nearest.

use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// Replaces clap's suggestion where a flag of this command differs in upper and lower case or in the number of dashes
/// only, as `--m` for `--M`. `args` are the program's arguments, its name left out.
pub fn by_letter(mut error: Error, command: &Command, args: &[String]) -> Error {
    let flag = || {
        let ContextValue::String(unknown) = error.get(ContextKind::InvalidArg)? else {
            return None;
        };
        let command = command.find_subcommand(args.first()?)?;
        // Of a word after one dash clap names the first letter only.
        let whole = || args.iter().find(|arg| arg.starts_with(unknown.as_str()));
        let word = if unknown.starts_with("--") { None } else { whole() };
        same_letters(command, word.unwrap_or(unknown))
    };
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(flag) = flag()
    {
        error.remove(ContextKind::Suggested);
        // It would show the flag that clap guessed.
        error.remove(ContextKind::Usage);
        error.insert(ContextKind::SuggestedArg, ContextValue::String(flag));
    }
    error
}

fn same_letters(command: &Command, unknown: &str) -> Option<String> {
    let name = unknown.trim_start_matches('-');
    let flags: Vec<&str> = command
        .get_arguments()
        .flat_map(|arg| arg.get_long_and_visible_aliases().unwrap_or_default())
        .collect();
    let exact = flags.iter().find(|flag| **flag == name);
    let found = exact.or_else(|| flags.iter().find(|flag| flag.eq_ignore_ascii_case(name)));
    found.map(|flag| format!("--{flag}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    fn message(args: &[&str]) -> String {
        let error = cli::command()
            .try_get_matches_from(args)
            .expect_err("an unknown flag");
        let args: Vec<String> = args[1..].iter().map(|arg| (*arg).to_owned()).collect();
        by_letter(error, &cli::command(), &args).to_string()
    }

    #[test]
    fn the_same_letter_is_nearest() {
        for (unknown, meant) in [
            ("--m", "'--M'"),
            ("--m=4", "'--M'"),
            ("-M", "'--M'"),
            ("-p", "'--P'"),
            ("--t", "'--T'"),
            ("--Tau", "'--tau'"),
            ("--SEEDS", "'--seeds'"),
            ("-seeds", "'--seeds'"),
        ] {
            let text = message(&["alrnn-gpu", "train", unknown, "4"]);
            assert!(text.contains(meant), "{unknown}: {text}");
            assert!(!text.contains("--smoothing"), "{unknown}: {text}");
        }
        // Elsewhere clap's guess stands, and another command's flag is none.
        let text = message(&["alrnn-gpu", "train", "--seed", "4"]);
        assert!(text.contains("'--seeds'"), "{text}");
        let text = message(&["alrnn-gpu", "generate", "--m", "4"]);
        assert!(!text.contains("'--M'"), "{text}");
    }
}
