use ndarray::{Array1, Array2, Axis, s};

use crate::model::Dims;

/// Parameters of one AL-RNN in f64: `A[M] W[M,M] h[M] L[M−N,N] C[M,K]` (`C` has no columns without inputs).
///
/// `F(z) = A ∘ z + W φ(z) + h + C s`; the number `P` of ReLU units is no parameter and travels beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Theta {
    pub A: Array1<f64>,
    pub W: Array2<f64>,
    pub h: Array1<f64>,
    pub L: Array2<f64>,
    pub C: Array2<f64>,
}

impl Theta {
    pub fn zeros(dims: Dims) -> Self {
        let Dims { M, N, K } = dims;
        Self {
            A: Array1::zeros(M),
            W: Array2::zeros((M, M)),
            h: Array1::zeros(M),
            L: Array2::zeros((M - N, N)),
            C: Array2::zeros((M, K)),
        }
    }

    pub fn dims(&self) -> Dims {
        Dims {
            M: self.A.len(),
            N: self.L.ncols(),
            K: self.C.ncols(),
        }
    }

    /// The packed vector `[A | W | h | L | C]` in f32, the backends' layout.
    pub fn pack(&self) -> Vec<f32> {
        self.iter().map(|v| v as f32).collect()
    }

    /// All parameters in the packed order.
    pub fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        self.A
            .iter()
            .chain(&self.W)
            .chain(&self.h)
            .chain(&self.L)
            .chain(&self.C)
            .copied()
    }

    /// Inverse of [`Theta::pack`]; panics unless `packed.len() == dims.n_params()`.
    pub fn unpack<F: Copy + Into<f64>>(dims: Dims, packed: &[F]) -> Self {
        assert_eq!(packed.len(), dims.n_params(), "packed parameter length");
        let mut theta = Self::zeros(dims);
        let values = packed.iter().map(|&v| v.into());
        theta
            .A
            .iter_mut()
            .chain(&mut theta.W)
            .chain(&mut theta.h)
            .chain(&mut theta.L)
            .chain(&mut theta.C)
            .zip(values)
            .for_each(|(slot, value)| *slot = value);
        theta
    }

    /// The same model with its units in another order: unit `i` of the result is unit `order[i]` of this one. The observed
    /// units, `order[..N]`, have to stay where they are.
    #[must_use]
    pub fn reordered(&self, order: &[usize]) -> Self {
        let N = self.L.ncols();
        let hidden: Vec<usize> = order[N..].iter().map(|unit| unit - N).collect();
        Self {
            A: self.A.select(Axis(0), order),
            W: self.W.select(Axis(0), order).select(Axis(1), order),
            h: self.h.select(Axis(0), order),
            L: self.L.select(Axis(0), &hidden),
            C: self.C.select(Axis(0), order),
        }
    }

    pub fn is_finite(&self) -> bool {
        self.iter().all(f64::is_finite)
    }

    /// `z_0 = [x_0 ; L x_0]` with missing entries (NaN) of `x_0` taken as 0.
    pub fn initial_state(&self, x0: &[f64]) -> Array1<f64> {
        let N = x0.len();
        let x0: Array1<f64> = x0.iter().map(|&v| if v.is_nan() { 0.0 } else { v }).collect();
        let mut z = Array1::zeros(self.A.len());
        z.slice_mut(s![..N]).assign(&x0);
        z.slice_mut(s![N..]).assign(&self.L.dot(&x0));
        z
    }

    /// One step `A ∘ z + W φ(z) + h + C s`; `s` is empty where there are no inputs.
    pub fn step(&self, P: usize, z: &Array1<f64>, s: &[f64]) -> Array1<f64> {
        let M = z.len();
        let phi: Array1<f64> = z
            .iter()
            .enumerate()
            .map(|(i, &v)| if i >= M - P { v.max(0.0) } else { v })
            .collect();
        let mut next = &self.A * z + self.W.dot(&phi) + &self.h;
        if !s.is_empty() {
            next += &self.C.dot(&Array1::from_vec(s.to_vec()));
        }
        next
    }
}
