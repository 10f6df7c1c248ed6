use std::fmt::Write as _;

use super::{
    Analysis, Attractor, EntropyRate, EntropyRates, Lyapunov, PeriodicOrbits, Reductions, SequenceStatistics,
    Sign, StabilityKind,
};
use crate::text::{large_count, listing, percent, shortened, vector};

/// Rows of each table.
const ROWS: usize = 10;
/// Exponents printed.
const EXPONENTS: usize = 8;
/// Longest code printed whole.
const CODE: usize = 24;

impl Analysis {
    /// Short text for the terminal: what the model does, and tables of regions, transitions, fixed points, cycles
    /// and Lyapunov exponents.
    pub fn summary(&self) -> String {
        let mut parts = vec![self.headline()];
        parts.extend(self.region_table());
        parts.extend(self.transition_table());
        parts.push(self.fixed_point_table());
        parts.extend(self.cycle_table());
        parts.extend(self.reductions.as_ref().map(|found| self.reduction_table(found)));
        parts.extend(self.periodic.as_ref().map(PeriodicOrbits::table));
        if let Some(l) = &self.lyapunov {
            parts.push(self.lyapunov_table(l));
            parts.extend(self.entropy_rates.as_ref().map(|rates| self.entropy_table(rates)));
        }
        parts.join("\n")
    }

    /// What exponents and rates are counted per.
    pub fn time_unit(&self) -> &'static str {
        if self.settings.dt.is_some() {
            "unit of time"
        } else {
            "step"
        }
    }

    fn headline(&self) -> String {
        let settled = self.settled_on.as_ref();
        let at = settled
            .map(|c| format!(": {} at {}", c.stability.text(), list(&c.observed[0])))
            .unwrap_or_default();
        let behaviour = match self.attractor {
            Attractor::Diverges { step } => format!("diverges after {step} steps"),
            Attractor::FixedPoint if settled.is_some_and(|c| c.stability.is_stable()) => {
                format!("settles on a stable fixed point{at}")
            }
            Attractor::FixedPoint => format!("comes to rest{at}"),
            Attractor::Cycle { period } => format!("settles on a cycle of period {period}{at}"),
            Attractor::Regular => {
                "moves regularly (a limit cycle or torus): λ₁ is 0 as far as can be told".to_owned()
            }
            Attractor::Settling => {
                "contracts everywhere but has not settled yet: use more --transient".to_owned()
            }
            Attractor::Chaotic => "moves chaotically: λ₁ > 0".to_owned(),
        };
        let (m, n, p) = (self.M, self.N, self.P);
        let mut out = format!("Free run of the model (M {m}, N {n}, P {p}): {behaviour}.\n");
        if self.K > 0 {
            let what = match self.input.iter().all(|s| *s == 0.0) {
                true => "s = 0".to_owned(),
                false => format!("constant s = {}", list(&self.input)),
            };
            out += &format!("The model has {} inputs; this is its map for {what}.\n", self.K);
        }
        out
    }

    fn region_table(&self) -> Option<String> {
        let regions = self.regions.as_ref()?;
        let visited = regions.visited;
        let mut out = format!(
            "Linear regions: {visited} of {} visited in {} steps ({} before them dropped)\n",
            large_count(regions.possible),
            regions.steps,
            regions.transient
        );
        let header = ["symbol", "code", "share", "dwell", "longest", "data"];
        let columns = header.len() - usize::from(regions.data.is_none());
        let rows = regions.list.iter().take(ROWS).map(|r| {
            let mut row = vec![
                r.index.to_string(),
                short(&r.code),
                share(r.share),
                r.dwell.mean.map_or("–".to_owned(), |m| format!("{m:.1}")),
                r.dwell.max.to_string(),
            ];
            row.extend(r.data_share.map(share));
            row
        });
        out += &listing(&header[..columns], &rows.collect::<Vec<_>>());
        if visited > ROWS {
            let rest = 1.0 - regions.coverage[ROWS.min(regions.coverage.len()) - 1];
            out += &format!("  … {} more regions share {}\n", visited - ROWS, share(rest));
        }
        if let Some(data) = &regions.data {
            let other = match self.data_of_training {
                Some(false) => "; not the data that the model was trained on",
                _ => "",
            };
            out += &format!(
                "Data: {} rows in {} regions, {} of them in visited ones{other}\n",
                data.rows,
                data.visited,
                share(data.share_in_free_run)
            );
        }
        Some(out)
    }

    fn transition_table(&self) -> Option<String> {
        let graph = self.transitions.as_ref().filter(|g| g.nodes.len() > 1)?;
        let mut out =
            String::from("Transitions to another region (share of the exits), and staying, per step\n");
        let name = |i: usize| match graph.nodes[i].label.as_str() {
            "others" => "others".to_owned(),
            _ => i.to_string(),
        };
        let rows = (0..graph.nodes.len().min(ROWS)).map(|i| {
            let mut exits: Vec<(usize, f64)> =
                graph.change_probability[i].iter().copied().enumerate().collect();
            exits.retain(|(_, p)| *p > 0.0);
            exits.sort_by(|a, b| b.1.total_cmp(&a.1));
            let shown = exits.iter().take(4);
            let shown: Vec<String> = shown
                .map(|(j, p)| format!("{} {}", name(*j), share(*p)))
                .collect();
            let more = if exits.len() > 4 { ", …" } else { "" };
            vec![name(i), share(graph.probability[i][i]), shown.join(", ") + more]
        });
        out += &listing(&["from", "stays", "to"], &rows.collect::<Vec<_>>());
        let changes = self.changes.as_ref().filter(|s| s.alphabet > 1);
        for (sequence, statistics) in [
            ("Symbol sequence", self.symbols.as_ref()),
            ("Region changes", changes),
        ] {
            if let Some(statistics) = statistics {
                out += &memory_text(sequence, statistics);
            }
        }
        Some(out)
    }

    fn fixed_point_table(&self) -> String {
        let f = &self.fixed_points;
        let whole = if f.complete { "all" } else { "search" };
        let mut out = format!(
            "Fixed points: {} real in {} regions solved ({whole})\n",
            f.real, f.solved
        );
        let rows = f.points.iter().take(ROWS).map(|p| {
            let kind = match (p.real, p.on_border) {
                (true, true) => "real, on a border",
                (true, false) => "real",
                (false, _) => "virtual",
            };
            let largest = p.stability.eigenvalues.first();
            vec![
                p.symbol.map_or("–".to_owned(), |s| s.to_string()),
                short(&p.code),
                kind.to_owned(),
                list(&p.observed),
                p.stability.text(),
                largest.map_or("?".to_owned(), |e| format!("{:.4}", e.modulus())),
            ]
        });
        let rows: Vec<_> = rows.collect();
        if !rows.is_empty() {
            let header = ["symbol", "code", "", "location (data units)", "type", "|λ| max"];
            out += &listing(&header, &rows);
        }
        if f.points.len() > ROWS {
            out += &format!("  … {} more\n", f.points.len() - ROWS);
        }
        for d in f.degenerate.iter().take(3) {
            let what = if d.continuum {
                "a continuum of fixed points"
            } else {
                "no fixed point"
            };
            let (code, condition) = (short(&d.word[0]), d.condition);
            out += &format!("  {code}: singular (condition {condition:.1e}), {what}\n");
        }
        out
    }

    fn cycle_table(&self) -> Option<String> {
        let last = self.cycles.last()?;
        let all = self.cycles.iter().flat_map(|period| &period.cycles);
        if all.clone().next().is_none() {
            let mut out = format!("Cycles of period 2 to {}: none found", last.period);
            let whole = self.cycles.iter().take_while(|c| c.complete).last();
            if let Some(whole) = whole {
                let _ = write!(out, " (period {} and below: all words solved)", whole.period);
            }
            return Some(out + "\n");
        }
        let rows = self.cycles.iter().map(|c| {
            let counts = [
                c.period,
                c.found,
                c.stable(),
                c.solved,
                c.virtual_words,
                c.degenerate,
            ];
            let mut row: Vec<String> = counts.iter().map(usize::to_string).collect();
            row.push(if c.complete { "all words" } else { "search" }.to_owned());
            row
        });
        let header = [
            "period",
            "found",
            "stable",
            "words solved",
            "virtual",
            "singular",
            "",
        ];
        let mut out = String::from("Cycles\n") + &listing(&header, &rows.collect::<Vec<_>>());
        let worst = all.clone().map(|c| c.residual).fold(0.0, f64::max);
        let visited = all.clone().filter(|c| c.word_visited).count();
        let _ = write!(
            out,
            "  largest residual after one turn {worst:.1e}; {visited} spelt by the free run"
        );
        let on_border = all.clone().filter(|c| c.on_border).count();
        let unknown = all.filter(|c| c.stability.kind == StabilityKind::Unknown).count();
        for (count, what) in [
            (on_border, "on a border of regions"),
            (unknown, "without eigenvalues"),
        ] {
            if count > 0 {
                let _ = write!(out, ", {count} {what}");
            }
        }
        Some(out + "\n")
    }

    fn reduction_table(&self, found: &Reductions) -> String {
        let Some(first) = found.best.first().filter(|first| !first.linear.is_empty()) else {
            return format!(
                "ReLUs that may be linear: none ({} symbols, {} hold a real fixed point)\n",
                found.symbols, found.fixed_points
            );
        };
        let whole = if found.complete { "all sets" } else { "search" };
        let mut out = format!(
            "ReLUs that may be linear without merging fixed points: {} of {} symbols and {} of {} ReLUs remain ({whole})\n",
            first.symbols, found.symbols, first.P, self.P
        );
        let first_relu = self.M - self.P;
        for reduction in found.best.iter().take(ROWS) {
            let units: Vec<String> = reduction
                .linear
                .iter()
                .map(|unit| (first_relu + unit).to_string())
                .collect();
            let _ = writeln!(out, "  units {}", units.join(", "));
        }
        if found.best.len() > ROWS {
            let _ = writeln!(out, "  … or {} other sets", found.best.len() - ROWS);
        }
        out
    }

    fn lyapunov_table(&self, l: &Lyapunov) -> String {
        let unit = self.time_unit();
        let mut out = format!("Lyapunov spectrum, nats per {unit} ({} steps)\n", l.steps);
        let (values, errors) = l.in_time();
        for (i, (value, error)) in values.iter().zip(errors).take(EXPONENTS).enumerate() {
            let text = if value.is_finite() {
                format!("{value:>10.4} ± {error:.4}")
            } else {
                "        −∞".to_owned()
            };
            out += &format!("  λ{:<3}{text}\n", i + 1);
        }
        if values.len() > EXPONENTS {
            out += &format!("  … {} more\n", values.len() - EXPONENTS);
        }
        let [above, at, below] = [Sign::Positive, Sign::Zero, Sign::Negative].map(|sign| l.count(sign));
        let resolution = l.resolution / self.settings.dt.unwrap_or(1.0);
        out += &format!(
            "  {above} positive, {at} zero, {below} negative; {resolution:.1e} (or three ±) from 0 counts as zero\n\
             Kaplan–Yorke dimension {:.3}\n",
            l.kaplan_yorke
        );
        out
    }

    /// Entropy rates beside the sum of positive exponents.
    fn entropy_table(&self, rates: &EntropyRates) -> String {
        let dt = self.settings.dt.unwrap_or(1.0);
        let text = |rate: &EntropyRate| format!("{:.4} ± {:.4}", rate.value / dt, rate.error / dt);
        let mut rows: Vec<Vec<String>> = Vec::new();
        let mut row = |name: &str, value: String, how: String| rows.push(vec![name.to_owned(), value, how]);
        if let Some(sum) = rates.positive_exponents {
            let how = "the dynamics' entropy (Pesin)".to_owned();
            row("sum of positive exponents", format!("{:.4}", sum / dt), how);
        }
        if let Some(rate) = &rates.symbols {
            let how = format!("from matches of {} symbols", rate.n);
            row("symbols", text(rate), how);
        }
        if let Some(rate) = &rates.symbol_words {
            let how = format!("from words of {}, three errors and their bias added", rate.n);
            row("symbols, upper bound", format!("{:.4}", rate.value / dt), how);
        }
        if let Some(rate) = &rates.changes {
            let how = format!("from matches of {} changes", rate.n);
            row("region changes alone", text(rate), how);
        }
        if rates.symbol_words.is_none() {
            let how = "too many regions for the run's length".to_owned();
            row("symbols", "unknown".to_owned(), how);
        }
        let mut out = format!("Entropy, nats per {}\n", self.time_unit()) + &listing(&[], &rows);
        if let Some(note) = rates.note() {
            out += &format!("  {note}.\n");
        }
        out
    }
}

/// What surrogates say about a sequence.
fn memory_text(name: &str, s: &SequenceStatistics) -> String {
    let largest = s.surrogates.last().map(|band| band.order);
    let memory = match (s.markov_order, largest) {
        (Some(0), _) => "looks like independent draws".to_owned(),
        (Some(order), _) => format!("looks like a Markov chain of order {order}"),
        (None, Some(order)) => format!("remembers more than its last {order} symbols"),
        (None, None) => "is too short for its words to be counted".to_owned(),
    };
    let mut text = format!("{name} {memory}");
    if let Some(word) = s.forbidden.first() {
        let symbols = word_text(&word.symbols, s.alphabet);
        let _ = write!(text, "; {} forbidden words, such as {symbols}", s.forbidden_count);
    }
    text + "\n"
}

/// `0110` for symbols of one digit, else `0 11 2`.
fn word_text(symbols: &[u32], alphabet: usize) -> String {
    let digits: Vec<String> = symbols.iter().map(u32::to_string).collect();
    digits.join(if alphabet <= 10 { "" } else { " " })
}

/// A code as it is shown.
fn short(code: &str) -> String {
    shortened(code, CODE)
}

/// `(1.23, −4.56, …)`, at most four values.
fn list(values: &[f64]) -> String {
    vector(values, |v| format!("{v:.4}"))
}

fn share(share: f64) -> String {
    percent(share, 1)
}
