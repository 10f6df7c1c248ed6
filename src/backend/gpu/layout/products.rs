//! The matrix products of the almost-linear form, as a list that `shaders/shared/multiply.wgsl` works through:
//! first those that make the powers of `B`, then those that pull gradients back through them.
#![allow(non_snake_case, reason = "the paper's symbols")]

use crate::backend::gpu::layout::blocked::Blocked;

/// A factor: entry `(i, j)` at `at + i * down + j * along` of a member's `powers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Factor {
    at: usize,
    down: usize,
    along: usize,
}

impl Factor {
    /// Rows of `pitch` floats.
    fn rows(at: usize, pitch: usize) -> Self {
        Self {
            at,
            down: pitch,
            along: 1,
        }
    }

    fn transposed(self) -> Self {
        Self {
            down: self.along,
            along: self.down,
            ..self
        }
    }
}

/// `out = left right` or `+=`: `rows × inner` times `inner × columns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Product {
    out: usize,
    pitch: usize,
    /// `(rows, inner, columns)`.
    sizes: (usize, usize, usize),
    left: Factor,
    right: Factor,
    add: bool,
}

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
            [self.out, self.pitch, usize::from(self.add), self.tiles()],
            [rows, inner, columns, 0],
            factor(self.left),
            factor(self.right),
        ]
    }
}

/// Products in links: those of a link touch nothing that another of it writes, so that threads share them out; a
/// barrier ends it.
#[derive(Default)]
pub(super) struct Program(Vec<Vec<Product>>);

impl Program {
    fn link(&mut self) -> Link<'_> {
        self.0.push(Vec::new());
        Link(self)
    }

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

/// The last link of a program. One that stays empty is taken back.
struct Link<'a>(&'a mut Program);

impl Link<'_> {
    /// `out (+)= left right`; nothing where a size is 0.
    fn product(
        &mut self,
        (out, pitch): (usize, usize),
        sizes: (usize, usize, usize),
        (left, right): (Factor, Factor),
        add: bool,
    ) {
        if sizes.0 * sizes.1 * sizes.2 > 0
            && let Some(link) = self.0.0.last_mut()
        {
            link.push(Product {
                out,
                pitch,
                sizes,
                left,
                right,
                add,
            });
        }
    }
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        self.0.0.pop_if(|link| link.is_empty());
    }
}

impl Blocked {
    /// What makes the powers of `B`: `B^e`, `G_{j+1} = G_j B`, `R_{l+1}ᵀ = R_lᵀ Bᵀ`, then `K_l = G_l [W̃ | h]`. The three
    /// chains advance together.
    pub(super) fn preparation(&self) -> Program {
        let (M, Y, H) = (self.layout.dims.M, self.Y(), self.cut.D + 1);
        let (J, LE, products) = (self.cut.J, self.cut.longest_end(), &self.cut.products);
        let B = Factor::rows(self.at("B_AT"), M);
        let power = |e| Factor::rows(self.at("B_AT") + self.matrix(e) * M * M, M);
        let G = |j: usize| Factor::rows(self.at("G_AT") + j * Y * M, M);
        let R = |l: usize| Factor::rows(self.at("RT_AT") + l * H * M, M);
        let mut program = Program::default();
        for i in 0..J.max(products.len()).max(LE.saturating_sub(1)) {
            let mut link = program.link();
            if let Some(&(e, a, b)) = products.get(i) {
                link.product((power(e).at, M), (M, M, M), (power(a), power(b)), false);
            }
            if i < J {
                link.product((G(i + 1).at, M), (Y, M, M), (G(i), B), false);
            }
            if i + 1 < LE {
                link.product((R(i + 1).at, M), (H, M, M), (R(i), B.transposed()), false);
            }
        }
        let weights = Factor::rows(self.at("WH_AT"), H);
        program
            .link()
            .product((self.at("K_AT"), H), (J * Y, M, H), (G(0), weights), false);
        program
    }

    /// What pulls the gradients back, those in the second part of `powers`; see `shaders/blocked/pull_back.wgsl`.
    pub(super) fn pulling_back(&self) -> Program {
        let (M, Y, H) = (self.layout.dims.M, self.Y(), self.cut.D + 1);
        let (J, LE, products) = (self.cut.J, self.cut.longest_end(), &self.cut.products);
        let B = Factor::rows(self.at("B_AT"), M);
        let power = |e| Factor::rows(self.at("B_AT") + self.matrix(e) * M * M, M);
        let dPower = |e| Factor::rows(self.at("D_AT") + self.matrix(e) * M * M, M);
        let G = Factor::rows(self.at("G_AT"), M);
        let R = Factor::rows(self.at("RT_AT"), M);
        let dG = |j: usize| Factor::rows(self.at("DG_AT") + j * Y * M, M);
        let dR = |l: usize| Factor::rows(self.at("DR_AT") + l * H * M, M);
        let dK = |l: usize| Factor::rows(self.at("DK_AT") + l * Y * H, H);
        let dB = (self.at("D_AT"), M);
        let mut program = Program::default();

        let weights = Factor::rows(self.at("WH_AT"), H).transposed();
        let sizes = ((J - 1) * Y, H, M);
        program
            .link()
            .product((dG(1).at, M), sizes, (dK(1), weights), true);
        let mut squares = products.iter().rev();
        for i in 0..J.max(products.len()).max(LE.saturating_sub(1)) {
            let product = squares.next();
            let mut link = program.link();
            if let Some(&(e, a, b)) = product {
                let factors = (dPower(e), power(b).transposed());
                link.product((dPower(a).at, M), (M, M, M), factors, true);
            }
            if i + 1 < J {
                let factors = (dG(J - i), B.transposed());
                link.product((dG(J - i - 1).at, M), (Y, M, M), factors, true);
            }
            if i + 1 < LE {
                let l = LE - 1 - i;
                link.product((dR(l - 1).at, M), (H, M, M), (dR(l), B), true);
            }
            drop(link);
            // A link of its own: it may add to the same matrix.
            if let Some(&(e, a, b)) = product {
                let factors = (power(a).transposed(), dPower(e));
                program
                    .link()
                    .product((dPower(b).at, M), (M, M, M), factors, true);
            }
        }
        let later = LE.saturating_sub(1) * H;
        let mut link = program.link();
        link.product(dB, (M, later, M), (dR(1).transposed(), R), true);
        link.product((dR(0).at, M), (H, J * Y, M), (dK(0).transposed(), G), true);
        drop(link);
        program
            .link()
            .product(dB, (M, J * Y, M), (G.transposed(), dG(1)), true);
        program
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
                        for place in Factor::rows(product.out, product.pitch).places(rows, columns) {
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
