use nalgebra::DMatrix;
use ndarray::Array2;

use super::input::AnalysisSettings;
use super::map::Map;
use crate::stats::standard_error;

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

/// On which side of 0 an exponent lies, as far as its run can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    Positive,
    Zero,
    Negative,
}

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
    /// Exponents within this of 0 (nats a step) count as 0: three standard errors of the first one, and what growth
    /// like the third power of time would leave (`3 ln T / T`), as regular motion shears without being chaotic. Where
    /// the first exponent is so negative that the run must still be contracting (bounded motion leaves a few nats over
    /// the whole run, `3 / T`), nothing is 0, and this is that bound.
    pub resolution: f64,
    /// Which exponents are above, at and below 0: 0 within the resolution, or within three of their own standard
    /// errors. All that turns on a sign (the kind of attractor, the sum, the dimension) is decided by these.
    pub signs: Vec<Sign>,
    /// Sum of the positive exponents, nats a step: an upper bound of the entropy rate (Ruelle), equal to it for smooth
    /// measures (Pesin).
    pub positive_sum: f64,
    /// Kaplan–Yorke dimension `k + Σ_{i ≤ k} λ_i / |λ_{k+1}|`, `k` the largest for which the sum is not negative;
    /// first exponents that are 0 by their sign enter as 0.
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
        let log = |&r: &f64| if r <= floor { f64::NEG_INFINITY } else { r.ln() };
        growth.iter().map(log).collect()
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
struct Growth {
    whole: Vec<f64>,
    blocks: Vec<Vec<f64>>,
    convergence: Vec<f64>,
    convergence_steps: Vec<u64>,
}

/// Lets a frame grow for `rounds · interval` steps.
fn grow(frame: &mut Frame<'_>, rounds: usize, interval: usize) -> Growth {
    let M = frame.map.M;
    let every = (rounds / POINTS).max(1);
    let mut sums = Growth {
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

/// The spectrum by QR decompositions along the run from `z` (Benettin et al. 1980): a tenth of the steps asked for (at
/// most 1000) turn the frame into place and tell how often to orthonormalise, then all are averaged (in whole blocks).
///
/// `None` where the run leaves the finite numbers.
pub fn lyapunov(map: &Map, z: &[f64], settings: &AnalysisSettings) -> Option<Lyapunov> {
    let (M, steps) = (map.M, settings.lyapunov_steps);
    let mut frame = Frame::new(map, z);
    let interval = frame.align((steps / 10).min(1000));
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
    let spectrum: Vec<f64> = order.iter().map(|&i| exponents[i]).collect();
    let error: Vec<f64> = order.iter().map(|&i| error(i)).collect();
    let per_time = |values: &[f64]| settings.dt.map(|dt| values.iter().map(|v| v / dt).collect());
    let (resolution, signs) = signs(&spectrum, &error, steps);
    let signed = spectrum.iter().zip(&signs);
    let positive = signed.filter(|(_, sign)| **sign == Sign::Positive);
    Some(Lyapunov {
        steps,
        interval,
        per_time: per_time(&spectrum),
        per_time_error: per_time(&error),
        resolution,
        positive_sum: positive.fold(0.0, |sum, (v, _)| sum + v),
        kaplan_yorke: kaplan_yorke(&spectrum, &signs),
        spectrum,
        error,
        signs,
        convergence_steps: sums.convergence_steps,
        convergence: convergence.select(ndarray::Axis(1), &order),
    })
}

impl Lyapunov {
    /// Exponents and their standard errors per unit of time where `dt` is known, else per step.
    pub fn in_time(&self) -> (&[f64], &[f64]) {
        match (&self.per_time, &self.per_time_error) {
            (Some(exponents), Some(errors)) => (exponents, errors),
            _ => (&self.spectrum, &self.error),
        }
    }

    /// How many exponents have a sign.
    pub fn count(&self, sign: Sign) -> usize {
        self.signs.iter().filter(|s| **s == sign).count()
    }
}

/// The resolution of 0 and the signs of a falling spectrum over `steps` (see [`Lyapunov`]).
fn signs(spectrum: &[f64], error: &[f64], steps: usize) -> (f64, Vec<Sign>) {
    let T = steps as f64;
    // A first exponent of −∞ has no error; max ignores the NaN.
    let least = (3.0 / T).max(3.0 * error[0]);
    if spectrum[0] < -least {
        return (least, vec![Sign::Negative; spectrum.len()]);
    }
    let resolution = (3.0 * T.ln() / T).max(3.0 * error[0]);
    let sign = |(&value, &error): (&f64, &f64)| {
        let reach = resolution.max(3.0 * error);
        if value > reach {
            Sign::Positive
        } else if value < -reach {
            Sign::Negative
        } else {
            Sign::Zero
        }
    };
    (resolution, spectrum.iter().zip(error).map(sign).collect())
}

/// Kaplan–Yorke dimension of a falling spectrum. First exponents that are 0 count as 0, so that a limit cycle has
/// dimension 1 and a torus 2, whichever side of 0 rounding puts theirs; after positive ones the formula is continuous.
fn kaplan_yorke(spectrum: &[f64], signs: &[Sign]) -> f64 {
    let mut sum = 0.0;
    for (k, (&exponent, &sign)) in spectrum.iter().zip(signs).enumerate() {
        let zero = sum == 0.0 && sign == Sign::Zero;
        let next = if zero { 0.0 } else { sum + exponent };
        if next < 0.0 {
            // 0 for an exponent of −∞.
            return k as f64 + sum / exponent.abs();
        }
        sum = next;
    }
    spectrum.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kaplan_yorke_dimensions() {
        let dimension = |spectrum: &[f64], error: &[f64]| {
            let (_, signs) = signs(spectrum, error, 50_000);
            kaplan_yorke(spectrum, &signs)
        };
        let exact = |spectrum: &[f64]| dimension(spectrum, &vec![0.0; spectrum.len()]);
        assert_eq!(exact(&[-0.1, -0.2]), 0.0);
        assert_eq!(exact(&[0.0, -0.2]), 1.0);
        assert_eq!(exact(&[0.9, 0.0, -14.5]), 2.0 + 0.9 / 14.5);
        assert_eq!(exact(&[0.5, f64::NEG_INFINITY]), 1.0);
        assert_eq!(exact(&[0.5, 0.1]), 2.0);
        assert_eq!(dimension(&[0.5, f64::NEG_INFINITY], &[0.1, f64::NAN]), 1.0);
        assert_eq!(dimension(&[1.0, 0.0, -1.1], &[0.1, 0.1, 0.1]), 2.0 + 1.0 / 1.1);
        assert_eq!(dimension(&[-1e-5, -0.2], &[1e-5, 1e-3]), 1.0);
        // Within the resolution of 0 nothing changes, whatever the signs that rounding or shear leave there.
        for (a, b) in [
            (4e-17, -4e-17),
            (-4e-17, -4e-17),
            (2e-4, -2e-4),
            (-5e-5, -6e-4),
            (6e-4, 1e-5),
        ] {
            assert_eq!(exact(&[a, b, -0.5]), 2.0, "{a} {b}");
            assert_eq!(exact(&[a, -0.01]), 1.0, "{a}");
        }
        // After a positive exponent the formula itself is continuous.
        let d = exact(&[0.9, 1e-9, -14.5]) - exact(&[0.9, -1e-9, -14.5]);
        assert!(d.abs() <= 1e-8, "{d:e}");
    }

    #[test]
    fn signs_are_decided_once() {
        use Sign::*;
        // 3 ln T / T = 6.5e-4; bounded motion leaves 6e-5 at most.
        let of = |spectrum: &[f64], error: &[f64]| signs(spectrum, error, 50_000).1;
        assert_eq!(
            of(&[0.9, 3e-4, -14.5], &[1e-3, 1e-5, 1e-3]),
            [Positive, Zero, Negative]
        );
        assert_eq!(
            of(&[0.5, 0.02, -0.02], &[1e-3, 0.01, 0.01]),
            [Positive, Zero, Zero]
        );
        assert_eq!(of(&[-1e-4, -2e-4], &[1e-9, 1e-9]), [Negative, Negative]);
        assert_eq!(of(&[-1e-5, -2e-4], &[1e-9, 1e-9]), [Zero, Zero]);
        assert_eq!(of(&[f64::NEG_INFINITY], &[f64::NAN]), [Negative]);
        // What is within the resolution that is printed is 0, and nothing else but by its own error.
        for first in [0.5, 1e-5, -1e-4] {
            let spectrum = [first, -5e-4, -0.5];
            let (resolution, signs) = signs(&spectrum, &[1e-6; 3], 50_000);
            for (value, sign) in spectrum.iter().zip(signs) {
                assert_eq!(value.abs() <= resolution, sign == Zero, "{value} of {spectrum:?}");
            }
        }
    }
}
