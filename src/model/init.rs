use nalgebra::{DMatrix, SymmetricEigen};

use crate::model::{Dims, Theta};
use crate::rng::{Stream, normals, uniforms};

/// Initial parameters of the member with this seed, on the host in f64 for every backend alike.
///
/// `A` = diagonal of `K/λ_max(K)`, `K = RᵀR/M + I`, `R_ij ~ 𝒩(0,1)`; `W_ij ~ 𝒩(0, 0.01²)`; `h = 0`;
/// `L ~ 𝒰(±√(6/M))`; `C ~ 𝒰(±1/√K)`.
pub fn init(dims: Dims, seed: u32) -> Theta {
    let Dims { M, N, K } = dims;
    let mut theta = Theta::zeros(dims);
    let R = DMatrix::from_iterator(M, M, normals(seed, Stream::InitA).take(M * M).map(f64::from));
    let gram = R.transpose() * &R / M as f64 + DMatrix::identity(M, M);
    let largest = SymmetricEigen::new(gram.clone()).eigenvalues.max();
    for (i, a) in theta.A.iter_mut().enumerate() {
        *a = gram[(i, i)] / largest;
    }
    for (w, n) in theta.W.iter_mut().zip(normals(seed, Stream::InitW)) {
        *w = 0.01 * f64::from(n);
    }
    debug_assert_eq!(theta.L.len(), (M - N) * N);
    fill_uniform(theta.L.iter_mut(), seed, Stream::InitL, (6.0 / M as f64).sqrt());
    fill_uniform(
        theta.C.iter_mut(),
        seed,
        Stream::InitC,
        1.0 / (K.max(1) as f64).sqrt(),
    );
    theta
}

/// Fills with draws from `𝒰(±bound)`.
fn fill_uniform<'a>(values: impl Iterator<Item = &'a mut f64>, seed: u32, stream: Stream, bound: f64) {
    for (value, u) in values.zip(uniforms(seed, stream)) {
        *value = bound * (2.0 * f64::from(u) - 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_published_distributions() {
        let dims = Dims { M: 40, N: 5, K: 3 };
        let theta = init(dims, 7);
        assert!(theta.A.iter().all(|&a| a > 0.0 && a <= 1.0));
        let sd = theta.W.std(1.0);
        assert!((0.009..0.011).contains(&sd), "sd of W {sd}");
        let bound = (6.0f64 / 40.0).sqrt();
        let largest = theta.L.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        assert!(largest <= bound && largest > 0.9 * bound, "largest |L| {largest}");
        assert!(theta.C.iter().all(|c| c.abs() <= 1.0 / 3f64.sqrt()));
        assert!(theta.h.iter().all(|&h| h == 0.0));
        assert_ne!(theta, init(dims, 8));
        assert_eq!(theta, init(dims, 7));
    }
}
