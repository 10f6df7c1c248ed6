//! Trajectories that any program made, to be scored against data.

use ndarray::Array2;

use crate::dataset::checks::Named;
use crate::dataset::load::read_trials;
use crate::dataset::{Dataset, LoadRequest, Trial, standardize};
use crate::error::{Error, Result};

/// Reads the trajectories of one file (a path or `rec.npz:key`), which are in the units that the data had in theirs, and
/// scales them as the data are. Columns are taken by name where both have names; where they have not, and a file holds
/// the columns that were left out of the data as well, `drop` is applied to it as it was to them.
///
/// Values need not be finite: a program whose run diverges writes such, and a warning says where they begin.
///
/// # Errors
/// When the file cannot be read, or its columns are not those of the data.
pub fn load_trajectories(spec: &str, data: &Dataset, drop: &[String]) -> Result<Vec<Trial>> {
    let known = data.columns.as_deref().map(|names| (names, "the data have"));
    let read = |drop: &[String]| {
        let request = LoadRequest {
            drop: drop.to_vec(),
            ..LoadRequest::default()
        };
        read_trials(&[spec.to_owned()], &request, known).map(|arrays| arrays.trials)
    };
    // A column of words can only be read where it is left out.
    let mut read_in = read(&[]).or_else(|error| if drop.is_empty() { Err(error) } else { read(drop) })?;
    if !drop.is_empty() && read_in.iter().any(|array| array.x.ncols() > data.N) {
        read_in = read(drop)?;
    }
    let mut trajectories = Vec::with_capacity(read_in.len());
    for Named { name, x, .. } in read_in {
        check_width(&name, &x, data)?;
        trajectories.push(Trial {
            name,
            s: Array2::zeros((x.nrows(), 0)),
            x,
        });
    }
    for (i, trajectory) in trajectories.iter_mut().enumerate() {
        warn_of_divergence(trajectory, data.trials.get(i));
        if let Some(scaling) = &data.scaling {
            standardize(&mut trajectory.x, scaling);
        }
    }
    Ok(trajectories)
}

fn check_width(name: &str, x: &Array2<f64>, data: &Dataset) -> Result<()> {
    if x.ncols() == data.N {
        return Ok(());
    }
    let error = Error::input(format!(
        "{name} has {} columns, the data have {}",
        x.ncols(),
        data.N
    ));
    Err(if x.nrows() == data.N {
        error.with_hint("it looks transposed (one row is one time step): numpy.save(path, x.T)")
    } else {
        error.with_hint("a trajectory has one column for each column of the data")
    })
}

/// Not finite where the data have a value, or at all where it does not lie beside them row by row.
fn warn_of_divergence(trajectory: &Trial, trial: Option<&Trial>) {
    let beside = trial.filter(|trial| trial.x.dim() == trajectory.x.dim());
    let bad =
        |at: (usize, usize), v: &f64| !v.is_finite() && !beside.is_some_and(|trial| trial.x[at].is_nan());
    if let Some(((t, j), value)) = trajectory.x.indexed_iter().find(|&(at, v)| bad(at, v)) {
        log::warn!(
            "{} is {value} at row {}, column {}: scored as a run that diverges there (its row is not in D_stsp, and D_H \
             is 1 for the column)",
            trajectory.name,
            t + 1,
            j + 1
        );
    }
}
