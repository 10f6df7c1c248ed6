//! The pictures, each from plain arrays to a [`Figure`](super::plot::Figure).

mod coverage;
mod curves;
mod eigenvalues;
mod graph;
mod lyapunov;
mod series;
mod spectrum;
mod state_space;
mod study;

pub use coverage::{Coverage, coverage};
pub use curves::{Curve, Curves, training_curves};
pub use eigenvalues::{EigenSet, eigenvalues};
pub use graph::{Consensus, Transitions, consensus_graph, transition_graph};
pub use lyapunov::{LyapunovBar, lyapunov};
pub use series::{Series, time_series};
pub use spectrum::{PowerSpectra, power_spectra};
pub use state_space::{Mark, RegionNames, StateSpace, Track, state_space};
pub use study::{Groups, Level, Success, metric_by_setting, regions_by_setting, success_by_setting};
