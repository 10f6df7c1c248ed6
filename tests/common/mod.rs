//! Checks that every backend must pass, written once and called for each.
#![allow(dead_code, reason = "each test binary uses its part")]

use alrnn_gpu::{backend, model};

pub mod curve;
pub mod golden;
pub mod growth;
pub mod parity;
pub mod training;

pub use curve::checkout;
