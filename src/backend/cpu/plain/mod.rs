//! The plain form, step by step.

mod adjoint;
mod forward;
mod weights;

pub(super) use forward::{Step, split};
pub(super) use weights::Weights;
