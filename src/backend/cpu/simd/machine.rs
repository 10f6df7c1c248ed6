//! What the machine offers, and what it calls itself.

use pulp::{Arch, Simd, WithSimd};

use crate::backend::Device;

/// What the instruction set offers.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    pub lanes: usize,
    pub registers: usize,
}

struct Describe;

impl WithSimd for Describe {
    type Output = Machine;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Machine {
        Machine {
            lanes: S::F32_LANES,
            registers: S::REGISTER_COUNT,
        }
    }
}

pub fn machine(arch: Arch) -> Machine {
    arch.dispatch(Describe)
}

pub fn describe(arch: Arch, threads: usize) -> Device {
    let plural = if threads == 1 { "" } else { "s" };
    Device {
        backend: "cpu",
        name: format!(
            "{}, {}, {threads} thread{plural}",
            processor(),
            instruction_set(arch)
        ),
    }
}

/// The processor's model name where the operating system tells it cheaply, else its architecture.
fn processor() -> String {
    let from_linux = || {
        let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
        let line = info.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_string())
    };
    from_linux().unwrap_or_else(|| std::env::consts::ARCH.to_string())
}

/// What the machine can run, widest first.
pub fn instruction_sets() -> Vec<Arch> {
    let mut sets = vec![Arch::new()];
    #[cfg(target_arch = "x86_64")]
    if matches!(sets[0], Arch::V4(_)) {
        sets.extend(pulp::x86::V3::try_new().map(Arch::V3));
    }
    if !matches!(sets[0], Arch::Scalar) {
        sets.push(Arch::Scalar);
    }
    sets
}

fn instruction_set(arch: Arch) -> &'static str {
    match arch {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(_) => "AVX-512",
        #[cfg(target_arch = "x86_64")]
        Arch::V3(_) => "AVX2",
        #[cfg(target_arch = "aarch64")]
        Arch::Neon(_) => "NEON",
        _ => "no SIMD",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_runs_plain_rust() {
        let sets = instruction_sets();
        assert!(matches!(sets.last(), Some(Arch::Scalar)));
    }

    #[test]
    fn names_processor_instructions_and_threads() {
        let device = describe(Arch::Scalar, 2);
        assert_eq!(device.backend, "cpu");
        assert!(device.name.ends_with(", no SIMD, 2 threads"), "{}", device.name);
        assert!(describe(Arch::Scalar, 1).name.ends_with(", 1 thread"));
    }
}
