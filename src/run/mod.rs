//! The run folder: what a study leaves on disk, written so that a killed run leaves the previous state whole.

mod checkpoint;
mod folder;
mod merge;
mod record;
mod tables;

pub use checkpoint::{Best, Checkpoint, MemberRecord};
pub use folder::{ModelRef, RunFolder, refuse_occupied};
pub use merge::{Merged, merge};
pub use record::{DataRecord, NoiseFloor, Record};
pub use tables::{
    LogRow, MemberRow, append_log, cut_log, parse_log, parse_members, read_log, read_members, write_members,
};
