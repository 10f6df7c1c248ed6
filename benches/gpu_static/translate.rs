//! WGSL to SPIR-V, MSL and HLSL by naga, with the options that wgpu sets.

use std::fs;
use std::path::Path;

use clap::ValueEnum;
use naga::back::{hlsl, msl, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Module, ResourceBinding, ShaderStage};

use crate::shapes::Source;

/// Which of wgpu's run-time checks stand in the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Checks {
    /// wgpu's default, which the program keeps.
    All,
    /// All but an end to every loop.
    UnboundedLoops,
    None,
}

/// A kernel in three languages.
pub struct Translated {
    pub spirv: Vec<u32>,
    msl: String,
    /// MSL as `nvidia.py` takes it: buffers checked and workgroup memory zeroed by the device, as by NVIDIA's driver.
    for_cuda: String,
    hlsl: String,
}

impl Translated {
    pub fn keep(&self, folder: &Path, source: &Source) -> Result<(), String> {
        let file = |end: &str| folder.join(format!("{}.{end}", source.stem()));
        let words: Vec<u8> = self.spirv.iter().flat_map(|word| word.to_le_bytes()).collect();
        let written = fs::create_dir_all(folder)
            .and_then(|()| fs::write(file("wgsl"), &source.shader.source))
            .and_then(|()| fs::write(file("spv"), words))
            .and_then(|()| fs::write(file("metal"), &self.msl))
            .and_then(|()| fs::write(file("cuda.metal"), &self.for_cuda))
            .and_then(|()| fs::write(file("hlsl"), &self.hlsl));
        written.map_err(|error| format!("{}: {error}", folder.display()))
    }
}

/// All translations of a kernel.
pub fn all(source: &Source, checks: Checks) -> Result<Translated, String> {
    let failed =
        |language: &str, error: &dyn std::fmt::Display| format!("{} to {language}: {error}", source.name());
    let text = &source.shader.source;
    let module = naga::front::wgsl::parse_str(text).map_err(|e| e.emit_to_string(text))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .map_err(|e| e.emit_to_string(text))?;
    Ok(Translated {
        spirv: to_spirv(&module, &info, checks).map_err(|e| failed("SPIR-V", &e))?,
        msl: to_msl(&module, &info, checks, BoundsCheckPolicy::Restrict).map_err(|e| failed("MSL", &e))?,
        for_cuda: to_msl(&module, &info, checks, BoundsCheckPolicy::Unchecked)
            .map_err(|e| failed("MSL", &e))?,
        hlsl: to_hlsl(&module, &info, checks).map_err(|e| failed("HLSL", &e))?,
    })
}

/// Indices into arrays of a size known here are checked by wgpu; buffers by the device where it can (`robustBufferAccess2`, as RADV
/// and NVIDIA's driver do).
fn policies(checks: Checks, buffer: BoundsCheckPolicy) -> BoundsCheckPolicies {
    let unless_trusted = |policy| match checks {
        Checks::None => BoundsCheckPolicy::Unchecked,
        _ => policy,
    };
    BoundsCheckPolicies {
        index: unless_trusted(BoundsCheckPolicy::Restrict),
        buffer: unless_trusted(buffer),
        ..BoundsCheckPolicies::default()
    }
}

fn bounded(checks: Checks) -> bool {
    checks == Checks::All
}

/// Where the buffers of a shader are bound.
fn bound(module: &Module) -> impl Iterator<Item = ResourceBinding> {
    module
        .global_variables
        .iter()
        .filter_map(|(_, variable)| variable.binding)
}

fn to_spirv(module: &Module, info: &ModuleInfo, checks: Checks) -> Result<Vec<u32>, spv::Error> {
    let options = spv::Options {
        lang_version: (1, 6),
        flags: spv::WriterFlags::empty(),
        bounds_check_policies: policies(checks, BoundsCheckPolicy::Unchecked),
        zero_initialize_workgroup_memory: match checks {
            Checks::None => spv::ZeroInitializeWorkgroupMemoryMode::None,
            _ => spv::ZeroInitializeWorkgroupMemoryMode::Native,
        },
        force_loop_bounding: bounded(checks),
        emit_int_div_checks: checks != Checks::None,
        ..spv::Options::default()
    };
    let entry = spv::PipelineOptions {
        shader_stage: ShaderStage::Compute,
        entry_point: "main".into(),
    };
    spv::write_vec(module, info, &options, Some(&entry))
}

fn to_msl(
    module: &Module,
    info: &ModuleInfo,
    checks: Checks,
    buffers: BoundsCheckPolicy,
) -> Result<String, msl::Error> {
    let slot = |at: ResourceBinding| {
        let target = msl::BindTarget {
            buffer: Some(at.binding as u8),
            mutable: true,
            ..msl::BindTarget::default()
        };
        (at, target)
    };
    let resources = msl::EntryPointResources {
        resources: bound(module).map(slot).collect(),
        sizes_buffer: Some(30),
        ..msl::EntryPointResources::default()
    };
    let options = msl::Options {
        lang_version: (2, 4),
        per_entry_point_map: [("main".to_owned(), resources)].into(),
        bounds_check_policies: policies(checks, buffers),
        zero_initialize_workgroup_memory: checks != Checks::None && buffers == BoundsCheckPolicy::Restrict,
        force_loop_bounding: bounded(checks),
        ..msl::Options::default()
    };
    let pipeline = msl::PipelineOptions::default();
    msl::write_string(module, info, &options, &pipeline).map(|(text, _)| text)
}

fn to_hlsl(module: &Module, info: &ModuleInfo, checks: Checks) -> Result<String, hlsl::Error> {
    let slot = |at: ResourceBinding| {
        let target = hlsl::BindTarget {
            register: at.binding,
            ..hlsl::BindTarget::default()
        };
        (at, target)
    };
    let options = hlsl::Options {
        shader_model: hlsl::ShaderModel::V6_0,
        binding_map: bound(module).map(slot).collect(),
        zero_initialize_workgroup_memory: checks != Checks::None,
        restrict_indexing: checks != Checks::None,
        force_loop_bounding: bounded(checks),
        ..hlsl::Options::default()
    };
    let pipeline = hlsl::PipelineOptions::default();
    let mut text = String::new();
    hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None)?;
    Ok(text)
}
