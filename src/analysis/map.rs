use nalgebra::DMatrix;

use super::symbols::Code;
use crate::model::Theta;

/// The autonomous map `F(z) = A ∘ z + W φ(z) + h` of one model, laid out for long runs.
///
/// A constant external input `s` is part of the bias: `h + C s`.
#[derive(Clone, Debug)]
pub struct Map {
    pub M: usize,
    pub P: usize,
    A: Vec<f64>,
    /// Column-major, so that a step adds whole columns.
    W: DMatrix<f64>,
    h: Vec<f64>,
}

impl Map {
    /// `input`: `[K]`, or empty for `s = 0`.
    pub fn new(theta: &Theta, P: usize, input: &[f64]) -> Self {
        let M = theta.A.len();
        let mut h = theta.h.to_vec();
        for (row, bias) in theta.C.rows().into_iter().zip(&mut h) {
            *bias += row.iter().zip(input).map(|(c, s)| c * s).sum::<f64>();
        }
        Self {
            M,
            P,
            A: theta.A.to_vec(),
            W: DMatrix::from_fn(M, M, |i, j| theta.W[[i, j]]),
            h,
        }
    }

    /// `next = F(z)`; both `[M]`.
    pub fn step(&self, z: &[f64], next: &mut [f64]) {
        let first_relu = self.M - self.P;
        self.add_own(z, next);
        self.couple(z, |j, z| j < first_relu || z > 0.0, next, |wz| wz);
    }

    /// `next = A ∘ z + h`.
    fn add_own(&self, z: &[f64], next: &mut [f64]) {
        for (((n, a), z), h) in next.iter_mut().zip(&self.A).zip(z).zip(&self.h) {
            *n = a * z + h;
        }
    }

    /// Adds `term(W_ij z_j)` to `sum_i` for the units `j` that are on.
    #[inline]
    fn couple(
        &self,
        z: &[f64],
        is_on: impl Fn(usize, f64) -> bool,
        sum: &mut [f64],
        term: impl Fn(f64) -> f64,
    ) {
        for (j, (column, &z)) in self.W.as_slice().chunks_exact(self.M).zip(z).enumerate() {
            if is_on(j, z) {
                sum.iter_mut().zip(column).for_each(|(s, w)| *s += term(w * z));
            }
        }
    }

    /// The region that holds `z`: bit `p` is `z[M − P + p] > 0`.
    pub fn code(&self, z: &[f64]) -> Code {
        Code::of(&z[self.M - self.P..])
    }

    /// Whether unit `j` passes its value on inside the region `code`.
    fn is_on(&self, code: Code, j: usize) -> bool {
        j < self.M - self.P || code.bit(j - (self.M - self.P))
    }

    /// `next = J z + h` with the Jacobian `J = diag(A) + W D` of a region that `z` need not lie in.
    pub fn affine_step(&self, code: Code, z: &[f64], next: &mut [f64]) {
        self.add_own(z, next);
        self.couple(z, |j, _| self.is_on(code, j), next, |wz| wz);
    }

    /// The states `z_1 = z, z_2, …, z_k` along a word and the image `z_{k+1}` of the last one, each region's map applied
    /// wherever the state lies.
    pub fn along(&self, word: &[Code], z: &[f64]) -> (Vec<Vec<f64>>, Vec<f64>) {
        let mut states = Vec::with_capacity(word.len());
        let mut now = z.to_vec();
        for &code in word {
            let mut next = vec![0.0; self.M];
            self.affine_step(code, &now, &mut next);
            states.push(std::mem::replace(&mut now, next));
        }
        (states, now)
    }

    /// `next = J d` for a difference `d` of states.
    pub fn linear_step(&self, code: Code, d: &[f64], next: &mut [f64]) {
        for ((n, a), d) in next.iter_mut().zip(&self.A).zip(d) {
            *n = a * d;
        }
        self.couple(d, |j, _| self.is_on(code, j), next, |wd| wd);
    }

    /// `|A| ∘ |z| + |W| D |z| + |h|`: the sum of the magnitudes that a step of a region adds up, by which its
    /// rounding is measured.
    pub fn magnitude(&self, code: Code, z: &[f64]) -> Vec<f64> {
        let mut sum: Vec<f64> = (self.A.iter().zip(z).zip(&self.h))
            .map(|((a, z), h)| (a * z).abs() + h.abs())
            .collect();
        self.couple(z, |j, _| self.is_on(code, j), &mut sum, f64::abs);
        sum
    }

    /// `J = diag(A) + W D` of a region, `[M, M]`.
    pub fn jacobian(&self, code: Code) -> DMatrix<f64> {
        let mut J = self.W.clone();
        for j in 0..self.M {
            if !self.is_on(code, j) {
                J.column_mut(j).fill(0.0);
            }
            J[(j, j)] += self.A[j];
        }
        J
    }

    /// How much of the straight line from `from` to `to` each unit passes its value on, `[M]`: 1 for linear units, for ReLU
    /// units the share of the line that lies above 0. A line of no length is a state.
    pub fn shares_on(&self, from: &[f64], to: &[f64]) -> Vec<f64> {
        let first_relu = self.M - self.P;
        let pairs = from.iter().zip(to).enumerate();
        pairs
            .map(|(j, (&a, &b))| if j < first_relu { 1.0 } else { share_above_0(a, b) })
            .collect()
    }

    /// `(diag(A) + W diag(on)) X` for `X: [M, k]`. With the shares of a line this is the Jacobian's mean along it, which maps
    /// `to − from` onto `F(to) − F(from)`; with those of a state, its Jacobian.
    pub fn apply_mean_jacobian(&self, on: &[f64], X: &DMatrix<f64>) -> DMatrix<f64> {
        let (mut own, mut passed) = (X.clone(), X.clone());
        for (j, (&a, &on)) in self.A.iter().zip(on).enumerate() {
            own.row_mut(j).scale_mut(a);
            passed.row_mut(j).scale_mut(on);
        }
        own.gemm(1.0, &self.W, &passed, 1.0);
        own
    }

    /// `out = J X` with the Jacobian of a region; `X, out, scratch: [M, k]`.
    pub fn apply_jacobian(
        &self,
        code: Code,
        X: &DMatrix<f64>,
        scratch: &mut DMatrix<f64>,
        out: &mut DMatrix<f64>,
    ) {
        let M = self.M;
        scratch.copy_from(X);
        out.copy_from(X);
        for (off, column) in scratch.as_mut_slice().chunks_exact_mut(M).enumerate() {
            let kept = &mut out.as_mut_slice()[off * M..(off + 1) * M];
            kept.iter_mut().zip(&self.A).for_each(|(x, a)| *x *= a);
            for (j, x) in column.iter_mut().enumerate().skip(M - self.P) {
                if !self.is_on(code, j) {
                    *x = 0.0;
                }
            }
        }
        out.gemm(1.0, &self.W, scratch, 1.0);
    }
}

/// The share of the way from `a` to `b` that lies above 0.
fn share_above_0(a: f64, b: f64) -> f64 {
    match (a > 0.0, b > 0.0) {
        (true, true) => 1.0,
        (false, false) => 0.0,
        _ => a.max(b) / (a - b).abs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Dims, init};
    use ndarray::Array1;

    #[test]
    fn step_and_jacobian_agree_with_theta() {
        let dims = Dims { M: 7, N: 3, K: 2 };
        let mut theta = init(dims, 5);
        theta.W *= 30.0;
        theta.h.fill(0.1);
        let (P, s) = (4, [0.3, -0.7]);
        let map = Map::new(&theta, P, &s);
        let z: Array1<f64> = (0..7).map(|i| (f64::from(i) * 1.7).sin()).collect();
        let z = z.to_vec();
        let expected = theta.step(P, &Array1::from_vec(z.clone()), &s);
        let (mut next, mut affine) = (vec![f64::NAN; 7], vec![f64::NAN; 7]);
        map.step(&z, &mut next);
        map.affine_step(map.code(&z), &z, &mut affine);
        let J = map.jacobian(map.code(&z));
        let X = DMatrix::from_fn(7, 2, |i, j| (i + 3 * j) as f64 - 2.5);
        let away: Vec<f64> = z.iter().map(|z| 0.4 - 2.0 * z).collect();
        let mut far = vec![f64::NAN; 7];
        map.step(&away, &mut far);
        let (mut scratch, mut out) = (X.clone(), X.clone());
        map.apply_jacobian(map.code(&z), &X, &mut scratch, &mut out);
        let product = (&J * &X - &out).amax();
        assert!(product <= 1e-13, "J X differs by {product:e}");
        let between = DMatrix::from_iterator(7, 1, away.iter().zip(&z).map(|(a, b)| a - b));
        let image = map.apply_mean_jacobian(&map.shares_on(&z, &away), &between);
        let here = map.apply_mean_jacobian(&map.shares_on(&z, &z), &DMatrix::identity(7, 7));
        assert_eq!(here, J, "of a line of no length");
        let gap = (0..7)
            .map(|i| (image[i] - (far[i] - next[i])).abs())
            .fold(0.0, f64::max);
        assert!(gap <= 1e-12, "the mean Jacobian misses the image by {gap:e}");
        let by_jacobian = &J * nalgebra::DVector::from_vec(z) + nalgebra::DVector::from_vec(map.h.clone());
        for i in 0..7 {
            for (name, value) in [
                ("step", next[i]),
                ("affine", affine[i]),
                ("jacobian", by_jacobian[i]),
            ] {
                let d = (value - expected[i]).abs();
                assert!(d <= 1e-14, "{name}[{i}] {value:e} expected {:e}", expected[i]);
            }
        }
    }
}
