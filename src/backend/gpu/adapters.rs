//! The adapters of this machine and the choice of one.

use crate::backend::gpu::GpuOptions;
use crate::backend::gpu::layout::plain::Capacity;
use crate::error::{Error, Result};

pub const INSTALL: &str = "install the vendor's Vulkan driver (Debian's software one: package mesa-vulkan-drivers; DirectX needs \
                       dxcompiler.dll beside the program), or use --backend cpu";

/// An adapter as the `devices` command lists it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct AdapterDescription {
    pub name: String,
    /// For example `discrete GPU`, `software`.
    pub kind: &'static str,
    /// For example `Vulkan`.
    pub api: String,
    pub driver: String,
    /// Largest buffer that a kernel can use, in bytes.
    pub max_buffer: u64,
    /// Workgroup memory in bytes.
    pub workgroup_memory: u32,
    /// Threads of a workgroup.
    pub workgroup_threads: u32,
    /// Whether kernels can be timed on the device.
    pub timestamps: bool,
    /// Whether `auto` uses it.
    pub taken: bool,
    /// Why, or why not.
    pub reason: String,
}

pub fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12,
        flags: wgpu::InstanceFlags::empty(),
        // DirectX only with a compiler that is kept up: the one that Windows has of old refuses some of the loops.
        backend_options: wgpu::BackendOptions {
            dx12: wgpu::Dx12BackendOptions {
                shader_compiler: wgpu::Dx12Compiler::default_dynamic_dxc(),
                ..wgpu::Dx12BackendOptions::default()
            },
            ..wgpu::BackendOptions::default()
        },
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    })
}

pub fn enumerate(instance: &wgpu::Instance) -> Vec<wgpu::Adapter> {
    pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()))
}

/// Preference of `auto` among hardware (a software rasteriser comes last and only when asked for), and the kind in words.
fn kind(device_type: wgpu::DeviceType) -> (u8, &'static str) {
    match device_type {
        wgpu::DeviceType::DiscreteGpu => (0, "discrete GPU"),
        wgpu::DeviceType::VirtualGpu => (1, "virtual GPU"),
        wgpu::DeviceType::IntegratedGpu => (2, "integrated GPU"),
        wgpu::DeviceType::Other => (3, "other"),
        wgpu::DeviceType::Cpu => (4, "software"),
    }
}

fn is_software(info: &wgpu::AdapterInfo) -> bool {
    info.device_type == wgpu::DeviceType::Cpu
}

/// What the kernels need of any adapter, or why this one will not do.
fn unsuitable(limits: &wgpu::Limits) -> Option<String> {
    let floor = Capacity::FLOOR;
    let checks = [
        (
            "storage buffers in a kernel",
            limits.max_storage_buffers_per_shader_stage,
            8,
        ),
        (
            "bytes of workgroup memory",
            limits.max_compute_workgroup_storage_size,
            floor.workgroup_memory as u32,
        ),
        (
            "threads in a workgroup",
            limits.max_compute_invocations_per_workgroup,
            floor.threads as u32,
        ),
    ];
    checks
        .into_iter()
        .find(|&(_, has, needs)| has < needs)
        .map(|(what, has, needs)| format!("has {has} {what} where {needs} are needed"))
}

/// The best hardware adapter, by kind, then in the order the system lists them.
fn preferred(adapters: &[wgpu::Adapter], allow_software: bool) -> Option<usize> {
    (0..adapters.len())
        .filter(|&i| allow_software || !is_software(&adapters[i].get_info()))
        .filter(|&i| unsuitable(&adapters[i].limits()).is_none())
        .min_by_key(|&i| kind(adapters[i].get_info().device_type).0)
}

/// All adapters of this machine in the order that a number in `--device` counts.
pub fn adapters() -> Vec<AdapterDescription> {
    let adapters = enumerate(&instance());
    let taken = preferred(&adapters, false);
    let describe = |(i, adapter): (usize, &wgpu::Adapter)| {
        let (info, limits) = (adapter.get_info(), adapter.limits());
        let reason = match unsuitable(&limits) {
            Some(why) => why,
            None if taken == Some(i) => "the first of the best kind".into(),
            None if is_software(&info) => "software, used only when asked for (`--device`)".into(),
            None => "another comes before it; name it with `--device`".into(),
        };
        AdapterDescription {
            kind: kind(info.device_type).1,
            api: format!("{:?}", info.backend),
            driver: driver(&info),
            name: info.name,
            max_buffer: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
            workgroup_memory: limits.max_compute_workgroup_storage_size,
            workgroup_threads: limits.max_compute_invocations_per_workgroup,
            timestamps: adapter.features().contains(wgpu::Features::TIMESTAMP_QUERY),
            taken: taken == Some(i),
            reason,
        }
    };
    adapters.iter().enumerate().map(describe).collect()
}

/// Whether there is a GPU that `auto` may take (a software rasteriser is none).
pub fn hardware_available() -> bool {
    device_files() && preferred(&enumerate(&instance()), false).is_some()
}

/// Whether Linux shows a file of any GPU's kernel driver. Where it shows none there is nothing to find, and loading
/// the Vulkan drivers to learn that takes time and lets them write complaints to stderr.
fn device_files() -> bool {
    let files = [
        "/dev/dri",
        "/dev/nvidiactl",
        "/dev/kfd",
        "/dev/dxg",
        "/dev/mali0",
        "/dev/nvmap",
    ];
    !cfg!(target_os = "linux") || files.iter().any(|file| std::path::Path::new(file).exists())
}

pub fn driver(info: &wgpu::AdapterInfo) -> String {
    format!("{} {}", info.driver, info.driver_info).trim().to_owned()
}

/// Index of the adapter that the options ask for.
pub fn choose(adapters: &[wgpu::Adapter], options: &GpuOptions) -> Result<usize> {
    let names = || -> String {
        let list = adapters.iter().enumerate();
        list.map(|(i, a)| format!("{i}: {}", a.get_info().name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    if adapters.is_empty() {
        return Err(Error::input("no GPU adapter was found on this machine").with_hint(INSTALL));
    }
    let Some(wanted) = &options.adapter else {
        return preferred(adapters, options.allow_software).ok_or_else(|| {
            Error::input(format!("no hardware GPU was found, only: {}", names())).with_hint(
                "install the GPU's Vulkan driver, use --backend cpu, or name the software adapter with --device",
            )
        });
    };
    let lower = wanted.to_lowercase();
    let found = match wanted.parse::<usize>() {
        Ok(index) => Some(index).filter(|&i| i < adapters.len()),
        Err(_) => adapters
            .iter()
            .position(|a| a.get_info().name.to_lowercase().contains(&lower)),
    };
    let index = found.ok_or_else(|| {
        Error::input(format!("no adapter matches --device {wanted}"))
            .with_hint(format!("there are {}", names()))
    })?;
    match unsuitable(&adapters[index].limits()) {
        Some(why) => Err(Error::input(format!("{} {why}", adapters[index].get_info().name))),
        None => Ok(index),
    }
}
