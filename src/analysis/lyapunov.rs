#![allow(non_snake_case, reason = "the paper's symbols")]

use nalgebra::DMatrix;
use ndarray::Array2;

use super::map::Map;

/// Blocks of the error bars.
const BLOCKS: usize = 20;
/// Points of the convergence curve.
const POINTS: usize = 200;
/// Steps between orthonormalisations, at most.
const MAX_INTERVAL: usize = 10;
/// Growth factors of one interval differ by no more than e^this, about half the digits of f64.
const MAX_SPREAD: f64 = 18.0;
/// A growth factor below this fraction of the largest one is rounding of 0.
const ZERO: f64 = 1e-14;

/// Lyapunov spectrum of the map along its free run.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Lyapunov {
    /// Steps averaged over, and between two orthonormalisations.
    pub steps: usize,
    pub interval: usize,
    /// All `M` exponents, falling, nats a step; −∞ (JSON: null) where the map collapses a direction.
    pub spectrum: Vec<f64>,
    /// Standard errors, from the means of 20 blocks.
    pub error: Vec<f64>,
    /// The same in nats a unit of time, where `dt` is known.
    pub per_time: Option<Vec<f64>>,
    pub per_time_error: Option<Vec<f64>>,
    /// Exponents up to this cannot be told from 0: three standard errors of the first one, and what growth like the
    /// third power of time would leave (`3 ln T / T`), as regular motion shears without being chaotic.
    pub resolution: f64,
    /// Sum of the exponents above the resolution, nats a step: an upper bound of the entropy rate (Ruelle), equal to
    /// it for smooth measures (Pesin).
    pub positive_sum: f64,
    /// Kaplan–Yorke dimension `k + Σ_{i ≤ k} λ_i / |λ_{k+1}|`, `k` the largest for which the sum is not negative.
    /// Hidden units that forget more slowly than the data's dynamics contract act as filters and raise it above the
    /// data's dimension (Badii et al. 1988).
    pub kaplan_yorke: f64,
    /// Steps at which the running means were taken, and these, `[points, M]`.
    #[serde(skip)]
    pub convergence_steps: Vec<u64>,
    #[serde(skip)]
    pub convergence: Array2<f64>,
}

/// Growth of an orthonormal frame: carries `z` and `Q` along and takes logarithms of the diagonal of `R`.
struct Frame<'a> {
    map: &'a Map,
    z: Vec<f64>,
    next: Vec<f64>,
    Q: DMatrix<f64>,
    scratch: DMatrix<f64>,
    product: DMatrix<f64>,
}

impl Frame<'_> {
    /// Advances by `steps`, then orthonormalises; the logarithms of the growth factors, `[M]`.
    fn advance(&mut self, steps: usize) -> Vec<f64> {
        for _ in 0..steps {
            let code = self.map.code(&self.z);
            self.map
                .apply_jacobian(code, &self.Q, &mut self.scratch, &mut self.product);
            std::mem::swap(&mut self.Q, &mut self.product);
            self.map.step(&self.z, &mut self.next);
            std::mem::swap(&mut self.z, &mut self.next);
        }
        // Householder reflections keep Q orthonormal even where columns collapse to 0.
        let (Q, R) = std::mem::replace(&mut self.Q, DMatrix::zeros(0, 0)).qr().unpack();
        self.Q = Q;
        let growth = R.diagonal().abs();
        let floor = ZERO * growth.max();
        growth
            .iter()
            .map(|&r| if r <= floor { f64::NEG_INFINITY } else { r.ln() })
            .collect()
    }
}

impl<'a> Frame<'a> {
    fn new(map: &'a Map, z: &[f64]) -> Self {
        let M = map.M;
        Self {
            map,
            z: z.to_vec(),
            next: vec![0.0; M],
            Q: DMatrix::identity(M, M),
            scratch: DMatrix::zeros(M, M),
            product: DMatrix::zeros(M, M),
        }
    }

    /// Turns the frame into place in `steps` steps; how many steps may lie between two orthonormalisations.
    fn align(&mut self, steps: usize) -> usize {
        let mut widest = 0.0f64;
        for t in 0..steps {
            let logs = self.advance(1);
            let finite = logs.iter().filter(|v| v.is_finite());
            let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
                (l.min(*v), h.max(*v))
            });
            // The first steps still turn the frame.
            if t >= steps / 2 {
                widest = widest.max(high - low);
            }
        }
        ((MAX_SPREAD / widest.max(1e-9)) as usize).clamp(1, MAX_INTERVAL)
    }
}

/// Sums of logarithmic growth: of the whole run, of its blocks, and on the way.
struct Sums {
    whole: Vec<f64>,
    blocks: Vec<Vec<f64>>,
    convergence: Vec<f64>,
    convergence_steps: Vec<u64>,
}

/// Lets a frame grow for `rounds · interval` steps.
fn grow(frame: &mut Frame<'_>, rounds: usize, interval: usize) -> Sums {
    let M = frame.map.M;
    let every = (rounds / POINTS).max(1);
    let mut sums = Sums {
        whole: vec![0.0; M],
        blocks: vec![vec![0.0; M]; BLOCKS],
        convergence: Vec::new(),
        convergence_steps: Vec::new(),
    };
    for round in 0..rounds {
        let block = &mut sums.blocks[round * BLOCKS / rounds];
        for (i, log) in frame.advance(interval).into_iter().enumerate() {
            sums.whole[i] += log;
            block[i] += log;
        }
        if (round + 1) % every == 0 {
            let steps = (round + 1) * interval;
            sums.convergence
                .extend(sums.whole.iter().map(|s| s / steps as f64));
            sums.convergence_steps.push(steps as u64);
        }
    }
    sums
}

/// The spectrum by QR decompositions along the run from `z` (Benettin et al. 1980): `align` steps turn the frame
/// into place and tell how often to orthonormalise, `steps` are averaged (in whole blocks).
///
/// `None` where the run leaves the finite numbers.
pub fn lyapunov(map: &Map, z: &[f64], align: usize, steps: usize, dt: Option<f64>) -> Option<Lyapunov> {
    let M = map.M;
    let mut frame = Frame::new(map, z);
    let interval = frame.align(align);
    let rounds = (steps / (interval * BLOCKS)).max(1) * BLOCKS;
    let sums = grow(&mut frame, rounds, interval);
    if !frame.z.iter().all(|v| v.is_finite()) {
        return None;
    }
    let steps = rounds * interval;
    let per_block = (steps / BLOCKS) as f64;
    let error =
        |i: usize| standard_error(&sums.blocks.iter().map(|b| b[i] / per_block).collect::<Vec<f64>>());
    let exponents: Vec<f64> = sums.whole.iter().map(|s| s / steps as f64).collect();
    let mut order: Vec<usize> = (0..M).collect();
    order.sort_by(|&a, &b| exponents[b].total_cmp(&exponents[a]));
    let points = sums.convergence_steps.len();
    let convergence = Array2::from_shape_vec((points, M), sums.convergence).expect("M values a point");
    Some(finish(
        Lyapunov {
            steps,
            interval,
            spectrum: order.iter().map(|&i| exponents[i]).collect(),
            error: order.iter().map(|&i| error(i)).collect(),
            per_time: None,
            per_time_error: None,
            resolution: 0.0,
            positive_sum: 0.0,
            kaplan_yorke: 0.0,
            convergence_steps: sums.convergence_steps,
            convergence: convergence.select(ndarray::Axis(1), &order),
        },
        dt,
    ))
}

/// Fills in what follows from the exponents.
fn finish(mut l: Lyapunov, dt: Option<f64>) -> Lyapunov {
    let per_time = |values: &[f64]| dt.map(|dt| values.iter().map(|v| v / dt).collect());
    l.per_time = per_time(&l.spectrum);
    l.per_time_error = per_time(&l.error);
    let T = l.steps as f64;
    // A first exponent of −∞ has no error; max ignores the NaN.
    l.resolution = (3.0 * T.ln() / T).max(3.0 * l.error[0]);
    let positive = l.spectrum.iter().filter(|v| **v > l.resolution);
    l.positive_sum = positive.fold(0.0, |sum, v| sum + v);
    l.kaplan_yorke = kaplan_yorke(&l.spectrum, &l.error);
    l
}

/// Kaplan–Yorke dimension of a falling spectrum. First exponents within three standard errors of 0 count as 0, so
/// that a limit cycle has dimension 1 whichever side of 0 its exponent comes to lie.
fn kaplan_yorke(spectrum: &[f64], error: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (k, (&exponent, error)) in spectrum.iter().zip(error).enumerate() {
        let zero = sum == 0.0 && exponent.abs() <= 3.0 * error;
        let next = if zero { 0.0 } else { sum + exponent };
        if next < 0.0 {
            // 0 for an exponent of −∞.
            return k as f64 + sum / exponent.abs();
        }
        sum = next;
    }
    spectrum.len() as f64
}

/// Standard error of the mean of independent values; NaN where one is not finite.
pub fn standard_error(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n * (n - 1.0))).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kaplan_yorke_dimensions() {
        let exact = |spectrum: &[f64]| kaplan_yorke(spectrum, &vec![0.0; spectrum.len()]);
        assert_eq!(exact(&[-0.1, -0.2]), 0.0);
        assert_eq!(exact(&[0.0, -0.2]), 1.0);
        assert_eq!(exact(&[0.9, 0.0, -14.5]), 2.0 + 0.9 / 14.5);
        assert_eq!(exact(&[0.5, f64::NEG_INFINITY]), 1.0);
        assert_eq!(exact(&[0.5, 0.1]), 2.0);
        assert_eq!(kaplan_yorke(&[0.5, f64::NEG_INFINITY], &[0.1, f64::NAN]), 1.0);
        let close_to_three = kaplan_yorke(&[1.0, 0.0, -1.1], &[0.1, 0.1, 0.1]);
        assert_eq!(close_to_three, 2.0 + 1.0 / 1.1);
        assert_eq!(kaplan_yorke(&[-1e-5, -0.2], &[1e-5, 1e-3]), 1.0);
    }

    #[test]
    fn standard_error_of_known_values() {
        let d = standard_error(&[1.0, 2.0, 3.0]) - (1.0f64 / 3.0).sqrt();
        assert!(d.abs() <= 1e-15, "{d:e}");
    }
}
