use crate::backend::{BETA1, BETA2, EPSILON, Gradient, Member, StepCoefficients};
use crate::model::Theta;

/// First and second moment estimates.
pub struct Moments {
    pub m: Theta,
    pub v: Theta,
}

/// Adds the gradient of `λ_lat ‖max(A + diag W − 0.05, 0)‖₂ + λ_obs ‖L‖²_F` to `grad`; returns its value.
pub fn regularisation(member: &Member, theta: &Theta, grad: &mut Theta) -> f64 {
    let excess: Vec<f64> = theta
        .A
        .iter()
        .zip(theta.W.diag())
        .map(|(a, w)| (a + w - 0.05).max(0.0))
        .collect();
    let norm = excess.iter().map(|r| r * r).sum::<f64>().sqrt();
    if norm > 0.0 {
        for (i, r) in excess.iter().enumerate() {
            grad.A[i] += member.lambda_lat * r / norm;
            grad.W[[i, i]] += member.lambda_lat * r / norm;
        }
    }
    grad.L.scaled_add(2.0 * member.lambda_obs, &theta.L);
    member.lambda_lat * norm + member.lambda_obs * theta.L.iter().map(|l| l * l).sum::<f64>()
}

/// One optimiser step with learning rate `lr`: clipping of the total gradient's norm, then the formulas of
/// [`StepCoefficients`]. Leaves everything as it was and returns false where the loss, the gradient, the square of the
/// clipped gradient, a moment (the second also without its bias) or a new parameter is not a finite f32.
pub fn update(
    member: &Member,
    lr: f64,
    coefficients: StepCoefficients,
    gradient: &Gradient,
    theta: &mut Theta,
    moments: &mut Moments,
) -> bool {
    let finite = |v: f64| (v as f32).is_finite();
    if !finite(gradient.mse + gradient.reg) || !gradient.theta.iter().all(finite) {
        return false;
    }
    let norm = gradient.theta.iter().map(|g| g * g).sum::<f64>().sqrt();
    let scale = member
        .clip
        .map_or(1.0, |clip| if norm > clip { clip / norm } else { 1.0 });
    let (m_scale, v_scale, rect) = (coefficients.m_scale, coefficients.v_scale, coefficients.rect);
    let dims = theta.dims();
    let (mut new_theta, mut new_m, mut new_v) = (Vec::new(), Vec::new(), Vec::new());
    let mut all_finite = true;
    let old = theta.iter().zip(moments.m.iter()).zip(moments.v.iter());
    for (((theta, m), v), g) in old.zip(gradient.theta.iter()) {
        let g = scale * g;
        let m = BETA1 * m + (1.0 - BETA1) * g;
        let v = BETA2 * v + (1.0 - BETA2) * g * g;
        all_finite &= finite(g * g) && finite(m) && finite(v);
        let step = if rect > 0.0 {
            all_finite &= finite(v_scale * v);
            m * rect / ((v_scale * v).sqrt() + EPSILON)
        } else {
            m
        };
        let theta = theta - lr * m_scale * step;
        all_finite &= finite(theta);
        new_theta.push(theta);
        new_m.push(m);
        new_v.push(v);
    }
    if all_finite {
        *theta = Theta::unpack(dims, &new_theta);
        moments.m = Theta::unpack(dims, &new_m);
        moments.v = Theta::unpack(dims, &new_v);
    }
    all_finite
}
