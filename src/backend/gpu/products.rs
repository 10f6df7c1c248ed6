//! The matrix products of the almost-linear form, as a list that `shaders/shared/multiply.wgsl` works through:
//! first those that make the powers of `B`, then those that pull gradients back through them.
#![allow(non_snake_case, reason = "the paper's symbols")]

use crate::backend::gpu::blocked::Blocked;

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
    /// Whether what it and those before it wrote is read next.
    barrier: bool,
}

impl Product {
    /// The four table entries.
    fn entries(&self) -> [[u32; 4]; 4] {
        let Self {
            out,
            pitch,
            sizes: (rows, inner, columns),
            left,
            right,
            ..
        } = *self;
        let factor = |f: Factor| [f.at, f.down, f.along, 0];
        [
            [out, pitch, usize::from(self.add), usize::from(self.barrier)],
            [rows, inner, columns, 0],
            factor(left),
            factor(right),
        ]
        .map(|words| words.map(|word| word as u32))
    }
}

/// Products in an order in which each finds what it needs.
#[derive(Default)]
struct Program(Vec<Product>);

impl Program {
    /// `out (+)= left right`; nothing where a size is 0.
    fn product(
        &mut self,
        (out, pitch): (usize, usize),
        sizes: (usize, usize, usize),
        left: Factor,
        right: Factor,
        add: bool,
    ) {
        if sizes.0 * sizes.1 * sizes.2 > 0 {
            self.0.push(Product {
                out,
                pitch,
                sizes,
                left,
                right,
                add,
                barrier: false,
            });
        }
    }

    fn barrier(&mut self) {
        if let Some(last) = self.0.last_mut() {
            last.barrier = true;
        }
    }

    fn entries(&self) -> Vec<[u32; 4]> {
        self.0.iter().flat_map(Product::entries).collect()
    }
}

impl Blocked {
    /// What makes the powers of `B`: `B^e`, `G_{j+1} = G_j B`, `R_{l+1}ᵀ = R_lᵀ Bᵀ`, then `K_l = G_l [W̃ | h]`. The three
    /// chains advance together.
    pub(super) fn preparation(&self) -> Vec<[u32; 4]> {
        let (M, Y, H) = (self.layout.dims.M, self.Y(), self.cut.D + 1);
        let (J, LE, products) = (self.cut.J, self.cut.longest_end(), &self.cut.products);
        let B = Factor::rows(self.at("B_AT"), M);
        let power = |e| Factor::rows(self.at("B_AT") + self.matrix(e) * M * M, M);
        let G = |j: usize| Factor::rows(self.at("G_AT") + j * Y * M, M);
        let R = |l: usize| Factor::rows(self.at("RT_AT") + l * H * M, M);
        let mut program = Program::default();
        for i in 0..J.max(products.len()).max(LE.saturating_sub(1)) {
            if let Some(&(e, a, b)) = products.get(i) {
                program.product((power(e).at, M), (M, M, M), power(a), power(b), false);
            }
            if i < J {
                program.product((G(i + 1).at, M), (Y, M, M), G(i), B, false);
            }
            if i + 1 < LE {
                program.product((R(i + 1).at, M), (H, M, M), R(i), B.transposed(), false);
            }
            program.barrier();
        }
        let weights = Factor::rows(self.at("WH_AT"), H);
        program.product((self.at("K_AT"), H), (J * Y, M, H), G(0), weights, false);
        program.barrier();
        program.entries()
    }

    /// What pulls the gradients back, those in the second part of `powers`; see `shaders/blocked/pull_back.wgsl`.
    pub(super) fn pulling_back(&self) -> Vec<[u32; 4]> {
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
        program.product((dG(1).at, M), ((J - 1) * Y, H, M), dK(1), weights, true);
        program.barrier();
        for i in 0..J.max(products.len()).max(LE.saturating_sub(1)) {
            if let Some(&(e, a, b)) = products.iter().rev().nth(i) {
                // Both may add to one matrix: a thread makes the same entries of either.
                program.product(
                    (dPower(a).at, M),
                    (M, M, M),
                    dPower(e),
                    power(b).transposed(),
                    true,
                );
                program.product(
                    (dPower(b).at, M),
                    (M, M, M),
                    power(a).transposed(),
                    dPower(e),
                    true,
                );
            }
            if i + 1 < J {
                program.product((dG(J - i - 1).at, M), (Y, M, M), dG(J - i), B.transposed(), true);
            }
            if i + 1 < LE {
                let l = LE - 1 - i;
                program.product((dR(l - 1).at, M), (H, M, M), dR(l), B, true);
            }
            program.barrier();
        }
        let later = LE.saturating_sub(1) * H;
        program.product(dB, (M, later, M), dR(1).transposed(), R, true);
        program.product(dB, (M, J * Y, M), G.transposed(), dG(1), true);
        program.product((dR(0).at, M), (H, J * Y, M), dK(0).transposed(), G, true);
        program.barrier();
        program.entries()
    }
}
