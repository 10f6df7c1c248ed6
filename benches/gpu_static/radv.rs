//! Compute pipelines by Mesa's RADV for a card that is not there, and the driver's own statistics of them
//! (`VK_KHR_pipeline_executable_properties`).
//!
//! The driver reads which family to stand for once, so every family is a child process.
#![allow(unsafe_code, reason = "Vulkan's functions are")]

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use ash::{Device, Entry, khr, vk};
use serde::{Deserialize, Serialize};

use crate::assembly::{Loop, hottest};

/// Where distributions put the driver's manifest; the rest of its name is the architecture.
const MANIFESTS: &str = "/usr/share/vulkan/icd.d";

/// Tells a child that it is one.
pub const CHILD: &str = "--child";

/// How to get the driver.
pub const INSTALL: &str = "Mesa's RADV is not installed (Debian: mesa-vulkan-drivers)";

/// A pipeline to be made.
#[derive(Deserialize, Serialize)]
pub struct Job {
    pub name: String,
    /// Whether each of the bindings from 0 is a uniform buffer; the others are storage.
    pub uniform: Vec<bool>,
    pub spirv: Vec<u32>,
}

/// What the driver says of one.
#[derive(Deserialize, Serialize)]
pub struct Report {
    pub statistics: BTreeMap<String, u64>,
    pub hottest: Loop,
    pub seconds: f64,
}

impl Report {
    /// 0 where the driver does not tell.
    pub fn statistic(&self, name: &str) -> u64 {
        self.statistics.get(name).copied().unwrap_or(0)
    }

    /// Registers.
    pub fn spilled(&self) -> u64 {
        self.statistic("Spilled VGPRs") + self.statistic("Spilled SGPRs")
    }
}

/// A child's answer.
#[derive(Deserialize, Serialize)]
struct Answer {
    device: String,
    reports: Vec<Report>,
}

/// The name of the device and what became of each job.
pub fn compile(family: &str, jobs: &[Job]) -> Result<(String, Vec<Report>), String> {
    let manifest = manifest().ok_or(INSTALL)?;
    let failed = |what: &str| format!("the child for {family} {what}");
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new(program)
        .arg(CHILD)
        .env("VK_DRIVER_FILES", &manifest)
        .env("VK_ICD_FILENAMES", &manifest)
        .env("RADV_FORCE_FAMILY", family)
        .env("MESA_SHADER_CACHE_DISABLE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&format!("does not start: {error}")))?;
    let input = BufWriter::new(child.stdin.take().expect("it is piped"));
    serde_json::to_writer(input, jobs).map_err(|error| failed(&format!("does not listen: {error}")))?;
    let output = child
        .wait_with_output()
        .map_err(|error| failed(&error.to_string()))?;
    if !output.status.success() {
        return Err(failed(&format!("ended with {}", output.status)));
    }
    let answer: Answer =
        serde_json::from_slice(&output.stdout).map_err(|error| failed(&format!("says: {error}")))?;
    Ok((answer.device, answer.reports))
}

pub fn is_installed() -> bool {
    manifest().is_some()
}

fn manifest() -> Option<std::path::PathBuf> {
    let entries = std::fs::read_dir(Path::new(MANIFESTS)).ok()?.flatten();
    let mut paths = entries.map(|entry| entry.path());
    paths.find(|path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("radeon_icd"))
    })
}

/// The child's part: jobs from standard input, an answer to standard output.
pub fn child() -> Result<Vec<String>, String> {
    let jobs: Vec<Job> =
        serde_json::from_reader(std::io::stdin().lock()).map_err(|error| error.to_string())?;
    let driver = Driver::open().map_err(|error| format!("Vulkan: {error}"))?;
    let reports = jobs.iter().map(|job| {
        driver
            .report(job)
            .map_err(|error| format!("{}: {error}", job.name))
    });
    let answer = Answer {
        reports: reports.collect::<Result<_, _>>()?,
        device: driver.name,
    };
    let text = serde_json::to_vec(&answer).map_err(|error| error.to_string())?;
    std::io::stdout()
        .write_all(&text)
        .map_err(|error| error.to_string())?;
    Ok(Vec::new())
}

type Failure = Box<dyn std::error::Error>;

/// An open device; it ends with its process.
struct Driver {
    name: String,
    device: Device,
    executables: khr::pipeline_executable_properties::Device,
    _entry: Entry,
}

impl Driver {
    fn open() -> Result<Self, Failure> {
        // SAFETY: the loader is the system's; handles are used while what they are of lives.
        unsafe {
            let entry = Entry::load()?;
            let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
            let instance = entry.create_instance(
                &vk::InstanceCreateInfo::default().application_info(&application),
                None,
            )?;
            let physical = *instance
                .enumerate_physical_devices()?
                .first()
                .ok_or("no device")?;
            let properties = instance.get_physical_device_properties(physical);
            let queues = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
            // As wgpu asks for them, and what lets the driver talk.
            let extensions = [
                khr::pipeline_executable_properties::NAME.as_ptr(),
                vk::EXT_ROBUSTNESS2_NAME.as_ptr(),
            ];
            let mut talks = vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default()
                .pipeline_executable_info(true);
            let mut robust = vk::PhysicalDeviceRobustness2FeaturesEXT::default().robust_buffer_access2(true);
            let mut zeroes = vk::PhysicalDeviceZeroInitializeWorkgroupMemoryFeatures::default()
                .shader_zero_initialize_workgroup_memory(true);
            let features = vk::PhysicalDeviceFeatures::default().robust_buffer_access(true);
            let information = vk::DeviceCreateInfo::default()
                .queue_create_infos(&queues)
                .enabled_extension_names(&extensions)
                .enabled_features(&features)
                .push_next(&mut talks)
                .push_next(&mut robust)
                .push_next(&mut zeroes);
            let device = instance.create_device(physical, &information, None)?;
            Ok(Self {
                name: properties.device_name_as_c_str()?.to_string_lossy().into_owned(),
                executables: khr::pipeline_executable_properties::Device::new(&instance, &device),
                device,
                _entry: entry,
            })
        }
    }

    fn report(&self, job: &Job) -> Result<Report, Failure> {
        let kind = |&uniform: &bool| match uniform {
            true => vk::DescriptorType::UNIFORM_BUFFER_DYNAMIC,
            false => vk::DescriptorType::STORAGE_BUFFER,
        };
        let binding = |(at, uniform)| {
            vk::DescriptorSetLayoutBinding::default()
                .binding(at)
                .descriptor_type(kind(uniform))
                .descriptor_count(1)
                .stage_flags(vk::ShaderStageFlags::COMPUTE)
        };
        let bindings: Vec<_> = (0..).zip(&job.uniform).map(binding).collect();
        // SAFETY: everything handed over is made here, on this device, and lives until its process ends.
        unsafe {
            let device = &self.device;
            let set = device.create_descriptor_set_layout(
                &vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings),
                None,
            )?;
            let layout = device
                .create_pipeline_layout(&vk::PipelineLayoutCreateInfo::default().set_layouts(&[set]), None)?;
            let module =
                device.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(&job.spirv), None)?;
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(c"main");
            // Once as the program has it made, once with the driver's notes.
            let plain = [vk::ComputePipelineCreateInfo::default()
                .stage(stage)
                .layout(layout)];
            let start = Instant::now();
            device
                .create_compute_pipelines(vk::PipelineCache::null(), &plain, None)
                .map_err(|(_, error)| error)?;
            let seconds = start.elapsed().as_secs_f64();
            let flags = vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR
                | vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR;
            let talking = [plain[0].flags(flags)];
            let made = device
                .create_compute_pipelines(vk::PipelineCache::null(), &talking, None)
                .map_err(|(_, error)| error)?;
            let of = vk::PipelineExecutableInfoKHR::default().pipeline(made[0]);
            let statistics = self.executables.get_pipeline_executable_statistics(&of)?;
            let statistics = statistics
                .iter()
                .filter(|s| s.format == vk::PipelineExecutableStatisticFormatKHR::UINT64);
            let named = |name: &CStr, value: u64| (name.to_string_lossy().into_owned(), value);
            Ok(Report {
                statistics: statistics
                    .map(|s| Ok(named(s.name_as_c_str()?, s.value.u64)))
                    .collect::<Result<_, Failure>>()?,
                hottest: hottest(&self.assembly(&of)?),
                seconds,
            })
        }
    }

    /// The machine code in words.
    ///
    /// # Safety
    /// `of` is a pipeline of this device that was made with its representations kept.
    unsafe fn assembly(&self, of: &vk::PipelineExecutableInfoKHR<'_>) -> Result<String, Failure> {
        let get = self
            .executables
            .fp()
            .get_pipeline_executable_internal_representations_khr;
        let mut count = 0;
        // SAFETY: first the number, then the lengths, then the texts into memory of these lengths.
        unsafe {
            get(self.device.handle(), of, &mut count, std::ptr::null_mut()).result()?;
            let mut all = vec![vk::PipelineExecutableInternalRepresentationKHR::default(); count as usize];
            get(self.device.handle(), of, &mut count, all.as_mut_ptr()).result()?;
            let Some(last) = all.iter_mut().rfind(|one| {
                one.is_text == vk::TRUE
                    && one
                        .name_as_c_str()
                        .is_ok_and(|n| n.to_bytes().starts_with(b"Assembly"))
            }) else {
                return Ok(String::new());
            };
            let mut text = vec![0u8; last.data_size];
            last.p_data = text.as_mut_ptr().cast();
            get(self.device.handle(), of, &mut count, all.as_mut_ptr()).result()?;
            Ok(CStr::from_bytes_until_nul(&text).map(|text| text.to_string_lossy().into_owned())?)
        }
    }
}
