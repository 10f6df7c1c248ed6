use crate::backend::cpu::layout::Layout;
use crate::backend::cpu::simd::buffer::Buffer;
use crate::model::Dims;

/// A member's parameters as the kernels read them, refilled before every step.
pub struct Weights {
    /// `B = diag(A) + W` in blocks of rows, `[block][column][row]`; rows beyond `M` are 0.
    pub forward: Buffer,
    /// `Bᵀ` likewise.
    pub backward: Buffer,
    /// `h`, padded to whole blocks.
    pub h: Buffer,
    /// `C` in blocks of rows, `[block][input][row]`.
    pub C: Buffer,
}

impl Weights {
    pub fn new(layout: &Layout) -> Self {
        let Dims { M, K, .. } = layout.shape.dims;
        let rows = layout.blocks * layout.rows;
        Self {
            forward: Buffer::zeros(rows * M),
            backward: Buffer::zeros(rows * M),
            h: Buffer::zeros(rows),
            C: Buffer::zeros(rows * K),
        }
    }

    pub fn fill(&mut self, layout: &Layout, theta: &[f32]) {
        let dims = layout.shape.dims;
        let Dims { M, K, .. } = dims;
        let R = layout.rows;
        let (A, W, C) = (
            &theta[dims.range_A()],
            &theta[dims.range_W()],
            &theta[dims.range_C()],
        );
        let forward = self.forward.as_mut_slice();
        let backward = self.backward.as_mut_slice();
        for i in 0..M {
            let row = &W[i * M..(i + 1) * M];
            let own = i / R * (R * M) + i % R;
            for (j, &w) in row.iter().enumerate() {
                forward[own + j * R] = w;
            }
            for (block, columns) in row.chunks(R).enumerate() {
                let at = block * (R * M) + i * R;
                backward[at..at + columns.len()].copy_from_slice(columns);
            }
            let diagonal = A[i] + row[i];
            forward[own + i * R] = diagonal;
            backward[own + i * R] = diagonal;
            let own = i / R * (R * K) + i % R;
            for k in 0..K {
                self.C.as_mut_slice()[own + k * R] = C[i * K + k];
            }
        }
        self.h.as_mut_slice()[..M].copy_from_slice(&theta[dims.range_h()]);
    }
}
