//! Values of a hyperparameter: one number, a list, or a range.

use std::collections::HashSet;
use std::str::FromStr;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most values one range may stand for.
const MAX_VALUES: usize = 100_000;

/// The values of one axis of a study's grid, in the order given, without repeats, never empty.
///
/// Written `2`, `8,16`, `0..5` (both ends included), `8..32:8` (with a step), or a mix of these.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid<V>(Vec<V>);

impl<V> Grid<V> {
    pub fn one(value: V) -> Self {
        Self(vec![value])
    }

    pub fn values(&self) -> &[V] {
        &self.0
    }
}

/// Drops repeats; `None` where nothing is left.
fn distinct<V: Number>(values: impl IntoIterator<Item = V>) -> Option<Grid<V>> {
    let mut seen = HashSet::new();
    let unique: Vec<V> = values.into_iter().filter(|v| seen.insert(v.key())).collect();
    (!unique.is_empty()).then_some(Grid(unique))
}

/// A number that a range can step through.
trait Number: Copy + PartialEq {
    fn parse(text: &str) -> Option<Self>;
    fn range(first: Self, last: Self, step: Option<Self>) -> Result<Vec<Self>, String>;
    /// Equal for equal numbers.
    fn key(self) -> u64;
}

const BACKWARDS: &str = "needs FIRST ≤ LAST and a step above 0";

fn too_many<V>() -> Result<V, String> {
    Err(format!("stands for more than {MAX_VALUES} values"))
}

/// `first, first + step, …` up to `last`, in whole numbers.
fn whole_steps(first: u64, last: u64, step: u64) -> Result<impl Iterator<Item = u64>, String> {
    if step == 0 || first > last {
        return Err(BACKWARDS.into());
    }
    let steps = (last - first) / step;
    if steps >= MAX_VALUES as u64 {
        return too_many();
    }
    Ok((0..=steps).map(move |i| first + i * step))
}

macro_rules! whole_number {
    ($kind:ty) => {
        impl Number for $kind {
            /// No larger than a TOML file can hold.
            fn parse(text: &str) -> Option<Self> {
                text.parse()
                    .ok()
                    .filter(|&v: &Self| i64::try_from(v).is_ok())
            }

            fn range(first: Self, last: Self, step: Option<Self>) -> Result<Vec<Self>, String> {
                let values = whole_steps(first as u64, last as u64, step.unwrap_or(1) as u64)?;
                Ok(values.map(|v| v as Self).collect())
            }

            fn key(self) -> u64 {
                self as u64
            }
        }
    };
}

whole_number!(usize);
whole_number!(u32);

impl Number for f64 {
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|v: &f64| v.is_finite())
    }

    fn range(first: Self, last: Self, step: Option<Self>) -> Result<Vec<Self>, String> {
        let step = step.ok_or("of fractions needs a step: FIRST..LAST:STEP")?;
        if !(step > 0.0 && first <= last) {
            return Err(BACKWARDS.into());
        }
        // A last value that rounding puts just outside belongs to the range.
        let steps = ((last - first) / step + 1e-9).floor();
        if steps >= MAX_VALUES as f64 {
            return too_many();
        }
        Ok((0..=steps as usize)
            .map(|i| (first + i as f64 * step).min(last))
            .collect())
    }

    fn key(self) -> u64 {
        if self == 0.0 { 0 } else { self.to_bits() }
    }
}

fn parse_item<V: Number>(item: &str) -> Result<Vec<V>, String> {
    let number = |text: &str| {
        V::parse(text.trim())
            .ok_or_else(|| format!("'{}' is not a number this setting can take", text.trim()))
    };
    let Some((first, rest)) = item.split_once("..") else {
        return Ok(vec![number(item)?]);
    };
    let (last, step) = match rest.split_once(':') {
        Some((last, step)) => (last, Some(number(step)?)),
        None => (rest, None),
    };
    let last = last.trim_start_matches('=');
    V::range(number(first)?, number(last)?, step).map_err(|why| format!("the range '{item}' {why}"))
}

fn parse_list<V: Number>(text: &str) -> Result<Vec<V>, String> {
    let mut values = Vec::new();
    for item in text.split(',') {
        values.extend(parse_item::<V>(item)?);
        if values.len() > MAX_VALUES {
            return Err(format!("the list stands for more than {MAX_VALUES} values"));
        }
    }
    Ok(values)
}

impl<V: Number> FromStr for Grid<V> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        distinct(parse_list(text)?).ok_or_else(|| "at least one value is needed".into())
    }
}

/// In a file: a number, a list of numbers, or the flag's text form.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written<V> {
    One(V),
    Many(Vec<V>),
    Text(String),
}

impl<'de, V: Number + DeserializeOwned> Deserialize<'de> for Grid<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = match Written::deserialize(deserializer).map_err(|_| {
            D::Error::custom("expected a number of the setting's kind, a list of such, or text like \"0..5\"")
        })? {
            Written::One(value) => vec![value],
            Written::Many(values) => values,
            Written::Text(text) => parse_list(&text).map_err(D::Error::custom)?,
        };
        distinct(values).ok_or_else(|| D::Error::custom("the list is empty"))
    }
}

impl<V: Serialize> Serialize for Grid<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }
}

/// The seeds of a study: a single number is a *count* (`10` = seeds 0 … 9), a list or range names them.
#[derive(Clone, Debug, PartialEq)]
pub struct Seeds(Grid<u32>);

impl Seeds {
    /// Seeds `0 … count − 1`; `None` for 0.
    pub fn count(count: u32) -> Option<Self> {
        distinct(0..count.min(MAX_VALUES as u32)).map(Self)
    }

    pub fn values(&self) -> &[u32] {
        self.0.values()
    }
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().parse::<u32>() {
            Ok(count) if count as usize > MAX_VALUES => {
                Err(format!("{count} seeds are more than {MAX_VALUES}"))
            }
            Ok(count) => Self::count(count).ok_or_else(|| "at least one seed is needed".into()),
            Err(_) => text.trim_end_matches(',').parse().map(Self),
        }
    }
}

impl<'de> Deserialize<'de> for Seeds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::<u32>::deserialize(deserializer)
            .map_err(|_| D::Error::custom("expected a count, a list of seeds, or text like \"0..9\""))?
        {
            Written::One(count) => count.to_string().parse().map_err(D::Error::custom),
            Written::Many(list) => distinct(list)
                .map(Self)
                .ok_or_else(|| D::Error::custom("the list of seeds is empty")),
            Written::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

impl Serialize for Seeds {
    /// Always a list, so that one named seed is not read back as a count.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.values().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usizes(text: &str) -> Result<Vec<usize>, String> {
        text.parse::<Grid<usize>>().map(|g| g.values().to_vec())
    }

    #[test]
    fn reads_numbers_lists_and_ranges() {
        assert_eq!(usizes("2"), Ok(vec![2]));
        assert_eq!(usizes("8, 16"), Ok(vec![8, 16]));
        assert_eq!(usizes("0..5"), Ok(vec![0, 1, 2, 3, 4, 5]));
        assert_eq!(usizes("8..32:8,4"), Ok(vec![8, 16, 24, 32, 4]));
        assert_eq!(usizes("2,2"), Ok(vec![2]));
        assert_eq!(
            "0..0.1:0.05".parse::<Grid<f64>>().map(|g| g.values().to_vec()),
            Ok(vec![0.0, 0.05, 0.1])
        );
        assert_eq!(
            "1e-3".parse::<Grid<f64>>().map(|g| g.values().to_vec()),
            Ok(vec![1e-3])
        );
    }

    #[test]
    fn refuses_what_it_cannot_mean() {
        for text in ["", "a", "5..1", "1..9:0", "0..1000000", "1,,2", "-1", "2.5"] {
            assert!(usizes(text).is_err(), "{text:?}");
        }
        for text in ["nan", "inf", "0..1"] {
            assert!(text.parse::<Grid<f64>>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_single_seed_number_is_a_count() {
        let seeds = |text: &str| text.parse::<Seeds>().map(|s| s.values().to_vec());
        assert_eq!(seeds("3"), Ok(vec![0, 1, 2]));
        assert_eq!(seeds("7,"), Ok(vec![7]));
        assert_eq!(seeds("7..7"), Ok(vec![7]));
        assert_eq!(seeds("3,9"), Ok(vec![3, 9]));
        assert!(seeds("0").is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[0-9.,:e+\\- =]{0,24}") {
            let _ = text.parse::<Grid<f64>>();
            let _ = text.parse::<Grid<usize>>();
            let _ = text.parse::<Seeds>();
        }
    }
}
