//! Benchmark systems: vector fields from the literature, integrated by fixed-step Runge–Kutta in f64.

mod catalogue;
mod integrate;
mod simulate;

use crate::error::{Error, Result, nearest};
use catalogue::SYSTEMS;

pub use integrate::Rk4;
pub use simulate::{SHARE, SimulateRequest, Simulation, cut_gaps, simulate};

/// An ordinary differential equation `ẋ = f(x, s)` and how it is usually sampled.
#[derive(Clone, Copy, Debug)]
pub struct SystemInfo {
    pub name: &'static str,
    /// Number of variables (a default where `any_dims`).
    pub dims: usize,
    /// Whether the number of variables may be chosen (then at least 4).
    pub any_dims: bool,
    /// Number of external inputs.
    pub inputs: usize,
    /// Usual time between two samples.
    pub dt: f64,
    /// Longest integration step; a longer `dt` is cut into equal steps.
    pub max_step: f64,
    /// Time after which a trajectory is on the attractor.
    pub transient: f64,
    pub description: &'static str,
    pub equations: &'static str,
    pub source: &'static str,
    /// Published largest Lyapunov exponent per unit of time, where there is one.
    pub lyapunov: Option<f64>,
    /// Writes `f(x, s)` into the last argument.
    pub field: fn(x: &[f64], s: &[f64], dx: &mut [f64]),
    /// A point in the basin of attraction, around which initial states are drawn.
    pub origin: fn(dims: usize) -> Vec<f64>,
    /// Standard deviation of initial states about `origin`.
    pub spread: f64,
}

/// All systems, in the order in which they are listed.
pub fn systems() -> &'static [SystemInfo] {
    &SYSTEMS
}

/// The system of this name.
///
/// # Errors
/// When there is none; the nearest name is suggested.
pub fn find(name: &str) -> Result<&'static SystemInfo> {
    let wanted = name.to_lowercase();
    if let Some(system) = SYSTEMS.iter().find(|s| s.name == wanted) {
        return Ok(system);
    }
    let names = SYSTEMS.map(|s| s.name);
    let known = names.join(", ");
    let hint = match nearest(&wanted, names) {
        Some(near) => format!("did you mean {near}? Known are {known}"),
        None => format!("known are {known}"),
    };
    Err(Error::input(format!("there is no system '{name}'")).with_hint(hint))
}
