use std::sync::Arc;

use crate::backend::cpu::CpuBackend;
use crate::backend::golden::{TOLERANCE, built_in_cases, check_case};
use crate::backend::gpu::{GpuBackend, GpuOptions, hardware_available};
use crate::backend::{Backend, Form};
use crate::config::BackendChoice;
use crate::error::{Error, Result};

/// Opens the backend asked for.
///
/// `Auto` is a hardware GPU where there is one and the CPU otherwise; `device` (a graphics adapter's number or a
/// part of its name) asks for the GPU. The CPU backend works on rayon's global pool. A software rasteriser is taken only when the GPU is asked for.
///
/// # Errors
/// When there is no adapter for an explicit request, or it cannot be opened.
pub fn open(choice: BackendChoice, device: Option<&str>) -> Result<Arc<dyn Backend>> {
    let gpu = match choice {
        BackendChoice::Gpu => true,
        BackendChoice::Auto => device.is_some() || hardware_available(),
        BackendChoice::Cpu if device.is_some() => {
            return Err(
                Error::input("--device names a graphics adapter, --backend cpu uses none")
                    .with_hint("leave one of the two out"),
            );
        }
        BackendChoice::Cpu => false,
    };
    if gpu {
        let options = GpuOptions {
            adapter: device.map(str::to_owned),
            allow_software: true,
            ..GpuOptions::default()
        };
        Ok(Arc::new(GpuBackend::new(&options)?))
    } else {
        Ok(Arc::new(CpuBackend::new(None)?))
    }
}

/// Computes the built-in golden cases on the device, so that a driver that computes wrong results is refused
/// before it trains anything.
///
/// # Errors
/// Names the device and the case that it failed.
pub fn refuse_wrong_results(backend: &dyn Backend) -> Result<()> {
    for case in built_in_cases() {
        let errors = check_case(backend, &case, Form::Auto)?;
        if !errors.within(TOLERANCE) {
            let device = &backend.device().name;
            return Err(Error::runtime(format!(
                "{device} computes wrong gradients (case {}: relative error {:.1e})",
                case.name,
                errors.worst()
            ))
            .with_hint("update its driver, choose another --device, or use --backend cpu; `selftest` shows all cases"));
        }
    }
    Ok(())
}
