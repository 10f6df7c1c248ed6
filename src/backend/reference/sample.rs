use ndarray::Array3;

use crate::backend::{Member, TrainingData, Windows, is_missing};
use crate::model::{Dims, Shape};
use crate::rng::{Stream, index, normal_pair, threefry2x32};

/// The batch of optimiser step `step` (counted from 0): starts uniform over `data.starts` with replacement, and
/// `x + σ n` with one standard normal `n` per observed entry (addresses: [`Stream::Window`], [`Stream::Noise`]), divided by the
/// member's inflation where states are forced to it. `deviation` is σ.
pub fn sample(shape: Shape, member: &Member, deviation: f64, data: &TrainingData, step: u32) -> Windows {
    let Shape { dims, S, T } = shape;
    let Dims { N, K, .. } = dims;
    let mut x = Array3::zeros((S, T + 1, N));
    let mut inputs = Array3::zeros((S, T + 1, K));
    for s in 0..S {
        let words = threefry2x32([member.seed, Stream::Window as u32], [step, s as u32]);
        let row = data.starts[index(words[0], data.starts.len() as u32) as usize] as usize;
        for t in 0..=T {
            let forces = t.is_multiple_of(member.tau) && t < T;
            let inflation = if forces { member.inflation } else { 1.0 };
            for n in 0..N {
                let observed = data.x[(row + t) * N + n];
                x[[s, t, n]] = if is_missing(observed) {
                    f64::NAN
                } else {
                    let noise = deviation * noise(shape, member.seed, step, s, t * N + n);
                    (f64::from(observed) + noise) / inflation
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inflation_shrinks_what_states_are_forced_to_and_nothing_else() {
        let shape = Shape::new(Dims::new(4, 2, 0).expect("sizes"), 3, 6).expect("sizes");
        let data = TrainingData {
            N: 2,
            K: 0,
            x: (0..40).map(|i| 1.0 + i as f32).collect(),
            s: Vec::new(),
            starts: (0..14).collect(),
            has_missing: false,
        };
        let windows = |inflation, tau| {
            let member = Member {
                seed: 5,
                tau,
                inflation,
                ..Member::default()
            };
            sample(shape, &member, 0.1, &data, 7).x
        };
        // Every row at which a state is forced, the first one included; from the last row nothing is predicted.
        for (tau, forced) in [(2, vec![0, 2, 4]), (6, vec![0]), (100, vec![0])] {
            let (plain, inflated) = (windows(1.0, tau), windows(1.25, tau));
            for ((index, x), y) in plain.indexed_iter().zip(&inflated) {
                let expected = if forced.contains(&index.1) { x / 1.25 } else { *x };
                assert_eq!(*y, expected, "tau {tau}, {index:?}");
            }
        }
    }
}
