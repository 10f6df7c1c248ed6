//! From files under `shaders/` to kernels: [`source`] makes WGSL of a file and constants, [`reflect`] reads its bindings,
//! [`kernel`] lists what runs in a step.

pub mod kernel;
pub mod reflect;
pub mod source;
