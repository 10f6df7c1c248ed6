//! What a number may be, whether a flag or a file gives it.

use std::str::FromStr;

use crate::error::{Error, Result};

/// A range of whole numbers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    pub least: u64,
    pub most: u64,
}

/// A range of finite numbers; `least` itself belongs to it unless it is `open`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Real {
    pub least: f64,
    pub most: f64,
    pub open: bool,
}

/// Of things that there must be one of, at most as many as a TOML file can hold.
pub const COUNT: Whole = Whole::range(1, i64::MAX as u64);
/// Optimiser steps are numbered in 32 bits.
pub const EPOCHS: Whole = Whole::range(1, u32::MAX as u64);
/// Of polishing; epochs and generations are counted together in 32 bits.
pub const GENERATIONS: Whole = Whole::range(1, 1_000_000_000);
/// Generations after training, if any.
pub const POLISH: Whole = Whole::range(0, GENERATIONS.most);
/// Of a free run, whose row 0 is its start.
pub const FREE_RUN: Whole = Whole::range(0, i64::MAX as u64);
/// More than any machine has; thousands of idle ones would only slow it down.
pub const THREADS: Whole = Whole::range(1, 4096);
pub const ABOVE_0: Real = Real::above(0.0, f64::MAX);
pub const FROM_0: Real = Real::range(0.0, f64::MAX);
/// Factor that models are to expand by over an interval between two teacher forcings.
pub const INFLATION: Real = Real::range(1.0, 1.5);
/// Something must be left to train on.
pub const HOLD_OUT: Real = Real::range(0.0, 0.9);
/// A smoothing kernel is eight standard deviations long.
pub const SMOOTHING: Real = Real::range(0.0, 1e5);

impl Whole {
    pub const fn range(least: u64, most: u64) -> Self {
        Self { least, most }
    }

    /// Refuses a number, as the value of this flag.
    pub fn require(self, flag: &str, value: u64) -> Result<()> {
        let refuse = |why| Error::input(format!("--{flag} {value}: {why}"));
        self.check(value).map_err(refuse)
    }

    /// Says what the number must be where it is not.
    pub fn check(self, value: u64) -> Result<(), String> {
        if (self.least..=self.most).contains(&value) {
            Ok(())
        } else {
            Err(self.rule())
        }
    }

    fn rule(self) -> String {
        format!("must be a whole number from {} to {}", self.least, self.most)
    }

    /// Reads a flag's value.
    pub fn parser<V: TryFrom<u64>>(
        self,
    ) -> impl Fn(&str) -> Result<V, String> + Clone + Send + Sync + 'static {
        move |text| {
            let value = u64::from_str(text.trim()).map_err(|_| self.rule())?;
            self.check(value)?;
            V::try_from(value).map_err(|_| self.rule())
        }
    }
}

impl Real {
    pub const fn range(least: f64, most: f64) -> Self {
        let open = false;
        Self { least, most, open }
    }

    /// Without `least` itself.
    pub const fn above(least: f64, most: f64) -> Self {
        let open = true;
        Self { least, most, open }
    }

    /// As [`Whole::require`].
    pub fn require(self, flag: &str, value: f64) -> Result<()> {
        let refuse = |why| Error::input(format!("--{flag} {value}: {why}"));
        self.check(value).map_err(refuse)
    }

    /// Says what the number must be where it is not.
    pub fn check(self, value: f64) -> Result<(), String> {
        let above = value > self.least || (value == self.least && !self.open);
        if value.is_finite() && above && value <= self.most {
            return Ok(());
        }
        Err(match (self.open, self.most == f64::MAX) {
            (true, true) => format!("must be a number above {}", self.least),
            (false, true) => format!("must be a number of {} or more", self.least),
            (true, false) => format!("must be a number above {}, at most {}", self.least, self.most),
            (false, false) => format!("must be a number from {} to {}", self.least, self.most),
        })
    }

    /// Reads a flag's value.
    pub fn parser(self) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
        move |text| {
            let value = f64::from_str(text.trim()).unwrap_or(f64::NAN);
            self.check(value).map(|()| value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_belong_to_the_range_or_not() {
        let threads = THREADS.parser::<usize>();
        assert_eq!((threads("1"), threads(" 4096 ")), (Ok(1), Ok(4096)));
        for text in [
            "0",
            "4097",
            "-1",
            "1.5",
            "",
            "x",
            "1e3",
            "18446744073709551616",
            "nan",
        ] {
            assert_eq!(
                threads(text),
                Err("must be a whole number from 1 to 4096".into()),
                "{text}"
            );
        }
        assert!(COUNT.check(i64::MAX as u64).is_ok() && COUNT.check(1 << 63).is_err());
        let above = ABOVE_0.parser();
        assert_eq!((above("1e-320"), above("1e308")), (Ok(1e-320), Ok(1e308)));
        for text in ["0", "-0", "-1", "nan", "inf", "-inf", "1e999", "", "x"] {
            assert_eq!(above(text), Err("must be a number above 0".into()), "{text}");
        }
        assert_eq!(FROM_0.check(0.0), Ok(()));
        assert_eq!(
            SMOOTHING.check(1.1e5),
            Err("must be a number from 0 to 100000".into())
        );
    }
}
