//! The AL-RNN itself: sizes, parameters, initial values, model files.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod dims;
mod file;
mod free_run;
mod init;
mod theta;

pub use dims::{Dims, Shape};
pub use file::{Model, Scaling};
pub use free_run::{Bounds, FreeModel, FreeRun};
pub use init::init;
pub use theta::Theta;
