//! D_stsp between Gaussian mixtures: how differently two trajectories fill state space, for many dimensions.
//!
//! Source: Koppe et al., PLoS Comput Biol 15(8), 2019; Monte Carlo estimate as in Hershey & Olsen, ICASSP 2007.

use ndarray::ArrayView2;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{Divergence, complete_rows};
use crate::rng::{Stream, index, normal_pair, threefry2x32};

/// Mixture components: the first rows of a trajectory.
pub const COMPONENTS: usize = 10_000;
/// Monte Carlo points.
pub const SAMPLES: usize = 1_000;
/// Samples whose distances to the components are computed together.
const TILE: usize = 4;
/// Components are padded to multiples of this, at least two of the widest vectors.
const PADDING: usize = 16;
/// Components further away than this many nats from the nearest one add less than 1e-20 of its density.
const NEGLIGIBLE: f64 = -46.0;

/// The data's mixture, seen through the samples drawn from it.
#[derive(Clone, Debug)]
pub struct Mixture {
    N: usize,
    variance: f64,
    /// `[SAMPLES, N]`, padded to whole tiles.
    samples: Vec<f64>,
    /// `ln p` of each sample under the data's mixture, up to the normaliser both mixtures share.
    log_p: Vec<f64>,
    rows: usize,
    /// See [`Mixture::resting`].
    resting: f64,
}

impl Mixture {
    /// A Gaussian of `variance` σ² in every dimension at each of the first 10,000 complete rows of `data` (blocks
    /// of rows `[_, N]`), and 1,000 samples of that mixture. `seed` decides the samples.
    pub fn new(data: &[ArrayView2<'_, f64>], variance: f64, seed: u32) -> Self {
        let N = data.first().map_or(0, |block| block.ncols());
        let mut rows = complete_rows(data);
        rows.truncate(COMPONENTS * N);
        let count = rows.len() / N.max(1);
        let mut samples = Vec::with_capacity(SAMPLES * N);
        if count > 0 {
            for i in 0..SAMPLES as u32 {
                let key = [seed, Stream::Metric as u32];
                let centre = index(threefry2x32(key, [i, 0])[0], count as u32) as usize;
                let noise = (1..).flat_map(|q| normal_pair(threefry2x32(key, [i, q])));
                let row = rows[centre * N..(centre + 1) * N].iter();
                samples.extend(row.zip(noise).map(|(x, n)| x + variance.sqrt() * f64::from(n)));
            }
        }
        let mut mixture = Self {
            N,
            variance,
            samples,
            log_p: Vec::new(),
            rows: count,
            resting: f64::NAN,
        };
        mixture.log_p = mixture.log_density(&rows);
        let mean: Vec<f64> = (0..N)
            .map(|n| rows.iter().skip(n).step_by(N).sum::<f64>() / count as f64)
            .collect();
        mixture.resting = mixture.above(&mixture.log_density(&mean)).0;
        mixture
    }

    /// Data rows that are mixture components.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// `1/n Σ_i [ln p(x_i) − ln q(x_i)]` over the samples `x_i` of the data's mixture `p`; `q` has a component at
    /// each of the first 10,000 finite rows of `generated` (blocks of rows `[_, N]`).
    pub fn divergence<V: Copy + Into<f64>>(&self, generated: &[ArrayView2<'_, V>]) -> Divergence {
        let mut rows = complete_rows(generated);
        rows.truncate(COMPONENTS * self.N);
        let components = rows.len() / self.N.max(1);
        let (value, standard_error) = if components == 0 || self.rows == 0 {
            (f64::NAN, f64::NAN)
        } else {
            self.above(&self.log_density(&rows))
        };
        Divergence::below(self.resting, value, Some(standard_error), components)
    }

    /// The score of a run that stays at the data's mean, the lowest of all runs that never move.
    pub fn resting(&self) -> f64 {
        self.resting
    }

    /// Mean and standard error of `ln p(x_i) − ln q(x_i)` over the samples.
    fn above(&self, log_q: &[f64]) -> (f64, f64) {
        let count = log_q.len() as f64;
        let differences = self.log_p.iter().zip(log_q).map(|(p, q)| p - q);
        let value = differences.clone().sum::<f64>() / count;
        let square: f64 = differences.map(|d| (d - value).powi(2)).sum();
        (value, (square / (count - 1.0) / count).sqrt())
    }

    /// `ln [1/n Σ_k exp(−‖x_i − r_k‖² / 2σ²)]` of every sample for the components `rows` (`[n, N]`, row-major).
    fn log_density(&self, rows: &[f64]) -> Vec<f64> {
        let N = self.N;
        let count = rows.len() / N.max(1);
        let padded = count.next_multiple_of(PADDING);
        let mut columns = vec![0.0; padded * N];
        for (k, row) in rows.chunks_exact(N.max(1)).enumerate() {
            for (n, &value) in row.iter().enumerate() {
                columns[n * padded + k] = value;
            }
        }
        self.samples
            .par_chunks(TILE * N.max(1))
            .flat_map_iter(|samples| {
                let tile = Tile {
                    samples,
                    columns: &columns,
                    count,
                    padded,
                    N,
                    variance: self.variance,
                };
                Arch::new().dispatch(tile).into_iter().take(samples.len() / N)
            })
            .collect()
    }
}

/// Log densities of up to `TILE` samples (`[_, N]`, row-major).
struct Tile<'a> {
    samples: &'a [f64],
    /// The components column by column, each padded so that every vector is whole.
    columns: &'a [f64],
    count: usize,
    padded: usize,
    N: usize,
    variance: f64,
}

impl WithSimd for Tile<'_> {
    type Output = [f64; TILE];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Self { padded, count, N, .. } = self;
        let width = 2 * S::F64_LANES;
        let mut squares: [Vec<f64>; TILE] = std::array::from_fn(|_| vec![0.0; padded]);
        for start in (0..padded).step_by(width) {
            let mut sum = [[simd.splat_f64s(0.0); 2]; TILE];
            for n in 0..N {
                let at = n * padded + start;
                let (component, _) = S::as_simd_f64s(&self.columns[at..at + width]);
                for (i, sum) in sum.iter_mut().enumerate() {
                    // A last tile with fewer samples repeats its first one.
                    let value = self.samples.get(i * N + n).unwrap_or(&self.samples[n]);
                    let value = simd.splat_f64s(*value);
                    for (sum, &component) in sum.iter_mut().zip(component) {
                        let d = simd.sub_f64s(value, component);
                        *sum = simd.mul_add_e_f64s(d, d, *sum);
                    }
                }
            }
            for (squares, sum) in squares.iter_mut().zip(sum) {
                let (slots, _) = S::as_mut_simd_f64s(&mut squares[start..start + width]);
                slots.iter_mut().zip(sum).for_each(|(slot, sum)| *slot = sum);
            }
        }
        squares.map(|squares| log_mean_exp(&squares[..count], -0.5 / self.variance))
    }
}

/// `ln [1/n Σ exp(factor · d)]` for distances `d ≥ 0` and a negative factor, by the largest term.
fn log_mean_exp(distances: &[f64], factor: f64) -> f64 {
    let nearest = distances.iter().copied().fold(f64::INFINITY, f64::min);
    let sum: f64 = distances
        .iter()
        .map(|&d| factor * (d - nearest))
        .filter(|&exponent| exponent > NEGLIGIBLE)
        .map(f64::exp)
        .sum();
    factor * nearest + (sum / distances.len() as f64).ln()
}
