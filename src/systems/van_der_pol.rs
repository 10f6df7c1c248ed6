use super::SystemInfo;

const MU: f64 = 2.0;

pub const INFO: SystemInfo = SystemInfo {
    name: "van-der-pol",
    dims: 2,
    any_dims: false,
    inputs: 0,
    dt: 0.05,
    max_step: 0.01,
    transient: 100.0,
    description: "a self-sustained oscillator; a stable limit cycle of period 7.63",
    equations: "x' = y, y' = μ(1 − x²)y − x; μ = 2",
    source: "van der Pol, On relaxation-oscillations, Philos. Mag. 2 (1926)",
    lyapunov: Some(0.0),
    field,
    origin: |_| vec![1.0, 0.0],
    spread: 0.5,
};

fn field(x: &[f64], _: &[f64], dx: &mut [f64]) {
    dx[0] = x[1];
    dx[1] = MU * (1.0 - x[0] * x[0]) * x[1] - x[0];
}
