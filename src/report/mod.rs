//! Pictures (SVG, PNG) and the one-file HTML report, from arrays and run folders.

pub mod pictures;
pub mod plot;
mod png;
mod stats;
mod svg;
mod theme;
mod thin;
mod ticks;

pub use png::png;
pub use theme::Look;
