use super::SystemInfo;
use super::lorenz63::{BETA, RHO, SIGMA};

/// What a stimulus of 1 adds to `y'`: enough to hold the state in one lobe even at 0.5.
const GAIN: f64 = 60.0;

pub const INFO: SystemInfo = SystemInfo {
    name: "forced-lorenz",
    dims: 3,
    any_dims: false,
    inputs: 1,
    dt: 0.01,
    max_step: 0.01,
    transient: 50.0,
    description: "lorenz63 pushed to one lobe or the other by a stimulus that switches at random",
    equations: "x' = σ(y − x), y' = x(ρ − z) − y + 60 s(t), z' = xy − βz; σ = 10, ρ = 28, β = 8/3, |s| ≤ 1",
    source: "Lorenz (1963) with an additive input",
    lyapunov: None,
    field,
    origin: |_| vec![1.0, 1.0, 25.0],
    spread: 1.0,
};

fn field(x: &[f64], s: &[f64], dx: &mut [f64]) {
    dx[0] = SIGMA * (x[1] - x[0]);
    dx[1] = x[0] * (RHO - x[2]) - x[1] + GAIN * s[0];
    dx[2] = x[0] * x[1] - BETA * x[2];
}
