use std::sync::Arc;

use crate::backend::{self, EnsembleState, MemberState};
use crate::cli::output::{number, print, table};
use crate::config::Settings;
use crate::error::Result;
use crate::model::init;
use crate::train::{Data, Task};

/// Prints the time of every kernel, ensemble by ensemble.
pub fn profile(settings: &Settings) -> Result<()> {
    const STEPS: u32 = 20;
    let data = Data::load(settings)?;
    let Task { study, windows, .. } = Task::new(settings, &data)?;
    let backend = backend::open(settings.backend, settings.device.as_deref())?;
    for (group, (shape, indices)) in study.groups.iter().enumerate() {
        let members = indices.iter().map(|&i| &study.candidates[i]);
        let state = EnsembleState {
            step: 0,
            members: members
                .map(|c| MemberState::new(&init(shape.dims, c.settings.seed)))
                .collect(),
        };
        let training = Arc::clone(&windows[&shape.T]);
        let times = backend.profile(study.plan(group, settings), training, &state, STEPS)?;
        let total: f64 = times.iter().map(|time| time.seconds).sum();
        let per_member = 1e6 / indices.len() as f64;
        let mut rows: Vec<Vec<String>> = times
            .iter()
            .map(|time| {
                vec![
                    time.kernel.to_owned(),
                    number(time.seconds * per_member),
                    format!("{:.1} %", 100.0 * time.seconds / total),
                ]
            })
            .collect();
        rows.push(vec!["all".into(), number(total * per_member), String::new()]);
        // Multiply-adds of forward, adjoint and outer product in the plain recursion.
        let work = 6.0 * (shape.S * shape.T) as f64 * (shape.dims.M as f64).powi(2) * indices.len() as f64;
        print(&format!(
            "{} members of M {} N {} S {} T {} on {}\n{}{} GFLOP/s (the plain recursion's multiply-adds over all)\n",
            indices.len(),
            shape.dims.M,
            shape.dims.N,
            shape.S,
            shape.T,
            backend.device().name,
            table(&["kernel", "us a member-step", "share"], &rows),
            number(work / total / 1e9),
        ))?;
    }
    Ok(())
}
