//! The almost-linear form ([`crate::backend::blocked`]) for groups of sequences: [`cost`] says how long its blocks are,
//! [`powers`] makes the powers of `B` and pulls their gradients back.

mod adjoint;
pub(super) mod cost;
mod forward;
mod matrix;
mod memory;
mod packed;
mod powers;
mod reduce;
#[cfg(test)]
mod tests;

pub(super) use memory::{PowerSums, States};
pub(super) use packed::{Packed, SLACK};
pub(super) use powers::{Powers, Prepare, PullBack};
