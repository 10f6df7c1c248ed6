//! What runs when: the kernels of a [`step`], bound for a `chunk` of members, results on their way back (`ring`), and how
//! long kernels take (`profile`).

pub(super) mod chunk;
pub(super) mod profile;
pub(super) mod ring;
pub mod step;
