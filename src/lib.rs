//! Train and read Almost-Linear RNNs (Brenner et al., NeurIPS 2024):
//! data → dataset → \[sample → forward → adjoint → update\] × 50 → free run → metrics → run folder → report.
//!
//! `examples/lorenz.rs` trains, scores and analyses in twenty lines. Modules import one way (`tests/architecture.rs` holds the
//! table), the command line uses the library as any program may; so does the Python package in `python/`, a crate of its own.
//!
//! # The data's way
//! 1. [`arrays`] makes numbers of a file's bytes: `.npy`, `.npz`, `.csv`.
//! 2. [`dataset::load`] makes trials of arrays: columns by name, checks, units; [`dataset::Dataset`].
//! 3. [`train::Data`] holds the training and the held-out data that [`config::Settings`] name.
//! 4. What nobody said, [`train::robust`] may choose by the data. Settings spread into a [`study::Study`]: candidates, grouped
//!    into ensembles of one shape.
//! 5. `Dataset::training` cuts windows of each length: rows in f32 and where windows may start, [`backend::TrainingData`].
//! 6. [`train::run`] checks all of it, opens a [`backend::Backend`] and takes the run folder; its trainer calls
//!    [`backend::Ensemble::train_epoch`]: 50 × \[sample → forward → adjoint → update\] on the device.
//! 7. Every 25 epochs the device leaves a copy of the states ([`backend::Ensemble::snapshot`]) and trains on: in another thread
//!    [`scoring::score_models`] lets the members run freely and [`metrics::Scorer`] compares the runs. Where it is asked for,
//!    [`polish`] goes on from there, on what is scored.
//! 8. [`run`] keeps it: `log.csv`, `members.csv`, `best/`, `last/`, `checkpoint.bin`.
//! 9. [`analysis`] and [`report`] read the folder through [`run::Run`]; [`minimal`] judges one of several `P`.
//!
//! [`page`] leaves steps 6 to 9 to a browser: [`backend::gpu::export`] writes down what drives the GPU (sources, buffers, order of
//! dispatches), and `shaders/host.js` runs it there.
//!
//! # Where to add
//! - **A hyperparameter**: its setting and default (`config/settings.rs`); its field, axis and place in reports, from which
//!   grid, checks, `members.csv` and report are made (`config/hyperparameters.rs`); its flag (`cli/args.rs`); its
//!   parameter in Python (`python/alrnn_gpu/_estimator.py`; a test compares the names); what kernels see
//!   of it (`backend/mod.rs`: `Member`; the compiler names the literals). Then the arithmetic: `update` (or another kernel) in
//!   `backend/reference` and `backend/cpu`, `backend/gpu/memory/params.rs` with `shaders/shared/params.wgsl`
//!   (`tests/layout.rs` compares the two), the shader, and `backend/golden.rs` where golden cases hold it.
//! - **A metric**: a file under `metrics/`, a field of `metrics::Scores` (checkpoints hold it: count up the version in
//!   `run/checkpoint.rs`) and its line in `Scorer::compare`; `members.csv` and `log.csv` in `run/tables.rs`, filled in
//!   `train/trainer/{evaluation,files}.rs`; shown by `cli/evaluate.rs`, `cli/train/{progress,summary}.rs` and
//!   `report/html.rs` with its template. What decides between models is `metrics/standing.rs` alone.
//! - **A system**: an entry in `systems/catalogue.rs`, with its published exponent; `tests/known_systems.rs` holds it to that.
//! - **A kernel**: `shaders/x.wgsl` and its line in `gpu/shader/source.rs`; beside it `x.rs` in `backend/reference` (plain f64
//!   loops: what the others are held to) and in `backend/cpu`; on the GPU its sizes (`gpu/layout`), the scratch that it needs
//!   (`gpu/memory/footprint.rs`) and its place in a step (`gpu/schedule/step.rs`), or a file of its own as `gpu/free_run.rs`.
//!   `tests/{golden,gradients,shaders}.rs`, `tests/vulkan` and `tests/webgpu` prove it.

// Not `forbid`, which the slices of ndarray (its macro `s!`) would break.
#![deny(unsafe_code)]

pub mod analysis;
pub mod arrays;
pub mod backend;
pub mod cli;
pub mod config;
pub mod dataset;
pub mod error;
pub mod fs;
pub mod metrics;
pub mod minimal;
pub mod model;
pub mod page;
pub mod polish;
pub mod report;
pub mod resources;
pub mod rng;
pub mod run;
pub mod scoring;
mod stats;
pub mod study;
pub mod systems;
mod text;
pub mod train;
