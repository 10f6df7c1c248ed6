use crate::stats::standard_error;

/// Parts of the sequence that are compared with the whole (as many as matches are short enough for), and the factor
/// by which twice the standard error of so few values must be widened to cover 95 % (Student's t).
const PARTS: [(usize, f64); 3] = [(16, 1.09), (8, 1.21), (4, 1.65)];
/// Positions nearer to a part's end than this many mean match lengths are left out: their matches are cut off.
const MARGIN: f64 = 4.0;
/// Shortest part.
const SHORTEST: usize = 100;

/// The entropy rate of a symbol sequence, nats a symbol.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct EntropyRate {
    pub value: f64,
    /// Standard error, from parts of the sequence.
    pub error: f64,
    /// Length of the words or (mean) of the matches that it was taken from.
    pub n: usize,
}

/// Entropy rate from how much farther a symbol sequence can be matched when more of it is known.
///
/// The longest match `L_i` of the sequence from `i` on with any other place in `n` symbols grows as
/// `⟨L⟩ ≈ ln n / h + const` (Grassberger 1989; Kontoyiannis et al. 1998). Measured within the `k` parts and within the
/// whole, the constant drops out: `h = ln k / (⟨L⟩_whole − ⟨L⟩_part)`, nats a symbol. It looks as far back as matches
/// are long, where block entropies end at words that occur ten times each. `n` of the result is `⟨L⟩_whole`.
///
/// The error takes the two means for independent and counts the scatter of the matches in the whole twice: they come in
/// pairs, most of which lie in two parts, so that the parts err together and scatter too little.
///
/// `None` where matches are as long as the sequence (a periodic one) or there is one symbol only.
pub fn match_length_rate(sequence: &[u32]) -> Option<EntropyRate> {
    if sequence.len() / 4 < SHORTEST || sequence.iter().all(|s| *s == sequence[0]) {
        return None;
    }
    let whole = match_lengths(sequence);
    PARTS
        .iter()
        .find_map(|&(parts, widening)| rate_of_parts(sequence, &whole, parts, widening))
}

/// The rate from `parts` parts; `None` where matches are too long for them.
fn rate_of_parts(sequence: &[u32], whole: &[u32], parts: usize, widening: f64) -> Option<EntropyRate> {
    let size = sequence.len() / parts;
    if size < SHORTEST {
        return None;
    }
    let mean = |lengths: &[u32]| lengths.iter().map(|&l| f64::from(l)).sum::<f64>() / lengths.len() as f64;
    let usable: Vec<usize> = whole
        .chunks_exact(size)
        .map(|known| {
            size.checked_sub((MARGIN * mean(known)) as usize)
                .filter(|&n| n >= size / 2)
        })
        .collect::<Option<_>>()?;
    let (mut matched, mut alone) = (Vec::with_capacity(parts), Vec::with_capacity(parts));
    let pieces = sequence.chunks_exact(size).zip(whole.chunks_exact(size));
    for ((part, known), usable) in pieces.zip(usable) {
        let within = match_lengths(part);
        matched.push(mean(&known[..usable]));
        alone.push(mean(&within[..usable]));
    }
    let average = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let gain = average(&matched) - average(&alone);
    if gain <= 0.0 {
        return None;
    }
    let value = (sequence.len() as f64 / size as f64).ln() / gain;
    let scatter = (2f64.sqrt() * standard_error(&matched)).hypot(standard_error(&alone));
    Some(EntropyRate {
        value,
        error: widening * value * scatter / gain,
        n: average(&matched).round() as usize,
    })
}

/// For each position, the length of the longest match of what follows with what follows another position.
fn match_lengths(sequence: &[u32]) -> Vec<u32> {
    let n = sequence.len();
    let order = suffix_array(sequence);
    let mut place = vec![0u32; n];
    for (&suffix, p) in order.iter().zip(0..) {
        place[suffix as usize] = p;
    }
    // Common prefixes of neighbours in the order (Kasai et al. 2001): one symbol is lost at most from a suffix to
    // the next.
    let mut common = vec![0u32; n + 1];
    let mut length = 0usize;
    for i in 0..n {
        let p = place[i] as usize;
        if p == 0 {
            length = 0;
            continue;
        }
        let j = order[p - 1] as usize;
        while i.max(j) + length < n && sequence[i + length] == sequence[j + length] {
            length += 1;
        }
        common[p] = length as u32;
        length = length.saturating_sub(1);
    }
    place
        .iter()
        .map(|&p| common[p as usize].max(common[p as usize + 1]))
        .collect()
}

/// Starts of the suffixes in lexicographic order, by doubling the compared prefix (Manber and Myers 1993).
fn suffix_array(sequence: &[u32]) -> Vec<u32> {
    let n = sequence.len();
    let mut rank: Vec<u32> = sequence.to_vec();
    let mut keyed: Vec<(u64, u32)> = vec![(0, 0); n];
    let mut compared = 1;
    loop {
        for (i, slot) in keyed.iter_mut().enumerate() {
            // The end of the sequence sorts before every symbol.
            let next = rank.get(i + compared).map_or(0, |r| u64::from(*r) + 1);
            *slot = (u64::from(rank[i]) << 32 | next, i as u32);
        }
        keyed.sort_unstable();
        let mut last = 0;
        for k in 0..n {
            last += u32::from(k > 0 && keyed[k].0 != keyed[k - 1].0);
            rank[keyed[k].1 as usize] = last;
        }
        if last as usize + 1 >= n || compared >= n {
            return keyed.into_iter().map(|(_, i)| i).collect();
        }
        compared *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Stream, uniforms};

    #[test]
    fn match_lengths_of_a_short_word() {
        // b a n a n a
        assert_eq!(suffix_array(&[1, 0, 2, 0, 2, 0]), [5, 3, 1, 0, 4, 2]);
        assert_eq!(match_lengths(&[1, 0, 2, 0, 2, 0]), [0, 3, 2, 3, 2, 1]);
        assert_eq!(match_lengths(&[7; 5]), [4, 4, 3, 2, 1]);
    }

    #[test]
    fn rate_of_independent_draws_and_of_a_markov_chain() {
        let draws: Vec<f32> = uniforms(4, Stream::Surrogate).take(100_000).collect();
        for p in [0.5f32, 0.9] {
            let sequence: Vec<u32> = draws.iter().map(|u| u32::from(*u < p)).collect();
            let p = f64::from(p);
            let exact = -p * p.ln() - (1.0 - p) * (1.0 - p).ln();
            let rate = match_length_rate(&sequence).expect("long enough");
            let d = (rate.value - exact).abs();
            assert!(d <= 0.03 * exact + 3.0 * rate.error, "{rate:?} expected {exact}");
        }
        // A symbol stays with probability 0.98: no word of a few symbols tells.
        let mut now = 0;
        let sticky: Vec<u32> = draws
            .iter()
            .map(|u| {
                now ^= u32::from(*u > 0.98);
                now
            })
            .collect();
        let exact = -0.98f64 * 0.98f64.ln() - 0.02 * 0.02f64.ln();
        let rate = match_length_rate(&sticky).expect("long enough");
        let d = (rate.value - exact).abs();
        assert!(d <= 0.05 * exact + 3.0 * rate.error, "{rate:?} expected {exact}");
    }

    #[test]
    fn periodic_sequences_have_no_rate() {
        let periodic: Vec<u32> = (0..1000).map(|i| i % 7).collect();
        assert_eq!(match_length_rate(&periodic), None);
        assert_eq!(match_length_rate(&[3; 1000]), None);
    }
}
