//! The readers' modules of alrnn-gpu, compiled alone under its name: the whole library would link the graphics
//! stack, built with instrumentation each time, and none of it is fuzzed.

#[path = "../../src/arrays/mod.rs"]
pub mod arrays;
#[path = "../../src/config/mod.rs"]
pub mod config;
#[path = "../../src/dataset/mod.rs"]
pub mod dataset;
#[path = "../../src/error.rs"]
pub mod error;
#[path = "../../src/fs.rs"]
pub mod fs;
#[path = "../../src/metrics/mod.rs"]
pub mod metrics;
#[path = "../../src/model/mod.rs"]
pub mod model;
#[path = "../../src/rng/mod.rs"]
pub mod rng;
#[path = "../../src/run/mod.rs"]
pub mod run;
