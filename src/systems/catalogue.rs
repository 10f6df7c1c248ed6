//! The systems, in the order in which they are listed.

use super::SystemInfo;

/// What most of them have in common.
const AUTONOMOUS: SystemInfo = SystemInfo {
    name: "",
    dims: 3,
    any_dims: false,
    inputs: 0,
    dt: 0.01,
    max_step: 0.01,
    transient: 100.0,
    description: "",
    equations: "",
    source: "",
    lyapunov: None,
    field: |_, _, _| (),
    origin: |dims| vec![0.0; dims],
    spread: 1.0,
};

pub(super) static SYSTEMS: [SystemInfo; 8] = [
    SystemInfo {
        name: "lorenz63",
        transient: 50.0,
        description: "convection; chaotic, two lobes",
        equations: "x' = σ(y − x), y' = x(ρ − z) − y, z' = xy − βz; σ = 10, ρ = 28, β = 8/3",
        source: "Lorenz, Deterministic nonperiodic flow, J. Atmos. Sci. 20 (1963); λ₁: Sprott, Chaos and Time-Series Analysis (2003)",
        lyapunov: Some(0.9056),
        field: |x, _, dx| lorenz63(x, dx),
        origin: |_| vec![1.0, 1.0, 25.0],
        ..AUTONOMOUS
    },
    SystemInfo {
        name: "rossler",
        dt: 0.08,
        max_step: 0.02,
        transient: 200.0,
        description: "a folded band; weakly chaotic, turns once in 5.9 units of time",
        equations: "x' = −y − z, y' = x + ay, z' = b + z(x − c); a = 0.2, b = 0.2, c = 5.7",
        source: "Rössler, An equation for continuous chaos, Phys. Lett. A 57 (1976); λ₁: Sprott (2003)",
        lyapunov: Some(0.0714),
        field: |x, _, dx| {
            let (a, b, c) = (0.2, 0.2, 5.7);
            dx[0] = -x[1] - x[2];
            dx[1] = x[0] + a * x[1];
            dx[2] = b + x[2] * (x[0] - c);
        },
        origin: |_| vec![1.0, 1.0, 0.0],
        spread: 0.2,
        ..AUTONOMOUS
    },
    SystemInfo {
        name: "lorenz96",
        dims: 20,
        any_dims: true,
        dt: 0.04,
        description: "waves on a ring of any number of sites; high-dimensional chaos",
        equations: "x_i' = (x_{i+1} − x_{i−2}) x_{i−1} − x_i + F, indices around the ring; F = 8",
        source: "Lorenz, Predictability: a problem partly solved, ECMWF seminar (1996)",
        field: |x, _, dx| {
            let n = x.len();
            for i in 0..n {
                let (next, last, before) = (x[(i + 1) % n], x[(i + n - 1) % n], x[(i + n - 2) % n]);
                dx[i] = (next - before) * last - x[i] + 8.0;
            }
        },
        origin: |dims| vec![8.0; dims],
        spread: 0.5,
        ..AUTONOMOUS
    },
    SystemInfo {
        name: "chua",
        dt: 0.05,
        transient: 200.0,
        description: "an electronic circuit, itself piecewise linear with three regions; double-scroll chaos",
        equations: "x' = α(y − g(x)), y' = x − y + z, z' = −βy, g(x) = m₁x + (m₀ − m₁)(|x + 1| − |x − 1|)/2; \
                    α = 9, β = 100/7, m₀ = −1/7, m₁ = 2/7",
        source: "Chua, Komuro, Matsumoto, The double scroll family, IEEE Trans. Circuits Syst. 33 (1986); λ₁: Sprott (2003)",
        lyapunov: Some(0.3271),
        field: |x, _, dx| {
            let (alpha, beta) = (9.0, 100.0 / 7.0);
            // Slopes of the diode inside and outside |x| < 1.
            let (m0, m1) = (-1.0 / 7.0, 2.0 / 7.0);
            let diode = m1 * x[0] + 0.5 * (m0 - m1) * ((x[0] + 1.0).abs() - (x[0] - 1.0).abs());
            dx[0] = alpha * (x[1] - diode);
            dx[1] = x[0] - x[1] + x[2];
            dx[2] = -beta * x[1];
        },
        origin: |_| vec![0.5, 0.0, 0.0],
        spread: 0.05,
        ..AUTONOMOUS
    },
    SystemInfo {
        name: "chua3",
        transient: 200.0,
        description: "a generalised Chua circuit, piecewise linear with seven regions; three-scroll chaos",
        equations: "x' = α(y − d(x)), y' = x − y + z, z' = −βy, d(x) = m₃x + Σᵢ (mᵢ₋₁ − mᵢ)(|x + cᵢ| − |x − cᵢ|)/2, \
                    i = 1 … 3; α = 9, β = 14.286, m = (0.9, −3, 3.5, −2.4)/7, c = (1, 2.15, 4)",
        source: "Yalçın, Suykens, Vandewalle, Experimental confirmation of 3- and 5-scroll attractors from a generalized Chua's \
                 circuit, IEEE Trans. Circuits Syst. I 47 (2000); λ₁ is not published, measured 0.323 ± 0.004",
        field: |x, _, dx| {
            dx[0] = 9.0 * (x[1] - three_scroll_diode(x[0]));
            dx[1] = x[0] - x[1] + x[2];
            dx[2] = -14.286 * x[1];
        },
        origin: |_| vec![0.1, 0.0, 0.0],
        spread: 0.05,
        ..AUTONOMOUS
    },
    SystemInfo {
        name: "thomas",
        dt: 0.2,
        max_step: 0.05,
        transient: 500.0,
        description: "a cyclically symmetric walk among many fixed points; chaotic",
        equations: "x' = sin y − bx, y' = sin z − by, z' = sin x − bz; b = 0.18",
        source: "Thomas, Deterministic chaos seen in terms of feedback circuits, Int. J. Bifurcation Chaos 9 (1999); λ₁: Sprott (2003)",
        lyapunov: Some(0.0349),
        field: |x, _, dx| {
            for i in 0..3 {
                dx[i] = x[(i + 1) % 3].sin() - 0.18 * x[i];
            }
        },
        origin: |_| vec![0.1, 0.0, 0.0],
        spread: 0.1,
        ..AUTONOMOUS
    },
    SystemInfo {
        name: "van-der-pol",
        dims: 2,
        dt: 0.05,
        description: "a self-sustained oscillator; a stable limit cycle of period 7.63",
        equations: "x' = y, y' = μ(1 − x²)y − x; μ = 2",
        source: "van der Pol, On relaxation-oscillations, Philos. Mag. 2 (1926)",
        lyapunov: Some(0.0),
        field: |x, _, dx| {
            let mu = 2.0;
            dx[0] = x[1];
            dx[1] = mu * (1.0 - x[0] * x[0]) * x[1] - x[0];
        },
        origin: |_| vec![1.0, 0.0],
        spread: 0.5,
        ..AUTONOMOUS
    },
    SystemInfo {
        name: "forced-lorenz",
        inputs: 1,
        transient: 50.0,
        description: "lorenz63 pushed to one lobe or the other by a stimulus that switches at random",
        equations: "x' = σ(y − x), y' = x(ρ − z) − y + 60 s(t), z' = xy − βz; σ = 10, ρ = 28, β = 8/3, |s| ≤ 1",
        source: "Lorenz (1963) with an additive input",
        field: |x, s, dx| {
            lorenz63(x, dx);
            // Enough to hold the state in one lobe even at s = 0.5.
            dx[1] += 60.0 * s[0];
        },
        origin: |_| vec![1.0, 1.0, 25.0],
        ..AUTONOMOUS
    },
];

fn lorenz63(x: &[f64], dx: &mut [f64]) {
    let (sigma, rho, beta) = (10.0, 28.0, 8.0 / 3.0);
    dx[0] = sigma * (x[1] - x[0]);
    dx[1] = x[0] * (rho - x[2]) - x[1];
    dx[2] = x[0] * x[1] - beta * x[2];
}

/// The characteristic of the diode of `chua3`.
fn three_scroll_diode(x: f64) -> f64 {
    // Slopes between the breakpoints ±c, from the inside out.
    let m = [0.9, -3.0, 3.5, -2.4].map(|slope| slope / 7.0);
    let c = [1.0, 2.15, 4.0];
    let bends = (0..3).map(|i| 0.5 * (m[i] - m[i + 1]) * ((x + c[i]).abs() - (x - c[i]).abs()));
    m[3] * x + bends.sum::<f64>()
}
