//! A hyperplane between two sets of rows.

use nalgebra::{DMatrix, DVector};

/// Weight of the squared coefficients, of features of unit variance: rows that can be told apart have no best hyperplane.
const PENALTY: f64 = 1e-3;
const ITERATIONS: usize = 30;

/// Where `w · features + b > 0` is most likely to mean `true`.
#[derive(Debug)]
pub struct Separator {
    /// One for each feature, then the constant; the sum varies by one standard deviation over the rows.
    pub weights: Vec<f64>,
    /// Share of rows on the right side, both sides weighing the same.
    pub accuracy: f64,
}

/// By logistic regression (Newton's method), both sides weighing the same. `features[T, d]`; `None` where one side is empty
/// or the features tell nothing.
pub fn separate(features: &DMatrix<f64>, sides: &[bool]) -> Option<Separator> {
    let (T, d) = features.shape();
    let on = sides.iter().filter(|side| **side).count();
    if on == 0 || on == T {
        return None;
    }
    let mean: Vec<f64> = features.column_iter().map(|c| c.mean()).collect();
    let spread = |c: usize| features.column(c).variance().sqrt().max(f64::MIN_POSITIVE.sqrt());
    let spread: Vec<f64> = (0..d).map(spread).collect();
    let rows = DMatrix::from_fn(T, d + 1, |t, c| match c {
        c if c < d => (features[(t, c)] - mean[c]) / spread[c],
        _ => 1.0,
    });
    let share = |side: bool| 0.5 / if side { on } else { T - on } as f64;
    let penalty = |c: usize| if c < d { PENALTY } else { 0.0 };
    let loss = |w: &DVector<f64>| -> f64 {
        let margins = &rows * w;
        let missed = sides.iter().zip(&margins).map(|(&side, &m)| {
            let m = if side { -m } else { m };
            share(side) * (m.max(0.0) + (-m.abs()).exp().ln_1p())
        });
        missed.sum::<f64>() + 0.5 * (0..d).map(|c| penalty(c) * w[c] * w[c]).sum::<f64>()
    };
    let mut w = DVector::zeros(d + 1);
    let mut least = loss(&w);
    for _ in 0..ITERATIONS {
        let likely = (&rows * &w).map(|m| 1.0 / (1.0 + (-m).exp()));
        let missed = DVector::from_fn(T, |t, _| {
            share(sides[t]) * (likely[t] - f64::from(u8::from(sides[t])))
        });
        let gradient = rows.tr_mul(&missed) + DVector::from_fn(d + 1, |c, _| penalty(c) * w[c]);
        let mut weighed = rows.clone();
        for (t, mut row) in weighed.row_iter_mut().enumerate() {
            row *= share(sides[t]) * likely[t] * (1.0 - likely[t]);
        }
        let mut curvature = rows.tr_mul(&weighed);
        (0..=d).for_each(|c| curvature[(c, c)] += penalty(c) + 1e-10);
        let step = curvature.cholesky()?.solve(&gradient);
        let halved = (0..20).map(|k| &w - &step * 0.5f64.powi(k));
        let better = halved.map(|w| (loss(&w), w)).find(|(loss, _)| *loss < least);
        let Some((loss, moved)) = better else { break };
        let settled = least - loss < 1e-9;
        (least, w) = (loss, moved);
        if settled {
            break;
        }
    }
    let margins = &rows * &w;
    let right = sides
        .iter()
        .zip(&margins)
        .filter(|(side, m)| **side == (**m > 0.0));
    let accuracy = right.map(|(&side, _)| share(side)).sum();
    let unit = margins.variance().sqrt();
    let mut weights: Vec<f64> = (0..d).map(|c| w[c] / spread[c] / unit).collect();
    let shift: f64 = weights.iter().zip(&mean).map(|(w, m)| w * m).sum();
    weights.push(w[d] / unit - shift);
    (unit > 0.0 && weights.iter().all(|w| w.is_finite())).then_some(Separator { weights, accuracy })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_border() {
        let at = |t: usize| [(t % 41) as f64 / 20.0 - 1.0, (t / 41) as f64 / 20.0 - 1.0];
        let features = DMatrix::from_fn(41 * 41, 2, |t, c| at(t)[c]);
        let sides: Vec<bool> = (0..41 * 41).map(|t| at(t)[0] + 2.0 * at(t)[1] > 0.731).collect();
        let found = separate(&features, &sides).expect("two sides");
        assert!(found.accuracy > 0.98, "{}", found.accuracy);
        let [a, b, c] = found.weights[..] else {
            panic!("three weights")
        };
        assert!(
            (b / a - 2.0).abs() < 0.1 && (-c / a - 0.731).abs() < 0.1,
            "{:?}",
            found.weights
        );
        assert!(separate(&features, &vec![true; 41 * 41]).is_none());
    }
}
