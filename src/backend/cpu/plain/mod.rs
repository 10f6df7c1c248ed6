//! The plain form, step by step.

mod adjoint;
mod forward;
mod weights;

pub(super) use adjoint::Adjoint;
pub(super) use forward::{Forward, Step, split};
pub(super) use weights::Weights;
