//! How a step is laid out over threads: in the [`plain`] form, in the almost-linear one ([`blocked`], [`fused`]), and which
//! is taken (`choose`).

pub mod blocked;
pub(super) mod choose;
pub mod fused;
pub mod plain;
mod products;

use blocked::Blocked;
use plain::Layout;

/// A form in which steps are computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrangement {
    Plain(Layout),
    Blocked(Box<Blocked>),
}

impl Arrangement {
    pub fn layout(&self) -> &Layout {
        match self {
            Self::Plain(layout) => layout,
            Self::Blocked(blocked) => &blocked.layout,
        }
    }

    /// The table that the kernels of the almost-linear form read, see [`Blocked::table`]; nothing in the plain form.
    pub fn table(&self) -> Vec<[u32; 4]> {
        match self {
            Self::Plain(_) => Vec::new(),
            Self::Blocked(blocked) => blocked.table(),
        }
    }

    fn layout_mut(&mut self) -> &mut Layout {
        match self {
            Self::Plain(layout) => layout,
            Self::Blocked(blocked) => &mut blocked.layout,
        }
    }
}
