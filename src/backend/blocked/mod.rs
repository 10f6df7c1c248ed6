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
//! so only the block's end needs all of `z`, and what is sequential inside is a recursion over the `P` numbers `u`. The
//! adjoint has the same form backwards. It collects gradients of `G, K, c, B^ℓ, R, g`, which are pulled back through the
//! powers of `B` once an optimiser step.
//!
//! What every backend shares: [`Segments`] say where blocks begin, [`Places`] which matrix products make the powers and
//! pull back, [`MOST_GROWTH`] where the form is left for a step. What blocks cost is each backend's own count.

mod products;
pub(in crate::backend) mod segments;

pub(in crate::backend) use products::{Factor, Places, Product, Program};
pub(in crate::backend) use segments::{Block, Segments};

/// Growth up to which a step is computed in blocks, above in the plain form: the largest Euclidean norm of a row
/// `[G_j | K_{j−1} … K_0 | c_j]` or `[B^ℓ | R_{ℓ−1} … R_0 | g_ℓ]` that a state is a product with, or of a power of `B` made on
/// the way.
///
/// Where ReLU units cut off what `B` alone would do, these terms nearly cancel, and the rounding of large numbers is left in
/// a small one. Measured on random models whose states stay bounded (20 to 100 units, `k` up to 32): relative errors of
/// states and of well-conditioned gradients up to about 1e-6 times the growth, from 2 to 1e5. Trained models have 1 to 5.
/// A function of the parameters of the step alone, so that a member's bits depend neither on its company nor on where its
/// training was resumed.
pub(in crate::backend) const MOST_GROWTH: u16 = 10;
