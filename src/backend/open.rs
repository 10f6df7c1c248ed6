use std::sync::Arc;

use crate::backend::cpu::CpuBackend;
use crate::backend::golden::{TOLERANCE, built_in_cases, check_case};
use crate::backend::gpu::{GpuBackend, GpuOptions, hardware_available};
use crate::backend::{Backend, Form};
use crate::config::BackendChoice;
use crate::error::{Error, Result};

/// Opens the backend asked for.
///
/// `Auto` is a hardware GPU where there is one that can be opened (a warning says if it cannot) and the CPU
/// otherwise; `device` (a graphics adapter's number or a part of its name) asks for the GPU. A software rasteriser is
/// taken only when the GPU is asked for. The CPU backend works on rayon's global pool.
///
/// # Errors
/// When there is no adapter for an explicit request, or it cannot be opened.
pub fn open(choice: BackendChoice, device: Option<&str>) -> Result<Arc<dyn Backend>> {
    choose(choice, device, Ok)
}

/// [`open`] for training: a GPU must pass [`refuse_wrong_results`] before it counts as opened.
///
/// # Errors
/// As [`open`]; also when a GPU that was asked for computes wrong results.
pub fn open_checked(choice: BackendChoice, device: Option<&str>) -> Result<Arc<dyn Backend>> {
    choose(choice, device, checked)
}

fn choose(
    choice: BackendChoice,
    device: Option<&str>,
    accept: impl Fn(Arc<dyn Backend>) -> Result<Arc<dyn Backend>>,
) -> Result<Arc<dyn Backend>> {
    let cpu = || -> Result<Arc<dyn Backend>> { Ok(Arc::new(CpuBackend::new(None)?)) };
    let gpu = || -> Result<Arc<dyn Backend>> {
        let options = GpuOptions {
            adapter: device.map(str::to_owned),
            allow_software: true,
            ..GpuOptions::default()
        };
        accept(Arc::new(GpuBackend::new(&options)?))
    };
    match choice {
        BackendChoice::Cpu if device.is_some() => Err(Error::input(
            "--device names a graphics adapter, --backend cpu uses none",
        )
        .with_hint("leave one of the two out")),
        BackendChoice::Cpu => cpu(),
        BackendChoice::Gpu => gpu(),
        BackendChoice::Auto if device.is_some() => gpu(),
        BackendChoice::Auto if hardware_available() => gpu().or_else(|error| instead_of(&error, cpu)),
        BackendChoice::Auto => cpu(),
    }
}

/// The CPU in the place of a GPU that nobody asked for by name and that failed.
fn instead_of(error: &Error, cpu: impl FnOnce() -> Result<Arc<dyn Backend>>) -> Result<Arc<dyn Backend>> {
    log::warn!("{error}; going on with the CPU (--backend gpu insists on the GPU)");
    cpu()
}

fn checked(backend: Arc<dyn Backend>) -> Result<Arc<dyn Backend>> {
    refuse_wrong_results(backend.as_ref())?;
    Ok(backend)
}

/// Computes the built-in golden cases on the device, so that a driver that computes wrong results is refused
/// before it trains anything.
///
/// # Errors
/// Names the device and the case that it failed.
pub fn refuse_wrong_results(backend: &dyn Backend) -> Result<()> {
    // All forms may be trained in; two cases touch what the almost-linear one's kernels do differently for few and many
    // ReLU units, one those that keep a block in workgroup memory.
    let cases = built_in_cases();
    let others = [
        ("inputs", Form::Blocked),
        ("all_relu", Form::Blocked),
        ("gtf", Form::Fused),
    ];
    let others = others.into_iter().flat_map(|(name, form)| {
        let named = cases.iter().filter(move |case| case.name == name);
        named.map(move |case| (case, form))
    });
    for (case, form) in cases.iter().map(|case| (case, Form::Plain)).chain(others) {
        let errors = check_case(backend, case, form)?;
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

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::backend::reference::ReferenceBackend;
    use crate::backend::{
        Device, Ensemble, EnsembleState, FreeModel, FreeRun, Gradient, Member, Plan, TrainingData, Windows,
    };
    use crate::model::{Dims, Shape, Theta};

    /// A driver that computes wrong results: the reference with one entry of one gradient replaced.
    struct Wrong {
        reference: ReferenceBackend,
        spoil: fn(&mut f64),
    }

    impl Backend for Wrong {
        fn device(&self) -> &Device {
            self.reference.device()
        }

        fn ensemble(
            &self,
            plan: Plan,
            data: Arc<TrainingData>,
            state: &EnsembleState,
        ) -> Result<Box<dyn Ensemble>> {
            self.reference.ensemble(plan, data, state)
        }

        fn gradient(
            &self,
            shape: Shape,
            member: &Member,
            form: Form,
            theta: &Theta,
            windows: &Windows,
        ) -> Result<Gradient> {
            let mut gradient = self.reference.gradient(shape, member, form, theta, windows)?;
            (self.spoil)(&mut gradient.theta.W[[0, 0]]);
            Ok(gradient)
        }

        fn free_run(
            &self,
            dims: Dims,
            models: &[FreeModel<'_>],
            runs: &[FreeRun],
            latent: bool,
        ) -> Result<Vec<Vec<Array2<f32>>>> {
            self.reference.free_run(dims, models, runs, latent)
        }
    }

    fn wrong(spoil: fn(&mut f64)) -> Arc<dyn Backend> {
        let reference = ReferenceBackend::default();
        Arc::new(Wrong { reference, spoil })
    }

    #[test]
    fn a_device_that_computes_wrong_results_is_refused() {
        checked(wrong(|_| {})).map(drop).expect("nothing is wrong");
        let spoils: [fn(&mut f64); 3] = [|v| *v += 0.01, |v| *v = f64::NAN, |v| *v = f64::INFINITY];
        for spoil in spoils {
            let error = checked(wrong(spoil)).map(drop).expect_err("a wrong gradient");
            assert!(
                error.to_string().contains("computes wrong gradients (case "),
                "{error}"
            );
            assert!(error.hint().is_some_and(|hint| hint.contains("--backend cpu")));
            assert_eq!(error.exit_code(), 1);
        }
    }

    #[test]
    fn auto_goes_on_with_the_cpu() {
        let cpu = || -> Result<Arc<dyn Backend>> { Ok(Arc::new(CpuBackend::new(Some(1))?)) };
        let opened = checked(wrong(|v| *v = -*v - 1.0)).or_else(|error| instead_of(&error, cpu));
        assert_eq!(opened.expect("the CPU").device().backend, "cpu");
    }
}
