use std::collections::{BTreeMap, HashMap};

use super::encode::Encoded;
use super::free_run::{ModelRun, SymbolRun};
use super::symbols::Code;

/// How long the free run stays in a region before it leaves (visits cut off by the ends of the run left out).
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Dwell {
    /// Whole visits.
    pub visits: u64,
    /// Mean and longest duration in steps; the mean is missing where no visit is whole.
    pub mean: Option<f64>,
    pub max: usize,
    /// `(duration, visits of that duration)`, by duration.
    pub histogram: Vec<(usize, u64)>,
}

/// One linear region of the model.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Region {
    /// The symbol: regions are numbered by falling share of the free run, 0 is the most visited one.
    pub index: usize,
    /// One character a ReLU unit, `1` where it is on; unit `M − P` first.
    pub code: String,
    /// Share of the free run's steps.
    pub share: f64,
    /// Share of the data's rows.
    pub data_share: Option<f64>,
    pub dwell: Dwell,
    /// Mean of the states in the region, observed units, in the data's units (over the first states of the run).
    pub mean: Vec<f64>,
}

/// How the data fall into the model's regions.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct DataCoverage {
    /// Encoded rows.
    pub rows: usize,
    /// Rows at which the driven state had to be started anew because it had left the finite numbers.
    pub restarts: usize,
    /// Distinct regions that hold data.
    pub visited: usize,
    /// Share of the rows in regions that the free run visits too.
    pub share_in_free_run: f64,
    /// Share of the free run's steps in regions that hold data.
    pub free_run_share_in_data: f64,
    /// Share of the rows covered by the data's 1, 2, 3, … largest regions.
    pub coverage: Vec<f64>,
}

/// The linear regions that a long free run visits.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Regions {
    /// Steps analysed, and steps dropped before them.
    pub steps: usize,
    pub transient: usize,
    pub visited: usize,
    /// `2^P`.
    pub possible: f64,
    /// The largest regions (at most [`super::AnalysisSettings::max_listed`]).
    pub list: Vec<Region>,
    /// Share of the free run in visited regions that are not listed.
    pub unlisted_share: f64,
    /// Share of the free run covered by the 1, 2, 3, … largest regions (the first 1,000).
    pub coverage: Vec<f64>,
    pub data: Option<DataCoverage>,
    /// The regions of all visited symbols.
    #[serde(skip)]
    pub codes: Vec<Code>,
    /// One symbol a step.
    #[serde(skip)]
    pub sequence: Vec<u32>,
}

const COVERAGE_LENGTH: usize = 1000;

/// Describes the regions of a free run.
pub fn regions(model: ModelRun<'_>, data: Option<&Encoded>) -> Regions {
    let (run, P) = (model.run, model.map.P);
    let steps = run.sequence.len();
    let share = |count: u64| count as f64 / steps as f64;
    let data_counts = data.map(Encoded::counts).unwrap_or_default();
    let listed = run.counts.len().min(model.settings.max_listed);
    let (mut dwell, means) = (dwell_times(&run.sequence, listed), mean_states(run, listed));
    let list: Vec<Region> = (0..listed)
        .map(|index| Region {
            index,
            code: run.book.codes[index].text(P),
            share: share(run.counts[index]),
            data_share: data.map(|data| {
                let count = data_counts.get(&run.book.codes[index]).copied();
                count.unwrap_or(0) as f64 / data.codes.len() as f64
            }),
            dwell: std::mem::take(&mut dwell[index]),
            mean: means[index]
                .as_deref()
                .map(|z| model.observed(z))
                .unwrap_or_default(),
        })
        .collect();
    Regions {
        steps,
        transient: model.settings.transient,
        visited: run.counts.len(),
        possible: 2f64.powi(P as i32),
        unlisted_share: share(run.counts[listed..].iter().sum()),
        list,
        coverage: cumulative(&run.counts, steps),
        data: data.map(|d| data_coverage(run, d, data_counts)),
        codes: run.book.codes.clone(),
        sequence: run.sequence.clone(),
    }
}

fn data_coverage(run: &SymbolRun, data: &Encoded, counts: HashMap<Code, u64>) -> DataCoverage {
    let rows = data.codes.len();
    // Rows in regions of the free run, and its steps in regions of the data.
    let (mut shared, mut reached) = (0, 0);
    for (code, visits) in run.book.codes.iter().zip(&run.counts) {
        if let Some(rows) = counts.get(code) {
            (shared, reached) = (shared + rows, reached + visits);
        }
    }
    let mut sorted: Vec<u64> = counts.into_values().collect();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    DataCoverage {
        rows,
        restarts: data.restarts,
        visited: sorted.len(),
        share_in_free_run: shared as f64 / rows as f64,
        free_run_share_in_data: reached as f64 / run.sequence.len() as f64,
        coverage: cumulative(&sorted, rows),
    }
}

/// Running sums of falling counts, as shares.
fn cumulative(counts: &[u64], total: usize) -> Vec<f64> {
    let sums = counts.iter().scan(0u64, |sum, n| {
        *sum += n;
        Some(*sum as f64 / total as f64)
    });
    sums.take(COVERAGE_LENGTH).collect()
}

/// Dwell times of the symbols `0..listed`.
fn dwell_times(sequence: &[u32], listed: usize) -> Vec<Dwell> {
    let mut durations: Vec<BTreeMap<usize, u64>> = vec![BTreeMap::new(); listed];
    let visits: Vec<&[u32]> = sequence.chunk_by(|a, b| a == b).collect();
    if visits.len() > 2 {
        for visit in &visits[1..visits.len() - 1] {
            if let Some(histogram) = durations.get_mut(visit[0] as usize) {
                *histogram.entry(visit.len()).or_default() += 1;
            }
        }
    }
    durations
        .into_iter()
        .map(|histogram| {
            let visits: u64 = histogram.values().sum();
            let total: u64 = histogram.iter().map(|(duration, n)| *duration as u64 * n).sum();
            Dwell {
                visits,
                mean: (visits > 0).then(|| total as f64 / visits as f64),
                max: histogram.keys().next_back().copied().unwrap_or(0),
                histogram: histogram.into_iter().collect(),
            }
        })
        .collect()
}

/// Mean kept state of the symbols `0..listed`, `[M]` each, where one was kept.
fn mean_states(run: &SymbolRun, listed: usize) -> Vec<Option<Vec<f64>>> {
    let mut sums = vec![(0u64, vec![0.0; run.states.ncols()]); listed];
    for (state, &symbol) in run.states.rows().into_iter().zip(&run.sequence) {
        if let Some((n, sum)) = sums.get_mut(symbol as usize) {
            *n += 1;
            sum.iter_mut().zip(state).for_each(|(s, z)| *s += z);
        }
    }
    sums.into_iter()
        .map(|(n, sum)| (n > 0).then(|| sum.iter().map(|s| s / n as f64).collect()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dwell_times_leave_out_the_cut_visits() {
        let found = dwell_times(&[0, 0, 1, 0, 0, 0, 1, 1, 0, 2, 1, 1, 1], 2);
        assert_eq!(found[0].histogram, [(1, 1), (3, 1)]);
        assert_eq!((found[0].visits, found[0].mean, found[0].max), (2, Some(2.0), 3));
        assert_eq!(found[1].histogram, [(1, 1), (2, 1)]);
        assert_eq!(dwell_times(&[0; 5], 1)[0], Dwell::default());
    }
}
