//! The almost-linear form: most units are linear, so several unforced steps are one matrix product.
//!
//! With `B = diag(A) + W`, `u(z) = max(−z_P, 0)` for the ReLU units and the *drive* `v = [u ; s]` of a step (`s` the
//! inputs), `F(z) = B z + W̃ v + h` where `W̃ = [W_P | C]`. Over a block of unforced steps from `z̃_0`, the rows that
//! anybody looks at (observed and ReLU units, picked by `O`) are
//!
//! ```text
//! y_j = O z_j = G_j z̃_0 + Σ_{i<j} K_{j−1−i} v_i + c_j      G_j = O B^j,  K_l = O B^l W̃,  c_j = Σ_{i<j} O B^i h
//! z_ℓ =       B^ℓ z̃_0 + Σ_{i<ℓ} R_{ℓ−1−i} v_i + g_ℓ      R_l = B^l W̃,  g_ℓ = Σ_{i<ℓ} B^i h
//! ```
//!
//! so only the block's end needs all of `z`, and what is sequential inside is a recursion over the `P` numbers `u`.
//! [`adjoint`] has the same form backwards. It collects gradients of `G, K, c, B^ℓ, R, g`, which [`powers`] pulls
//! back through the powers of `B` once an optimiser step. [`crate::backend::cut`] says where blocks begin; [`cost`] what they cost.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod adjoint;
mod buffers;
pub(super) mod cost;
mod forward;
mod matrix;
mod packed;
mod powers;
mod reduce;
#[cfg(test)]
mod tests;

pub(super) use adjoint::Adjoint;
pub(super) use buffers::{Blocked, PowerSums, States};
pub(super) use forward::Forward;
pub(super) use powers::{Prepare, PullBack};
