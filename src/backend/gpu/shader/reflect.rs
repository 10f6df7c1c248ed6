//! What a shader declares, read by naga: its bindings (bind group layouts are made from them, so an unused
//! binding is not dropped) and its workgroup memory (which wgpu does not hold against the limit).

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, StorageAccess};

use crate::backend::gpu::shader::source::{Constants, expand};

/// One `@group(0)` buffer of a shader; serialised as WebGPU's `GPUBufferBindingType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Binding {
    /// A uniform buffer, bound with a dynamic offset.
    #[serde(rename = "uniform")]
    Uniform,
    #[serde(rename = "read-only-storage")]
    Read,
    #[serde(rename = "storage")]
    ReadWrite,
}

/// A shader that naga accepts.
#[derive(Debug)]
pub struct Shader {
    pub source: String,
    /// Names and kinds by binding number, from 0 without gaps.
    pub bindings: Vec<(String, Binding)>,
    /// Bytes of workgroup memory.
    pub workgroup_memory: u32,
    /// Invocations of a workgroup.
    pub workgroup_size: u32,
}

impl Shader {
    /// A kernel by its file under `shaders/`, without the extension.
    pub fn of_kernel(name: &str, constants: &Constants) -> Result<Self, String> {
        expand(&format!("{name}.wgsl"), constants)
            .and_then(Self::new)
            .map_err(|e| format!("shaders/{name}.wgsl: {e}"))
    }

    /// Parses and validates; the error is naga's, with the line it points at.
    pub fn new(source: String) -> Result<Self, String> {
        let module = naga::front::wgsl::parse_str(&source).map_err(|e| e.emit_to_string(&source))?;
        Validator::new(ValidationFlags::all(), Capabilities::empty())
            .validate(&module)
            .map_err(|e| e.emit_to_string(&source))?;
        let mut layouter = naga::proc::Layouter::default();
        layouter.update(module.to_ctx()).map_err(|e| e.to_string())?;

        let mut bindings = Vec::new();
        let mut workgroup_memory = 0;
        for (_, global) in module.global_variables.iter() {
            match (&global.binding, global.space) {
                (None, AddressSpace::WorkGroup) => {
                    workgroup_memory += layouter[global.ty].size.next_multiple_of(16);
                }
                (None, AddressSpace::Private) => {}
                (Some(at), space) => {
                    let name = global.name.clone().unwrap_or_default();
                    bindings.push((at.binding, (name, kind(space)?)));
                }
                (None, space) => return Err(format!("unexpected global in {space:?}")),
            }
        }
        bindings.sort_by_key(|(at, _)| *at);
        if bindings.iter().zip(0..).any(|((at, _), i)| *at != i) {
            return Err("bindings are not numbered from 0 without gaps".into());
        }
        let [entry] = &module.entry_points[..] else {
            return Err("not exactly one entry point".into());
        };
        Ok(Self {
            bindings: bindings.into_iter().map(|(_, b)| b).collect(),
            workgroup_memory,
            workgroup_size: entry.workgroup_size.iter().product(),
            source,
        })
    }
}

fn kind(space: AddressSpace) -> Result<Binding, String> {
    match space {
        AddressSpace::Uniform => Ok(Binding::Uniform),
        AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => Ok(Binding::ReadWrite),
        AddressSpace::Storage { .. } => Ok(Binding::Read),
        other => Err(format!("unexpected binding in {other:?}")),
    }
}
