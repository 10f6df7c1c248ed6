use super::SystemInfo;

/// The classical Runge–Kutta method of order 4 with a fixed step (Kutta 1901), buffers kept between steps.
pub struct Rk4 {
    k: [Vec<f64>; 4],
    probe: Vec<f64>,
}

impl Rk4 {
    pub fn new(dims: usize) -> Self {
        Self {
            k: std::array::from_fn(|_| vec![0.0; dims]),
            probe: vec![0.0; dims],
        }
    }

    /// `x ← x + h/6 (k₁ + 2k₂ + 2k₃ + k₄)` for `ẋ = field(x, s)` with `s` held; local error `O(h⁵)`.
    pub fn step(&mut self, field: fn(&[f64], &[f64], &mut [f64]), x: &mut [f64], s: &[f64], h: f64) {
        let Self { k, probe } = self;
        field(x, s, &mut k[0]);
        for stage in 1..4 {
            let reach = if stage == 3 { h } else { 0.5 * h };
            for i in 0..x.len() {
                probe[i] = x[i] + reach * k[stage - 1][i];
            }
            field(probe, s, &mut k[stage]);
        }
        for i in 0..x.len() {
            x[i] += h / 6.0 * (k[0][i] + 2.0 * k[1][i] + 2.0 * k[2][i] + k[3][i]);
        }
    }

    /// Advances by `dt` in the least number of equal steps no longer than the system's `max_step` (a rounding error above
    /// is none).
    pub fn advance(&mut self, system: &SystemInfo, x: &mut [f64], s: &[f64], dt: f64) {
        let steps = ((dt / system.max_step - 1e-9).ceil() as u64).max(1);
        for _ in 0..steps {
            self.step(system.field, x, s, dt / steps as f64);
        }
    }
}
