//! A device that is lost while it trains: a CPU in a wrapper that fails at a chosen call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use alrnn_gpu::backend::cpu::CpuBackend;
use alrnn_gpu::backend::{
    Backend, Device, Ensemble, EnsembleState, EpochResult, Form, FreeModel, FreeRun, Gradient, Member, Plan,
    TrainingData, Windows,
};
use alrnn_gpu::config::Settings;
use alrnn_gpu::error::{Error, Result};
use alrnn_gpu::model::{Dims, Shape, Theta};
use alrnn_gpu::train::{Data, Ending, Place, Task};
use ndarray::Array2;

use crate::Test;
use crate::cli_common::{Workplace, assert_same_results};

pub fn tests() -> Vec<Test> {
    vec![("a_lost_device_leaves_the_checkpoint", lost_device, None)]
}

/// Calls that are left before the device is lost.
struct Fuse(AtomicUsize);

impl Fuse {
    fn burn(&self) -> Result<()> {
        let left = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        match left {
            Ok(_) => Ok(()),
            Err(_) => {
                Err(Error::runtime("the test's GPU was lost").with_hint("resume from the last checkpoint"))
            }
        }
    }
}

struct Losing {
    cpu: CpuBackend,
    fuse: Arc<Fuse>,
}

impl Backend for Losing {
    fn device(&self) -> &Device {
        self.cpu.device()
    }

    fn ensemble(
        &self,
        plan: Plan,
        data: Arc<TrainingData>,
        state: &EnsembleState,
    ) -> Result<Box<dyn Ensemble>> {
        self.fuse.burn()?;
        Ok(Box::new(LosingEnsemble {
            ensemble: self.cpu.ensemble(plan, data, state)?,
            fuse: Arc::clone(&self.fuse),
        }))
    }

    fn gradient(
        &self,
        shape: Shape,
        member: &Member,
        form: Form,
        theta: &Theta,
        windows: &Windows,
    ) -> Result<Gradient> {
        self.cpu.gradient(shape, member, form, theta, windows)
    }

    fn free_run(
        &self,
        dims: Dims,
        models: &[FreeModel<'_>],
        runs: &[FreeRun],
        latent: bool,
    ) -> Result<Vec<Vec<Array2<f32>>>> {
        self.fuse.burn()?;
        self.cpu.free_run(dims, models, runs, latent)
    }
}

struct LosingEnsemble {
    ensemble: Box<dyn Ensemble>,
    fuse: Arc<Fuse>,
}

impl Ensemble for LosingEnsemble {
    fn train_epoch(&mut self) -> Result<()> {
        self.fuse.burn()?;
        self.ensemble.train_epoch()
    }

    fn results(&mut self, wait: bool) -> Result<Vec<EpochResult>> {
        self.fuse.burn()?;
        self.ensemble.results(wait)
    }

    fn state(&mut self) -> Result<EnsembleState> {
        self.fuse.burn()?;
        self.ensemble.state()
    }

    fn windows(&mut self, member: usize, step: u32) -> Result<Windows> {
        self.ensemble.windows(member, step)
    }
}

/// A small study and its data.
struct Case {
    settings: Settings,
    data: Data,
}

impl Case {
    fn new(w: &Workplace) -> Self {
        let text = "M = 5\nT = 10\ntau = 5\nseeds = 2\nepochs = 6\nbatches-per-epoch = 5\neval-every = 2\nbatch-size = 4";
        let settings = w.settings(text);
        Self {
            data: Data::load(&settings).expect("data"),
            settings,
        }
    }

    /// Trains, from the checkpoint where there is one, with this many calls before the device is lost.
    fn train(&self, place: &Place, calls: usize) -> Result<Ending> {
        let backend = Arc::new(Losing {
            cpu: CpuBackend::new(Some(1))?,
            fuse: Arc::new(Fuse(AtomicUsize::new(calls))),
        });
        let task = Task::new(&self.settings, &self.data)?;
        let outcome = task.run(backend, place, &AtomicBool::new(false), &mut ())?;
        Ok(outcome.ending)
    }
}

/// The device is lost at its first call, its second, … until it lasts to the end. Each time the error is the
/// device's sentence, and what was trained so far goes on to the same bits.
fn lost_device() {
    let w = Workplace::with_data(300);
    let case = Case::new(&w);
    let whole = Place::New(w.path("whole"));
    assert_eq!(case.train(&whole, usize::MAX).expect("trained"), Ending::Finished);
    let mut lost = 0;
    loop {
        let name = format!("run-{lost}");
        match case.train(&Place::New(w.path(&name)), lost) {
            Ok(ending) => {
                assert_eq!(ending, Ending::Finished);
                break;
            }
            Err(error) => {
                assert_eq!(
                    (error.to_string().as_str(), error.exit_code()),
                    ("the test's GPU was lost", 1)
                );
                assert!(error.hint().is_some());
            }
        }
        assert_eq!(
            case.train(&Place::Resume(w.path(&name)), usize::MAX)
                .expect("resumed"),
            Ending::Finished
        );
        assert_same_results(&w, "whole", &name);
        lost += 1;
    }
    println!("the device was lost at each of its {lost} calls; every run went on to the same bits");
    assert!(lost > 6 * 2, "only {lost} calls");
}
