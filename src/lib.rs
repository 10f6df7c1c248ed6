//! Train and read Almost-Linear RNNs (Brenner et al., NeurIPS 2024):
//! data → dataset → \[sample → forward → adjoint → update\] × 50 → free run → metrics → run folder → report.

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
