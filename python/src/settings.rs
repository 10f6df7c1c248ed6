//! Settings as dictionaries: their names with underscores, `None` for what is not given.

use alrnn_gpu::analysis::AnalysisSettings;
use alrnn_gpu::config::{self, Settings};
use alrnn_gpu::error::{Error, Result, nearest};
use alrnn_gpu::train::Said;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pythonize::{depythonize, pythonize};
use serde::Serialize;
use toml::{Table, Value};

use crate::data::Trials;
use crate::error::exception;

/// A dictionary as a layer of settings.
fn layer(settings: &Bound<'_, PyDict>) -> PyResult<Table> {
    let mut table = Table::new();
    for (name, value) in settings {
        let name: String = name.extract()?;
        if value.is_none() {
            continue;
        }
        let value: Value = depythonize(&value).map_err(|e| PyValueError::new_err(format!("{name}: {e}")))?;
        table.insert(name.replace('_', "-"), value);
    }
    Ok(table)
}

/// The settings that a dictionary names, over the defaults.
pub fn settings(given: &Bound<'_, PyDict>) -> PyResult<Settings> {
    config::resolve(None, layer(given)?).map_err(|e| exception(&e))
}

/// Settings of an analysis, over the defaults for its number of steps.
pub fn analysis_settings(given: &Bound<'_, PyDict>) -> PyResult<AnalysisSettings> {
    parse_analysis(layer(given)?).map_err(|e| exception(&e))
}

fn parse_analysis(given: Table) -> Result<AnalysisSettings> {
    let steps = given
        .get("steps")
        .and_then(Value::as_integer)
        .map(usize::try_from);
    let defaults = match steps {
        Some(Ok(steps)) => AnalysisSettings::with_steps(steps),
        _ => AnalysisSettings::default(),
    };
    let mut table = Table::try_from(&defaults).expect("settings are a TOML table");
    let known: Vec<String> = table.keys().cloned().chain(["dt".to_owned()]).collect();
    let known = || known.iter().map(String::as_str);
    if let Some(name) = given.keys().find(|name| !known().any(|known| known == *name)) {
        let error = Error::input(format!("unknown setting '{}'", name.replace('-', "_")));
        return Err(match nearest(name, known()) {
            Some(near) => error.with_hint(format!("did you mean '{}'?", near.replace('-', "_"))),
            None => error.with_hint(format!(
                "known: {}",
                known().collect::<Vec<_>>().join(", ").replace('-', "_")
            )),
        });
    }
    table.extend(given);
    let parsed = table.try_into::<AnalysisSettings>();
    parsed.map_err(|e| Error::input(e.message().trim().replace('\n', " ")))
}

/// Something serialised, with underscores in its names.
pub fn dictionary<'py>(py: Python<'py>, value: &impl Serialize) -> PyResult<Bound<'py, PyAny>> {
    let plain = pythonize(py, value)?;
    let Ok(dashed) = plain.cast::<PyDict>() else {
        return Ok(plain);
    };
    let named = PyDict::new(py);
    for (name, value) in dashed {
        named.set_item(name.extract::<String>()?.replace('-', "_"), value)?;
    }
    Ok(named.into_any())
}

/// All settings and their defaults; `None` where nothing is the default, a count for the seeds.
#[pyfunction]
pub fn defaults(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let defaults = Settings::default();
    let all = dictionary(py, &defaults)?;
    let all = all.cast_into::<PyDict>()?;
    for key in Settings::keys() {
        let name = key.replace('-', "_");
        if !all.contains(&name)? {
            all.set_item(name, py.None())?;
        }
    }
    all.set_item("seeds", defaults.seeds.values().len())?;
    Ok(all.into_any())
}

/// What these data choose for the latent dimensions `M`, the `epochs` and the generations of polishing given, where
/// it is not the default (see [`alrnn_gpu::train::robust`]).
#[pyfunction]
pub fn robust<'py>(
    py: Python<'py>,
    trials: Trials<'py>,
    given: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let given = layer(given)?;
    let [names_epochs, names_polish] = ["epochs", "polish"].map(|key| given.contains_key(key));
    let said = config::resolve(None, given).map_err(|e| exception(&e))?;
    let data = trials.owned().unscaled().map_err(|e| exception(&e))?;
    let table = |settings| Table::try_from(settings).expect("settings are a TOML table");
    let defaults = table(Settings::default());
    let said = Said {
        M: &said.M,
        epochs: names_epochs.then_some(said.epochs),
        polish: names_polish.then_some(said.polish),
    };
    let mut chosen = table(alrnn_gpu::train::robust(&data, said));
    chosen.retain(|key, value| defaults.get(key) != Some(value));
    dictionary(py, &chosen)
}

/// What a published preset fixes.
#[pyfunction]
pub fn preset<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let table = config::preset(name).ok_or_else(|| {
        let known = config::PRESETS.join(", ");
        PyValueError::new_err(format!("unknown preset '{name}' (known: {known})"))
    })?;
    dictionary(py, &table)
}

/// Every setting that these come to, checked, and how many points its grid has beside the seeds.
#[pyfunction]
pub fn resolved<'py>(py: Python<'py>, given: &Bound<'py, PyDict>) -> PyResult<(Bound<'py, PyAny>, usize)> {
    let settings = settings(given)?;
    let points: usize = config::AXES
        .iter()
        .filter(|axis| axis.name != "seeds")
        .map(|axis| axis.len(&settings))
        .product();
    Ok((dictionary(py, &settings)?, points))
}
