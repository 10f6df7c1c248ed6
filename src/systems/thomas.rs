use super::SystemInfo;

const B: f64 = 0.18;

pub const INFO: SystemInfo = SystemInfo {
    name: "thomas",
    dims: 3,
    any_dims: false,
    inputs: 0,
    dt: 0.2,
    max_step: 0.05,
    transient: 500.0,
    description: "a cyclically symmetric walk among many fixed points; chaotic",
    equations: "x' = sin y − bx, y' = sin z − by, z' = sin x − bz; b = 0.18",
    source: "Thomas, Deterministic chaos seen in terms of feedback circuits, Int. J. Bifurcation Chaos 9 (1999); λ₁: Sprott (2003)",
    lyapunov: Some(0.0349),
    field,
    origin: |_| vec![0.1, 0.0, 0.0],
    spread: 0.1,
};

fn field(x: &[f64], _: &[f64], dx: &mut [f64]) {
    for i in 0..3 {
        dx[i] = x[(i + 1) % 3].sin() - B * x[i];
    }
}
