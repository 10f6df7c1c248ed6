use ndarray::{Array1, Array3, s};

use crate::backend::{Member, Windows};
use crate::model::Theta;

/// What the adjoint needs of a forward pass.
pub struct States {
    /// Unforced `z_0 … z_T`, `[S, T+1, M]`.
    pub z: Array3<f64>,
    /// `z̃_0 … z̃_{T−1}`, after forcing, `[S, T, M]`.
    pub forced: Array3<f64>,
    /// `Σ m_t ∘ (z_t[:N] − x_t)² / Σ m_t` over the batch's targets; 0 where nothing is observed.
    pub mse: f64,
    /// `Σ m_t`: how many targets are observed.
    pub n_targets: usize,
}

/// Whether step `t` starts from a forced state.
pub fn is_forced(member: &Member, t: usize) -> bool {
    t > 0 && t.is_multiple_of(member.tau)
}

/// `z_0 = [x_0 ; L x_0]`, `z_{t+1} = A ∘ z̃_t + W φ(z̃_t) + h + C s_{t+1}` and the mean squared error.
pub fn forward(member: &Member, theta: &Theta, windows: &Windows) -> States {
    let (S, rows, N) = windows.x.dim();
    let M = theta.A.len();
    let mut states = States {
        z: Array3::zeros((S, rows, M)),
        forced: Array3::zeros((S, rows - 1, M)),
        mse: 0.0,
        n_targets: 0,
    };
    for s in 0..S {
        let x = windows.x.slice(s![s, .., ..]);
        let mut z = theta.initial_state(&x.row(0).to_vec());
        states.z.slice_mut(s![s, 0, ..]).assign(&z);
        for t in 0..rows - 1 {
            if is_forced(member, t) {
                force(member.alpha, x.row(t), &mut z);
            }
            states.forced.slice_mut(s![s, t, ..]).assign(&z);
            z = theta.step(member.P, &z, &windows.s.slice(s![s, t + 1, ..]).to_vec());
            states.z.slice_mut(s![s, t + 1, ..]).assign(&z);
            for n in 0..N {
                let target = x[[t + 1, n]];
                if !target.is_nan() {
                    states.mse += (z[n] - target) * (z[n] - target);
                    states.n_targets += 1;
                }
            }
        }
    }
    states.mse /= states.n_targets.max(1) as f64;
    states
}

/// `z[:N] ← α x + (1−α) z[:N]` where `x` was observed.
fn force(alpha: f64, x: ndarray::ArrayView1<'_, f64>, z: &mut Array1<f64>) {
    for (z, &x) in z.iter_mut().zip(x) {
        if !x.is_nan() {
            *z = alpha * x + (1.0 - alpha) * *z;
        }
    }
}
