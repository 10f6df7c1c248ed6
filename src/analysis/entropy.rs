use super::input::AnalysisSettings;
use super::match_lengths::{EntropyRate, match_length_rate};
use super::surrogates::{SurrogateBand, surrogate_band};
use super::words::{ForbiddenWord, Word, WordLevel, forbidden_words, frequent_words};
use crate::stats::standard_error;

/// Blocks in which the error of the entropy rate is estimated.
const BLOCKS: usize = 20;
/// Frequent words listed of each length.
const LISTED_WORDS: usize = 20;
/// Forbidden words listed.
const LISTED_FORBIDDEN: usize = 50;
/// Largest Markov order of the surrogates.
const MAX_ORDER: usize = 2;

/// Entropy of the words of one length, in nats.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct BlockEntropy {
    pub n: usize,
    /// Distinct words of length `n`.
    pub words: usize,
    /// `H_n = −Σ p ln p` with relative frequencies for `p`.
    pub entropy: f64,
    /// Corrected for the bias of a finite sequence of length `T`: `ln T − Σ c G_c / T` over the words' counts `c`
    /// (Grassberger 2003, arXiv physics/0307138).
    pub corrected: f64,
    /// `h_n = H_n − H_{n−1}` of the corrected entropies: what `n − 1` known symbols leave open about the next.
    pub conditional: f64,
}

/// Words and entropies of one symbol sequence.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct SequenceStatistics {
    pub length: usize,
    pub alphabet: usize,
    /// Up to the longest words that the sequence still samples well.
    pub blocks: Vec<BlockEntropy>,
    /// An upper bound of the rate, from words of the length where it is lowest: `h_n` of any length is one, far above
    /// where memory is longer than words. `value` is the estimate of `h_n` plus three times `error`, which holds the
    /// standard error and the whole correction of the finite sequence's bias; a longer word must lower the bound by
    /// more than its error. Missing where even single symbols are too many for the sequence's length.
    pub block_rate: Option<EntropyRate>,
    /// The entropy rate from match lengths (see [`super::match_length_rate`]); missing for periodic sequences.
    pub rate: Option<EntropyRate>,
    /// Orders 0, 1, 2, as far as words are sampled well.
    pub surrogates: Vec<SurrogateBand>,
    /// Smallest Markov order among them whose surrogates look like the sequence.
    pub markov_order: Option<usize>,
    pub words: Vec<Word>,
    /// Number of minimal forbidden words up to the length asked for, and those least likely to be missed by chance.
    pub forbidden_count: usize,
    pub forbidden: Vec<ForbiddenWord>,
}

/// Whether words are sampled well enough for their entropy: ten occurrences of each, on average.
fn sampled(level: &WordLevel) -> bool {
    level.ids.len() >= 10 * level.counts.len()
}

/// Words, block entropies, entropy rate and surrogates of a sequence over the symbols `0..alphabet`.
pub fn sequence_statistics(
    sequence: &[u32],
    alphabet: usize,
    settings: &AnalysisSettings,
) -> SequenceStatistics {
    let mut levels = vec![WordLevel::empty(sequence)];
    while levels.len() <= settings.max_word_length && levels.len() <= sequence.len() {
        let next = levels[levels.len() - 1].longer(sequence, alphabet);
        if !sampled(&next) {
            break;
        }
        levels.push(next);
    }
    let (blocks, block_rate) = block_entropies(sequence, alphabet, settings.max_block_length);
    let orders = 0..=MAX_ORDER;
    let surrogates: Vec<SurrogateBand> = orders
        .filter(|order| order + 1 < levels.len() && settings.surrogates > 1)
        .map(|order| surrogate_band(sequence, &levels, alphabet, order, settings))
        .collect();
    let mut forbidden = forbidden_words(sequence, &levels);
    if sequence.windows(2).all(|pair| pair[0] != pair[1]) {
        // In a sequence of changes no symbol follows itself, by construction.
        forbidden.retain(|w| w.symbols.windows(2).all(|pair| pair[0] != pair[1]));
    }
    let forbidden_count = forbidden.len();
    forbidden.truncate(LISTED_FORBIDDEN);
    SequenceStatistics {
        length: sequence.len(),
        alphabet,
        blocks,
        // Words that do not repeat have no rate either.
        rate: block_rate.and_then(|_| match_length_rate(sequence)),
        block_rate,
        markov_order: surrogates
            .iter()
            .find(|band| band.explains())
            .map(|band| band.order),
        surrogates,
        words: frequent_words(sequence, &levels, alphabet, LISTED_WORDS),
        forbidden_count,
        forbidden,
    }
}

/// Errors by which the upper bound lies above its estimate.
const BOUND: f64 = 3.0;

/// Block entropies for all lengths that are sampled well, and the upper bound of the rate from them.
fn block_entropies(
    sequence: &[u32],
    alphabet: usize,
    longest: usize,
) -> (Vec<BlockEntropy>, Option<EntropyRate>) {
    let mut level = WordLevel::empty(sequence);
    let mut blocks: Vec<BlockEntropy> = Vec::new();
    let mut bound: Option<EntropyRate> = None;
    let digammas = digammas(sequence.len());
    for n in 1..=longest.min(sequence.len()) {
        let next = level.longer(sequence, alphabet);
        if !sampled(&next) {
            break;
        }
        let entropy = next.entropy();
        let corrected = corrected_entropy(&next, &digammas);
        let (shorter, shorter_corrected) = blocks.last().map_or((0.0, 0.0), |b| (b.entropy, b.corrected));
        let conditional = corrected - shorter_corrected;
        let bias = conditional - (entropy - shorter);
        let error = conditional_error(&level, &next).hypot(bias);
        let value = conditional.max(0.0) + BOUND * error;
        if value.is_finite() && bound.is_none_or(|lowest| value < lowest.value - error) {
            bound = Some(EntropyRate { value, error, n });
        }
        blocks.push(BlockEntropy {
            n,
            words: next.counts.len(),
            entropy,
            corrected,
            conditional,
        });
        level = next;
    }
    (blocks, bound)
}

/// Grassberger's `G_c` for counts up to `largest`: `G_1 = −γ − ln 2`, `G_2 = G_1 + 2`, then
/// `G_{2n+2} = G_{2n} + 2 / (2n + 1)` and `G_{2n+1} = G_{2n}`.
fn digammas(largest: usize) -> Vec<f64> {
    const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
    let first = -EULER_GAMMA - std::f64::consts::LN_2;
    let mut G = vec![0.0, first, first + 2.0];
    for c in 3..=largest {
        let next = if c % 2 == 1 {
            G[c - 1]
        } else {
            G[c - 2] + 2.0 / (c - 1) as f64
        };
        G.push(next);
    }
    G
}

/// `ln T − Σ c G_c / T`.
fn corrected_entropy(level: &WordLevel, G: &[f64]) -> f64 {
    let total = level.ids.len() as f64;
    let sum: f64 = level.counts.iter().map(|&c| f64::from(c) * G[c as usize]).sum();
    total.ln() - sum / total
}

/// Standard error of `h_n = mean of ln N(w_1…w_{n−1}) − ln N(w_1…w_n)` from the means of blocks.
fn conditional_error(shorter: &WordLevel, longer: &WordLevel) -> f64 {
    let count = |level: &WordLevel, at: usize| f64::from(level.counts[level.ids[at] as usize]);
    let surprise = |at: usize| (count(shorter, at) / count(longer, at)).ln();
    let size = longer.ids.len() / BLOCKS;
    if size == 0 {
        return f64::NAN;
    }
    let means: Vec<f64> = (0..BLOCKS)
        .map(|b| (b * size..(b + 1) * size).map(surprise).sum::<f64>() / size as f64)
        .collect();
    standard_error(&means)
}

/// The sequence of regions without how long the run stays in each.
pub fn changes(sequence: &[u32]) -> Vec<u32> {
    let mut changes = sequence.to_vec();
    changes.dedup();
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Stream, uniforms};

    /// 50 draws of 32 equally likely symbols: relative frequencies lose 0.35 nats, the correction a tenth of that.
    #[test]
    fn the_correction_takes_the_bias_of_few_draws_away() {
        let digammas = digammas(50);
        assert!((digammas[50] - 50f64.ln()).abs() <= 2e-4, "{}", digammas[50]);
        let draws: Vec<f32> = uniforms(8, Stream::Surrogate).take(50 * 400).collect();
        let (mut plain, mut corrected) = (0.0, 0.0);
        for sample in draws.chunks_exact(50) {
            let sequence: Vec<u32> = sample.iter().map(|u| (u * 32.0) as u32).collect();
            let level = WordLevel::empty(&sequence).longer(&sequence, 32);
            plain += level.entropy() / 400.0;
            corrected += corrected_entropy(&level, &digammas) / 400.0;
        }
        let exact = 32f64.ln();
        assert!(exact - plain >= 0.25, "{plain} of {exact}");
        assert!((exact - corrected).abs() <= 0.03, "{corrected} of {exact}");
    }
}
