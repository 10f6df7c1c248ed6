use super::SystemInfo;

const F: f64 = 8.0;

pub const INFO: SystemInfo = SystemInfo {
    name: "lorenz96",
    dims: 20,
    any_dims: true,
    inputs: 0,
    dt: 0.04,
    max_step: 0.01,
    transient: 100.0,
    description: "waves on a ring of any number of sites; high-dimensional chaos",
    equations: "x_i' = (x_{i+1} − x_{i−2}) x_{i−1} − x_i + F, indices around the ring; F = 8",
    source: "Lorenz, Predictability: a problem partly solved, ECMWF seminar (1996)",
    lyapunov: None,
    field,
    origin: |dims| vec![F; dims],
    spread: 0.5,
};

fn field(x: &[f64], _: &[f64], dx: &mut [f64]) {
    let n = x.len();
    for i in 0..n {
        let (next, last, before) = (x[(i + 1) % n], x[(i + n - 1) % n], x[(i + n - 2) % n]);
        dx[i] = (next - before) * last - x[i] + F;
    }
}
