//! What a study is asked to be: defaults, presets, config files and flags, resolved into [`Settings`].

mod choices;
mod grid;
mod identity;
mod presets;
mod resolve;
mod settings;
mod shard;
pub mod values;

pub use choices::{BackendChoice, DstspChoice, Form, Optimizer};
pub use grid::{Grid, Seeds};
pub use presets::{PRESETS, preset};
pub use resolve::{parse_file, read_file, resolve};
pub use settings::Settings;
pub use shard::Shard;
