//! The AL-RNN itself: sizes, parameters, initial values, model files.

mod dims;
mod file;
mod init;
mod theta;

pub use dims::{Dims, Shape};
pub use file::{Model, Scaling};
pub use init::init;
pub use theta::Theta;
