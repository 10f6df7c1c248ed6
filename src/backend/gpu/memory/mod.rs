//! What the device holds: `buffers`, how much a member takes of each (`footprint`), an ensemble's share of them
//! (`allocation`), and the structs that the host writes there ([`params`]).

pub(super) mod allocation;
pub(super) mod buffers;
pub(super) mod footprint;
pub mod params;
