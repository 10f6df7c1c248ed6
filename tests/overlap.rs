//! Training beside its own evaluations, on devices that are made for it: one that answers as late as it may, and one with a
//! clock, which only waits.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod cli_common;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use alrnn_gpu::backend::cpu::CpuBackend;
use alrnn_gpu::backend::{
    Backend, Device, Ensemble, EnsembleState, EpochResult, Form, FreeModel, FreeRun, Gradient, Member, Plan,
    Snapshot, TrainingData, Windows,
};
use alrnn_gpu::config::Settings;
use alrnn_gpu::error::{Error, Result};
use alrnn_gpu::model::{Dims, Shape, Theta};
use alrnn_gpu::train::{Data, Ending, Evaluation, Observer, Place, Task};
use cli_common::{Workplace, assert_same_results};
use ndarray::Array2;

fn train(
    w: &Workplace,
    settings: &Settings,
    out: &str,
    backend: Arc<dyn Backend>,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Ending> {
    let data = Data::load(settings)?;
    let task = Task::new(settings, &data)?;
    let outcome = task.run(backend, &Place::New(w.path(out)), stop, observer)?;
    Ok(outcome.ending)
}

/// Epochs between evaluations, and epochs in all.
const EVERY: u32 = 3;
const EPOCHS: u32 = 15;
/// Epochs whose results are not there yet, however often one asks without waiting.
const LATE: usize = 2;

/// What a device was asked for so far.
#[derive(Default)]
struct Progress {
    enqueued: u32,
    /// Epoch of the states that were read last.
    read: u32,
}

/// A device that lets nobody have the states of an epoch, nor run models freely, before later epochs are enqueued: whoever
/// waits for that instead of training on waits in vain.
struct Late {
    cpu: CpuBackend,
    progress: Arc<(Mutex<Progress>, Condvar)>,
}

/// Waits until so many epochs, at most all there are, were enqueued.
fn wait_for(progress: &(Mutex<Progress>, Condvar), epoch: u32) -> Result<()> {
    const LONG: Duration = Duration::from_secs(60);
    let (state, changed) = progress;
    let state = state.lock().expect("nobody panicked");
    let early = |state: &mut Progress| state.enqueued < epoch.min(EPOCHS);
    let (state, timeout) = (changed.wait_timeout_while(state, LONG, early)).expect("nobody panicked");
    drop(state);
    if timeout.timed_out() {
        return Err(Error::runtime(format!(
            "epoch {epoch} was not enqueued meanwhile"
        )));
    }
    Ok(())
}

impl Backend for Late {
    fn device(&self) -> &Device {
        self.cpu.device()
    }

    fn ensemble(
        &self,
        plan: Plan,
        data: Arc<TrainingData>,
        state: &EnsembleState,
    ) -> Result<Box<dyn Ensemble>> {
        Ok(Box::new(LateEnsemble {
            ensemble: self.cpu.ensemble(plan, data, state)?,
            results: Vec::new(),
            progress: Arc::clone(&self.progress),
        }))
    }

    fn gradient(&self, _: Shape, _: &Member, _: Form, _: &Theta, _: &Windows) -> Result<Gradient> {
        Err(Error::runtime("nobody asks for gradients"))
    }

    fn free_run(
        &self,
        dims: Dims,
        models: &[FreeModel<'_>],
        runs: &[FreeRun],
        latent: bool,
    ) -> Result<Vec<Vec<Array2<f32>>>> {
        let read = self.progress.0.lock().expect("nobody panicked").read;
        wait_for(&self.progress, read + EVERY + 2)?;
        self.cpu.free_run(dims, models, runs, latent)
    }
}

struct LateEnsemble {
    ensemble: Box<dyn Ensemble>,
    results: Vec<EpochResult>,
    progress: Arc<(Mutex<Progress>, Condvar)>,
}

impl Ensemble for LateEnsemble {
    fn train_epoch(&mut self) -> Result<()> {
        self.ensemble.train_epoch()?;
        let (progress, changed) = &*self.progress;
        progress.lock().expect("nobody panicked").enqueued += 1;
        changed.notify_all();
        Ok(())
    }

    fn results(&mut self, wait: bool) -> Result<Vec<EpochResult>> {
        self.results.extend(self.ensemble.results(true)?);
        let late = if wait { 0 } else { LATE.min(self.results.len()) };
        Ok(self.results.drain(..self.results.len() - late).collect())
    }

    fn state(&mut self) -> Result<EnsembleState> {
        Err(Error::runtime("training stops for nobody"))
    }

    fn snapshot(&mut self) -> Result<Snapshot> {
        let state = self.ensemble.state()?;
        let progress = Arc::clone(&self.progress);
        let epoch = progress.0.lock().expect("nobody panicked").enqueued;
        Ok(Box::new(move || {
            wait_for(&progress, epoch + EVERY)?;
            progress.0.lock().expect("nobody panicked").read = epoch;
            Ok(state)
        }))
    }

    fn windows(&mut self, member: usize, step: u32) -> Result<Windows> {
        self.ensemble.windows(member, step)
    }
}

/// The epochs of evaluations, as an observer is told of them.
#[derive(Default)]
struct Epochs(Vec<u32>);

impl Observer for Epochs {
    fn evaluation(&mut self, evaluation: &Evaluation) {
        self.0.push(evaluation.epoch);
    }
}

fn late(w: &Workplace, out: &str, epochs: &mut Epochs) -> Settings {
    let text = format!(
        "M = 5\nT = 10\ntau = 5\nseeds = 3\nepochs = {EPOCHS}\nbatches-per-epoch = 5\neval-every = {EVERY}\nbatch-size = 4"
    );
    let settings = w.settings(&text);
    let backend = Arc::new(Late {
        cpu: CpuBackend::new(Some(1)).expect("a CPU"),
        progress: Arc::default(),
    });
    let ending = train(w, &settings, out, backend, &AtomicBool::new(false), epochs).expect("trained");
    assert_eq!(ending, Ending::Finished);
    settings
}

/// States are read, and models scored, while later epochs are enqueued; what comes of it is what a device that answers at
/// once leaves, in the same order.
#[test]
fn training_goes_on_while_states_are_read_and_scored() {
    let w = Workplace::with_data(300);
    let mut epochs = Epochs::default();
    let settings = late(&w, "late", &mut epochs);
    assert_eq!(epochs.0, [3, 6, 9, 12, 15]);
    let cpu = Arc::new(CpuBackend::new(Some(1)).expect("a CPU"));
    let never = AtomicBool::new(false);
    train(&w, &settings, "prompt", cpu, &never, &mut ()).expect("trained");
    assert_same_results(&w, "late", "prompt");
}

/// How long a simulated device takes to train a model between evaluations, and sixteen cores for its scores.
const TRAINING: f64 = 0.44e-3;
const SCORING: f64 = 6.6e-3 / 16.0;
/// Models of each of twenty shapes, and epochs between evaluations.
const MODELS: usize = 512;
const INTERVAL: u32 = 25;
/// The smallest shape, which is scored first.
const SMALLEST: usize = 10;
/// Members that stand for the models, so that what this machine really does beside counts little.
const MEMBERS: usize = 4;
const STANDS_FOR: f64 = (MODELS / MEMBERS) as f64;

/// A device that computes nothing and takes its time: what is enqueued runs one after another, by the host's clock.
struct Timed {
    device: Device,
    queue: Arc<Mutex<Queue>>,
    /// When the last free runs were handed out.
    scoring_since: Mutex<Instant>,
}

struct Queue {
    free_at: Instant,
    /// Seconds without work before the epochs of each interval between evaluations, the first of all left out.
    idle: Vec<f64>,
}

impl Queue {
    /// Enqueues so many seconds of work of an epoch: when they will be over.
    fn enqueue(&mut self, epoch: u32, seconds: f64) -> Instant {
        let now = Instant::now();
        let idle = now.saturating_duration_since(self.free_at).as_secs_f64();
        let interval = (epoch / INTERVAL) as usize;
        if self.idle.is_empty() {
            self.idle.push(0.0);
        } else if interval < self.idle.len() {
            self.idle[interval] += idle;
        } else {
            self.idle.push(idle);
        }
        self.free_at = self.free_at.max(now) + Duration::from_secs_f64(seconds);
        self.free_at
    }
}

fn sleep_until(time: Instant) {
    std::thread::sleep(time.saturating_duration_since(Instant::now()));
}

impl Backend for Timed {
    fn device(&self) -> &Device {
        &self.device
    }

    fn ensemble(&self, plan: Plan, _: Arc<TrainingData>, state: &EnsembleState) -> Result<Box<dyn Ensemble>> {
        Ok(Box::new(TimedEnsemble {
            queue: Arc::clone(&self.queue),
            plan,
            state: state.clone(),
            enqueued: Vec::new(),
            epoch: 0,
        }))
    }

    fn gradient(&self, _: Shape, _: &Member, _: Form, _: &Theta, _: &Windows) -> Result<Gradient> {
        Err(Error::runtime("nobody asks for gradients"))
    }

    fn free_run(
        &self,
        dims: Dims,
        models: &[FreeModel<'_>],
        runs: &[FreeRun],
        _: bool,
    ) -> Result<Vec<Vec<Array2<f32>>>> {
        // What this machine has scored since the last free runs is part of the time that scoring is to take.
        let mut since = self.scoring_since.lock().expect("nobody panicked");
        let is_first = dims.M == SMALLEST;
        let scored = if is_first { Duration::ZERO } else { since.elapsed() };
        let wanted = Duration::from_secs_f64(SCORING * STANDS_FOR * models.len() as f64);
        std::thread::sleep(wanted.saturating_sub(scored));
        *since = Instant::now();
        let run = |run: &FreeRun| Array2::zeros((run.steps + 1, dims.N));
        Ok(models.iter().map(|_| runs.iter().map(run).collect()).collect())
    }
}

struct TimedEnsemble {
    queue: Arc<Mutex<Queue>>,
    plan: Plan,
    state: EnsembleState,
    /// When each epoch that was not reported will be over.
    enqueued: Vec<(u32, Instant)>,
    epoch: u32,
}

impl Ensemble for TimedEnsemble {
    /// At most three epochs are enqueued, as the ring of a GPU has it.
    fn train_epoch(&mut self) -> Result<()> {
        if let Some(oldest) = self.enqueued.len().checked_sub(3) {
            sleep_until(self.enqueued[oldest].1);
        }
        let models = STANDS_FOR * self.plan.members.len() as f64;
        let seconds = TRAINING / f64::from(INTERVAL) * models;
        let over = self
            .queue
            .lock()
            .expect("nobody panicked")
            .enqueue(self.epoch, seconds);
        self.enqueued.push((self.epoch, over));
        self.epoch += 1;
        Ok(())
    }

    fn results(&mut self, wait: bool) -> Result<Vec<EpochResult>> {
        if let Some((_, last)) = self.enqueued.last().filter(|_| wait) {
            sleep_until(*last);
        }
        let now = Instant::now();
        let over = self.enqueued.iter().take_while(|(_, over)| *over <= now).count();
        let result = |(epoch, _)| EpochResult {
            epoch,
            loss: vec![1.0; self.plan.members.len()],
            stopped_at: vec![None; self.plan.members.len()],
        };
        Ok(self.enqueued.drain(..over).map(result).collect())
    }

    fn state(&mut self) -> Result<EnsembleState> {
        let over = self.queue.lock().expect("nobody panicked").free_at;
        sleep_until(over);
        Ok(self.state.clone())
    }

    fn snapshot(&mut self) -> Result<Snapshot> {
        let over = self.queue.lock().expect("nobody panicked").free_at;
        let state = self.state.clone();
        Ok(Box::new(move || {
            sleep_until(over);
            Ok(state)
        }))
    }

    fn windows(&mut self, _: usize, _: u32) -> Result<Windows> {
        Err(Error::runtime("nobody draws windows"))
    }
}

#[test]
#[ignore = "measures: how long a simulated device waits for the host, in 40 s"]
fn how_long_a_device_waits_for_the_host() {
    // As little as can be scored: scoring is what the device's free runs sleep for.
    let w = Workplace::with_data(30);
    let evaluations = 8;
    let shapes: Vec<String> = (SMALLEST..SMALLEST + 20).map(|M| M.to_string()).collect();
    let text = format!(
        "M = [{}]\nT = 10\ntau = 5\nseeds = {MEMBERS}\nepochs = {}\neval-every = {INTERVAL}\nbatch-size = 4\nbins = 2",
        shapes.join(", "),
        INTERVAL * evaluations
    );
    let settings = w.settings(&text);
    let queue = Arc::new(Mutex::new(Queue {
        free_at: Instant::now(),
        idle: Vec::new(),
    }));
    let backend = Arc::new(Timed {
        device: Device {
            backend: "gpu",
            name: "a simulated device".into(),
        },
        queue: Arc::clone(&queue),
        scoring_since: Mutex::new(Instant::now()),
    });
    let never = AtomicBool::new(false);
    let ending = train(&w, &settings, "run", backend, &never, &mut ()).expect("trained");
    assert_eq!(ending, Ending::Finished);
    let models = 20.0 * MODELS as f64;
    let (training, scoring) = (TRAINING * models, SCORING * models);
    println!(
        "{models} models: between two evaluations the device trains for {training:.2} s; scoring takes {scoring:.2} s"
    );
    let idle = &queue.lock().expect("nobody panicked").idle[1..];
    println!("it waits for the host, after one evaluation after another, for {idle:.3?} s");
}
