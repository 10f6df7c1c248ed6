//! What the loops of a kernel consist of, by the driver's listing of its machine code.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Instructions of a loop's body, by kind.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Loop {
    pub instructions: usize,
    /// Of one lane.
    pub multiply_adds: usize,
    /// Reads of workgroup memory, of whatever width.
    pub workgroup_reads: usize,
    pub memory_reads: usize,
}

impl Loop {
    /// Instructions a multiply-add.
    pub fn each(&self) -> String {
        match self.multiply_adds {
            0 => "–".into(),
            n => format!("{:.2}", self.instructions as f64 / n as f64),
        }
    }

    fn of(lines: &[&str]) -> Self {
        let count = |prefixes: &[&str]| {
            let is_one = |line: &&&str| prefixes.iter().any(|prefix| line.starts_with(prefix));
            lines.iter().filter(is_one).count()
        };
        Self {
            instructions: lines.len(),
            multiply_adds: count(&["v_fma", "v_fmac", "v_mac", "v_mad_f32", "v_pk_fma"]),
            workgroup_reads: count(&["ds_read", "ds_load"]),
            memory_reads: count(&["buffer_load", "global_load", "flat_load", "tbuffer_load"]),
        }
    }
}

/// The loop in which a kernel spends its multiply-adds, without the loops within it: a level deeper counts as eight turns
/// of the one around it. Of a kernel without loops, all of it.
pub fn hottest(listing: &str) -> Loop {
    let (lines, loops) = parse(listing);
    let own = |&(start, end): &(usize, usize)| {
        let within = |&&(a, b): &&(usize, usize)| (a, b) != (start, end) && start <= a && b <= end;
        let around = |&&(a, b): &&(usize, usize)| (a, b) != (start, end) && a <= start && end <= b;
        let inner: Vec<_> = loops.iter().filter(within).collect();
        let own = (start..end).filter(|at| !inner.iter().any(|(a, b)| (a..b).contains(&at)));
        let body = Loop::of(&own.map(|at| lines[at]).collect::<Vec<_>>());
        (
            body.multiply_adds << (3 * loops.iter().filter(around).count()),
            body,
        )
    };
    let hottest = loops.iter().map(own).max_by_key(|(turns, _)| *turns);
    hottest.map_or_else(|| Loop::of(&lines), |(_, body)| body)
}

/// The instructions, and from where to where each loop among them goes.
fn parse(listing: &str) -> (Vec<&str>, Vec<(usize, usize)>) {
    let mut lines = Vec::new();
    let mut labels = HashMap::new();
    let mut loops: HashMap<usize, usize> = HashMap::new();
    for line in listing.lines().map(str::trim) {
        // A block's label, alone or with notes behind it.
        let label = line.split(':').next().unwrap_or_default();
        if label.starts_with("BB") && line[label.len()..].starts_with(':') {
            labels.insert(label, lines.len());
        } else if line.starts_with(|c: char| c.is_ascii_lowercase()) {
            lines.push(line);
            let target = line.split_whitespace().nth(1).and_then(|label| labels.get(label));
            if let (true, Some(&start)) = (
                line.starts_with("s_branch") || line.starts_with("s_cbranch"),
                target,
            ) {
                // Of several branches back to a place, the last ends the loop.
                loops.insert(start, lines.len());
            }
        }
    }
    (lines, loops.into_iter().collect())
}

/// A test, by main.rs.
pub fn the_loop_counts_without_what_is_in_it() {
    let listing = "BB0:\n  s_mov_b32 s0, 0 ; be\nBB1:\n  v_fma_f32 v0, v1\n  ds_read_b128 v[0:3], v4\nBB2:\n  v_add_u32 v0\n  \
                   s_cbranch_scc0 BB2 ; bf\n  v_fmac_f32 v0, v1\n  s_branch BB1\nBB3:\n  s_endpgm";
    let expected = Loop {
        instructions: 4,
        multiply_adds: 2,
        workgroup_reads: 1,
        memory_reads: 0,
    };
    assert_eq!(hottest(listing), expected);
}
