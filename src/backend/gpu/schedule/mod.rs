//! What runs when: the kernels of a [`step`], bound for a `chunk` of members, results on their way back (`ring`), how
//! long kernels take (`profile`), and how work is cut by that (`pace`).

pub(super) mod chunk;
pub(super) mod pace;
pub(super) mod profile;
pub(super) mod ring;
pub mod step;
