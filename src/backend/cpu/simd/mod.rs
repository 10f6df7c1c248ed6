//! Vectors: what the machine offers, memory that they lie in, and the loops over registers.

pub(super) mod buffer;
pub(super) mod kernel;
pub(super) mod lanes;
pub(super) mod machine;
