//! How windows fall into blocks of unforced steps, the same for every backend.

use ndarray::{Array1, ArrayView2, ArrayViewMut2};

use crate::model::{Dims, Shape, Theta};

/// Longest block tried.
pub(in crate::backend) const LONGEST: usize = 32;

/// Consecutive steps from `start`, none of them forced but perhaps the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend) struct Block {
    pub start: usize,
    pub length: usize,
    /// Steps whose states are looked at but not needed whole: all of the last block's, all but the end of others'.
    pub looked_at: usize,
    /// Which of [`Segments::ends`] its length is; the last block's end state starts nothing.
    pub end: Option<usize>,
}

/// The blocks of a member's windows, and the powers of `B` that they take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::backend) struct Segments {
    pub P: usize,
    /// Numbers that drive a step: `P` ReLU units and `K` inputs.
    pub D: usize,
    /// Units looked at: the observed ones, then the ReLU units that are not among them; the ReLU units come last.
    pub looked_at: Vec<usize>,
    pub blocks: Vec<Block>,
    /// Largest [`Block::looked_at`].
    pub J: usize,
    /// Lengths of blocks that are followed by another, each once, ascending.
    pub ends: Vec<usize>,
    /// `(e, a, b)` with `e = a + b`: the matrix products that make every `B^ℓ`, in order.
    pub products: Vec<(usize, usize, usize)>,
}

impl Segments {
    /// Blocks of at most `longest` steps within each stretch of `tau` steps between forced ones.
    pub fn new(shape: Shape, P: usize, tau: usize, longest: usize) -> Self {
        let (Dims { M, N, K }, T) = (shape.dims, shape.T);
        let mut blocks = Vec::new();
        let mut start = 0;
        while start < T {
            let next_forced = (start / tau + 1).saturating_mul(tau);
            let length = longest.min(next_forced.min(T) - start);
            let last = start + length == T;
            blocks.push(Block {
                start,
                length,
                looked_at: length - usize::from(!last),
                end: None,
            });
            start += length;
        }
        let followed = blocks.len() - 1;
        let mut ends: Vec<usize> = blocks[..followed].iter().map(|block| block.length).collect();
        ends.sort_unstable();
        ends.dedup();
        for block in &mut blocks[..followed] {
            block.end = ends.binary_search(&block.length).ok();
        }
        let mut products = Vec::new();
        ends.iter().for_each(|&end| chain(end, &mut products));
        Self {
            P,
            D: P + K,
            looked_at: (0..N).chain(N.max(M - P)..M).collect(),
            J: blocks.iter().map(|block| block.looked_at).max().unwrap_or(0),
            blocks,
            ends,
            products,
        }
    }

    /// The segments that cost least among all block lengths that make sense, with their cost; the shortest of equals.
    pub fn cheapest(shape: Shape, P: usize, tau: usize, cost: impl Fn(&Self) -> f64) -> Option<(f64, Self)> {
        (1..=LONGEST.min(tau).min(shape.T))
            .map(|longest| Self::new(shape, P, tau, longest))
            .map(|segments| (cost(&segments), segments))
            .min_by(|(a, _), (b, _)| a.total_cmp(b))
    }

    /// Fills in one sequence's states `z`, `[T, M]`, which the almost-linear form does not see between the starts of
    /// blocks: step by step from each block's `start`, with inputs `s`, `[T+1, K]`.
    pub fn fill_in(
        &self,
        theta: &Theta,
        s: ArrayView2<'_, f64>,
        start: impl Fn(usize) -> Array1<f64>,
        mut z: ArrayViewMut2<'_, f64>,
    ) {
        for (index, block) in self.blocks.iter().enumerate() {
            let mut now = start(index);
            for t in block.start..block.start + block.length {
                now = theta.step(self.P, &now, &s.row(t + 1).to_vec());
                z.row_mut(t).assign(&now);
            }
        }
    }

    /// Number of units looked at.
    pub fn Y(&self) -> usize {
        self.looked_at.len()
    }

    /// Length of the longest block.
    pub fn length(&self) -> usize {
        self.blocks.iter().map(|block| block.length).max().unwrap_or(0)
    }

    /// Place of `B^e` among the matrices made: `B` itself, then [`Segments::products`].
    pub fn power(&self, e: usize) -> usize {
        let product = self.products.iter().position(|&(made, _, _)| made == e);
        product.map_or(0, |index| index + 1)
    }

    /// Longest block whose end is needed; 0 where there is one block only.
    pub fn longest_end(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }
}

/// Appends the products that lead to `B^e` by repeated squaring and are not there yet.
fn chain(e: usize, products: &mut Vec<(usize, usize, usize)>) {
    if e <= 1 || products.iter().any(|&(done, _, _)| done == e) {
        return;
    }
    let (a, b) = if e.is_multiple_of(2) {
        (e / 2, e / 2)
    } else {
        (e - 1, 1)
    };
    chain(a, products);
    products.push((e, a, b));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(M: usize, N: usize, T: usize) -> Shape {
        Shape::new(Dims::new(M, N, 0).expect("sizes"), 4, T).expect("sizes")
    }

    #[test]
    fn blocks_tile_the_window_and_begin_at_every_forced_step() {
        for (T, tau, longest) in [
            (200, 16, 8),
            (37, 6, 4),
            (30, 7, 7),
            (5, 1, 3),
            (25, 1000, 10),
            (1, 1, 1),
        ] {
            let segments = Segments::new(shape(20, 3, T), 2, tau, longest);
            let mut next = 0;
            for (index, block) in segments.blocks.iter().enumerate() {
                let last = index + 1 == segments.blocks.len();
                assert_eq!(block.start, next);
                assert!((1..=longest).contains(&block.length));
                assert!((block.start + 1..block.start + block.length).all(|t| t % tau != 0));
                assert_eq!(block.looked_at, block.length - usize::from(!last));
                assert_eq!(
                    block.end.map(|end| segments.ends[end]),
                    (!last).then_some(block.length)
                );
                next += block.length;
            }
            assert_eq!(next, T);
        }
    }

    #[test]
    fn products_make_every_power_from_earlier_ones() {
        for longest in 1..40 {
            let segments = Segments::new(shape(20, 3, 100), 2, longest + longest / 2, longest);
            let mut known = vec![1];
            for &(e, a, b) in &segments.products {
                assert!(e == a + b && known.contains(&a) && known.contains(&b) && !known.contains(&e));
                known.push(e);
            }
            assert!(segments.ends.iter().all(|end| known.contains(end)));
        }
    }

    #[test]
    fn relu_units_are_looked_at_last_even_where_they_are_observed() {
        assert_eq!(Segments::new(shape(6, 2, 9), 2, 3, 3).looked_at, [0, 1, 4, 5]);
        assert_eq!(Segments::new(shape(4, 3, 9), 2, 3, 3).looked_at, [0, 1, 2, 3]);
        assert_eq!(Segments::new(shape(4, 4, 9), 1, 3, 3).looked_at, [0, 1, 2, 3]);
    }
}
