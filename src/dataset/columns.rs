//! Which columns of an array are taken, and in which order: names decide where there are any.

use crate::error::{Error, Result, nearest};

/// What is known of the columns before an array is read.
pub(super) struct Wanted<'a> {
    /// Columns to leave out: names, or numbers counted from 1. A name wins over a number.
    pub drop: &'a [String],
    /// A column to leave out need not be there (in held-out data that never had it, say); then numbers count in arrays
    /// without names alone.
    pub drop_if_there: bool,
    /// Names that must be there.
    pub known: Option<&'a [String]>,
    /// Who knows them: `the model was trained on`, `a.csv has`.
    pub knower: &'a str,
}

impl Wanted<'_> {
    /// The columns to take from an array with these names and this width, counted from 0; `used` learns which entries
    /// of `drop` were found.
    ///
    /// # Errors
    /// When a name is not known, is missing or stands for several columns, when a column that must be there is to be
    /// dropped, or nothing is left.
    pub fn choose(
        &self,
        file: &str,
        found: Option<&[String]>,
        width: usize,
        used: &mut [bool],
    ) -> Result<Vec<usize>> {
        let dropped = self.dropped(found, width, used);
        let known = self.known.zip(found).filter(|(known, found)| {
            // Counting columns from 0 is what pandas does where they have no names.
            !(counts(known) || counts(found)) || known.iter().all(|name| found.contains(name))
        });
        if let Some((known, found)) = known {
            return self.by_name(file, known, found, &dropped);
        }
        let taken: Vec<usize> = (0..width).filter(|&j| dropped[j].is_none()).collect();
        if taken.is_empty() && width > 0 {
            return Err(Error::input(format!(
                "--drop leaves no column of {file}, which has {width}"
            )));
        }
        Ok(taken)
    }

    /// Which entry of `drop`, if any, leaves out each column.
    fn dropped(&self, found: Option<&[String]>, width: usize, used: &mut [bool]) -> Vec<Option<usize>> {
        let mut dropped = vec![None; width];
        for (entry, text) in self.drop.iter().enumerate() {
            let by_name: Vec<usize> = (0..width)
                .filter(|&j| found.is_some_and(|names| names.get(j) == Some(text)))
                .collect();
            let by_number = || {
                let number = text.parse::<usize>().ok()?;
                let counted = found.is_none() || !self.drop_if_there;
                (counted && (1..=width).contains(&number)).then(|| number - 1)
            };
            let columns = if by_name.is_empty() {
                by_number().into_iter().collect()
            } else {
                by_name
            };
            used[entry] |= !columns.is_empty();
            for j in columns {
                dropped[j] = Some(entry);
            }
        }
        dropped
    }

    fn by_name(
        &self,
        file: &str,
        known: &[String],
        found: &[String],
        dropped: &[Option<usize>],
    ) -> Result<Vec<usize>> {
        let rest: Vec<usize> = (0..found.len()).filter(|&j| dropped[j].is_none()).collect();
        if rest.iter().map(|&j| &found[j]).eq(known) {
            return Ok(rest);
        }
        let mut taken = Vec::with_capacity(known.len());
        for name in known {
            let places: Vec<usize> = (0..found.len()).filter(|&j| found[j] == *name).collect();
            let twice = places.len() > 1 || known.iter().filter(|k| *k == name).count() > 1;
            match places.first() {
                None => return Err(self.lacking(file, name, known, found)),
                Some(_) if twice => {
                    return Err(Error::input(format!(
                        "{file} has several columns called '{name}', so they cannot be taken by name"
                    ))
                    .with_hint("give every column a name of its own"));
                }
                Some(&j) => match dropped[j] {
                    Some(entry) => {
                        let text = &self.drop[entry];
                        return Err(Error::input(format!(
                            "--drop {text} leaves out column '{name}' of {file}, which {}",
                            self.knower
                        )));
                    }
                    None => taken.push(j),
                },
            }
        }
        self.tell(file, found, &rest, &taken);
        Ok(taken)
    }

    fn lacking(&self, file: &str, name: &str, known: &[String], found: &[String]) -> Error {
        let others: Vec<&String> = found.iter().filter(|name| !known.contains(name)).collect();
        let others = match others.as_slice() {
            [] => String::new(),
            [one] => format!("; it has '{one}', which is not known"),
            some => format!("; it has {}, which are not known", list(some)),
        };
        let error = Error::input(format!(
            "{file} has no column '{name}', which {}{others}",
            self.knower
        ));
        error.with_hint("columns are taken by name; where it is the same variable, rename it in the header")
    }

    /// Says what is not as it stands in the file.
    fn tell(&self, file: &str, found: &[String], rest: &[usize], taken: &[usize]) {
        let names = |columns: &[usize]| list(&columns.iter().map(|&j| &found[j]).collect::<Vec<_>>());
        let extra: Vec<usize> = rest.iter().copied().filter(|j| !taken.contains(j)).collect();
        if !extra.is_empty() {
            let knower = self.knower;
            log::warn!(
                "{file}: left out is {}, for the columns are those that {knower}",
                names(&extra)
            );
        }
        if !taken.is_sorted() {
            log::warn!(
                "{file}: columns are taken by name, as {}, not in the order of the file",
                names(taken)
            );
        }
    }
}

/// Says which entry of `--drop` no array had.
pub(super) fn unknown(entry: &str, file: &str, found: Option<&[String]>, width: usize) -> Error {
    let Some(names) = found else {
        let error = Error::input(format!(
            "--drop {entry}: {file} has {width} columns without names"
        ));
        return error.with_hint(format!("give the column's number, 1 to {width}"));
    };
    let all: Vec<&String> = names.iter().collect();
    let error = Error::input(format!(
        "--drop {entry}: {file} has no such column; its columns are {}",
        list(&all)
    ));
    match nearest(entry, names.iter().map(String::as_str)) {
        Some(near) => error.with_hint(format!("did you mean '{near}'?")),
        None => error.with_hint(format!(
            "give a name or a number from 1 to {width}, with spaces between several"
        )),
    }
}

/// What messages call a column.
pub(super) fn label(
    columns: Option<&[String]>,
    j: usize,
    place: usize,
    first: &str,
    trials: usize,
) -> String {
    let column = match columns.and_then(|c| c.get(j)) {
        Some(name) => format!("column {place} ({name})"),
        None => format!("column {place}"),
    };
    if trials == 1 {
        format!("{column} of {first}")
    } else {
        format!("{column} of the data")
    }
}

/// Whether names only count the columns from 0.
fn counts(names: &[String]) -> bool {
    names.iter().enumerate().all(|(j, name)| *name == j.to_string())
}

/// At most 20 names, for messages.
fn list(names: &[&String]) -> String {
    const SHOWN: usize = 20;
    let shown = names.iter().take(SHOWN).map(|name| format!("'{name}'"));
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which columns a model of `known` takes from an array with the names `found`.
    fn choose(known: &[&str], found: &[&str]) -> Option<Vec<usize>> {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let known = owned(known);
        let wanted = Wanted {
            drop: &[],
            drop_if_there: false,
            known: Some(&known),
            knower: "the model was trained on",
        };
        wanted
            .choose("x.csv", Some(&owned(found)), found.len(), &mut [])
            .ok()
    }

    #[test]
    fn names_that_only_count_are_no_names() {
        assert_eq!(choose(&["0", "1"], &["v", "w"]), Some(vec![0, 1]));
        assert_eq!(choose(&["v", "w"], &["0", "1"]), Some(vec![0, 1]));
        // Unless they stand in another order.
        assert_eq!(choose(&["0", "1"], &["1", "0"]), Some(vec![1, 0]));
        assert_eq!(choose(&["0", "1"], &["0", "1", "2"]), Some(vec![0, 1]));
        assert_eq!(choose(&["v", "w"], &["1", "0"]), None);
    }
}
