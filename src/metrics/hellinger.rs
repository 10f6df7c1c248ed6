//! D_H: how different two power spectra are, the Hellinger distance of smoothed, normalised spectra.
//!
//! Source: Mikhaeil, Monfared & Durstewitz, NeurIPS 2022, with the smoothing of Brenner et al., NeurIPS 2024.

use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};
use realfft::{RealFftPlanner, RealToComplex};

/// The Gaussian kernel ends at this many standard deviations.
const TRUNCATE: f64 = 4.0;
/// Vectors summed side by side while smoothing.
const UNROLL: usize = 4;
/// f64 lanes of the widest vectors.
const MAX_LANES: usize = 8;

/// Everything that a spectrum of signals of one length needs: an FFT plan and a smoothing kernel.
#[derive(Clone)]
pub struct SpectrumPlan {
    fft: Arc<dyn RealToComplex<f64>>,
    kernel: Kernel,
}

/// Square roots `√p` of a normalised power spectrum (`Σp = 1`), `length/2 + 1` values.
pub type Amplitudes = Vec<f64>;

impl SpectrumPlan {
    /// For signals of `length` values and a smoothing of `smoothing` standard deviations, in frequency bins.
    pub fn new(planner: &mut RealFftPlanner<f64>, length: usize, smoothing: f64) -> Self {
        Self {
            fft: planner.plan_fft_forward(length),
            kernel: Kernel::new(length / 2 + 1, smoothing),
        }
    }

    /// Number of values of a signal.
    pub fn length(&self) -> usize {
        self.fft.len()
    }

    /// `√p`, where `p` is |rfft|² of the z-scored `signal`, smoothed (see [`smooth`]) and normalised to sum 1.
    /// `None` where there is no spectrum: a constant signal, or one that is not finite throughout.
    ///
    /// The z-score's division is left out: a common factor disappears in the normalisation.
    pub fn amplitudes(&self, mut signal: Vec<f64>) -> Option<Amplitudes> {
        let mean = sum(&signal, &signal, |v, _| v) / signal.len() as f64;
        let first = *signal.first()?;
        if !mean.is_finite() || signal.iter().all(|&v| v == first) {
            return None;
        }
        signal.iter_mut().for_each(|v| *v -= mean);
        let mut spectrum = self.fft.make_output_vec();
        self.fft
            .process(&mut signal, &mut spectrum)
            .expect("signal and output have the plan's length");
        let power: Vec<f64> = spectrum.iter().map(|c| c.norm_sqr()).collect();
        let mut power = self.kernel.apply(power);
        let total = sum(&power, &power, |p, _| p);
        if !(total > 0.0 && total.is_finite()) {
            return None;
        }
        power.iter_mut().for_each(|p| *p = (p.max(0.0) / total).sqrt());
        Some(power)
    }
}

/// Hellinger distance `1/√2 · ‖√p − √q‖₂`, in [0, 1].
pub fn hellinger(p: &Amplitudes, q: &Amplitudes) -> f64 {
    let square = sum(p, q, |p, q| (p - q) * (p - q));
    (0.5 * square).sqrt().min(1.0)
}

/// `Σ f(a_i, b_i)` in eight partial sums, which do not wait for each other.
fn sum(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> f64 {
    let mut sums = [0.0; MAX_LANES];
    for (a, b) in a.chunks(MAX_LANES).zip(b.chunks(MAX_LANES)) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f(a, b);
        }
    }
    sums.iter().sum()
}

/// Convolution with a normalised Gaussian of standard deviation `sigma`, truncated at 4 sigma, the signal reflected
/// about its ends (`d c b a | a b c d | d c b a`) as often as the kernel reaches beyond them; 0 leaves the signal
/// as it is. The values of `scipy.ndimage.gaussian_filter1d(signal, sigma, mode="reflect")`.
pub fn smooth(signal: Vec<f64>, sigma: f64) -> Vec<f64> {
    Kernel::new(signal.len(), sigma).apply(signal)
}

/// `out[i] = Σ_k weights[k] · signal[i + k − reach]`, the signal continued by reflection.
#[derive(Clone, Debug)]
struct Kernel {
    weights: Vec<f64>,
    reach: usize,
}

impl Kernel {
    fn new(length: usize, sigma: f64) -> Self {
        let radius = (TRUNCATE * sigma + 0.5) as isize;
        if radius == 0 || length == 0 {
            return Self {
                weights: vec![1.0],
                reach: 0,
            };
        }
        // The reflected signal repeats after twice its length, so weights further apart than that are one.
        let period = 2 * length;
        let folds = 2 * radius as usize + 1 > period;
        let mut weights = vec![0.0; if folds { period } else { 2 * radius as usize + 1 }];
        let mut total = 0.0;
        for offset in -radius..=radius {
            let weight = (-0.5 * (offset as f64 / sigma).powi(2)).exp();
            let slot = if folds {
                offset.rem_euclid(period as isize)
            } else {
                offset + radius
            };
            weights[slot as usize] += weight;
            total += weight;
        }
        weights.iter_mut().for_each(|w| *w /= total);
        Self {
            weights,
            reach: if folds { 0 } else { radius as usize },
        }
    }

    fn apply(&self, signal: Vec<f64>) -> Vec<f64> {
        if self.weights.len() == 1 {
            return signal;
        }
        let length = signal.len();
        let padded = length.next_multiple_of(UNROLL * MAX_LANES);
        let mut extended = Vec::with_capacity(padded + self.weights.len());
        extended.extend(signal[..self.reach].iter().rev());
        extended.extend(&signal);
        // A folded kernel starts at 0 and reads a whole period on, so the rest is a reflection and a repetition.
        let beyond = self.weights.len() - 1 - self.reach;
        extended.extend(signal.iter().rev().chain(&signal).take(beyond));
        extended.resize(padded + self.weights.len(), 0.0);
        let mut out = vec![0.0; padded];
        Arch::new().dispatch(Convolve {
            weights: &self.weights,
            extended: &extended,
            out: &mut out,
        });
        out.truncate(length);
        out
    }
}

/// `out[i] = Σ_k weights[k] · extended[i + k]`; `out` holds whole groups of vectors.
struct Convolve<'a> {
    weights: &'a [f64],
    extended: &'a [f64],
    out: &'a mut [f64],
}

impl WithSimd for Convolve<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = UNROLL * S::F64_LANES;
        for (group, out) in self.out.chunks_exact_mut(width).enumerate() {
            let mut sum = [simd.splat_f64s(0.0); UNROLL];
            let windows = self.extended[group * width..].windows(width);
            for (&weight, window) in self.weights.iter().zip(windows) {
                let weight = simd.splat_f64s(weight);
                let (window, _) = S::as_simd_f64s(window);
                for (sum, &value) in sum.iter_mut().zip(window) {
                    *sum = simd.mul_add_e_f64s(weight, value, *sum);
                }
            }
            let (out, _) = S::as_mut_simd_f64s(out);
            out.iter_mut().zip(sum).for_each(|(slot, sum)| *slot = sum);
        }
    }
}
