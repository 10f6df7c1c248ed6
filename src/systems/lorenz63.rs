use super::SystemInfo;

pub const SIGMA: f64 = 10.0;
pub const RHO: f64 = 28.0;
pub const BETA: f64 = 8.0 / 3.0;

pub const INFO: SystemInfo = SystemInfo {
    name: "lorenz63",
    dims: 3,
    any_dims: false,
    inputs: 0,
    dt: 0.01,
    max_step: 0.01,
    transient: 50.0,
    description: "convection; chaotic, two lobes",
    equations: "x' = σ(y − x), y' = x(ρ − z) − y, z' = xy − βz; σ = 10, ρ = 28, β = 8/3",
    source: "Lorenz, Deterministic nonperiodic flow, J. Atmos. Sci. 20 (1963); λ₁: Sprott, Chaos and Time-Series Analysis (2003)",
    lyapunov: Some(0.9056),
    field,
    origin: |_| vec![1.0, 1.0, 25.0],
    spread: 1.0,
};

fn field(x: &[f64], _: &[f64], dx: &mut [f64]) {
    dx[0] = SIGMA * (x[1] - x[0]);
    dx[1] = x[0] * (RHO - x[2]) - x[1];
    dx[2] = x[0] * x[1] - BETA * x[2];
}
