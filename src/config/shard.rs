use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Most parts a study may be cut into: it has no more members.
const MAX_PARTS: usize = 1_000_000;

/// One part of a study that is trained in several places: the `index`-th of `count`, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    pub fn index(self) -> usize {
        self.index
    }

    pub fn count(self) -> usize {
        self.count
    }

    /// Whether the study's `i`-th member (counted from 0) belongs to this part. Members are dealt out in turn, so
    /// that every part gets its share of each grid point.
    pub fn holds(self, i: usize) -> bool {
        i % self.count == self.index - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('/')
            .and_then(|(i, n)| Some((i.trim().parse().ok()?, n.trim().parse().ok()?)));
        match parts {
            Some((_, count)) if count > MAX_PARTS => Err(format!(
                "a study has at most {MAX_PARTS} members, and no more parts"
            )),
            Some((index, count)) if 1 <= index && index <= count => Ok(Self { index, count }),
            Some((0, count)) if count > 0 => Err(format!(
                "'{text}' is not i/n with 1 ≤ i ≤ n: parts are counted from 1 (for a job array from 0 on, i is its number + 1)"
            )),
            _ => Err(format!("'{text}' is not i/n with 1 ≤ i ≤ n")),
        }
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_disjoint_and_complete() {
        let parts: Vec<Shard> = (1..=3)
            .map(|i| format!("{i}/3").parse().expect("valid"))
            .collect();
        for i in 0..20 {
            assert_eq!(parts.iter().filter(|part| part.holds(i)).count(), 1);
        }
        for bad in [
            "0/3",
            "4/3",
            "1",
            "a/b",
            "1/0",
            "0/0",
            "",
            "/4",
            "1/18446744073709551615",
        ] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }
}
