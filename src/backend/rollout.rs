//! Free runs with a tangent vector along their first steps: what candidates of polishing are judged by.

use ndarray::{Array1, Array2, ArrayView2};

use crate::model::Theta;

/// Steps of a free run that a tangent vector follows from its start on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tangent {
    pub steps: usize,
    /// Steps of them that do not count yet: the vector turns into the direction that grows most.
    pub settles: usize,
}

impl Tangent {
    /// No vector at all.
    pub const NONE: Self = Self { steps: 0, settles: 0 };
    /// Steps between two normalisations of the vector.
    pub(in crate::backend) const STRETCH: usize = 10;

    /// Where the mean starts and ends: at normalisations. An incomplete stretch at the end does not count.
    pub(in crate::backend) fn counted(self) -> std::ops::Range<usize> {
        let first = self.settles.next_multiple_of(Self::STRETCH);
        first..(self.steps / Self::STRETCH * Self::STRETCH).max(first)
    }

    /// A vector of length 1 that no symmetry of the model is likely to be orthogonal to.
    pub(in crate::backend) fn start(M: usize) -> impl Iterator<Item = f64> {
        let norm = (1..=M).map(|i| (i as f64).sin().powi(2)).sum::<f64>().sqrt();
        (1..=M).map(move |i| (i as f64).sin() / norm)
    }
}

/// A free run of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// `[steps + 1, N]` as in [`crate::backend::Backend::free_run`].
    pub x: Array2<f32>,
    /// Mean growth of the tangent vector in nats per step, which tends to the largest Lyapunov exponent as the run gets
    /// longer; not finite where the vector vanishes, the run is not finite, or no step counts.
    pub growth: f64,
}

/// Mean growth of `v ← A ∘ v + W (d(z_t) ∘ v)` along states `[> steps, M]`.
pub(super) fn growth(theta: &Theta, P: usize, states: ArrayView2<'_, f32>, tangent: Tangent) -> f64 {
    let M = states.ncols();
    let counted = tangent.counted();
    let mut v: Array1<f64> = Tangent::start(M).collect();
    let mut sum = 0.0;
    for (t, z) in states.rows().into_iter().take(counted.end).enumerate() {
        let mut through: Array1<f64> = v.clone();
        for j in (M - P..M).filter(|&j| z[j] <= 0.0) {
            through[j] = 0.0;
        }
        v = &theta.A * &v + theta.W.dot(&through);
        if (t + 1) % Tangent::STRETCH == 0 {
            let norm = v.dot(&v).sqrt();
            v /= norm;
            if t >= counted.start {
                sum += norm.ln();
            }
        }
    }
    sum / counted.len() as f64
}
