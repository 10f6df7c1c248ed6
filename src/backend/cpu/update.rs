use pulp::{Simd, WithSimd};

use crate::backend::cpu::simd::buffer::{Buffer, vectors, vectors_mut};
use crate::backend::{BETA1, BETA2, EPSILON, Member, StepCoefficients};
use crate::model::Dims;

/// The plain form's gradient from the sums of [`crate::backend::cpu::memory::Partial::sum_lanes`].
pub(super) fn reduce(dims: Dims, scale: f32, sums: &[f32], gradient: &mut [f32]) {
    for (gradient, sum) in gradient.iter_mut().zip(sums) {
        *gradient = scale * sum;
    }
    // B = diag(A) + W acts on φ(z̃) for both; A also on the part that the ReLU cut off, collected in dA.
    for i in 0..dims.M {
        gradient[i] += gradient[dims.range_W().start + i * dims.M + i];
    }
}

/// Adds the regularisation's gradient to `gradient`; returns its value (norms in f64).
pub(super) fn regularise(dims: Dims, member: &Member, theta: &[f32], gradient: &mut [f32]) -> f64 {
    let Dims { M, .. } = dims;
    let mut value = 0.0;
    if member.lambda_lat != 0.0 {
        let W = dims.range_W().start;
        let excess = |i: usize| (f64::from(theta[i]) + f64::from(theta[W + i * M + i]) - 0.05).max(0.0);
        let norm = (0..M).map(|i| excess(i) * excess(i)).sum::<f64>().sqrt();
        value += member.lambda_lat * norm;
        for i in (0..M).filter(|_| norm > 0.0) {
            let g = (member.lambda_lat * excess(i) / norm) as f32;
            gradient[i] += g;
            gradient[W + i * M + i] += g;
        }
    }
    if member.lambda_obs != 0.0 {
        for i in dims.range_L() {
            value += member.lambda_obs * f64::from(theta[i]) * f64::from(theta[i]);
            gradient[i] += 2.0 * member.lambda_obs as f32 * theta[i];
        }
    }
    value
}

/// Factor that clips the global norm of `gradient` (in f64, so that squares do not overflow). Where f32 cannot hold it, the
/// gradient is clipped here and the factor is 1.
pub(super) fn clip_factor(clip: Option<f64>, gradient: &mut [f32]) -> f32 {
    let Some(clip) = clip else { return 1.0 };
    let norm = gradient
        .iter()
        .map(|&g| f64::from(g) * f64::from(g))
        .sum::<f64>()
        .sqrt();
    if norm <= clip {
        return 1.0;
    }
    let factor = clip / norm;
    if factor >= f64::from(f32::MIN_POSITIVE) {
        return factor as f32;
    }
    for g in gradient {
        *g = (factor * f64::from(*g)) as f32;
    }
    1.0
}

/// One step of the optimiser (formulas of [`StepCoefficients`]) from `gradient` to `new`; false where a value, or the
/// square of a clipped gradient, is not finite.
pub(super) struct Update<'a> {
    pub lr: f64,
    pub clip_factor: f32,
    pub coefficients: StepCoefficients,
    pub gradient: &'a Buffer,
    /// Parameters, first and second moments.
    pub old: &'a [Buffer; 3],
    pub new: &'a mut [Buffer; 3],
}

impl WithSimd for Update<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        let rect = self.coefficients.rect;
        let constant = |value: f64| simd.splat_f32s(value as f32);
        let (beta1, beta2, eps) = (constant(BETA1), constant(BETA2), constant(EPSILON));
        let (rest1, rest2) = (constant(1.0 - BETA1), constant(1.0 - BETA2));
        let rate = constant(-self.lr * self.coefficients.m_scale * if rect > 0.0 { rect } else { 1.0 });
        let (v_scale, clip) = (
            constant(self.coefficients.v_scale),
            simd.splat_f32s(self.clip_factor),
        );
        let [old_theta, old_m, old_v] = self.old.each_ref().map(|b| vectors::<S>(b.padded()));
        let [new_theta, new_m, new_v] = self.new.each_mut().map(|b| vectors_mut::<S>(b.padded_mut()));
        let zero = simd.splat_f32s(0.0);
        // 0 · x is NaN exactly where x is not finite, and NaN survives a sum.
        let mut finite = zero;
        for (i, &g) in vectors::<S>(self.gradient.padded()).iter().enumerate() {
            let g = simd.mul_f32s(clip, g);
            let m = simd.mul_add_e_f32s(beta1, old_m[i], simd.mul_f32s(rest1, g));
            let v = simd.mul_add_e_f32s(beta2, old_v[i], simd.mul_f32s(rest2, simd.mul_f32s(g, g)));
            let step = if rect > 0.0 {
                let root = simd.sqrt_f32s(simd.mul_f32s(v_scale, v));
                finite = simd.mul_add_e_f32s(root, zero, finite);
                simd.div_f32s(m, simd.add_f32s(root, eps))
            } else {
                m
            };
            let theta = simd.mul_add_e_f32s(rate, step, old_theta[i]);
            for value in [theta, m, v, g] {
                finite = simd.mul_add_e_f32s(value, zero, finite);
            }
            (new_theta[i], new_m[i], new_v[i]) = (theta, m, v);
        }
        simd.reduce_sum_f32s(finite) == 0.0
    }
}
