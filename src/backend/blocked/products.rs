//! The matrix products of the almost-linear form as lists that every backend works through: first those that make the
//! powers of `B`, then those that pull gradients back through them.

use crate::backend::blocked::Segments;

/// A matrix in memory: entry `(i, j)` at `at + i * down + j * along`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend) struct Factor {
    pub at: usize,
    pub down: usize,
    pub along: usize,
}

impl Factor {
    /// Rows of `pitch` numbers.
    pub fn rows(at: usize, pitch: usize) -> Self {
        Self {
            at,
            down: pitch,
            along: 1,
        }
    }

    pub fn transposed(self) -> Self {
        Self {
            down: self.along,
            along: self.down,
            ..self
        }
    }

    /// Without its first `rows` rows.
    pub fn below(self, rows: usize) -> Self {
        Self {
            at: self.at + rows * self.down,
            ..self
        }
    }
}

/// `out = left right` or `+=`: `rows × inner` times `inner × columns`. The rows of `out` are contiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend) struct Product {
    pub out: Factor,
    /// `(rows, inner, columns)`.
    pub sizes: (usize, usize, usize),
    pub left: Factor,
    pub right: Factor,
    pub add: bool,
}

/// Products in links: those of a link touch nothing that another of it writes, so that threads share them out; a
/// barrier ends it.
#[derive(Default)]
pub(in crate::backend) struct Program(pub Vec<Vec<Product>>);

impl Program {
    fn link(&mut self) -> Link<'_> {
        self.0.push(Vec::new());
        Link(self)
    }
}

/// The last link of a program. One that stays empty is taken back.
struct Link<'a>(&'a mut Program);

impl Link<'_> {
    /// `out (+)= left right`; nothing where a size is 0.
    fn product(
        &mut self,
        out: Factor,
        sizes: (usize, usize, usize),
        (left, right): (Factor, Factor),
        add: bool,
    ) {
        if sizes.0 * sizes.1 * sizes.2 > 0
            && let Some(link) = self.0.0.last_mut()
        {
            link.push(Product {
                out,
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

/// Where a backend keeps the matrices that the products are of, and their gradients. `H = D + 1`; matrices of one kind lie
/// below each other.
pub(in crate::backend) struct Places {
    pub M: usize,
    /// `B`, then each of [`Segments::products`], `M × M`.
    pub powers: Vec<Factor>,
    pub dpowers: Vec<Factor>,
    /// Their transposes: the same places read otherwise, or copies.
    pub transposed: Vec<Factor>,
    /// `[W̃ | h]`, `M × H`, and its transpose.
    pub W: Factor,
    pub Wt: Factor,
    /// `G_0 … G_J`, each `Y × M`.
    pub G: Factor,
    pub dG: Factor,
    /// `[K_l | G_l h]` for `l < J`, each `Y × H`.
    pub K: Factor,
    pub dK: Factor,
    /// `[R_l | B^l h]ᵀ` for `l <` the longest end, each `H × M`; of the gradient there is at least one.
    pub Rt: Factor,
    pub dRt: Factor,
    /// To what `R` adds its part of the gradient of `B`: to that itself, or apart.
    pub dB_of_R: Factor,
}

impl Places {
    /// What makes the powers of `B`: `B^e`, `G_{j+1} = G_j B`, `R_{l+1}ᵀ = R_lᵀ Bᵀ`, then `K_l = G_l [W̃ | h]`. The three
    /// chains advance together.
    pub fn preparation(&self, segments: &Segments) -> Program {
        let (M, Y, H) = (self.M, segments.Y(), segments.D + 1);
        let (J, LE, products) = (segments.J, segments.longest_end(), &segments.products);
        let power = |e| self.powers[segments.power(e)];
        let G = |j: usize| self.G.below(j * Y);
        let R = |l: usize| self.Rt.below(l * H);
        let mut program = Program::default();
        for i in 0..J.max(products.len()).max(LE.saturating_sub(1)) {
            let mut link = program.link();
            if let Some(&(e, a, b)) = products.get(i) {
                link.product(power(e), (M, M, M), (power(a), power(b)), false);
            }
            if i < J {
                link.product(G(i + 1), (Y, M, M), (G(i), power(1)), false);
            }
            if i + 1 < LE {
                link.product(R(i + 1), (H, M, M), (R(i), self.transposed[0]), false);
            }
        }
        program
            .link()
            .product(self.K, (J * Y, M, H), (G(0), self.W), false);
        program
    }

    /// What pulls the gradients back: from those of `G`, `K`, `R` and the ends' powers to those of `B` and, in the first of
    /// the `R`, of `[W̃ | h]ᵀ`.
    pub fn pulling_back(&self, segments: &Segments) -> Program {
        let (M, Y, H) = (self.M, segments.Y(), segments.D + 1);
        let (J, LE, products) = (segments.J, segments.longest_end(), &segments.products);
        let dB = self.dpowers[0];
        let transposed = |e| self.transposed[segments.power(e)];
        let dpower = |e| self.dpowers[segments.power(e)];
        let dG = |j: usize| self.dG.below(j * Y);
        let dR = |l: usize| self.dRt.below(l * H);
        let mut program = Program::default();

        let sizes = ((J - 1) * Y, H, M);
        program
            .link()
            .product(dG(1), sizes, (self.dK.below(Y), self.Wt), true);
        let mut squares = products.iter().rev();
        for i in 0..J.max(products.len()).max(LE.saturating_sub(1)) {
            let product = squares.next();
            let mut link = program.link();
            if let Some(&(e, a, b)) = product {
                link.product(dpower(a), (M, M, M), (dpower(e), transposed(b)), true);
            }
            if i + 1 < J {
                link.product(dG(J - i - 1), (Y, M, M), (dG(J - i), transposed(1)), true);
            }
            if i + 1 < LE {
                let l = LE - 1 - i;
                link.product(dR(l - 1), (H, M, M), (dR(l), self.powers[0]), true);
            }
            drop(link);
            // A link of its own: it may add to the same matrix.
            if let Some(&(e, a, b)) = product {
                let left = self.powers[segments.power(a)].transposed();
                program
                    .link()
                    .product(dpower(b), (M, M, M), (left, dpower(e)), true);
            }
        }
        let later = LE.saturating_sub(1) * H;
        let mut link = program.link();
        let left = dR(1).transposed();
        link.product(self.dB_of_R, (M, later, M), (left, self.Rt), true);
        let left = self.dK.transposed();
        link.product(dR(0), (H, J * Y, M), (left, self.G), true);
        drop(link);
        let left = self.G.transposed();
        program.link().product(dB, (M, J * Y, M), (left, dG(1)), true);
        program
    }
}
