//! Settings that are one of a few words, as flags take them.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde::de::value::{Error, StringDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

/// Words and what they mean; a config file takes the same.
type Words = &'static [(&'static str, &'static str)];

pub const OPTIMIZERS: Words = &[
    (
        "radam",
        "Rectified Adam (Liu et al., *On the variance of the adaptive learning rate and beyond*, ICLR 2020)",
    ),
    ("adam", "Adam (Kingma and Ba, ICLR 2015)"),
];
pub const FORMS: Words = &[
    ("auto", "The cheaper one for the shape, by operation count"),
    ("plain", "`z' = A ∘ z + W φ(z) + h`, step by step"),
    (
        "blocked",
        "The almost-linear form: blocks of unforced steps through powers of `diag(A) + W`; plain where these grow too far to be accurate",
    ),
];
pub const DSTSP: Words = &[
    (
        "auto",
        "Bins where their smoothing stays far below the rows, the Gaussian mixture otherwise",
    ),
    (
        "bins",
        "As the paper's code: bins up to 10 dimensions, the mixture above",
    ),
    ("gmm", "The Gaussian mixture"),
];
pub const BACKENDS: Words = &[
    ("auto", "A hardware GPU where there is one, the CPU otherwise"),
    ("cpu", "The CPU"),
    ("gpu", "A graphics adapter"),
];

/// Reads one of the words.
pub fn word<V: DeserializeOwned + Clone + Send + Sync + 'static>(
    words: Words,
) -> impl TypedValueParser<Value = V> {
    let possible = words
        .iter()
        .map(|&(name, help)| PossibleValue::new(name).help(help));
    PossibleValuesParser::new(possible).try_map(|name| {
        let word: StringDeserializer<Error> = name.into_deserializer();
        V::deserialize(word)
    })
}
