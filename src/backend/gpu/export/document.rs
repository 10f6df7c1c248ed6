//! What a document holds, and how it is put together.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytemuck::NoUninit;
use serde::Serialize;

use super::{MAX_BUFFER, MAX_GRID};
use crate::backend::gpu::memory::buffers::{UNIFORM_STRIDE, grid, length, room};
use crate::backend::gpu::memory::params::mirrors;
use crate::backend::gpu::schedule::step::Phase;
use crate::backend::gpu::shader::reflect::{Binding, Shader};
use crate::backend::gpu::shader::source::Constants;
use crate::error::{Error, Result};

/// A program: kernels, buffers, and what is dispatched.
#[derive(Clone, Debug, Serialize)]
pub struct Program {
    pub kernels: Vec<Kernel>,
    pub buffers: Vec<Buffer>,
    pub chunks: Vec<Chunk>,
    /// Distance between entries of the uniform buffer, which are bound by dynamic offset, and the bytes bound of each.
    pub stride: u64,
    pub uniform: usize,
    /// Structs by their names in WGSL: offsets of their fields, and their `size`.
    pub structs: BTreeMap<&'static str, BTreeMap<&'static str, usize>>,
}

/// A shader, compiled once.
#[derive(Clone, Debug, Serialize)]
pub struct Kernel {
    /// File under `shaders/`, without its extension.
    pub name: &'static str,
    pub source: String,
    /// Kinds by binding number.
    pub bindings: Vec<Binding>,
}

/// A buffer of so many bytes.
#[derive(Clone, Debug, Serialize)]
pub struct Buffer {
    pub name: String,
    pub bytes: u64,
    #[serde(flatten)]
    pub content: Content,
}

/// What a buffer holds at first.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// This byte throughout.
    Fill(u8),
    /// Bytes, as base64.
    Base64(String),
    /// Whole numbers (u32) in runs: the first, and how many follow it by ones.
    Runs(Vec<[u32; 2]>),
}

impl Content {
    pub fn of<T: NoUninit>(values: &[T]) -> Self {
        Self::Base64(STANDARD.encode(bytemuck::cast_slice::<T, u8>(values)))
    }

    /// Of ascending numbers, most of which follow each other.
    pub fn runs(values: &[u32]) -> Self {
        let runs = values.chunk_by(|a, b| a + 1 == *b);
        Self::Runs(runs.map(|run| [run[0], run.len() as u32]).collect())
    }
}

/// Members that are dispatched together.
#[derive(Clone, Debug, Serialize)]
pub struct Chunk {
    /// Their numbers in the ensemble.
    pub members: Vec<usize>,
    /// What the names of its own buffers begin with.
    pub prefix: String,
    /// First and last learning rate of each member, and first and last noise.
    pub rates: Vec<[[f64; 2]; 2]>,
    /// In the order they run.
    pub stages: Vec<Stage>,
}

/// A kernel with its buffers and its workgroups.
#[derive(Clone, Debug, Serialize)]
pub struct Stage {
    /// Index into the program's kernels.
    pub kernel: usize,
    pub phase: Phase,
    /// Names by binding number.
    pub buffers: Vec<String>,
    pub grid: [u32; 2],
}

/// A buffer by the name that shaders declare it by, and by the document's.
pub type Named = (&'static str, String);

/// Puts a program together.
#[derive(Debug, Default)]
pub struct Writer {
    kernels: Vec<Kernel>,
    compiled: Vec<(&'static str, Constants)>,
    buffers: Vec<Buffer>,
}

impl Writer {
    fn push(&mut self, name: String, bytes: u64, content: Content) -> Result<String> {
        if bytes > MAX_BUFFER {
            return Err(Error::input(format!(
                "{name} takes {bytes} bytes, more than the {MAX_BUFFER} of a buffer in a browser"
            ))
            .with_hint("use fewer data, or a smaller --batch-size or --T"));
        }
        self.buffers.push(Buffer {
            name: name.clone(),
            bytes,
            content,
        });
        Ok(name)
    }

    /// A buffer of at least so many bytes, each of them `fill`.
    pub fn room(&mut self, name: &str, bytes: u64, fill: u8) -> Result<String> {
        self.push(name.to_owned(), room(bytes), Content::Fill(fill))
    }

    /// A buffer as long as what it holds.
    pub fn values<T: NoUninit>(&mut self, name: &str, values: &[T]) -> Result<String> {
        self.push(name.to_owned(), length(size_of_val(values)), Content::of(values))
    }

    /// The same of ascending numbers, most of which follow each other.
    pub fn runs(&mut self, name: &str, values: &[u32]) -> Result<String> {
        self.push(
            name.to_owned(),
            length(size_of_val(values)),
            Content::runs(values),
        )
    }

    /// A kernel bound to buffers, found by the names that it declares.
    pub fn stage(
        &mut self,
        (kernel, constants): (&'static str, &Constants),
        phase: Phase,
        workgroups: usize,
        buffers: &[Named],
    ) -> Result<Stage> {
        let shader = Shader::of_kernel(kernel, constants).map_err(Error::runtime)?;
        let found = |name: &String| {
            let named = buffers.iter().find(|(declared, _)| declared == name);
            let missing =
                || Error::runtime(format!("kernel {kernel} declares {name}, which no buffer holds"));
            named.map(|(_, name)| name.clone()).ok_or_else(missing)
        };
        let names = shader.bindings.iter().map(|(name, _)| found(name));
        let buffers = names.collect::<Result<_>>()?;
        let key = (kernel, constants.clone());
        let known = self.compiled.iter().position(|known| *known == key);
        let index = known.unwrap_or(self.kernels.len());
        if known.is_none() {
            self.compiled.push(key);
            self.kernels.push(Kernel {
                name: kernel,
                bindings: shader.bindings.into_iter().map(|(_, kind)| kind).collect(),
                source: shader.source,
            });
        }
        Ok(Stage {
            kernel: index,
            phase,
            buffers,
            grid: grid(workgroups, MAX_GRID),
        })
    }

    /// The program; `uniform` is the size of an entry of its uniform buffer.
    pub fn finish(self, chunks: Vec<Chunk>, uniform: usize) -> Program {
        let structs = mirrors().into_iter().map(|(name, fields, size)| {
            let fields = fields.into_iter().chain([("size", size)]);
            (name, fields.collect())
        });
        Program {
            kernels: self.kernels,
            buffers: self.buffers,
            chunks,
            stride: UNIFORM_STRIDE,
            uniform,
            structs: structs.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_hold_every_number() {
        let runs = |values: &[u32]| Content::runs(values);
        assert_eq!(
            runs(&[0, 1, 2, 5, 6, 9]),
            Content::Runs(vec![[0, 3], [5, 2], [9, 1]])
        );
        assert_eq!(runs(&[]), Content::Runs(vec![]));
    }

    #[test]
    fn what_a_browser_cannot_hold_is_refused() {
        let error = Writer::default()
            .room("states", MAX_BUFFER + 1, 0)
            .expect_err("more than a buffer");
        assert!(error.to_string().contains("states") && error.hint().is_some());
        assert_eq!(error.exit_code(), 2);
    }
}
