//! Settings that are one of a few words, as flags take them.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde::de::value::{Error, StringDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

/// Reads one of the words.
pub fn word<V: DeserializeOwned + Clone + Send + Sync + 'static>(
    words: &'static [(&'static str, &'static str)],
) -> impl TypedValueParser<Value = V> {
    let possible = words
        .iter()
        .map(|&(name, help)| PossibleValue::new(name).help(help));
    PossibleValuesParser::new(possible).try_map(|name| {
        let word: StringDeserializer<Error> = name.into_deserializer();
        V::deserialize(word)
    })
}
