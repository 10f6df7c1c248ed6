use super::SystemInfo;

const A: f64 = 0.2;
const B: f64 = 0.2;
const C: f64 = 5.7;

pub const INFO: SystemInfo = SystemInfo {
    name: "rossler",
    dims: 3,
    any_dims: false,
    inputs: 0,
    dt: 0.08,
    max_step: 0.02,
    transient: 200.0,
    description: "a folded band; weakly chaotic, turns once in 5.9 units of time",
    equations: "x' = −y − z, y' = x + ay, z' = b + z(x − c); a = 0.2, b = 0.2, c = 5.7",
    source: "Rössler, An equation for continuous chaos, Phys. Lett. A 57 (1976); λ₁: Sprott (2003)",
    lyapunov: Some(0.0714),
    field,
    origin: |_| vec![1.0, 1.0, 0.0],
    spread: 0.2,
};

fn field(x: &[f64], _: &[f64], dx: &mut [f64]) {
    dx[0] = -x[1] - x[2];
    dx[1] = x[0] + A * x[1];
    dx[2] = B + x[2] * (x[0] - C);
}
