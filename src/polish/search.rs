//! Separable CMA-ES: a Gaussian cloud with a variance of its own for every coordinate, moved towards the better and away from
//! the worse of what it draws.
//!
//! Sources: Hansen, "The CMA evolution strategy: a tutorial", 2016, with the diagonal covariance and the learning rates of
//! Ros & Hansen, PPSN 2008. The centre follows all candidates, weighted by their normal scores (Arnold, Theoretical Computer
//! Science 361, 2006), and less far than they were drawn: costs are noisy, and the noise hides the less the farther apart
//! candidates are (Beyer, Computer Methods in Applied Mechanics and Engineering 186, 2000).

use serde::{Deserialize, Serialize};

use crate::rng::{Stream, normal_pair, threefry2x32};

/// Candidates of a generation, and how many of them the variances learn from.
pub const POPULATION: usize = 24;
const PARENTS: usize = POPULATION / 2;
/// Steps of the centre, in standard deviations of the candidates, were costs but noise: half of what it would be by the
/// tutorial's weights of the better half.
const MOVE: f64 = 0.18;
/// The result is an average of the cloud's centres; that of a generation before counts this much less.
const MEMORY: f64 = 0.95;

/// The cloud and its history, all that the next generation depends on beside the costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// Overall step size σ.
    pub sigma: f64,
    /// Centre, `[n]`; starts at 0.
    mean: Vec<f64>,
    /// Variances of the coordinates, `[n]`, times σ².
    variance: Vec<f64>,
    /// Evolution paths of the step size and of the variances, `[n]`.
    path_sigma: Vec<f64>,
    path_variance: Vec<f64>,
    /// Running average of the centres, `[n]`, and the weight that it stands for.
    average: Vec<f64>,
    weight: f64,
    /// Generations since the start.
    done: u32,
}

/// Constants of the strategy for `n` coordinates.
struct Rates {
    /// Of all candidates in the centre's step, best first; their squares sum to 1.
    scores: [f64; POPULATION],
    /// Of the parents in the variances, best first; sums to 1.
    weights: [f64; PARENTS],
    c_sigma: f64,
    d_sigma: f64,
    c_c: f64,
    c_1: f64,
    c_mu: f64,
    /// Expected length of a standard normal vector.
    chi: f64,
}

/// Normal scores by rank, best first, their squares summing to 1: what the best, the second … of so many standard normals are
/// on average, but for a factor (Tukey's lambda in place of the inverse normal distribution: Joiner & Rosenblatt, JASA 66, 1971).
fn normal_scores() -> [f64; POPULATION] {
    let score = |rank: usize| {
        let p = (rank as f64 + 0.625) / (POPULATION as f64 + 0.25);
        (1.0 - p).powf(0.14) - p.powf(0.14)
    };
    let scores: [f64; POPULATION] = std::array::from_fn(score);
    let length = scores.iter().map(|s| s * s).sum::<f64>().sqrt();
    scores.map(|s| s / length)
}

impl Rates {
    fn new(n: f64) -> Self {
        let mut weights = [0.0; PARENTS];
        for (i, weight) in weights.iter_mut().enumerate() {
            *weight = (PARENTS as f64 + 0.5).ln() - (i as f64 + 1.0).ln();
        }
        let total: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= total);
        let mu_eff = 1.0 / weights.iter().map(|w| w * w).sum::<f64>();
        let c_sigma = (mu_eff + 2.0) / (n + mu_eff + 5.0);
        let c_1 = 2.0 / ((n + 1.3) * (n + 1.3) + mu_eff) * (n + 2.0) / 3.0;
        let c_mu = 2.0 * (mu_eff - 2.0 + 1.0 / mu_eff) / ((n + 2.0) * (n + 2.0) + mu_eff) * (n + 2.0) / 3.0;
        Self {
            scores: normal_scores(),
            weights,
            c_sigma,
            d_sigma: 1.0 + c_sigma + 2.0 * (((mu_eff - 1.0) / (n + 1.0)).sqrt() - 1.0).max(0.0),
            c_c: (4.0 + mu_eff / n) / (n + 4.0 + 2.0 * mu_eff / n),
            c_1,
            c_mu: c_mu.min(1.0 - c_1),
            chi: n.sqrt() * (1.0 - 1.0 / (4.0 * n) + 1.0 / (21.0 * n * n)),
        }
    }
}

impl Search {
    /// A round cloud of `n` coordinates about 0.
    pub fn new(n: usize, sigma: f64) -> Self {
        Self {
            sigma,
            mean: vec![0.0; n],
            variance: vec![1.0; n],
            path_sigma: vec![0.0; n],
            path_variance: vec![0.0; n],
            average: vec![0.0; n],
            weight: 0.0,
            done: 0,
        }
    }

    /// The candidates of a generation, [`POPULATION`] of length `n`. `draw` numbers the draws of this `seed`: it must
    /// not come twice.
    pub fn ask(&self, seed: u32, draw: u32) -> Vec<Vec<f64>> {
        let candidate = |k| {
            let normals = normals(seed, draw, k, self.mean.len());
            let moved = self.mean.iter().zip(&self.variance).zip(normals);
            moved
                .map(|((m, variance), z)| m + self.sigma * variance.sqrt() * z)
                .collect()
        };
        (0..POPULATION).map(candidate).collect()
    }

    /// Takes in what the candidates of [`Search::ask`] with the same `seed` and `draw` cost. Only their order counts; NaN
    /// is worst.
    pub fn tell(&mut self, seed: u32, draw: u32, costs: &[f64]) {
        let n = self.mean.len();
        let rates = Rates::new(n as f64);
        // The sign of a NaN, which total_cmp looks at, means nothing.
        let worst = |cost: f64| if cost.is_nan() { f64::INFINITY } else { cost };
        let mut order: Vec<usize> = (0..POPULATION).collect();
        // A stable sort: equal costs keep the order of the draws.
        order.sort_by(|&a, &b| worst(costs[a]).total_cmp(&worst(costs[b])));
        let drawn: Vec<Vec<f64>> = order.iter().map(|&k| normals(seed, draw, k, n)).collect();
        let weighted = |weights: &[f64], f: &dyn Fn(&[f64]) -> f64| -> f64 {
            let pairs = weights.iter().zip(&drawn);
            pairs.map(|(w, z)| w * f(z)).sum()
        };
        // Standard normal, were costs but noise.
        let steps: Vec<f64> = (0..n).map(|i| weighted(&rates.scores, &|z| z[i])).collect();
        let keep = (rates.c_sigma * (2.0 - rates.c_sigma)).sqrt();
        for (path, step) in self.path_sigma.iter_mut().zip(&steps) {
            *path = (1.0 - rates.c_sigma) * *path + keep * step;
        }
        let length = self.path_sigma.iter().map(|p| p * p).sum::<f64>().sqrt();
        self.done += 1;
        // While the path is long because σ is too small, the variances are not to grow as well.
        let settled = 1.0 - (1.0 - rates.c_sigma).powi(2 * self.done as i32);
        let calm = length / settled.sqrt() < (1.4 + 2.0 / (n as f64 + 1.0)) * rates.chi;
        let keep = if calm {
            (rates.c_c * (2.0 - rates.c_c)).sqrt()
        } else {
            0.0
        };
        for (i, step) in steps.iter().enumerate() {
            let deviation = self.variance[i].sqrt();
            self.mean[i] += MOVE * self.sigma * deviation * step;
            let path = &mut self.path_variance[i];
            *path = (1.0 - rates.c_c) * *path + keep * deviation * step;
            let spread = weighted(&rates.weights, &|z| z[i] * z[i]);
            self.variance[i] = (1.0 - rates.c_1 - rates.c_mu) * self.variance[i]
                + rates.c_1 * *path * *path
                + rates.c_mu * self.variance[i] * spread;
        }
        self.sigma *= (rates.c_sigma / rates.d_sigma * (length / rates.chi - 1.0)).exp();
        self.weight = self.weight * MEMORY + 1.0;
        for (average, mean) in self.average.iter_mut().zip(&self.mean) {
            *average += (mean - *average) / self.weight;
        }
    }

    /// What the search has found so far: the average of its last centres, whose errors cancel in part.
    pub fn result(&self) -> &[f64] {
        &self.average
    }
}

/// The standard normals behind candidate `k` of a draw.
fn normals(seed: u32, draw: u32, k: usize, n: usize) -> Vec<f64> {
    let pairs = n.div_ceil(2);
    let words =
        (k * pairs..(k + 1) * pairs).map(|i| threefry2x32([seed, Stream::Polish as u32], [draw, i as u32]));
    words.flat_map(normal_pair).take(n).map(f64::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Σ (s_i (x_i − 1))² with s from 1 to 100: badly scaled, but along the axes.
    fn ellipsoid(x: &[f64]) -> f64 {
        let scale = |i: usize| 100f64.powf(i as f64 / (x.len() - 1) as f64);
        let terms = x.iter().enumerate().map(|(i, x)| (scale(i) * (x - 1.0)).powi(2));
        terms.sum()
    }

    #[test]
    fn finds_the_minimum_of_an_ellipsoid() {
        let mut search = Search::new(20, 0.3);
        for draw in 0..600 {
            let costs: Vec<f64> = search.ask(7, draw).iter().map(|x| ellipsoid(x)).collect();
            search.tell(7, draw, &costs);
        }
        let found = search.result();
        assert!(found.iter().all(|x| (x - 1.0).abs() < 1e-3), "{found:?}");
        // The variances have learnt that the first coordinate is the widest: 10⁴ would be exact.
        let ratio = search.variance[0] / search.variance[19];
        assert!((1e2..1e6).contains(&ratio), "{ratio:e}");
    }

    #[test]
    fn candidates_without_a_cost_are_the_worst() {
        let (mut some, mut none) = (Search::new(3, 1.0), Search::new(3, 1.0));
        let costs: Vec<f64> = (0..POPULATION).map(|k| k as f64).collect();
        let mut undefined = costs.clone();
        undefined[PARENTS..].fill(-f64::NAN);
        some.tell(1, 0, &costs);
        none.tell(1, 0, &undefined);
        assert_eq!(some, none);
    }
}
