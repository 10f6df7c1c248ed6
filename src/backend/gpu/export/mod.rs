//! Programs as documents: sources, buffers and dispatches for a host that is no wgpu, such as a browser (`shaders/host.js`).
//!
//! Nothing is decided here. Layouts, sources, sizes, contents and the order of kernels come from what drives wgpu, for the
//! device that every WebGPU implementation is at least: [`Capacity::FLOOR`], buffers of 128 MiB, 65,535 workgroups a dimension.

mod document;
mod free_run;
mod gradient;
mod training;

pub use document::{Buffer, Chunk, Content, Kernel, Program, Stage};
pub use free_run::free_run;
pub use gradient::GradientTask;
pub use training::{Schedule, Training, member_states, training};

use crate::backend::gpu::layout::plain::Capacity;

/// The host: JavaScript that makes programs of these documents and runs them.
pub const HOST: &str = include_str!("../../../../shaders/host.js");

/// Bytes of the largest buffer that every WebGPU device binds.
const MAX_BUFFER: u64 = 128 << 20;
/// Workgroups in a dimension of a grid.
const MAX_GRID: u32 = 65_535;
/// What every WebGPU device has.
const CAPACITY: Capacity = Capacity::FLOOR;
