//! Train and read Almost-Linear RNNs (Brenner et al., NeurIPS 2024):
//! data → dataset → \[sample → forward → adjoint → update\] × 50 → free run → metrics → run folder → report.
//!
//! `examples/lorenz.rs` trains, scores and analyses in twenty lines. Modules import one way (`tests/architecture.rs` holds the
//! table), the command line uses the library as any program may.
//!
//! # The data's way
//! 1. [`arrays`] makes numbers of a file's bytes: `.npy`, `.npz`, `.csv`.
//! 2. [`dataset::load`] makes trials of arrays: columns by name, checks, units; [`dataset::Dataset`].
//! 3. [`train::Data`] holds the training and the held-out data; `Dataset::training` cuts windows: f32 rows and where windows
//!    may start, [`backend::TrainingData`].
//! 4. [`config::Settings`] spread into a [`study::Study`]: candidates, grouped into ensembles of one shape.
//! 5. [`train::run`] checks all of it, opens a [`backend::Backend`] and takes the run folder; its trainer calls
//!    [`backend::Ensemble::train_epoch`]: 50 × \[sample → forward → adjoint → update\] on the device.
//! 6. Every 25 epochs [`scoring::score_models`] lets the members run freely and [`metrics::Scorer`] compares the runs.
//! 7. [`run`] keeps it: `log.csv`, `members.csv`, `best/`, `last/`, `checkpoint.bin`.
//! 8. [`analysis`] and [`report`] read the folder through [`run::Run`].
//!
//! # Where to add
//! - **A hyperparameter**: its setting and default (`config/settings.rs`), its row of the table that grid, checks,
//!   `members.csv` and report are made from (`config/hyperparameters.rs`), its flag (`cli/args.rs`), and what kernels see of it
//!   (`backend/mod.rs`: `Member`). Then the arithmetic: `update` (or another kernel) in `backend/reference` and `backend/cpu`,
//!   `backend/gpu/memory/params.rs` with `shaders/shared/params.wgsl` (`tests/layout.rs` compares the two), the shader.
//! - **A metric**: a file under `metrics/`, a field of `metrics::Scores` and its line in `Scorer`; `members.csv` and `log.csv` in
//!   `run/tables.rs`, filled in `train/trainer/{evaluation,files}.rs`; shown by `cli/evaluate.rs`, `cli/train/summary.rs` and
//!   `report/templates/report.html`. What decides between models is `metrics/standing.rs` alone.
//! - **A system**: a file under `systems/` and its entry in `systems/mod.rs`; `tests/known_systems.rs` holds its exponent.
//! - **A kernel**: `shaders/x.wgsl`, and beside it `x.rs` in `backend/reference` (plain f64 loops: what the others are held to)
//!   and in `backend/cpu`; on the GPU its sizes (`gpu/layout`), buffers (`gpu/memory/footprint.rs`) and place in a step
//!   (`gpu/schedule/step.rs`). `tests/{golden,gradients,shaders}.rs` and `tests/vulkan` prove it.

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
pub mod model;
pub mod report;
pub mod resources;
pub mod rng;
pub mod run;
pub mod scoring;
pub mod study;
pub mod systems;
mod text;
pub mod train;
