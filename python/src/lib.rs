//! The native half of the Python package `alrnn_gpu`: NumPy arrays to library calls and back. What users see, and its
//! documentation, lies in `alrnn_gpu/*.py`; names here are the library's.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod analysis;
mod compute;
mod data;
mod error;
mod figures;
mod model;
mod run;
mod score;
mod settings;
mod train;

use pyo3::prelude::*;

/// The command line program; `arguments` begin with its name. Returns the exit status.
#[pyfunction]
fn command_line(py: Python<'_>, arguments: Vec<std::ffi::OsString>) -> u8 {
    py.detach(|| alrnn_gpu::cli::main_with(arguments))
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<analysis::Analysis>()?;
    module.add_class::<model::Model>()?;
    module.add_function(wrap_pyfunction!(command_line, module)?)?;
    module.add_function(wrap_pyfunction!(figures::model_figures, module)?)?;
    module.add_function(wrap_pyfunction!(figures::run_figures, module)?)?;
    module.add_function(wrap_pyfunction!(run::read_run, module)?)?;
    module.add_function(wrap_pyfunction!(score::score, module)?)?;
    module.add_function(wrap_pyfunction!(settings::defaults, module)?)?;
    module.add_function(wrap_pyfunction!(settings::preset, module)?)?;
    module.add_function(wrap_pyfunction!(settings::robust, module)?)?;
    module.add_function(wrap_pyfunction!(settings::resolved, module)?)?;
    module.add_function(wrap_pyfunction!(train::train, module)?)?;
    Ok(())
}
