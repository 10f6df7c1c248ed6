//! Growth of a tangent vector along the states of a free run.

use ndarray::{Array1, Array2};

use crate::model::Theta;

/// Steps between two normalisations of the vector.
pub(super) const STRETCH: usize = 10;

/// A tangent vector of length 1 that no symmetry of the model is likely to be orthogonal to.
pub(super) fn tangent(M: usize) -> impl Iterator<Item = f64> {
    let norm = (1..=M).map(|i| (i as f64).sin().powi(2)).sum::<f64>().sqrt();
    (1..=M).map(move |i| (i as f64).sin() / norm)
}

/// Where the mean starts: at a normalisation.
pub(super) fn first_counted(settles: usize) -> usize {
    settles.next_multiple_of(STRETCH)
}

/// Mean growth, in nats per step, of `v ← A ∘ v + W (d(z_t) ∘ v)` along states `[steps + 1, M]`, without the steps before
/// the vector has settled and without an incomplete stretch at the end; NaN where no stretch is left.
pub(super) fn along(theta: &Theta, P: usize, states: &Array2<f32>, settles: usize) -> f64 {
    let M = states.ncols();
    let first = first_counted(settles);
    let mut v: Array1<f64> = tangent(M).collect();
    let (mut sum, mut steps) = (0.0, 0);
    for (t, z) in states.rows().into_iter().take(states.nrows() - 1).enumerate() {
        let mut through: Array1<f64> = v.clone();
        for j in (M - P..M).filter(|&j| z[j] <= 0.0) {
            through[j] = 0.0;
        }
        v = &theta.A * &v + theta.W.dot(&through);
        if (t + 1) % STRETCH == 0 {
            let norm = v.dot(&v).sqrt();
            v /= norm;
            if t >= first {
                sum += norm.ln();
                steps += STRETCH;
            }
        }
    }
    sum / steps as f64
}
