use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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

    /// The part of a task of a Slurm job array, from the variables Slurm sets in it.
    pub fn from_slurm(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let number = |name: &str| variable(name)?.trim().parse::<usize>().ok();
        let (id, first) = (number("SLURM_ARRAY_TASK_ID")?, number("SLURM_ARRAY_TASK_MIN")?);
        let count = number("SLURM_ARRAY_TASK_COUNT")?;
        let step = number("SLURM_ARRAY_TASK_STEP").unwrap_or(1).max(1);
        let index = id.checked_sub(first)? / step + 1;
        (count > 1 && index <= count).then_some(Self { index, count })
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
            Some((index, count)) if 1 <= index && index <= count => Ok(Self { index, count }),
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
        for bad in ["0/3", "4/3", "1", "a/b", "1/0", ""] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }

    #[test]
    fn slurm_arrays_of_any_start_and_step_become_parts() {
        let env = |id: &str| {
            let id = id.to_owned();
            move |name: &str| match name {
                "SLURM_ARRAY_TASK_ID" => Some(id.clone()),
                "SLURM_ARRAY_TASK_MIN" => Some("4".to_owned()),
                "SLURM_ARRAY_TASK_COUNT" => Some("3".to_owned()),
                "SLURM_ARRAY_TASK_STEP" => Some("2".to_owned()),
                _ => None,
            }
        };
        assert_eq!(
            Shard::from_slurm(env("8")).map(|s| s.to_string()).as_deref(),
            Some("3/3")
        );
        assert_eq!(
            Shard::from_slurm(env("4")).map(|s| s.to_string()).as_deref(),
            Some("1/3")
        );
        assert_eq!(Shard::from_slurm(env("12")), None);
        assert_eq!(Shard::from_slurm(|_| None), None);
    }
}
