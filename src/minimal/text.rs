//! A certificate in words.

use std::fmt::Write as _;

use super::certificate::{Certificate, Found, Reduced, Size};
use crate::text::{count, number, percent, table, vector};

impl Certificate {
    /// The answer in one line.
    pub fn headline(&self) -> String {
        let Some(found) = &self.found else {
            return format!(
                "No number of ReLUs up to {} gave two models that succeed.",
                self.sizes.last().map_or(0, |size| size.P)
            );
        };
        let relus = match found.P {
            1 => "1 ReLU suffices".to_owned(),
            P => format!("{P} ReLUs suffice"),
        };
        if found.P == self.bound && found.P > 0 {
            format!("{relus}, and fewer cannot.")
        } else if found.P == 0 {
            "No ReLU is needed: a linear model does.".into()
        } else {
            format!("{relus}; whether fewer can is not proven.")
        }
    }

    /// Everything, for the terminal.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.headline());
        let rows: Vec<Vec<String>> = self.sizes.iter().map(|size| self.row(size)).collect();
        text += &table(&HEADS, &rows);
        let scored = match self.held_out {
            Some(rows) => format!("on {} rows held out", count(rows as u64)),
            None => "on the training data".into(),
        };
        let _ = writeln!(
            text,
            "D_stsp of the last states {scored}: median [quartiles]. A model reconstructs where it is at most {}: a tenth of the \
             way from the best median ({}, P {}) to a run that stays in one place ({}), and its free run goes on as the data do. \
             It succeeds where it also has the fixed points below, each nearer than half way to the next. p: Wilcoxon's signed-rank test over seeds, small where models \
             are not worse than P {} by that margin.",
            number(self.threshold),
            number(self.best_median),
            self.best_P,
            number(self.resting),
            self.best_P,
        );
        if self.floor.is_none() {
            text += "These data tell little: the two halves of those scored on differ nearly as much as a run that stays in one \
                     place (a record that drifts, or is too short).\n";
        }
        text += &self.proof();
        if let Some(reduced) = &self.reduced {
            text += &self.reduction(reduced);
        }
        if let Some(found) = &self.found {
            text += &evidence(found);
        }
        text
    }

    fn row(&self, size: &Size) -> Vec<String> {
        let of = |k: usize| format!("{k}/{}", size.models);
        vec![
            size.P.to_string(),
            format!(
                "{} [{} {}]",
                number(size.median),
                number(size.quartiles[0]),
                number(size.quartiles[1])
            ),
            of(size.alive),
            of(size.reconstruct),
            of(size.hold_fixed_points),
            of(size.succeed),
            format!(
                "{}–{}",
                percent(size.interval[0], 0).trim_end_matches(" %"),
                percent(size.interval[1], 0)
            ),
            size.worse.map_or_else(|| "–".into(), number),
        ]
    }

    fn proof(&self) -> String {
        let mut text = String::from("\nProven: ");
        match self.fixed_points.len() {
            0 => text += "most good models share no real fixed point",
            1 => text += "good models share 1 real fixed point, which one region can hold",
            n => {
                let _ = write!(
                    text,
                    "good models share {n} real fixed points, each in a region of its own, so at least {n} regions and {} ReLUs are \
                     needed",
                    n.next_power_of_two().trailing_zeros()
                );
            }
        }
        if self.chaotic {
            text += "; their free runs are chaotic, which no linear map is";
        }
        let _ = writeln!(text, ". Bound: P ≥ {}.", self.bound);
        for point in &self.fixed_points {
            let _ = writeln!(
                text,
                "  {} in {} of the models (P {}), within {} standard deviations",
                vector(&point.observed, number),
                percent(point.support, 0),
                self.best_P,
                number(point.spread)
            );
        }
        text
    }

    fn reduction(&self, reduced: &Reduced) -> String {
        let mut text = format!(
            "\nReduced from {} models of P {}: ",
            reduced.parents, reduced.parent_P
        );
        let votes = reduced.votes.iter();
        let told = votes.map(|vote| {
            let how = match vote.recoded {
                0 => String::new(),
                recoded => format!(" ({recoded} of them with new borders)"),
            };
            format!(
                "{} to {} symbols with {} ReLUs{how}",
                vote.parents, vote.symbols, vote.P
            )
        });
        text += &told.collect::<Vec<_>>().join(", ");
        text += ".\n";
        if let Some(size) = &reduced.size {
            let _ = writeln!(
                text,
                "Those that came down to {} ReLUs, fitted to their own former free runs and polished:",
                size.P
            );
            text += &table(&HEADS, &[self.row(size)]);
        }
        text
    }
}

const HEADS: [&str; 8] = [
    "P",
    "D_stsp",
    "alive",
    "reconstruct",
    "fixed points",
    "succeed",
    "95 %",
    "p (worse)",
];

fn evidence(found: &Found) -> String {
    let agreement = &found.agreement;
    let mut text = format!(
        "\nFound: {} of {} models with P {} succeed{}. The best, {}, scores D_stsp {} and D_H {}: {}\n",
        found.succeed,
        found.models,
        found.P,
        if found.reduced { " (reduced)" } else { "" },
        found.model,
        number(found.D_stsp),
        number(found.D_H),
        found.file
    );
    let _ = writeln!(text, "Do these agree? {}", agreement.headline());
    text
}
