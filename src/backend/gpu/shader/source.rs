//! From a file under `shaders/` to WGSL: a block of constants, imports, unrolled loops, branches on constants.
//!
//! Directives stand alone on their line:
//! - `#import name` inserts `shaders/shared/name.wgsl`; unknown or repeated is an error.
//! - `#for r in A..B` … `#end` repeats its body with `@r` replaced by the number. Bounds are numbers or constants.
//!   Unrolling in the source keeps every private array index constant, and so the array in registers.
//! - `#if NAME` (or `#if !NAME`) … `#else` … `#end` keeps one side, by a boolean constant.

use std::fmt::Write as _;
use std::iter::Peekable;

/// Compile-time constants of a shader in the order they are declared; pipelines are cached by them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Constants(Vec<(&'static str, Constant)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Constant {
    Number(u32),
    Flag(bool),
}

impl Constants {
    #[must_use]
    pub fn number(mut self, name: &'static str, value: usize) -> Self {
        self.0.push((name, Constant::Number(value as u32)));
        self
    }

    #[must_use]
    pub fn flag(mut self, name: &'static str, value: bool) -> Self {
        self.0.push((name, Constant::Flag(value)));
        self
    }

    fn get(&self, name: &str) -> Option<Constant> {
        self.0.iter().find(|(n, _)| *n == name).map(|&(_, c)| c)
    }

    /// The `const` block put before a shader.
    fn declare(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.0 {
            match value {
                Constant::Number(n) => writeln!(text, "const {name}: u32 = {n};"),
                Constant::Flag(b) => writeln!(text, "const {name}: bool = {b};"),
            }
            .expect("writing to a string succeeds");
        }
        text
    }
}

const SHARED: [(&str, &str); 7] = [
    ("params", include_str!("../../../../shaders/shared/params.wgsl")),
    ("index", include_str!("../../../../shaders/shared/index.wgsl")),
    (
        "threefry",
        include_str!("../../../../shaders/shared/threefry.wgsl"),
    ),
    ("normal", include_str!("../../../../shaders/shared/normal.wgsl")),
    ("reduce", include_str!("../../../../shaders/shared/reduce.wgsl")),
    ("blocked", include_str!("../../../../shaders/shared/blocked.wgsl")),
    (
        "multiply",
        include_str!("../../../../shaders/shared/multiply.wgsl"),
    ),
];

/// Expands a shader. The error names the line; it is a bug in the shader, never the user's fault.
pub fn expand(text: &str, constants: &Constants) -> Result<String, String> {
    let mut expander = Expander {
        constants,
        imported: Vec::new(),
        out: constants.declare(),
    };
    expander.file(text)?;
    Ok(expander.out)
}

struct Expander<'a> {
    constants: &'a Constants,
    imported: Vec<&'a str>,
    out: String,
}

impl<'a> Expander<'a> {
    fn file(&mut self, text: &'a str) -> Result<(), String> {
        let mut lines = text.lines().peekable();
        let block = parse(&mut lines, true)?;
        self.block(&block, &mut Vec::new())
    }

    fn block(&mut self, block: &[Node<'a>], loops: &mut Vec<(&'a str, u32)>) -> Result<(), String> {
        for node in block {
            match node {
                Node::Line(line) => self.line(line, loops),
                Node::Import(name) => self.import(name)?,
                Node::For { name, range, body } => {
                    let (from, to) = (self.bound(range.0)?, self.bound(range.1)?);
                    for value in from..to {
                        loops.push((name, value));
                        self.block(body, loops)?;
                        loops.pop();
                    }
                }
                Node::If {
                    name,
                    negated,
                    then,
                    otherwise,
                } => match self.constants.get(name) {
                    Some(Constant::Flag(flag)) => {
                        self.block(if flag == *negated { otherwise } else { then }, loops)?;
                    }
                    _ => return Err(format!("`#if {name}`: no such flag")),
                },
            }
        }
        Ok(())
    }

    fn import(&mut self, name: &'a str) -> Result<(), String> {
        let &(_, text) = SHARED
            .iter()
            .find(|(n, _)| *n == name)
            .ok_or_else(|| format!("`#import {name}`: no such file"))?;
        if self.imported.contains(&name) {
            return Err(format!("`#import {name}`: imported before"));
        }
        self.imported.push(name);
        self.file(text)
    }

    fn bound(&self, text: &str) -> Result<u32, String> {
        match (text.parse(), self.constants.get(text)) {
            (Ok(number), _) | (_, Some(Constant::Number(number))) => Ok(number),
            _ => Err(format!("`#for`: {text} is no number")),
        }
    }

    /// Writes a line with the loop variables replaced; other words after an `@` are WGSL attributes.
    fn line(&mut self, line: &str, loops: &[(&str, u32)]) {
        let mut pieces = line.split('@');
        self.out.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let end = piece
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(piece.len());
            match loops.iter().rev().find(|(name, _)| *name == &piece[..end]) {
                Some((_, value)) => {
                    write!(self.out, "{value}{}", &piece[end..]).expect("writing to a string succeeds");
                }
                None => {
                    self.out.push('@');
                    self.out.push_str(piece);
                }
            }
        }
        self.out.push('\n');
    }
}

enum Node<'a> {
    Line(&'a str),
    Import(&'a str),
    For {
        name: &'a str,
        range: (&'a str, &'a str),
        body: Vec<Node<'a>>,
    },
    If {
        name: &'a str,
        negated: bool,
        then: Vec<Node<'a>>,
        otherwise: Vec<Node<'a>>,
    },
}

/// Parses up to the end of the file, or up to (not including) the `#end` or `#else` that closes a block.
fn parse<'a, I: Iterator<Item = &'a str>>(
    lines: &mut Peekable<I>,
    top: bool,
) -> Result<Vec<Node<'a>>, String> {
    let mut nodes = Vec::new();
    while let Some(line) = lines.peek() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let node = match words[..] {
            ["#end" | "#else"] if top => return Err(format!("`{}` closes nothing", words[0])),
            ["#end" | "#else"] => return Ok(nodes),
            ["#import", name] => Node::Import(name),
            ["#for", name, "in", range] => {
                let range = range
                    .split_once("..")
                    .ok_or_else(|| format!("`#for {name}`: no range in {range}"))?;
                lines.next();
                let body = parse(lines, false)?;
                if lines.peek().map(|l| l.trim()) != Some("#end") {
                    return Err(format!("`#for {name}` is not closed"));
                }
                Node::For { name, range, body }
            }
            ["#if", name] => {
                lines.next();
                let then = parse(lines, false)?;
                let mut otherwise = Vec::new();
                if lines.peek().map(|l| l.trim()) == Some("#else") {
                    lines.next();
                    otherwise = parse(lines, false)?;
                }
                if lines.peek().map(|l| l.trim()) != Some("#end") {
                    return Err(format!("`#if {name}` is not closed"));
                }
                Node::If {
                    name: name.trim_start_matches('!'),
                    negated: name.starts_with('!'),
                    then,
                    otherwise,
                }
            }
            [first, ..] if first.starts_with('#') => return Err(format!("unknown directive `{line}`")),
            _ => Node::Line(line),
        };
        lines.next();
        nodes.push(node);
    }
    if top {
        Ok(nodes)
    } else {
        Err("a block is not closed".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constants() -> Constants {
        Constants::default()
            .number("R", 2)
            .flag("WIDE", true)
            .flag("GAPS", false)
    }

    fn expanded(text: &str) -> Result<Vec<String>, String> {
        let out = expand(text, &constants())?;
        Ok(out.lines().skip(3).map(|l| l.trim().to_owned()).collect())
    }

    #[test]
    fn declares_constants_first() {
        let out = expand("", &constants()).expect("expands");
        assert_eq!(
            out,
            "const R: u32 = 2;\nconst WIDE: bool = true;\nconst GAPS: bool = false;\n"
        );
    }

    #[test]
    fn loops_nest_and_leave_attributes_alone() {
        let out = expanded("#for r in 0..R\n#for v in 1..2\n@group(0) a_@r[@v] = @rest;\n#end\n#end");
        assert_eq!(
            out.expect("expands"),
            ["@group(0) a_0[1] = @rest;", "@group(0) a_1[1] = @rest;"]
        );
    }

    #[test]
    fn branches_follow_the_flags() {
        let out = expanded("#if WIDE\na\n#else\nb\n#end\n#if !WIDE\nc\n#end\n#if GAPS\nd\n#else\ne\n#end");
        assert_eq!(out.expect("expands"), ["a", "e"]);
    }

    #[test]
    fn mistakes_are_errors() {
        for text in [
            "#import nothing",
            "#import index\n#import index",
            "#for r in 0..Q\n#end",
            "#for r in 0..R\na",
            "#if NOTHING\n#end",
            "#if R\n#end",
            "#if WIDE\na",
            "#end",
            "#else",
            "#include index",
        ] {
            assert!(expanded(text).is_err(), "{text:?} was accepted");
        }
    }
}
