//! An open device whose failures come back as errors, and its compiled kernels.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::backend::gpu::GpuOptions;
use crate::backend::gpu::adapters::{INSTALL, choose, driver, enumerate, instance};
use crate::backend::gpu::layout::plain::Capacity;
use crate::backend::gpu::shader::reflect::{Binding, Shader};
use crate::backend::gpu::shader::source::Constants;
use crate::error::{Error, Result};

/// PCI's numbers of vendors whose threads have 256 registers, and Mesa's of its software rasteriser.
const NVIDIA: u32 = 0x10de;
const AMD: u32 = 0x1002;
const MESA: u32 = 0x10005;

/// A pipeline and its one bind group: its layout, and the names of its buffers in the order of their bindings.
#[derive(Debug)]
pub struct Kernel {
    /// File under `shaders/`, without its extension.
    pub name: &'static str,
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
    pub bindings: Vec<String>,
}

/// An open device.
#[derive(Debug)]
pub struct Gpu {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub info: wgpu::AdapterInfo,
    pub limits: wgpu::Limits,
    pub timestamps: bool,
    /// The first one; later ones follow from it.
    failure: Arc<OnceLock<Error>>,
    kernels: Mutex<HashMap<(&'static str, Constants), Arc<Kernel>>>,
}

impl Gpu {
    pub fn open(options: &GpuOptions) -> Result<Self> {
        let instance = instance();
        let adapters = enumerate(&instance);
        let adapter = &adapters[choose(&adapters, options)?];
        let info = adapter.get_info();
        let limits = adapter.limits();
        let features = adapter.features() & wgpu::Features::TIMESTAMP_QUERY;
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("alrnn-gpu"),
            required_features: features,
            required_limits: limits.clone(),
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        });
        let (device, queue) = pollster::block_on(request)
            .map_err(|e| Error::runtime(format!("cannot open {}: {e}", info.name)).with_hint(INSTALL))?;
        Ok(Self::with_device(device, queue))
    }

    /// Wraps a device that is open already (wgpu's noop device in tests).
    pub fn with_device(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let info = device.adapter_info();
        let failure = Arc::new(OnceLock::new());
        let (name, slot) = (info.name.clone(), Arc::clone(&failure));
        device.on_uncaptured_error(Arc::new(move |error| {
            slot.get_or_init(|| describe(&name, &error));
        }));
        let (name, slot) = (info.name.clone(), Arc::clone(&failure));
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                slot.get_or_init(|| lost(&name, &message));
            }
        });
        Self {
            limits: device.limits(),
            timestamps: device.features().contains(wgpu::Features::TIMESTAMP_QUERY),
            device,
            queue,
            info,
            failure,
            kernels: Mutex::default(),
        }
    }

    pub fn description(&self) -> String {
        format!(
            "{} ({:?}, driver {})",
            self.info.name,
            self.info.backend,
            driver(&self.info)
        )
    }

    pub fn capacity(&self) -> Capacity {
        Capacity {
            workgroup_memory: self.limits.max_compute_workgroup_storage_size as usize,
            threads: self.limits.max_compute_invocations_per_workgroup as usize,
            registers: match self.info.vendor {
                NVIDIA | AMD | MESA => 230,
                _ => Capacity::FLOOR.registers,
            },
        }
    }

    /// Largest buffer that can be bound whole, in bytes.
    pub fn max_buffer(&self) -> u64 {
        self.limits
            .max_storage_buffer_binding_size
            .min(self.limits.max_buffer_size)
    }

    /// The error that struck since the device was opened, if one did. The device is not used after it.
    pub fn check(&self) -> Result<()> {
        let Some(error) = self.failure.get() else {
            return Ok(());
        };
        let copy = Error::runtime(error.to_string());
        Err(match error.hint() {
            Some(hint) => copy.with_hint(hint),
            None => copy,
        })
    }

    /// Runs something that may fail for want of memory or by a mistake of ours, and returns the first such error
    /// without giving the device up.
    pub fn capture<T>(&self, run: impl FnOnce() -> T) -> (T, Option<wgpu::Error>) {
        let filters = [
            wgpu::ErrorFilter::Validation,
            wgpu::ErrorFilter::OutOfMemory,
            wgpu::ErrorFilter::Internal,
        ];
        let scopes = filters.map(|filter| self.device.push_error_scope(filter));
        let value = run();
        let last_first = scopes.into_iter().rev();
        let errors = last_first.map(|scope| pollster::block_on(scope.pop()));
        (value, errors.fold(None, Option::or))
    }

    /// [`Gpu::capture`] with the error in words.
    pub fn scoped<T>(&self, run: impl FnOnce() -> T) -> Result<T> {
        let (value, error) = self.capture(run);
        self.check()?;
        match error {
            None => Ok(value),
            Some(error) => Err(self.explain(&error)),
        }
    }

    /// An error of the device in words.
    pub fn explain(&self, error: &wgpu::Error) -> Error {
        describe(&self.info.name, error)
    }

    /// Waits until everything submitted so far is done.
    pub fn wait(&self) -> Result<()> {
        self.poll(wgpu::PollType::wait_indefinitely())
    }

    pub fn poll(&self, poll: wgpu::PollType) -> Result<()> {
        let polled = self.device.poll(poll);
        self.check()?;
        polled
            .map(drop)
            .map_err(|e| lost(&self.info.name, &e.to_string()))
    }

    /// The kernel with these constants, compiled at its first use.
    pub fn kernel(&self, name: &'static str, constants: &Constants) -> Result<Arc<Kernel>> {
        let key = (name, constants.clone());
        let mut kernels = self.kernels.lock();
        if let Some(kernel) = kernels.get(&key) {
            return Ok(Arc::clone(kernel));
        }
        let kernel = Arc::new(self.compile(name, constants)?);
        kernels.insert(key, Arc::clone(&kernel));
        Ok(kernel)
    }

    fn compile(&self, name: &'static str, constants: &Constants) -> Result<Kernel> {
        let shader = Shader::of_kernel(name, constants).map_err(Error::runtime)?;
        if shader.workgroup_memory > self.limits.max_compute_workgroup_storage_size {
            return Err(Error::runtime(format!(
                "kernel {name} needs {} bytes of workgroup memory, {} has {}",
                shader.workgroup_memory, self.info.name, self.limits.max_compute_workgroup_storage_size
            )));
        }
        self.scoped(|| self.pipeline(name, shader))
    }

    fn pipeline(&self, name: &'static str, shader: Shader) -> Kernel {
        let (label, device) = (Some(name), &self.device);
        let bindings = shader.bindings.iter().zip(0..);
        let entries: Vec<_> = bindings.map(|((_, kind), at)| entry(*kind, at)).collect();
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label,
            entries: &entries,
        });
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label,
            source: wgpu::ShaderSource::Wgsl(shader.source.into()),
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        Kernel {
            name,
            pipeline,
            layout,
            bindings: shader.bindings.into_iter().map(|(name, _)| name).collect(),
        }
    }
}

fn entry(binding: Binding, at: u32) -> wgpu::BindGroupLayoutEntry {
    let ty = match binding {
        Binding::Uniform => wgpu::BufferBindingType::Uniform,
        Binding::Read => wgpu::BufferBindingType::Storage { read_only: true },
        Binding::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
    };
    wgpu::BindGroupLayoutEntry {
        binding: at,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset: binding == Binding::Uniform,
            min_binding_size: None,
        },
        count: None,
    }
}

fn describe(name: &str, error: &wgpu::Error) -> Error {
    match error {
        wgpu::Error::OutOfMemory { .. } => Error::runtime(format!("{name} is out of memory"))
            .with_hint("close what else uses the GPU, train fewer members at once, or use --backend cpu"),
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
            let line = description.split_whitespace().collect::<Vec<_>>().join(" ");
            Error::runtime(format!("{name} refused a command: {line}"))
                .with_hint("this is a fault of the program or the driver; --backend cpu avoids it")
        }
    }
}

fn lost(name: &str, message: &str) -> Error {
    let message = message.trim().trim_end_matches('.');
    Error::runtime(format!("{name} was lost: {message}")).with_hint(
        "a driver reset or time-out ends the device for this process; resume from the last checkpoint, with \
         --backend cpu if it happens again",
    )
}
