//! From a file under `shaders/` to WGSL: a block of constants, then the file as a template of minijinja.
//!
//! Statements stand on lines of their own that begin with `#`:
//! - `#include "shared/name.wgsl"` inserts a file.
//! - `#for r in range(R)` … `#endfor` repeats its body with `$r$` replaced by the number. Unrolling in the source keeps
//!   every private array index constant, and so the array in registers.
//! - `#if NAME` (or `#if not NAME`) … `#else` … `#endif` keeps one side.

use std::fmt::Write as _;
use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{Environment, UndefinedBehavior, Value};

/// Compile-time constants of a shader in the order they are declared; pipelines are cached by them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Constants(Vec<(&'static str, Value)>);

impl Constants {
    #[must_use]
    pub fn number(mut self, name: &'static str, value: usize) -> Self {
        self.0.push((name, Value::from(value as u32)));
        self
    }

    #[must_use]
    pub fn flag(mut self, name: &'static str, value: bool) -> Self {
        self.0.push((name, Value::from(value)));
        self
    }

    /// The `const` block put before a shader.
    fn declare(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.0 {
            match value.kind() {
                ValueKind::Bool => writeln!(text, "const {name}: bool = {};", value.is_true()),
                _ => writeln!(text, "const {name}: u32 = {value};"),
            }
            .expect("writing to a string succeeds");
        }
        text
    }
}

macro_rules! files {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("../../../../shaders/", $name)))),*]
    };
}

/// The files under `shaders/`.
const FILES: [(&str, &str); 31] = files![
    "sample.wgsl",
    "forward.wgsl",
    "adjoint.wgsl",
    "outer.wgsl",
    "update.wgsl",
    "free_run.wgsl",
    "blocked/powers.wgsl",
    "blocked/forward.wgsl",
    "blocked/adjoint.wgsl",
    "blocked/collect.wgsl",
    "blocked/pull_back.wgsl",
    "fused/forward.wgsl",
    "fused/adjoint.wgsl",
    "statistics/rollout.wgsl",
    "statistics/visits.wgsl",
    "statistics/divergence.wgsl",
    "statistics/spectrum.wgsl",
    "shared/runs.wgsl",
    "shared/params.wgsl",
    "shared/index.wgsl",
    "shared/threefry.wgsl",
    "shared/normal.wgsl",
    "shared/reduce.wgsl",
    "shared/team.wgsl",
    "shared/weights.wgsl",
    "shared/advance.wgsl",
    "shared/tile.wgsl",
    "shared/blocked.wgsl",
    "shared/fused.wgsl",
    "shared/group.wgsl",
    "shared/multiply.wgsl"
];

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let syntax = SyntaxConfig::builder()
        .line_statement_prefix("#")
        .variable_delimiters("$", "$")
        .build();
    let mut environment = Environment::new();
    environment.set_syntax(syntax.expect("the delimiters differ"));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_loader(|name| Ok(file(name).map(str::to_owned)));
    environment
});

/// The text of a file under `shaders/`.
fn file(name: &str) -> Option<&'static str> {
    let &(_, text) = FILES.iter().find(|(file, _)| *file == name)?;
    Some(text)
}

/// Expands a shader. The error names file and line; it is a bug in the shader, never the user's fault.
pub fn expand(name: &str, constants: &Constants) -> Result<String, String> {
    let text = file(name).ok_or_else(|| format!("there is no shader {name}"))?;
    expand_text(name, text, constants)
}

/// Expands a shader that is no file but may include some.
pub fn expand_text(name: &str, text: &str, constants: &Constants) -> Result<String, String> {
    let values = Value::from_pairs(constants.0.iter().cloned());
    match TEMPLATES.render_named_str(name, text, values) {
        Ok(body) => Ok(constants.declare() + &body),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<Vec<String>, String> {
        let constants = Constants::default()
            .number("R", 2)
            .flag("WIDE", true)
            .flag("GAPS", false);
        let out = expand_text("test.wgsl", text, &constants)?;
        Ok(out.lines().map(|l| l.trim().to_owned()).collect())
    }

    #[test]
    fn declares_constants_first() {
        let declared = [
            "const R: u32 = 2;",
            "const WIDE: bool = true;",
            "const GAPS: bool = false;",
        ];
        assert_eq!(expanded("").expect("expands"), declared);
    }

    #[test]
    fn loops_nest_and_leave_attributes_alone() {
        let out = expanded(
            "#for r in range(R)\n#for v in range(1, 2)\n@group(0) a_$r$[$v$] = @rest;\n#endfor\n#endfor",
        );
        assert_eq!(
            out.expect("expands")[3..],
            ["@group(0) a_0[1] = @rest;", "@group(0) a_1[1] = @rest;"]
        );
    }

    #[test]
    fn branches_follow_the_flags() {
        let out =
            expanded("#if WIDE\na\n#else\nb\n#endif\n#if not WIDE\nc\n#endif\n#if GAPS\nd\n#else\ne\n#endif");
        assert_eq!(out.expect("expands")[3..], ["a", "e"]);
    }

    #[test]
    fn mistakes_name_file_and_line() {
        for text in [
            "\n#include \"nothing\"",
            "\n#for r in range(Q)\n#endfor",
            "\n#for r in range(R)\na",
            "\n#if NOTHING\n#endif",
            "\n#if WIDE\na",
            "\n#endif",
            "\n#else",
            "\n#import \"shared/index.wgsl\"",
            "\na[$q$] = 0;",
        ] {
            let error = expanded(text).expect_err(text);
            let line = if error.contains("end of input") { 3 } else { 2 };
            assert!(error.contains(&format!("test.wgsl:{line}")), "{error}");
        }
        let error = expand("shared/multiply.wgsl", &Constants::default());
        error.expect("needs no constants");
    }
}
