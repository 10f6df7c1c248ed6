//! A run folder, read whole.

use std::path::PathBuf;

use alrnn_gpu::model;
use alrnn_gpu::run::{LogRow, MemberRow, Run};
use pyo3::prelude::*;
use pythonize::pythonize;

use crate::compute::detached;
use crate::model::Model;
use crate::settings::dictionary;

/// What a run folder holds: settings, the record of what happened, rows of `members.csv` in the study's order and of
/// `log.csv`, and the best model of every member that was scored, the best member first.
#[pyfunction]
pub fn read_run(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyAny>> {
    let (run, members, log, models) = detached(py, || {
        let run = Run::read(&path)?;
        let (members, log) = (run.members()?, run.log()?);
        let models = run.models()?.into_iter();
        let models = models.map(|(id, file)| Ok((id, Model(model::Model::load(file)?))));
        let models: Vec<(String, Model)> = models.collect::<alrnn_gpu::error::Result<_>>()?;
        Ok((run, members, log, models))
    })?;
    let all = pyo3::types::PyDict::new(py);
    all.set_item("settings", dictionary(py, &run.settings)?)?;
    all.set_item("record", dictionary(py, &run.record)?)?;
    let rows: Vec<_> = members.iter().map(MemberRow::to_json).collect();
    all.set_item("members", pythonize(py, &rows)?)?;
    all.set_item("log", log_rows(py, &log)?)?;
    all.set_item("models", models)?;
    Ok(all.into_any())
}

/// Rows of `log.csv` as dictionaries.
pub fn log_rows<'py>(py: Python<'py>, rows: &[LogRow]) -> PyResult<Bound<'py, PyAny>> {
    Ok(pythonize(py, rows)?)
}
