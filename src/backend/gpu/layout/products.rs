//! The matrix products of the almost-linear form as the table that `shaders/shared/multiply.wgsl` works through.

use crate::backend::blocked::{Factor, Places, Product, Program};
use crate::backend::gpu::layout::blocked::Blocked;

impl Product {
    /// Tiles of 4 × 4 entries, each a thread's.
    fn tiles(&self) -> usize {
        self.sizes.0.div_ceil(4) * self.sizes.2.div_ceil(4)
    }

    /// The four table entries.
    fn entries(&self) -> [[usize; 4]; 4] {
        let (rows, inner, columns) = self.sizes;
        let factor = |f: Factor| [f.at, f.down, f.along, 0];
        [
            [self.out.at, self.out.down, usize::from(self.add), self.tiles()],
            [rows, inner, columns, 0],
            factor(self.left),
            factor(self.right),
        ]
    }
}

impl Program {
    /// Number of links.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The table: a line a link (place of its products, tiles of all), then four lines a product. `at` is where the
    /// table begins.
    pub fn entries(&self, at: usize) -> Vec<[u32; 4]> {
        let mut place = at + self.len();
        let mut lines = Vec::new();
        for link in &self.0 {
            lines.push([place, link.iter().map(Product::tiles).sum(), 0, 0]);
            place += 4 * link.len();
        }
        lines.extend(self.0.iter().flatten().flat_map(Product::entries));
        lines
            .into_iter()
            .map(|words| words.map(|word| word as u32))
            .collect()
    }

    /// Tiles and longest inner size of each link.
    pub fn work(&self) -> impl Iterator<Item = (usize, usize)> {
        self.0.iter().map(|link| {
            let inner = link.iter().map(|product| product.sizes.1).max().unwrap_or(0);
            (link.iter().map(Product::tiles).sum(), inner)
        })
    }
}

impl Blocked {
    /// See [`Places::preparation`].
    pub(super) fn preparation(&self) -> Program {
        self.matrix_places().preparation(&self.segments)
    }

    /// See [`Places::pulling_back`] and `shaders/blocked/pull_back.wgsl`.
    pub(super) fn pulling_back(&self) -> Program {
        self.matrix_places().pulling_back(&self.segments)
    }

    fn matrix_places(&self) -> Places {
        let (M, H) = (self.layout.dims.M, self.segments.D + 1);
        let rows = |name, pitch| Factor::rows(self.at(name), pitch);
        let squares = |name| {
            let first = rows(name, M);
            (0..self.matrices()).map(move |index| first.below(index * M))
        };
        Places {
            M,
            powers: squares("B_AT").collect(),
            dpowers: squares("D_AT").collect(),
            transposed: squares("B_AT").map(Factor::transposed).collect(),
            W: rows("WH_AT", H),
            Wt: rows("WH_AT", H).transposed(),
            G: rows("G_AT", M),
            dG: rows("DG_AT", M),
            K: rows("K_AT", H),
            dK: rows("DK_AT", H),
            Rt: rows("RT_AT", M),
            dRt: rows("DR_AT", M),
            dB_of_R: rows("D_AT", M),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::backend::gpu::layout::plain::Capacity;
    use crate::model::{Dims, Shape};

    impl Factor {
        fn places(self, rows: usize, columns: usize) -> impl Iterator<Item = usize> {
            (0..rows).flat_map(move |i| (0..columns).map(move |j| self.at + i * self.down + j * self.along))
        }
    }

    /// Threads share out a link's tiles in any order: nothing in it may touch what another product of it, or it itself,
    /// writes elsewhere. A software rasteriser, which runs them one after another, would not tell.
    #[test]
    fn products_of_a_link_are_independent() {
        for (M, N, K, P, T, tau, longest) in [
            (5, 2, 0, 2, 40, 16, 8),
            (6, 3, 2, 5, 37, 7, 7),
            (4, 4, 1, 0, 30, 13, 5),
            (3, 1, 0, 3, 5, 1, 1),
            (4, 2, 1, 1, 20, 1000, 20),
        ] {
            let shape = Shape::new(Dims::new(M, N, K).expect("sizes"), 4, T).expect("sizes");
            let blocked = Blocked::with_length(shape, false, Capacity::FLOOR, (P, tau), longest)
                .next()
                .expect("it fits");
            for program in [blocked.preparation(), blocked.pulling_back()] {
                assert!(program.len() > 0);
                for link in &program.0 {
                    assert!(!link.is_empty());
                    let mut written = HashSet::new();
                    for product in link {
                        let (rows, _, columns) = product.sizes;
                        for place in product.out.places(rows, columns) {
                            assert!(place < blocked.powers_len());
                            assert!(written.insert(place), "{product:?} writes what another wrote");
                        }
                    }
                    for product in link {
                        let (rows, inner, columns) = product.sizes;
                        let left = product.left.places(rows, inner);
                        for place in left.chain(product.right.places(inner, columns)) {
                            assert!(place < blocked.powers_len());
                            assert!(
                                !written.contains(&place),
                                "{product:?} reads what its link writes"
                            );
                        }
                    }
                }
            }
        }
    }
}
