use super::SystemInfo;

const ALPHA: f64 = 9.0;
const BETA: f64 = 100.0 / 7.0;
/// Slopes of the diode inside and outside |x| < 1.
const M0: f64 = -1.0 / 7.0;
const M1: f64 = 2.0 / 7.0;

pub const INFO: SystemInfo = SystemInfo {
    name: "chua",
    dims: 3,
    any_dims: false,
    inputs: 0,
    dt: 0.05,
    max_step: 0.01,
    transient: 200.0,
    description: "an electronic circuit, itself piecewise linear with three regions; double-scroll chaos",
    equations: "x' = α(y − g(x)), y' = x − y + z, z' = −βy, g(x) = m₁x + (m₀ − m₁)(|x + 1| − |x − 1|)/2; \
                α = 9, β = 100/7, m₀ = −1/7, m₁ = 2/7",
    source: "Chua, Komuro, Matsumoto, The double scroll family, IEEE Trans. Circuits Syst. 33 (1986); λ₁: Sprott (2003)",
    lyapunov: Some(0.3271),
    field,
    origin: |_| vec![0.5, 0.0, 0.0],
    spread: 0.05,
};

fn field(x: &[f64], _: &[f64], dx: &mut [f64]) {
    let diode = M1 * x[0] + 0.5 * (M0 - M1) * ((x[0] + 1.0).abs() - (x[0] - 1.0).abs());
    dx[0] = ALPHA * (x[1] - diode);
    dx[1] = x[0] - x[1] + x[2];
    dx[2] = -BETA * x[1];
}
