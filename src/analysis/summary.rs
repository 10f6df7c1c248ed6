use std::fmt::Write as _;

use super::{
    Analysis, Attractor, EntropyRate, EntropyRates, Lyapunov, SequenceStatistics, Sign, StabilityKind,
};

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
        let mut out = self.headline();
        if self.K > 0 {
            let zero = self.input.iter().all(|s| *s == 0.0);
            let what = if zero {
                "s = 0".to_owned()
            } else {
                format!("constant s = {}", list(&self.input))
            };
            line(
                &mut out,
                &format!("The model has {} inputs; this is its map for {what}.", self.K),
            );
        }
        for part in [
            self.region_table(),
            self.transition_table(),
            self.fixed_point_table(),
            self.cycle_table(),
        ] {
            if !part.is_empty() {
                out.push('\n');
                out.push_str(&part);
            }
        }
        if let Some(l) = &self.lyapunov {
            out.push('\n');
            out.push_str(&self.lyapunov_table(l));
        }
        out
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
        format!("Free run of the model (M {m}, N {n}, P {p}): {behaviour}.\n")
    }

    fn region_table(&self) -> String {
        let Some(regions) = &self.regions else {
            return String::new();
        };
        let (visited, possible) = (regions.visited, number(regions.possible));
        let mut out = format!(
            "Linear regions: {visited} of {possible} visited in {} steps ({} before them dropped)\n",
            regions.steps, regions.transient
        );
        let with_data = regions.data.is_some();
        let mut rows = vec![header(
            &["symbol", "code", "share", "dwell", "longest", "data"],
            with_data,
        )];
        for r in regions.list.iter().take(ROWS) {
            let mean = r.dwell.mean.map_or("–".to_owned(), |m| format!("{m:.1}"));
            let mut row = vec![
                r.index.to_string(),
                short(&r.code),
                percent(r.share),
                mean,
                r.dwell.max.to_string(),
            ];
            row.extend(r.data_share.map(percent));
            rows.push(row);
        }
        table(&mut out, &rows);
        if visited > ROWS {
            let shown = regions.coverage[ROWS.min(regions.coverage.len()) - 1];
            let rest = percent(1.0 - shown);
            line(
                &mut out,
                &format!("  … {} more regions share {rest}", visited - ROWS),
            );
        }
        if let Some(data) = &regions.data {
            let inside = percent(data.share_in_free_run);
            let other = if self.data_of_training == Some(false) {
                "; not the data that the model was trained on"
            } else {
                ""
            };
            let text = format!(
                "Data: {} rows in {} regions, {inside} of them in visited ones{other}",
                data.rows, data.visited
            );
            line(&mut out, &text);
        }
        out
    }

    fn transition_table(&self) -> String {
        let Some(graph) = self.transitions.as_ref().filter(|g| g.nodes.len() > 1) else {
            return String::new();
        };
        let mut out =
            String::from("Transitions to another region (share of the exits), and staying, per step\n");
        let name = |i: usize| {
            if graph.nodes[i].label == "others" {
                "others".to_owned()
            } else {
                i.to_string()
            }
        };
        let mut rows = vec![vec!["from".to_owned(), "stays".to_owned(), "to".to_owned()]];
        for i in 0..graph.nodes.len().min(ROWS) {
            let mut exits: Vec<(usize, f64)> =
                graph.change_probability[i].iter().copied().enumerate().collect();
            exits.retain(|(_, p)| *p > 0.0);
            exits.sort_by(|a, b| b.1.total_cmp(&a.1));
            let shown: Vec<String> = exits
                .iter()
                .take(4)
                .map(|(j, p)| format!("{} {}", name(*j), percent(*p)))
                .collect();
            let more = if exits.len() > 4 { ", …" } else { "" };
            rows.push(vec![
                name(i),
                percent(graph.probability[i][i]),
                shown.join(", ") + more,
            ]);
        }
        table(&mut out, &rows);
        if let Some(s) = &self.symbols {
            line(&mut out, &memory_text("Symbol sequence", s));
        }
        if let Some(s) = self.changes.as_ref().filter(|s| s.alphabet > 1) {
            line(&mut out, &memory_text("Region changes", s));
        }
        out
    }

    fn fixed_point_table(&self) -> String {
        let f = &self.fixed_points;
        let whole = if f.complete { "all" } else { "search" };
        let mut out = format!(
            "Fixed points: {} real in {} regions solved ({whole})\n",
            f.real, f.solved
        );
        let mut rows = vec![header(
            &["symbol", "code", "", "location (data units)", "type", "|λ| max"],
            true,
        )];
        for p in f.points.iter().take(ROWS) {
            let symbol = p.symbol.map_or("–".to_owned(), |s| s.to_string());
            let kind = match (p.real, p.on_border) {
                (true, true) => "real, on a border",
                (true, false) => "real",
                (false, _) => "virtual",
            };
            let largest = p
                .stability
                .eigenvalues
                .first()
                .map_or("?".to_owned(), |e| format!("{:.4}", e.modulus()));
            let location = list(&p.observed);
            rows.push(vec![
                symbol,
                short(&p.code),
                kind.to_owned(),
                location,
                p.stability.text(),
                largest,
            ]);
        }
        if rows.len() > 1 {
            table(&mut out, &rows);
        }
        if f.points.len() > ROWS {
            line(&mut out, &format!("  … {} more", f.points.len() - ROWS));
        }
        for d in f.degenerate.iter().take(3) {
            let what = if d.continuum {
                "a continuum of fixed points"
            } else {
                "no fixed point"
            };
            let code = short(&d.word[0]);
            line(
                &mut out,
                &format!("  {code}: singular (condition {:.1e}), {what}", d.condition),
            );
        }
        out
    }

    fn cycle_table(&self) -> String {
        if self.cycles.is_empty() {
            return String::new();
        }
        let all = self.cycles.iter().flat_map(|period| &period.cycles);
        if all.clone().next().is_none() {
            let whole = self
                .cycles
                .iter()
                .take_while(|c| c.complete)
                .last()
                .map_or(1, |c| c.period);
            let longest = self.cycles.len() + 1;
            let mut out = format!("Cycles of period 2 to {longest}: none found");
            if whole > 1 {
                let _ = write!(out, " (period {whole} and below: all words solved)");
            }
            return out + "\n";
        }
        let mut out = String::from("Cycles\n");
        let columns = [
            "period",
            "found",
            "stable",
            "words solved",
            "virtual",
            "singular",
            "",
        ];
        let mut rows = vec![header(&columns, true)];
        for c in &self.cycles {
            let stable = c.cycles.iter().filter(|c| c.stability.is_stable()).count();
            let counts = [c.period, c.found, stable, c.solved, c.virtual_words, c.degenerate];
            let mut row: Vec<String> = counts.iter().map(usize::to_string).collect();
            row.push(if c.complete { "all words" } else { "search" }.to_owned());
            rows.push(row);
        }
        table(&mut out, &rows);
        let worst = all.clone().map(|c| c.residual).fold(0.0, f64::max);
        let visited = all.clone().filter(|c| c.word_visited).count();
        let on_border = all.clone().filter(|c| c.on_border).count();
        let unknown = all.filter(|c| c.stability.kind == StabilityKind::Unknown).count();
        let doubt = if unknown > 0 {
            format!(", {unknown} without eigenvalues")
        } else {
            String::new()
        };
        let borders = if on_border > 0 {
            format!(", {on_border} on a border of regions")
        } else {
            String::new()
        };
        let text = format!(
            "  largest residual after one turn {worst:.1e}; {visited} spelt by the free run{borders}{doubt}"
        );
        line(&mut out, &text);
        out
    }

    fn lyapunov_table(&self, l: &Lyapunov) -> String {
        let unit = if l.per_time.is_some() {
            "per unit of time"
        } else {
            "per step"
        };
        let mut out = format!("Lyapunov spectrum, nats {unit} ({} steps)\n", l.steps);
        let values = l.per_time.as_ref().unwrap_or(&l.spectrum);
        let errors = l.per_time_error.as_ref().unwrap_or(&l.error);
        for (i, (value, error)) in values.iter().zip(errors).take(EXPONENTS).enumerate() {
            let text = if value.is_finite() {
                format!("{value:>10.4} ± {error:.4}")
            } else {
                "        −∞".to_owned()
            };
            line(&mut out, &format!("  λ{:<3}{text}", i + 1));
        }
        if values.len() > EXPONENTS {
            line(&mut out, &format!("  … {} more", values.len() - EXPONENTS));
        }
        let per = if l.per_time.is_some() {
            self.settings.dt.unwrap_or(1.0)
        } else {
            1.0
        };
        let [above, at, below] = [Sign::Positive, Sign::Zero, Sign::Negative].map(|sign| l.count(sign));
        let text = format!(
            "  {above} positive, {at} zero, {below} negative; {:.1e} (or three ±) from 0 counts as zero",
            l.resolution / per
        );
        line(&mut out, &text);
        line(&mut out, &format!("Kaplan–Yorke dimension {:.3}", l.kaplan_yorke));
        if let Some(rates) = &self.entropy_rates {
            out.push('\n');
            out.push_str(&entropy_table(rates, self.settings.dt.unwrap_or(1.0), unit));
        }
        out
    }
}

/// Entropy rates beside the sum of positive exponents, per `dt`.
fn entropy_table(rates: &EntropyRates, dt: f64, unit: &str) -> String {
    let mut out = format!("Entropy, nats {unit}\n");
    let text = |rate: &EntropyRate| format!("{:.4} ± {:.4}", rate.value / dt, rate.error / dt);
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, value: String, how: String| rows.push(vec![name.to_owned(), value, how]);
    if let Some(sum) = rates.positive_exponents {
        let how = "the dynamics' entropy (Pesin)".to_owned();
        row("sum of positive exponents", format!("{:.4}", sum / dt), how);
    }
    if let Some(rate) = &rates.symbols {
        row(
            "symbols",
            text(rate),
            format!("from matches of {} symbols", rate.n),
        );
    }
    if let Some(rate) = &rates.symbol_words {
        row(
            "symbols, upper bound",
            format!("{:.4}", rate.value / dt),
            format!("from words of {}, three errors and their bias added", rate.n),
        );
    }
    if let Some(rate) = &rates.changes {
        row(
            "region changes alone",
            text(rate),
            format!("from matches of {} changes", rate.n),
        );
    }
    if rates.symbol_words.is_none() {
        row(
            "symbols",
            "unknown".to_owned(),
            "too many regions for the run's length".to_owned(),
        );
    }
    table(&mut out, &rows);
    if let Some(note) = rates.note() {
        line(&mut out, &format!("  {note}."));
    }
    out
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
    text
}

/// `0110` for symbols of one digit, else `0 11 2`.
fn word_text(symbols: &[u32], alphabet: usize) -> String {
    let digits: Vec<String> = symbols.iter().map(u32::to_string).collect();
    digits.join(if alphabet <= 10 { "" } else { " " })
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

/// Column heads; the last one only where `last`.
fn header(names: &[&str], last: bool) -> Vec<String> {
    let count = names.len() - usize::from(!last);
    names[..count].iter().map(|&name| name.to_owned()).collect()
}

/// Left-aligned columns, two spaces apart.
fn table(out: &mut String, rows: &[Vec<String>]) {
    let columns = rows[0].len();
    let width = |c: usize| rows.iter().map(|row| row[c].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "  {cell:<width$}");
        }
        line(out, text.trim_end());
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A count that may be as large as 2^256.
fn number(value: f64) -> String {
    if value < 1e6 {
        format!("{value}")
    } else {
        format!("{value:.2e}")
    }
}

/// A long code's beginning and end.
fn short(code: &str) -> String {
    if code.len() <= CODE {
        return code.to_owned();
    }
    // Codes are ASCII.
    format!("{}…{}", &code[..CODE / 2], &code[code.len() - CODE / 2 + 1..])
}

/// `(1.23, −4.56, …)`, at most four values.
fn list(values: &[f64]) -> String {
    let shown: Vec<String> = values.iter().take(4).map(|v| format!("{v:.4}")).collect();
    let more = if values.len() > 4 { ", …" } else { "" };
    format!("({}{more})", shown.join(", "))
}
