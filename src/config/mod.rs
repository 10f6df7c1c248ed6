//! What a study is asked to be: defaults, presets, config files and flags, resolved into [`Settings`].

mod choices;
mod grid;
mod hyperparameters;
mod identity;
mod presets;
mod resolve;
mod settings;
mod shard;
mod validate;
pub mod values;

pub use choices::{BackendChoice, DstspChoice, Form, Optimizer};
pub use grid::{Grid, Seeds};
pub use hyperparameters::{AXES, Axis, Hyperparameters};
pub use presets::{PRESETS, ROBUST, preset};
pub use resolve::{parse_file, read_file, resolve, resolve_over};
pub use settings::Settings;
pub use shard::Shard;
