//! Checks that every backend must pass, written once and called for each.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod golden;
pub mod training;
