#![allow(non_snake_case, reason = "the paper's symbols")]

use crate::backend::blocked::Segments;
use crate::backend::cpu::blocked::adjoint::convolution_tile;
use crate::backend::cpu::blocked::memory::{Blocked, K_entries};
use crate::backend::cpu::blocked::powers::product_index;
use crate::backend::cpu::layout::Layout;

impl Blocked {
    /// From the sums of [`super::PowerSums::sum_lanes`] to the gradients of what the blocks apply; returns what
    /// follows them.
    pub fn reduce<'a>(
        &mut self,
        layout: &Layout,
        segments: &Segments,
        scale: f32,
        sums: &'a [f32],
    ) -> &'a [f32] {
        let gradients = &mut self.gradients;
        let M = layout.shape.dims.M;
        let (J, Q, D, Dh) = (segments.J, segments.Y(), segments.D, segments.D + 1);
        let (G, sums) = sums.split_at(J * Q * M);
        let (c, sums) = sums.split_at(J * Q);
        let (K, mut sums) = sums.split_at(K_entries(segments));
        let scaled = |to: &mut [f32], from: &[f32]| {
            for (to, from) in to.iter_mut().zip(from) {
                *to = scale * from;
            }
        };
        (0..Q).for_each(|q| gradients.G.row_mut(q).fill(0.0));
        // They come with the latest step first.
        for j in 1..=J {
            for q in 0..Q {
                let from = (J - j) * Q + q;
                scaled(gradients.G.row_mut(j * Q + q), &G[from * M..(from + 1) * M]);
            }
            let own = &mut gradients.c.as_mut_slice()[(j - 1) * Q..j * Q];
            scaled(own, &c[(J - j) * Q..]);
        }
        let (rows, columns) = convolution_tile(layout.tile_rows, D);
        let (down, across) = (Q.div_ceil(rows), D.div_ceil(columns));
        for l in 0..J {
            for q in 0..Q {
                let row = &mut gradients.K.row_mut(l * Q + q)[..D];
                for (tile, part) in ((l * down + q / rows) * across..).zip(row.chunks_mut(columns)) {
                    scaled(part, &K[(tile * rows + q % rows) * columns..]);
                }
            }
        }
        (0..segments.longest_end() * Dh).for_each(|row| gradients.Rt.row_mut(row).fill(0.0));
        for &length in &segments.ends {
            let width = length * D;
            let (B, rest) = sums.split_at(M * M);
            let (g, rest) = rest.split_at(M);
            let (R, rest) = rest.split_at(M * width);
            sums = rest;
            let power = if length == 1 {
                &mut gradients.B
            } else {
                &mut gradients.products[product_index(segments, length)].0
            };
            for (i, row) in B.chunks_exact(M).enumerate() {
                scaled(power.row_mut(i), row);
            }
            for l in 0..length {
                // [R_{ℓ−1} … R_0], transposed; g is part of every later power.
                for d in 0..D {
                    let column = R[(length - 1 - l) * D + d..].iter().step_by(width);
                    let row = gradients.Rt.row_mut(l * Dh + d);
                    row.iter_mut()
                        .zip(column)
                        .for_each(|(to, from)| *to += scale * from);
                }
                let row = gradients.Rt.row_mut(l * Dh + D);
                row.iter_mut().zip(g).for_each(|(to, from)| *to += scale * from);
            }
        }
        sums
    }
}
