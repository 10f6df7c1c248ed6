use std::collections::{HashMap, HashSet};

/// The words of one length in a symbol sequence, overlapping ones counted.
pub struct WordLevel {
    pub length: usize,
    /// Number of the word that starts at each position, `[sequence length + 1 − length]`.
    pub ids: Vec<u32>,
    /// Occurrences of each word.
    pub counts: Vec<u32>,
    /// Where each word occurs first.
    pub first: Vec<u32>,
}

/// Largest table used in the place of hashing.
const TABLE: usize = 1 << 22;

impl WordLevel {
    /// The empty word, which starts everywhere (even after the last symbol).
    pub fn empty(sequence: &[u32]) -> Self {
        Self {
            length: 0,
            ids: vec![0; sequence.len() + 1],
            counts: vec![sequence.len() as u32],
            first: vec![0],
        }
    }

    /// The words one symbol longer, numbered by first appearance; `alphabet`: number of symbols.
    pub fn longer(&self, sequence: &[u32], alphabet: usize) -> Self {
        let positions = (sequence.len() + 1).saturating_sub(self.length + 1);
        let (mut ids, mut counts, mut first) = (Vec::with_capacity(positions), Vec::new(), Vec::new());
        let small = self.counts.len() * alphabet <= TABLE;
        let mut table = vec![u32::MAX; if small { self.counts.len() * alphabet } else { 0 }];
        let mut hashed: HashMap<u64, u32> = HashMap::new();
        for position in 0..positions {
            let symbol = sequence[position + self.length];
            let key = u64::from(self.ids[position]) * alphabet as u64 + u64::from(symbol);
            let id = if small {
                &mut table[key as usize]
            } else {
                hashed.entry(key).or_insert(u32::MAX)
            };
            if *id == u32::MAX {
                *id = counts.len() as u32;
                counts.push(0);
                first.push(position as u32);
            }
            counts[*id as usize] += 1;
            ids.push(*id);
        }
        Self {
            length: self.length + 1,
            ids,
            counts,
            first,
        }
    }

    pub fn symbols<'a>(&self, word: usize, sequence: &'a [u32]) -> &'a [u32] {
        let start = self.first[word] as usize;
        &sequence[start..start + self.length]
    }

    /// Block entropy `H = −Σ p ln p` in nats.
    pub fn entropy(&self) -> f64 {
        let total = self.ids.len() as f64;
        // ln T − Σ c ln c / T.
        let counts = self.counts.iter().map(|&c| f64::from(c));
        total.ln() - counts.map(|c| c * c.ln()).sum::<f64>() / total
    }
}

/// A word that occurs.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Word {
    pub symbols: Vec<u32>,
    pub count: u32,
    /// Share of the positions.
    pub share: f64,
    /// Count expected of a Markov chain that knows all shorter words: `N(w without its last symbol) · N(w without
    /// its first) / N(its middle)`. For single symbols: all equally frequent.
    pub expected: f64,
}

/// A word that never occurs though both words one symbol shorter in it do.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ForbiddenWord {
    pub symbols: Vec<u32>,
    /// Count expected of a Markov chain that knows all shorter words (as [`Word::expected`]).
    pub expected: f64,
    /// Probability to miss such a word by chance, `e^−expected` (Poisson).
    pub chance: f64,
}

/// The most frequent words of each length up to `levels.len() − 1`, at most `listed` of each.
/// `levels[n]` holds the words of length `n`.
pub fn frequent_words(sequence: &[u32], levels: &[WordLevel], alphabet: usize, listed: usize) -> Vec<Word> {
    let mut words = Vec::new();
    for n in 1..levels.len() {
        let level = &levels[n];
        let mut order: Vec<usize> = (0..level.counts.len()).collect();
        order.sort_by_key(|&w| (std::cmp::Reverse(level.counts[w]), level.symbols(w, sequence)));
        words.extend(order.into_iter().take(listed).map(|w| Word {
            symbols: level.symbols(w, sequence).to_vec(),
            count: level.counts[w],
            share: f64::from(level.counts[w]) / level.ids.len() as f64,
            expected: expected_count(levels, n, level.first[w] as usize, alphabet),
        }));
    }
    words
}

/// The count that shorter words let expect of the word of length `n` at a position.
fn expected_count(levels: &[WordLevel], n: usize, position: usize, alphabet: usize) -> f64 {
    if n == 1 {
        return f64::from(levels[0].counts[0]) / alphabet as f64;
    }
    let count = |length: usize, at: usize| f64::from(levels[length].counts[levels[length].ids[at] as usize]);
    count(n - 1, position) * count(n - 1, position + 1) / count(n - 2, position + 1)
}

/// Minimal forbidden words of each length `2 … levels.len() − 1`, the least likely to be missed by chance first;
/// words with an expected count below 3 (missed in 1 of 20 cases) are left out. `levels[n]`: words of length `n`.
pub fn forbidden_words(sequence: &[u32], levels: &[WordLevel]) -> Vec<ForbiddenWord> {
    let mut found = Vec::new();
    for n in 2..levels.len() {
        let (long, short, middle) = (&levels[n], &levels[n - 1], &levels[n - 2]);
        let parts = |&at: &u32| (short.ids[at as usize], short.ids[at as usize + 1]);
        let present: HashSet<(u32, u32)> = long.first.iter().map(parts).collect();
        // Words of length n − 1 by their first n − 2 symbols.
        let mut continuations = vec![Vec::new(); middle.counts.len()];
        for (word, &at) in short.first.iter().enumerate() {
            continuations[middle.ids[at as usize] as usize].push(word);
        }
        for (prefix, &at) in short.first.iter().enumerate() {
            let shared = middle.ids[at as usize + 1] as usize;
            for &suffix in &continuations[shared] {
                let product = f64::from(short.counts[prefix]) * f64::from(short.counts[suffix]);
                let expected = product / f64::from(middle.counts[shared]);
                if expected >= 3.0 && !present.contains(&(prefix as u32, suffix as u32)) {
                    let mut symbols = short.symbols(prefix, sequence).to_vec();
                    symbols.extend(short.symbols(suffix, sequence).last());
                    let chance = (-expected).exp();
                    found.push(ForbiddenWord {
                        symbols,
                        expected,
                        chance,
                    });
                }
            }
        }
    }
    found.sort_by(|a, b| {
        let length = a.symbols.len().cmp(&b.symbols.len());
        length
            .then(b.expected.total_cmp(&a.expected))
            .then_with(|| a.symbols.cmp(&b.symbols))
    });
    found
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
    fn words_are_counted_with_overlap() {
        let sequence = [0, 0, 1, 0, 0, 0, 1];
        let levels = levels(&sequence, 2, 3);
        let words = frequent_words(&sequence, &levels, 2, 10);
        let count = |symbols: &[u32]| words.iter().find(|w| w.symbols == symbols).map(|w| w.count);
        assert_eq!((count(&[0]), count(&[1])), (Some(5), Some(2)));
        assert_eq!(
            (count(&[0, 0]), count(&[0, 1]), count(&[1, 0])),
            (Some(3), Some(2), Some(1))
        );
        assert_eq!((count(&[0, 0, 1]), count(&[1, 1])), (Some(2), None));
        let entropy = levels[1].entropy();
        let expected = -(5.0f64 / 7.0 * (5.0f64 / 7.0).ln() + 2.0 / 7.0 * (2.0f64 / 7.0).ln());
        assert!(
            (entropy - expected).abs() <= 1e-15,
            "{entropy} expected {expected}"
        );
        assert_eq!(levels[2].entropy().to_bits() >> 63, 0);
    }

    /// 0 1 2 0 1 2 …: what may not follow is forbidden at length 2 already, so nothing longer is minimal.
    #[test]
    fn only_minimal_forbidden_words_are_listed() {
        let sequence: Vec<u32> = (0..300).map(|i| i % 3).collect();
        let found = forbidden_words(&sequence, &levels(&sequence, 3, 4));
        let words: Vec<&[u32]> = found.iter().map(|w| &w.symbols[..]).collect();
        assert_eq!(words.len(), 6);
        assert!(
            words.iter().all(|w| w.len() == 2 && (w[0] + 1) % 3 != w[1]),
            "{words:?}"
        );
        assert!(
            (found[0].expected - 100.0 / 3.0).abs() <= 0.5,
            "{}",
            found[0].expected
        );
    }
}
