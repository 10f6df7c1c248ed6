//! The production backend where there is no GPU: f32, the sequences of a batch as SIMD lanes, members across cores.
//!
//! Every kernel is written once against [`pulp::Simd`] and compiled for AVX-512, AVX2 with FMA, NEON and plain
//! Rust; the widest that the machine has is chosen at run time. A member's whole epoch runs on one thread, or the
//! sequences of its batches on several where there are threads to spare; sums are taken in one order, so its bits
//! depend neither on the number of threads nor on the other members.
//!
//! `plain` and `blocked` hold the kernels of either form, `observed` what both do with observations; `pass` puts them together
//! for a group of sequences, `step` for a batch, `schedule` for an epoch, on one thread or several. `sample`, `update`,
//! `free_run`, `rollout`, `predict` and `gradient` are what their names say, and `simd` is what all of it is written on.

mod blocked;
mod free_run;
mod gradient;
mod layout;
mod memory;
mod observed;
mod pass;
mod plain;
mod predict;
mod rollout;
mod sample;
mod schedule;
mod simd;
mod step;
mod update;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::Array2;
use pulp::Arch;
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::backend::blocked::{MOST_GROWTH, Segments};
use crate::backend::{
    Backend, Demand, Device, Ensemble, EnsembleState, EpochResult, Form, FreeModel, FreeRun, Gradient,
    Member, MemberState, Plan, Rollout, StepCoefficients, Tangent, TrainingData, Windows, check,
};
use crate::error::{Error, Result};
use crate::model::{Dims, Shape, Theta};
use free_run::SIDE_BY_SIDE;
use layout::Layout;
pub use predict::prediction_error;
use rollout::Rollouts;
use sample::Draw;
use schedule::{Fastest, MemberMemory, Steps};
use simd::buffer::Buffer;
use simd::lanes::Lanes;
use simd::machine;
use step::{Scratch, Way};

/// Steps of the runs that a task of a free run has at least.
const LEAST_STEPS: usize = 4_096;

/// The f32 backend.
pub struct CpuBackend {
    device: Device,
    arch: Arch,
    threads: Threads,
    /// Members of all ensembles that there are, which share the threads.
    n_members: Arc<AtomicUsize>,
}

/// Where work runs: rayon's global pool, or a pool of our own.
#[derive(Clone)]
struct Threads(Option<Arc<ThreadPool>>);

impl Threads {
    fn count(&self) -> usize {
        self.0
            .as_ref()
            .map_or_else(rayon::current_num_threads, |pool| pool.current_num_threads())
    }

    /// Runs `work` on a thread of the pool.
    fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.0 {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}

impl CpuBackend {
    /// A backend on `threads` threads of its own, or on rayon's global pool, shared with whoever else uses it, such as
    /// scoring. Threads that help with a member's batches are started beside the pool, as many as make up the number.
    ///
    /// # Errors
    /// Where the operating system gives no threads.
    pub fn new(threads: Option<usize>) -> Result<Self> {
        Self::with_arch(threads, Arch::new())
    }

    /// A backend for every instruction set that this machine has, plain Rust included: what tests go through.
    ///
    /// # Errors
    /// As [`CpuBackend::new`].
    pub fn every_instruction_set(threads: Option<usize>) -> Result<Vec<Self>> {
        machine::instruction_sets()
            .into_iter()
            .map(|arch| Self::with_arch(threads, arch))
            .collect()
    }

    fn with_arch(threads: Option<usize>, arch: Arch) -> Result<Self> {
        let pool = threads
            .map(|n| {
                rayon::ThreadPoolBuilder::new()
                    .num_threads(n)
                    .build()
                    .map(Arc::new)
            })
            .transpose()
            .map_err(|e| Error::runtime(format!("cannot start {} threads: {e}", threads.unwrap_or(0))))?;
        let threads = Threads(pool);
        Ok(Self {
            device: machine::describe(arch, threads.count()),
            arch,
            threads,
            n_members: Arc::default(),
        })
    }
}

impl Backend for CpuBackend {
    fn device(&self) -> &Device {
        &self.device
    }

    fn demand(&self, plan: &Plan) -> Demand {
        let layout = Layout::new(plan.shape, machine::machine(self.arch));
        let max_P = plan.members.iter().map(|member| member.P).max().unwrap_or(0);
        let busy = self.threads.count().min(plan.members.len()) as u64;
        let ways = schedule::ways(self.arch, &layout, plan.members.len(), self.threads.count());
        let scratch: u64 = ways.iter().map(|way| Scratch::least_bytes(way, max_P)).sum();
        Demand {
            steps: u64::from(plan.batches_per_epoch) * size_of::<StepCoefficients>() as u64,
            scratch: scratch.saturating_mul(busy),
        }
    }

    fn ensemble(
        &self,
        plan: Plan,
        data: Arc<TrainingData>,
        state: &EnsembleState,
    ) -> Result<Box<dyn Ensemble>> {
        check::plan(&plan, &data, state)?;
        let layout = Layout::new(plan.shape, machine::machine(self.arch));
        let max_P = plan.members.iter().map(|member| member.P).max().unwrap_or(0);
        let busy = self.threads.count().min(plan.members.len());
        let memory = |(state, member): (&MemberState, &Member)| MemberMemory {
            values: [&state.theta, &state.m, &state.v].map(|values| {
                let mut buffer = Buffer::zeros(values.len());
                buffer.as_mut_slice().copy_from_slice(values);
                buffer
            }),
            stopped_at: state.stopped_at,
            loss: 0.0,
            segments: blocked::cost::choose(&layout, member.P, member.tau, plan.form),
        };
        let members: Vec<MemberMemory> = state.members.iter().zip(&plan.members).map(memory).collect();
        let mut all: Vec<&Segments> = members
            .iter()
            .filter_map(|memory| memory.segments.as_ref())
            .collect();
        all.dedup();
        let ways = schedule::ways(self.arch, &layout, members.len(), self.threads.count());
        let fastest = Fastest::new(ways, busy, max_P, &all);
        self.n_members.fetch_add(members.len(), Ordering::Relaxed);
        Ok(Box::new(CpuEnsemble {
            threads: self.threads.clone(),
            n_members: Arc::clone(&self.n_members),
            fastest,
            coefficients: Vec::with_capacity(plan.batches_per_epoch as usize),
            members,
            step: state.step,
            finished: Vec::new(),
            plan,
            data,
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
        check::windows(shape, member, theta, windows)?;
        let layout = Layout::new(shape, machine::machine(self.arch));
        let segments = blocked::cost::choose(&layout, member.P, member.tau, form);
        let way = Way {
            arch: self.arch,
            lanes: Lanes::Whole(self.arch),
            layout,
            threads: 1,
        };
        Ok(gradient::gradient(
            &way,
            member,
            (segments.as_ref(), MOST_GROWTH.into()),
            theta,
            windows,
        ))
    }

    fn free_run(
        &self,
        dims: Dims,
        models: &[FreeModel<'_>],
        runs: &[FreeRun],
        latent: bool,
    ) -> Result<Vec<Vec<Array2<f32>>>> {
        check::free_run(dims, models, runs)?;
        // Tasks long enough that it does not matter what a model's start costs.
        let longest = runs.iter().map(|run| run.steps).max().unwrap_or(0);
        let at_a_time = (LEAST_STEPS / longest.max(1)).max(1);
        let some = |models: &[FreeModel<'_>], runs: &[FreeRun]| {
            self.arch.dispatch(free_run::Runs {
                dims,
                models,
                runs,
                latent,
            })
        };
        let all = self.side_by_side(models, |models| {
            let parts: Vec<_> = runs
                .par_chunks(at_a_time)
                .map(|runs| some(models, runs))
                .collect();
            let mut joined: Vec<Vec<Array2<f32>>> = models.iter().map(|_| Vec::new()).collect();
            for part in parts {
                joined
                    .iter_mut()
                    .zip(part)
                    .for_each(|(all, runs)| all.extend(runs));
            }
            joined
        });
        Ok(all)
    }

    fn rollouts(
        &self,
        dims: Dims,
        models: &[FreeModel<'_>],
        run: &FreeRun,
        tangent: Tangent,
    ) -> Result<Vec<Rollout>> {
        check::free_run(dims, models, std::slice::from_ref(run))?;
        let some = |models| {
            self.arch.dispatch(Rollouts {
                dims,
                models,
                run,
                tangent,
            })
        };
        let lanes = machine::machine(self.arch).lanes;
        Ok(self
            .threads
            .run(|| models.par_chunks(lanes).flat_map_iter(some).collect()))
    }
}

impl CpuBackend {
    /// What `work` yields for each model, a few models at a time.
    fn side_by_side<'a, R: Send>(
        &self,
        models: &[FreeModel<'a>],
        work: impl Fn(&[FreeModel<'a>]) -> Vec<R> + Send + Sync,
    ) -> Vec<R> {
        let each = models.len().div_ceil(self.threads.count()).clamp(1, SIDE_BY_SIDE);
        self.threads
            .run(|| models.par_chunks(each).flat_map_iter(work).collect())
    }
}

struct CpuEnsemble {
    threads: Threads,
    /// See [`CpuBackend::n_members`].
    n_members: Arc<AtomicUsize>,
    plan: Plan,
    data: Arc<TrainingData>,
    members: Vec<MemberMemory>,
    /// A thread takes any scratch that is free for a member's epoch.
    fastest: Fastest,
    coefficients: Vec<StepCoefficients>,
    step: u32,
    finished: Vec<EpochResult>,
}

impl Drop for CpuEnsemble {
    fn drop(&mut self) {
        self.n_members.fetch_sub(self.members.len(), Ordering::Relaxed);
    }
}

impl Ensemble for CpuEnsemble {
    fn train_epoch(&mut self) -> Result<()> {
        let (plan, data, step) = (&self.plan, &self.data, self.step);
        let epoch = step / plan.batches_per_epoch;
        let steps = step + 1..=step + plan.batches_per_epoch;
        self.coefficients.clear();
        self.coefficients
            .extend(steps.map(|t| plan.optimizer.coefficients(t)));
        let coefficients = &self.coefficients;
        let train = |way: &Way, memory: &mut MemberMemory, member: &Member, scratch: &mut Scratch| {
            let steps = Steps {
                way,
                member,
                data,
                lr: member.learning_rate(epoch, plan.epochs),
                noise: member.noise_in(epoch, plan.epochs),
                done: step,
                coefficients,
                memory,
                scratch,
            };
            steps.run();
        };
        let (threads, members) = (&self.threads, &mut self.members);
        let threads_each = threads.count() / self.n_members.load(Ordering::Relaxed).max(1);
        self.fastest.run(threads_each, |way, scratch| {
            threads.run(|| {
                let each = members.par_iter_mut().zip(&plan.members).with_max_len(1);
                each.for_each(|(memory, member)| {
                    // There are as many as can be busy: one is free, unless the scan missed it.
                    let free = scratch.iter().find_map(|scratch| scratch.try_lock());
                    let mut scratch = free.unwrap_or_else(|| scratch[0].lock());
                    train(way, memory, member, &mut scratch);
                });
            });
        });
        self.step += plan.batches_per_epoch;
        let batches = f64::from(plan.batches_per_epoch);
        let loss = |memory: &MemberMemory| match memory.stopped_at {
            None => (memory.loss / batches) as f32,
            Some(_) => f32::NAN,
        };
        self.finished.push(EpochResult {
            epoch,
            loss: self.members.iter().map(loss).collect(),
            stopped_at: self.members.iter().map(|memory| memory.stopped_at).collect(),
        });
        Ok(())
    }

    fn results(&mut self, _wait: bool) -> Result<Vec<EpochResult>> {
        Ok(std::mem::take(&mut self.finished))
    }

    fn state(&mut self) -> Result<EnsembleState> {
        let state = |memory: &MemberMemory| {
            let [theta, m, v] = memory.values.each_ref().map(|values| values.as_slice().to_vec());
            MemberState {
                theta,
                m,
                v,
                stopped_at: memory.stopped_at,
            }
        };
        Ok(EnsembleState {
            step: self.step,
            members: self.members.iter().map(state).collect(),
        })
    }

    fn windows(&mut self, member: usize, step: u32) -> Result<Windows> {
        let (way, scratch) = self.fastest.any();
        let pass = scratch.passes[0].get_mut();
        let (plan, member) = (&self.plan, &self.plan.members[member]);
        let noise = member.noise_in(step / plan.batches_per_epoch, plan.epochs);
        let draw = Draw::new(&self.data, member, noise);
        Ok(gradient::draw(way, &draw, step, &mut pass.windows))
    }
}
