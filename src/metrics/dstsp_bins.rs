//! D_stsp over bins: how differently two trajectories fill state space, for few dimensions.
//!
//! Source: Koppe et al., PLoS Comput Biol 15(8), 2019; widened range, smoothing and dropped points as in the
//! evaluation of Brenner et al., NeurIPS 2024.

use ndarray::ArrayView2;

use super::{Divergence, complete_rows};
use crate::dataset::range;
use crate::error::{Error, Result};

/// Pseudo-count of every bin (Laplace smoothing).
pub(super) const SMOOTHING: f64 = 1e-5;
/// The range reaches this many standard deviations beyond the data at each end.
const MARGIN: f64 = 0.1;

/// Up to this many bins are counted in a table, more by sorting the visited ones.
const TABLE: u64 = 1 << 16;

/// How often each visited bin was visited, by bin number; memory grows with the visited bins only.
type Counts = Vec<(u64, u32)>;

/// The data's histogram: `bins` equal bins per dimension over the data's range widened by 0.1 standard
/// deviations (divisor n − 1) at each end. A constant column gets the range value ± 0.5.
#[derive(Clone, Debug)]
pub struct Histogram {
    bins: usize,
    low: Vec<f64>,
    /// Bins per unit of each column.
    per_unit: Vec<f64>,
    counts: Counts,
    /// Complete rows counted.
    rows: usize,
}

impl Histogram {
    /// Counts the complete rows (no NaN) of `data`, blocks of rows `[_, N]` one after another.
    ///
    /// # Errors
    /// When `binsᴺ` passes 64 bits.
    pub fn new(data: &[ArrayView2<'_, f64>], bins: usize) -> Result<Self> {
        let N = data.first().map_or(0, |block| block.ncols());
        if u32::try_from(N)
            .ok()
            .and_then(|N| (bins as u64).checked_pow(N))
            .is_none()
        {
            let most = (u64::MAX as f64).powf(1.0 / N as f64).floor();
            return Err(Error::input(format!(
                "--bins {bins}: in each of {N} dimensions these are too many to number"
            ))
            .with_hint(format!("use at most {most} bins per dimension")));
        }
        let rows = complete_rows(data);
        let mut histogram = Self {
            bins,
            low: Vec::with_capacity(N),
            per_unit: Vec::with_capacity(N),
            counts: Counts::new(),
            rows: rows.len() / N.max(1),
        };
        for n in 0..N {
            let (low, high) = widened_range(rows.iter().skip(n).step_by(N).copied());
            histogram.low.push(low);
            histogram.per_unit.push(bins as f64 / (high - low));
        }
        histogram.counts = histogram.count(&[&rows]).0;
        Ok(histogram)
    }

    /// Pseudo-count of every bin.
    pub const SMOOTHING: f64 = SMOOTHING;

    /// Bins per dimension.
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// Low end and bins per unit of every dimension.
    pub fn ranges(&self) -> impl Iterator<Item = (f64, f64)> {
        self.low.iter().copied().zip(self.per_unit.iter().copied())
    }

    /// How often the data visit each bin that they visit, by its number (the last dimension counts fastest).
    pub fn visits(&self) -> &[(u64, u32)] {
        &self.counts
    }

    /// [`Histogram::divergence`] by its parts: `terms = Σ_b (c_b + a) ln((c_b + a)/(g_b + a))`, and the rows in the range; NaN
    /// where there are none.
    pub fn divergence_of(&self, terms: f64, inside: usize) -> f64 {
        if inside == 0 || self.rows == 0 {
            return f64::NAN;
        }
        let Z_p = self.Z_p();
        ((inside as f64 - self.rows as f64) / Z_p).ln_1p() + terms / Z_p
    }

    /// Complete data rows behind this histogram.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// `Σ_b p_b ln(p_b / q_b)` with `p_b = (c_b + a)/(Σc + a·binsᴺ)`, `a = 1e-5`, and `q` alike from the counts
    /// `g_b` of the generated rows; rows outside the range, non-finite ones included, are dropped.
    ///
    /// Because `Σp = 1`, this is `ln(Z_q/Z_p) + Σ_b (c_b + a) ln((c_b + a)/(g_b + a)) / Z_p` with the two
    /// denominators `Z`: bins that neither visited are in the first term and cost nothing. `generated` holds
    /// blocks of rows `[_, N]`; the order of rows does not matter.
    pub fn divergence<V: Copy + Into<f64>>(&self, generated: &[ArrayView2<'_, V>]) -> Divergence {
        let blocks: Vec<_> = generated.iter().map(|block| block.as_standard_layout()).collect();
        let values = blocks.iter().map(|block| block.as_slice());
        let values: Vec<_> = values
            .map(|values| values.expect("standard layout is contiguous"))
            .collect();
        let (other, inside) = self.count(&values);
        let value = self.divergence_from(&other, inside);
        Divergence::below(self.disjoint(inside), value, None, inside)
    }

    /// What a run scores that shares nothing with the data: `inside` rows in the range, none of them in a bin that the
    /// data visit. Fewer rows leave more of `q` to the pseudo-counts, so a run that leaves the range early scores lower.
    pub fn disjoint(&self, inside: usize) -> f64 {
        let Z_p = self.Z_p();
        let sum: f64 = self
            .counts
            .iter()
            .map(|&(_, c)| (f64::from(c) + SMOOTHING) * (f64::from(c) / SMOOTHING).ln_1p())
            .sum();
        ((inside as f64 - self.rows as f64) / Z_p).ln_1p() + sum / Z_p
    }

    /// The lowest score of a run that never moves: in the bin that the data visit most. NaN without a complete row.
    pub fn resting(&self) -> f64 {
        match self.counts.iter().max_by_key(|(_, count)| count) {
            Some(&(bin, _)) => self.divergence_from(&vec![(bin, self.rows as u32)], self.rows),
            None => f64::NAN,
        }
    }

    fn Z_p(&self) -> f64 {
        self.rows as f64 + SMOOTHING * (self.bins as f64).powi(self.low.len() as i32)
    }

    fn divergence_from(&self, other: &Counts, inside: usize) -> f64 {
        let term = |c: u32, g: u32| {
            let c = f64::from(c) + SMOOTHING;
            c * (c / (f64::from(g) + SMOOTHING)).ln()
        };
        let mut sum = 0.0;
        let mut others = other.iter().peekable();
        for &(bin, c) in &self.counts {
            while let Some(&(_, g)) = others.next_if(|other| other.0 < bin) {
                sum += term(0, g);
            }
            sum += term(
                c,
                others.next_if(|other| other.0 == bin).map_or(0, |other| other.1),
            );
        }
        sum += others.map(|&(_, g)| term(0, g)).sum::<f64>();
        self.divergence_of(sum, inside)
    }

    /// Visits per bin, sorted by bin, and how many rows of the blocks (`[_, N]`, row-major) fell in the range.
    fn count<V: Copy + Into<f64>>(&self, blocks: &[&[V]]) -> (Counts, usize) {
        let rows = blocks.iter().flat_map(|block| block.chunks_exact(self.low.len()));
        let visits = rows.filter_map(|row| self.bin(row));
        let counts = match (self.bins as u64).checked_pow(self.low.len() as u32) {
            Some(all) if all <= TABLE => count_by_table(visits, all as usize),
            _ => count_by_sorting(visits),
        };
        let inside = counts.iter().map(|&(_, count)| count as usize).sum();
        (counts, inside)
    }

    /// Number of the bin that holds this row, if it is in the range.
    #[inline]
    fn bin<V: Copy + Into<f64>>(&self, row: &[V]) -> Option<u64> {
        let bins = self.bins as f64;
        let mut number = 0;
        let mut inside = true;
        for ((&value, &low), &per_unit) in row.iter().zip(&self.low).zip(&self.per_unit) {
            let position = (value.into() - low) * per_unit;
            inside &= position >= 0.0 && position <= bins;
            // The upper end belongs to the last bin.
            number = number * self.bins as u64 + (position as i64 as u64).min(self.bins as u64 - 1);
        }
        inside.then_some(number)
    }
}

fn count_by_table(visits: impl Iterator<Item = u64>, bins: usize) -> Counts {
    let mut table = vec![0u32; bins];
    visits.for_each(|bin| table[bin as usize] += 1);
    let counts = (0..).zip(table);
    counts.filter(|&(_, count)| count > 0).collect()
}

fn count_by_sorting(visits: impl Iterator<Item = u64>) -> Counts {
    // A trajectory lingers in a bin, so runs are counted before anything is sorted.
    let mut runs = Counts::new();
    visits.for_each(|bin| match runs.last_mut() {
        Some(last) if last.0 == bin => last.1 += 1,
        _ => runs.push((bin, 1)),
    });
    runs.sort_unstable_by_key(|run| run.0);
    runs.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    runs
}

/// Minimum and maximum, each moved outwards by 0.1 standard deviations; value ± 0.5 where all are equal.
fn widened_range(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let square = values.clone().map(|v| (v - mean).powi(2)).sum::<f64>();
    let (low, high) = range(values);
    if high > low {
        let margin = MARGIN * (square / (count - 1.0)).sqrt();
        (low - margin, high + margin)
    } else {
        (low - 0.5, high + 0.5)
    }
}
