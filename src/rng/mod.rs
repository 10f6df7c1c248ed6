//! Randomness as a pure function: `threefry2x32(key = (seed, stream), counter)`.
//!
//! Nothing here has state, so a draw depends on its address alone: not on the backend, on the other members
//! of an ensemble, or on where a run was interrupted. The WGSL twins are in `shaders/shared/`.

mod normal;
mod threefry;

pub use normal::normal_pair;
pub use threefry::threefry2x32;

/// What a number is drawn for; the second word of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stream {
    /// Window starts: counter = (step, s), first word.
    Window = 0,
    /// Observation noise: counter = (step, q·S + s) gives the normals of elements `2q` and `2q+1` of the
    /// window of sequence `s`, where element `t·N + n` is `x[t][n]`.
    Noise = 1,
    InitA = 2,
    InitW = 3,
    InitL = 4,
    InitC = 5,
    /// Monte Carlo points of the GMM metric.
    Metric = 6,
    /// Initial states and gaps of simulated benchmark systems.
    System = 7,
    /// Surrogate symbol sequences.
    Surrogate = 8,
    /// Polishing: counter = (generation, k·⌈n/2⌉ + q) gives the normals of coordinates `2q` and `2q+1` of candidate `k`;
    /// the last counters choose rows of the data.
    Polish = 9,
}

/// Uniform on [0, 1) with 24 bits, exact in f32.
pub fn unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Uniform on `0..n`: the high word of `word · n` (bias below n/2³²).
pub fn index(word: u32, n: u32) -> u32 {
    ((u64::from(word) * u64::from(n)) >> 32) as u32
}

/// The raw words of a stream, two per counter `(i, 0)`, i = 0, 1, …
pub fn words(seed: u32, stream: Stream) -> impl Iterator<Item = u32> {
    (0..=u32::MAX).flat_map(move |i| threefry2x32([seed, stream as u32], [i, 0]))
}

/// Uniforms on [0, 1) in stream order.
pub fn uniforms(seed: u32, stream: Stream) -> impl Iterator<Item = f32> {
    words(seed, stream).map(unit)
}

/// Standard normals in stream order, two per counter.
pub fn normals(seed: u32, stream: Stream) -> impl Iterator<Item = f32> {
    (0..=u32::MAX).flat_map(move |i| normal_pair(threefry2x32([seed, stream as u32], [i, 0])))
}
