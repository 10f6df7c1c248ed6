use nalgebra::{DMatrix, DVector, Dyn, LU, SVD, Schur};

use crate::text::number;

/// A complex eigenvalue.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Eigenvalue {
    pub re: f64,
    pub im: f64,
}

impl Eigenvalue {
    pub fn modulus(&self) -> f64 {
        self.re.hypot(self.im)
    }

    /// Four significant digits; the modulus and `±i` for one of a complex pair.
    pub fn text(&self) -> String {
        match self.im == 0.0 {
            true => number(self.re),
            false => format!("|{}| ±i", number(self.modulus())),
        }
    }
}

/// Eigenvalues of a square matrix, by falling modulus (the member of a pair with `im > 0` first).
///
/// Real Schur form by Francis' double-shift QR: backward stable, so an eigenvalue of a normal matrix is good to
/// about `1e-15 ‖matrix‖`. `None` where the matrix is not finite or the iteration does not converge.
pub fn eigenvalues(matrix: &DMatrix<f64>) -> Option<Vec<Eigenvalue>> {
    let n = matrix.nrows();
    if matrix.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let limit = 100 * n.max(10);
    // Matrices that the shifts leave as they are (cyclic permutations) stall the iteration; the same matrix
    // seen in another orthonormal basis does not.
    let schur = Schur::try_new(matrix.clone(), f64::EPSILON, limit).or_else(|| {
        let basis = DMatrix::from_fn(n, n, |i, j| ((i * n + j + 1) as f64 * 1.7).sin())
            .qr()
            .q();
        Schur::try_new(basis.transpose() * matrix * basis, f64::EPSILON, limit)
    })?;
    let mut found = quasi_triangular_eigenvalues(&schur.unpack().1);
    if found.iter().any(|e| !e.modulus().is_finite()) {
        return None;
    }
    found.sort_by(|a, b| {
        b.modulus()
            .total_cmp(&a.modulus())
            .then(b.re.total_cmp(&a.re))
            .then(b.im.total_cmp(&a.im))
    });
    Some(found)
}

/// Eigenvalues of a matrix with 1×1 and 2×2 blocks on its diagonal and zeros below them.
fn quasi_triangular_eigenvalues(t: &DMatrix<f64>) -> Vec<Eigenvalue> {
    let n = t.nrows();
    let real = |re| Eigenvalue { re, im: 0.0 };
    let mut found = Vec::with_capacity(n);
    let mut i = 0;
    while i < n {
        if i + 1 == n || t[(i + 1, i)] == 0.0 {
            found.push(real(t[(i, i)]));
            i += 1;
            continue;
        }
        let (a, b, c, d) = (t[(i, i)], t[(i, i + 1)], t[(i + 1, i)], t[(i + 1, i + 1)]);
        let (mean, half) = ((a + d) / 2.0, (a - d) / 2.0);
        let discriminant = half * half + b * c;
        if discriminant < 0.0 {
            let im = (-discriminant).sqrt();
            found.extend([im, -im].map(|im| Eigenvalue { re: mean, im }));
        } else {
            let larger = mean + discriminant.sqrt().copysign(mean);
            let smaller = if larger == 0.0 {
                0.0
            } else {
                (a * d - b * c) / larger
            };
            found.extend([real(larger), real(smaller)]);
        }
        i += 2;
    }
    found
}

/// A factored matrix.
pub struct Factored {
    matrix: DMatrix<f64>,
    lu: LU<f64, Dyn, Dyn>,
}

impl Factored {
    pub fn new(matrix: DMatrix<f64>) -> Self {
        Self {
            lu: matrix.clone().lu(),
            matrix,
        }
    }

    pub fn solve(&self, b: &DVector<f64>) -> Option<DVector<f64>> {
        self.lu.solve(b).filter(|z| z.iter().all(|v| v.is_finite()))
    }

    /// Condition number `‖A‖₁ ‖A⁻¹‖₁`, infinite for a singular matrix.
    pub fn condition(&self) -> f64 {
        let norm = |m: &DMatrix<f64>| {
            m.column_iter()
                .map(|c| c.iter().map(|v| v.abs()).sum())
                .fold(0.0, f64::max)
        };
        self.inverse()
            .map_or(f64::INFINITY, |inverse| norm(&self.matrix) * norm(&inverse))
    }

    /// The inverse, where it exists and is finite.
    pub fn inverse(&self) -> Option<DMatrix<f64>> {
        self.lu
            .try_inverse()
            .filter(|inverse| inverse.iter().all(|v| v.is_finite()))
    }

    /// Smallest over largest pivot: a cheap hint (never below by much more than it is true) of the condition.
    pub fn pivot_ratio(&self) -> f64 {
        let pivots = self.lu.u().diagonal().abs();
        pivots.min() / pivots.max()
    }
}

/// The least-squares solution of smallest norm of `matrix z = b`, and the dimension of the null space
/// (singular values below `1e-12` of the largest). `None` where the decomposition does not converge.
pub fn least_squares(matrix: &DMatrix<f64>, b: &DVector<f64>) -> Option<(DVector<f64>, usize)> {
    if matrix.iter().chain(b.iter()).any(|v| !v.is_finite()) {
        return None;
    }
    let svd = SVD::try_new(
        matrix.clone(),
        true,
        true,
        f64::EPSILON,
        1000 * matrix.nrows().max(10),
    )?;
    let cut = 1e-12 * svd.singular_values.max().max(f64::MIN_POSITIVE);
    let nullity = svd.singular_values.iter().filter(|&&s| s <= cut).count();
    svd.solve(b, cut).ok().map(|z| (z, nullity))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(matrix: &DMatrix<f64>, expected: &[(f64, f64)]) {
        let found = eigenvalues(matrix).expect("converges");
        assert_eq!(found.len(), expected.len());
        for &(re, im) in expected {
            let d = found
                .iter()
                .map(|e| (e.re - re).hypot(e.im - im))
                .fold(f64::INFINITY, f64::min);
            assert!(d <= 1e-13, "{re} + {im}i is missing from {found:?}");
        }
    }

    #[test]
    fn eigenvalues_of_known_matrices() {
        check(&DMatrix::zeros(3, 3), &[(0.0, 0.0); 3]);
        check(&DMatrix::from_element(1, 1, -2.5), &[(-2.5, 0.0)]);
        check(
            &DMatrix::from_row_slice(2, 2, &[0.0, -1.0, 1.0, 0.0]),
            &[(0.0, 1.0), (0.0, -1.0)],
        );
        check(
            &DMatrix::from_row_slice(2, 2, &[3.0, 1.0, 2.0, 2.0]),
            &[(4.0, 0.0), (1.0, 0.0)],
        );
        check(
            &DMatrix::from_row_slice(2, 2, &[1e-9, 1.0, 0.0, -1e-9]),
            &[(1e-9, 0.0), (-1e-9, 0.0)],
        );
        for n in [3, 4, 9, 30] {
            let cyclic = DMatrix::from_fn(n, n, |i, j| f64::from(u8::from((i + 1) % n == j)));
            let roots: Vec<(f64, f64)> = (0..n)
                .map(|k| (std::f64::consts::TAU * k as f64 / n as f64).sin_cos())
                .map(|(sin, cos)| (cos, sin))
                .collect();
            check(&cyclic, &roots);
        }
        assert_eq!(eigenvalues(&DMatrix::from_element(2, 2, f64::NAN)), None);
    }

    #[test]
    fn conditions_and_null_spaces() {
        let regular = Factored::new(DMatrix::from_diagonal(&DVector::from_vec(vec![4.0, -0.5])));
        assert!(
            (regular.condition() - 8.0).abs() <= 1e-14,
            "{}",
            regular.condition()
        );
        let singular = DMatrix::from_row_slice(2, 2, &[1.0, 2.0, 2.0, 4.0]);
        assert!(Factored::new(singular.clone()).condition() > 1e15);
        let b = DVector::from_vec(vec![1.0, 2.0]);
        let (z, nullity) = least_squares(&singular, &b).expect("converges");
        assert_eq!(nullity, 1);
        let d = (z - DVector::from_vec(vec![0.2, 0.4])).amax();
        assert!(d <= 1e-15, "{d:e}");
    }
}
