//! The run folder: what a study leaves on disk, written so that a killed run leaves the previous state whole.

mod checkpoint;
mod folder;
mod merge;
mod read;
mod record;
mod tables;

pub use checkpoint::{Best, Checkpoint, MemberRecord, Scored};
pub use folder::{RunFolder, refuse_occupied};
pub use merge::{Merged, merge};
pub use read::{ModelRef, Run};
pub use record::{DataRecord, FloorRecord, Record};
pub use tables::{LogRow, MemberRow, append_log, cut_log, parse_log, parse_members, write_members};
