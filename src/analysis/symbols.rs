use std::collections::HashMap;

/// The region of a state: one bit a ReLU unit, set where the unit is above 0. Holds up to 256 units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code([u64; 4]);

impl Code {
    /// The code of the `P ≤ 256` ReLU units' values; exactly 0 counts as off, as in the gradient.
    pub fn of(relu: &[f64]) -> Self {
        let mut code = Self::default();
        for (p, &z) in relu.iter().enumerate() {
            code.0[p / 64] |= u64::from(z > 0.0) << (p % 64);
        }
        code
    }

    /// The code that [`Code::text`] shows so.
    pub fn of_text(text: &str) -> Self {
        let bits = text.bytes().enumerate().filter(|(_, bit)| *bit == b'1');
        bits.fold(Self::default(), |code, (p, _)| code.with(p))
    }

    /// The code whose bit `p` is bit `p` of `words` (little-endian words), for the first `P` bits.
    pub fn from_words(words: [u64; 4], P: usize) -> Self {
        let mut code = Self(words);
        for p in P..256 {
            code.0[p / 64] &= !(1 << (p % 64));
        }
        code
    }

    pub fn bit(&self, p: usize) -> bool {
        self.0[p / 64] >> (p % 64) & 1 == 1
    }

    /// With bit `p` set.
    #[must_use]
    pub fn with(mut self, p: usize) -> Self {
        self.0[p / 64] |= 1 << (p % 64);
        self
    }

    /// Without the bits that are set in `mask`.
    #[must_use]
    pub fn without(mut self, mask: &Self) -> Self {
        self.0
            .iter_mut()
            .zip(mask.0)
            .for_each(|(word, mask)| *word &= !mask);
        self
    }

    /// Unit `M − P` first, for example `01`; `linear` for a model without ReLU units.
    pub fn text(&self, P: usize) -> String {
        if P == 0 {
            return "linear".to_owned();
        }
        (0..P).map(|p| if self.bit(p) { '1' } else { '0' }).collect()
    }
}

/// Numbers codes in the order of their first appearance.
#[derive(Clone, Debug, Default)]
pub struct Codebook {
    numbers: HashMap<Code, u32>,
    pub codes: Vec<Code>,
}

impl Codebook {
    pub fn number(&mut self, code: Code) -> u32 {
        let next = self.codes.len() as u32;
        let number = *self.numbers.entry(code).or_insert(next);
        if number == next {
            self.codes.push(code);
        }
        number
    }

    pub fn get(&self, code: Code) -> Option<u32> {
        self.numbers.get(&code).copied()
    }

    /// Renumbers the codes by falling count (ties by code), and `sequence` with them.
    pub fn sort_by_count(&mut self, sequence: &mut [u32]) -> Vec<u64> {
        let mut counts = vec![0u64; self.codes.len()];
        sequence.iter().for_each(|&s| counts[s as usize] += 1);
        let mut order: Vec<usize> = (0..counts.len()).collect();
        order.sort_by_key(|&old| (std::cmp::Reverse(counts[old]), self.codes[old]));
        let mut renumbered = vec![0u32; counts.len()];
        for (new, &old) in order.iter().enumerate() {
            renumbered[old] = new as u32;
        }
        sequence.iter_mut().for_each(|s| *s = renumbered[*s as usize]);
        self.codes = order.iter().map(|&old| self.codes[old]).collect();
        self.numbers = self.codes.iter().copied().zip(0..).collect();
        order.iter().map(|&old| counts[old]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_hold_256_units_and_print_the_first_unit_first() {
        let mut relu = vec![-1.0; 256];
        for p in [0, 63, 64, 255] {
            relu[p] = 1e-300;
        }
        relu[1] = 0.0;
        let code = Code::of(&relu);
        let set: Vec<usize> = (0..256).filter(|&p| code.bit(p)).collect();
        assert_eq!(set, [0, 63, 64, 255]);
        assert_eq!(Code::of(&[1.0, -1.0, 2.0]).text(3), "101");
        assert_eq!(Code::of_text("101"), Code::of(&[1.0, -1.0, 2.0]));
        assert_eq!(Code::from_words([u64::MAX; 4], 65).text(66), "1".repeat(65) + "0");
    }

    #[test]
    fn codebook_sorts_by_share() {
        let code = |x: f64| Code::of(&[x, -x]);
        let mut book = Codebook::default();
        let mut sequence: Vec<u32> = [1.0, -1.0, 0.0, -1.0, -1.0, 0.0]
            .map(|x| book.number(code(x)))
            .to_vec();
        let counts = book.sort_by_count(&mut sequence);
        assert_eq!(counts, [3, 2, 1]);
        assert_eq!(sequence, [2, 0, 1, 0, 0, 1]);
        assert_eq!(book.get(code(-3.0)), Some(0));
        assert_eq!(book.codes[2], code(1.0));
    }
}
