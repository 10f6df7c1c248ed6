//! A member's epoch, on one thread or with helpers where there are threads to spare.

mod helpers;
mod train;
mod ways;

pub(super) use train::{MemberMemory, Steps};
pub(super) use ways::{Fastest, ways};
