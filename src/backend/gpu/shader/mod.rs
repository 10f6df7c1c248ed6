//! From files under `shaders/` to what a device compiles: [`source`] makes WGSL of a file and constants, [`reflect`] reads
//! its bindings.

pub mod reflect;
pub mod source;
