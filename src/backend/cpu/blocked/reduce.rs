use crate::backend::blocked::Segments;
use crate::backend::cpu::blocked::adjoint::convolution_tile;
use crate::backend::cpu::blocked::memory::K_entries;
use crate::backend::cpu::blocked::powers::Powers;
use crate::backend::cpu::layout::Layout;

impl Powers {
    /// From the sums of [`super::PowerSums::sum_lanes`] to the gradients of what the blocks apply; returns what
    /// follows them.
    pub fn reduce<'a>(
        &mut self,
        layout: &Layout,
        segments: &Segments,
        scale: f32,
        sums: &'a [f32],
    ) -> &'a [f32] {
        let Self {
            matrices, places, dc, ..
        } = self;
        let M = layout.shape.dims.M;
        let (J, Y, D, H) = (segments.J, segments.Y(), segments.D, segments.D + 1);
        let (G, sums) = sums.split_at(J * Y * M);
        let (c, sums) = sums.split_at(J * Y);
        let (K, mut sums) = sums.split_at(K_entries(segments));
        let scaled = |to: &mut [f32], from: &[f32]| {
            for (to, from) in to.iter_mut().zip(from) {
                *to = scale * from;
            }
        };
        // They come with the latest step first.
        for j in 1..=J {
            for q in 0..Y {
                let from = (J - j) * Y + q;
                scaled(
                    matrices.row_mut(places.dG, j * Y + q),
                    &G[from * M..(from + 1) * M],
                );
            }
            let own = &mut dc.as_mut_slice()[(j - 1) * Y..j * Y];
            scaled(own, &c[(J - j) * Y..]);
        }
        let (rows, columns) = convolution_tile(layout.tile_rows, D);
        let (down, across) = (Y.div_ceil(rows), D.div_ceil(columns));
        for l in 0..J {
            for q in 0..Y {
                let row = &mut matrices.row_mut(places.dK, l * Y + q)[..D];
                for (tile, part) in ((l * down + q / rows) * across..).zip(row.chunks_mut(columns)) {
                    scaled(part, &K[(tile * rows + q % rows) * columns..]);
                }
            }
        }
        matrices.clear(places.dRt, segments.longest_end().max(1) * H);
        for &length in &segments.ends {
            let width = length * D;
            let (B, rest) = sums.split_at(M * M);
            let (g, rest) = rest.split_at(M);
            let (R, rest) = rest.split_at(M * width);
            sums = rest;
            let power = places.dpowers[segments.power(length)];
            for (i, row) in B.chunks_exact(M).enumerate() {
                scaled(matrices.row_mut(power, i), row);
            }
            for l in 0..length {
                // [R_{ℓ−1} … R_0], transposed; g is part of every later power.
                for d in 0..D {
                    let column = R[(length - 1 - l) * D + d..].iter().step_by(width);
                    let row = matrices.row_mut(places.dRt, l * H + d);
                    row.iter_mut()
                        .zip(column)
                        .for_each(|(to, from)| *to += scale * from);
                }
                let row = matrices.row_mut(places.dRt, l * H + D);
                row.iter_mut().zip(g).for_each(|(to, from)| *to += scale * from);
            }
        }
        sums
    }
}
