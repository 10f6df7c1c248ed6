use rayon::prelude::*;

use super::input::AnalysisSettings;
use super::words::WordLevel;
use crate::rng::{Stream, index, threefry2x32};

/// Block entropies of surrogates: sequences as long as the one at hand that know its words of length
/// `order + 1` and nothing more. What lies outside their spread is structure, not finite length.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct SurrogateBand {
    /// Symbols that the Markov chain remembers; 0 is a shuffle (drawn with replacement).
    pub order: usize,
    pub surrogates: usize,
    /// Mean and standard deviation of the block entropy `H_n`, n = 1, 2, …
    pub mean: Vec<f64>,
    pub sd: Vec<f64>,
    /// Mean number of distinct words of length n.
    pub words: Vec<f64>,
    /// `(H_n − mean) / sd` of the sequence itself.
    pub z: Vec<f64>,
}

impl SurrogateBand {
    /// Whether the sequence looks like one of these surrogates: every `|z| ≤ 4`.
    pub fn explains(&self) -> bool {
        self.z.iter().all(|z| z.abs() <= 4.0)
    }
}

/// Surrogates of one Markov order; `levels[n]` holds the sequence's words of length `n`, up to at least
/// `order + 1`. Entropies are computed for all lengths in `levels`.
pub fn surrogate_band(
    sequence: &[u32],
    levels: &[WordLevel],
    alphabet: usize,
    order: usize,
    settings: &AnalysisSettings,
) -> SurrogateBand {
    let (surrogates, seed) = (settings.surrogates, settings.seed);
    let lengths = 1..levels.len();
    let found: Vec<Vec<(f64, usize)>> = (0..surrogates as u32)
        .into_par_iter()
        .map(|number| {
            let surrogate = surrogate(sequence, &levels[order], [seed, number + 1000 * order as u32]);
            let mut level = WordLevel::empty(&surrogate);
            let next = |_| {
                level = level.longer(&surrogate, alphabet);
                (level.entropy(), level.counts.len())
            };
            lengths.clone().map(next).collect()
        })
        .collect();
    let count = surrogates as f64;
    let mean_of = |n: usize| found.iter().map(|row| row[n - 1].0).sum::<f64>() / count;
    let mean: Vec<f64> = lengths.clone().map(mean_of).collect();
    let sd_of = |n: usize| {
        let squares: f64 = found.iter().map(|row| (row[n - 1].0 - mean[n - 1]).powi(2)).sum();
        (squares / (count - 1.0).max(1.0)).sqrt()
    };
    let sd: Vec<f64> = lengths.clone().map(sd_of).collect();
    let z = lengths.clone().map(|n| {
        let difference = levels[n].entropy() - mean[n - 1];
        // Rounding of sums over the sequence is no structure.
        let told = difference.abs() > 1e-9;
        if told {
            difference / sd[n - 1].max(1e-12)
        } else {
            0.0
        }
    });
    SurrogateBand {
        order,
        surrogates,
        z: z.collect(),
        words: lengths
            .map(|n| found.iter().map(|row| row[n - 1].1 as f64).sum::<f64>() / count)
            .collect(),
        mean,
        sd,
    }
}

/// One surrogate: at each step, a random occurrence of the context (the last `order` symbols) in the sequence is
/// looked up and its successor copied.
fn surrogate(sequence: &[u32], contexts: &WordLevel, [seed, number]: [u32; 2]) -> Vec<u32> {
    let order = contexts.length;
    let usable = sequence.len() - order;
    let mut starts = vec![0usize; contexts.counts.len() + 1];
    contexts.ids[..usable]
        .iter()
        .for_each(|&c| starts[c as usize + 1] += 1);
    (1..starts.len()).for_each(|c| starts[c] += starts[c - 1]);
    let mut occurrences = vec![0u32; usable];
    let mut fill = starts.clone();
    for (position, &context) in contexts.ids[..usable].iter().enumerate() {
        occurrences[fill[context as usize]] = position as u32;
        fill[context as usize] += 1;
    }
    let mut draws = (0..=u32::MAX).flat_map(|i| threefry2x32([seed, Stream::Surrogate as u32], [i, number]));
    let mut draw = |n: usize| index(draws.next().unwrap_or(0), n as u32) as usize;
    let mut position = draw(usable);
    (0..sequence.len())
        .map(|_| {
            let context = contexts.ids[position] as usize;
            let bucket = &occurrences[starts[context]..starts[context + 1]];
            // Only the context that ends the sequence can have no successor.
            position = if bucket.is_empty() {
                draw(usable)
            } else {
                bucket[draw(bucket.len())] as usize
            };
            let symbol = sequence[position + order];
            position += 1;
            symbol
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(sequence: &[u32], alphabet: usize, longest: usize) -> Vec<WordLevel> {
        let mut levels = vec![WordLevel::empty(sequence)];
        for n in 0..longest {
            levels.push(levels[n].longer(sequence, alphabet));
        }
        levels
    }

    #[test]
    fn surrogates_keep_the_words_they_know() {
        // Two of three symbols are 0 and 1 never follows itself.
        let draws = (0..4000).map(|i| threefry2x32([1, 2], [i, 3])[0]);
        let sequence: Vec<u32> = draws
            .flat_map(|w| if w % 2 == 0 { vec![0] } else { vec![1, 0] })
            .collect();
        let levels = levels(&sequence, 2, 4);
        for number in 0..3 {
            let shuffled = surrogate(&sequence, &levels[0], [7, number]);
            assert_eq!(shuffled.len(), sequence.len());
            assert!(shuffled.windows(2).any(|pair| pair == [1, 1]));
            let ones = |s: &[u32]| s.iter().sum::<u32>() as f64 / s.len() as f64;
            let d = ones(&shuffled) - ones(&sequence);
            assert!(d.abs() <= 0.03, "shares differ by {d}");
            let chain = surrogate(&sequence, &levels[1], [7, number]);
            assert!(!chain.windows(2).any(|pair| pair == [1, 1]));
            assert_ne!(chain, sequence);
        }
        let settings = AnalysisSettings {
            surrogates: 20,
            seed: 7,
            ..AnalysisSettings::default()
        };
        assert!(!surrogate_band(&sequence, &levels, 2, 0, &settings).explains());
        assert!(surrogate_band(&sequence, &levels, 2, 1, &settings).explains());
    }
}
