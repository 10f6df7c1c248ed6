use ndarray::Array3;

use crate::backend::{Member, TrainingData, Windows, is_missing};
use crate::model::{Dims, Shape};
use crate::rng::{Stream, index, normal_pair, threefry2x32};

/// The batch of optimiser step `step` (counted from 0): starts uniform over `data.starts` with replacement, and
/// `x + σ n` with one standard normal `n` per observed entry (addresses: [`Stream::Window`], [`Stream::Noise`]).
pub fn sample(shape: Shape, member: &Member, data: &TrainingData, step: u32) -> Windows {
    let Shape { dims, S, T } = shape;
    let Dims { N, K, .. } = dims;
    let mut x = Array3::zeros((S, T + 1, N));
    let mut inputs = Array3::zeros((S, T + 1, K));
    for s in 0..S {
        let words = threefry2x32([member.seed, Stream::Window as u32], [step, s as u32]);
        let row = data.starts[index(words[0], data.starts.len() as u32) as usize] as usize;
        for t in 0..=T {
            for n in 0..N {
                let observed = data.x[(row + t) * N + n];
                x[[s, t, n]] = if is_missing(observed) {
                    f64::NAN
                } else {
                    f64::from(observed) + member.noise * noise(shape, member.seed, step, s, t * N + n)
                };
            }
            for k in 0..K {
                inputs[[s, t, k]] = f64::from(data.s[(row + t) * K + k]);
            }
        }
    }
    Windows { x, s: inputs }
}

/// The standard normal of one element of a window.
fn noise(shape: Shape, seed: u32, step: u32, s: usize, element: usize) -> f64 {
    let counter = [step, (element / 2 * shape.S + s) as u32];
    let pair = normal_pair(threefry2x32([seed, Stream::Noise as u32], counter));
    f64::from(pair[element % 2])
}
