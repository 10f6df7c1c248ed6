//! How a shape is laid out over threads: in the [`plain`] form, in the almost-linear one ([`blocked`]), and which of the
//! two is taken (`choose`).

pub mod blocked;
pub(super) mod choose;
pub mod plain;
mod products;
