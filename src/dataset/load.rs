use ndarray::{Array2, ArrayD, Axis, Ix2, Ix3};

use crate::arrays::{NamedArray, read_arrays};
use crate::dataset::checks::{
    check_inputs, check_shape, check_values, column_label, refuse_empty_columns, refuse_missing, warn_of_time,
};
use crate::dataset::{Dataset, Trial, column_scaling, standardize};
use crate::error::{Error, Result};
use crate::model::Scaling;

/// What to read and how. Every entry of `data` and `inputs` is a path or `rec.npz:key`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadRequest {
    /// Several entries are several trials; an entry may itself hold several.
    pub data: Vec<String>,
    /// External inputs, trial by trial; empty for none.
    pub inputs: Vec<String>,
    /// NaN means "not observed" instead of being refused.
    pub allow_missing: bool,
    /// Z-score the columns of the data (inputs stay as they are).
    pub standardize: bool,
    /// Scale as this model does, instead of from the data's own mean and standard deviation.
    pub scaling: Option<Scaling>,
}

/// Reads, checks and scales the trials of a study.
///
/// # Errors
/// One sentence with file, row and column (both counted from 1) for everything that would silently spoil a model:
/// shapes that do not fit, missing or infinite values, transposed arrays, columns without any value.
pub fn load(request: &LoadRequest) -> Result<Dataset> {
    let mut columns = None;
    let data = read_trials(&request.data, &mut columns)?;
    let Some((first, _)) = data.first() else {
        return Err(Error::input("no data were given").with_hint("name a file with --data"));
    };
    let inputs = if request.inputs.is_empty() {
        data.iter()
            .map(|(name, x)| (name.clone(), Array2::zeros((x.nrows(), 0))))
            .collect()
    } else {
        read_trials(&request.inputs, &mut None)?
    };
    let first = first.clone();
    check_shape(&data, "data")?;
    check_inputs(&data, &inputs)?;
    for (name, x) in &data {
        check_values(name, x, "data")?;
    }
    if !request.allow_missing {
        refuse_missing(&data)?;
    }
    let label = |j: usize| column_label(columns.as_deref(), j, &first, data.len());
    refuse_empty_columns(&data, label)?;
    warn_of_time(&data, label);
    let hash = hash(&data, &inputs);
    let N = data[0].1.ncols();
    let scaling = choose_scaling(request, &data, label)?;
    let K = inputs[0].1.ncols();
    let mut trials: Vec<Trial> = data
        .into_iter()
        .zip(inputs)
        .map(|((name, x), (_, s))| Trial { name, x, s })
        .collect();
    if let Some(scaling) = &scaling {
        for trial in &mut trials {
            standardize(&mut trial.x, scaling);
            check_values(&trial.name, &trial.x, "scaled data")?;
        }
    }
    Ok(Dataset {
        trials,
        N,
        K,
        scaling,
        columns,
        hash,
    })
}

/// The model's own scaling, or the data's, or none.
fn choose_scaling(
    request: &LoadRequest,
    data: &[Named],
    label: impl Fn(usize) -> String,
) -> Result<Option<Scaling>> {
    let (first, x) = &data[0];
    match &request.scaling {
        Some(scaling) if scaling.mean.len() != x.ncols() => Err(Error::input(format!(
            "{first} has {} columns, but the model was trained on {}",
            x.ncols(),
            scaling.mean.len()
        ))),
        Some(scaling) => Ok(Some(scaling.clone())),
        None if request.standardize => {
            let views: Vec<_> = data.iter().map(|(_, x)| x.view()).collect();
            column_scaling(&views, label).map(Some)
        }
        None => Ok(None),
    }
}

/// A trial's name and rows.
pub(super) type Named = (String, Array2<f64>);

/// Reads every entry and cuts three-dimensional arrays into trials. `columns` receives the names of a CSV header.
pub(super) fn read_trials(specs: &[String], columns: &mut Option<Vec<String>>) -> Result<Vec<Named>> {
    let mut trials: Vec<Named> = Vec::new();
    for spec in specs {
        for NamedArray {
            name,
            values,
            columns: found,
        } in read_arrays(spec)?
        {
            match (&columns, found) {
                (_, None) => {}
                (None, Some(found)) => *columns = Some(found),
                (Some(known), Some(found)) => {
                    if let Some(j) = (0..known.len().min(found.len())).find(|&j| known[j] != found[j]) {
                        return Err(Error::input(format!(
                            "column {} is '{}' in {} but '{}' in {name}",
                            j + 1,
                            known[j],
                            trials[0].0,
                            found[j]
                        ))
                        .with_hint("give all files the same columns in the same order"));
                    }
                }
            }
            cut_trials(name, values, &mut trials)?;
        }
    }
    let Some((first, N)) = trials.first().map(|(name, x)| (name.clone(), x.ncols())) else {
        return Ok(trials);
    };
    if let Some((name, x)) = trials.iter().find(|(_, x)| x.ncols() != N) {
        return Err(Error::input(format!(
            "{name} has {} columns where {first} has {N}",
            x.ncols()
        )));
    }
    Ok(trials)
}

fn cut_trials(name: String, values: ArrayD<f64>, trials: &mut Vec<Named>) -> Result<()> {
    let shape = values.shape().to_vec();
    let dimensions = shape.len();
    if values.is_empty() {
        let sizes: Vec<_> = shape.iter().map(usize::to_string).collect();
        return Err(Error::input(format!(
            "{name} is empty (shape {})",
            sizes.join(" × ")
        )));
    }
    match dimensions {
        2 => {
            let x = values.into_dimensionality::<Ix2>().expect("two dimensions");
            trials.push((name, x.as_standard_layout().into_owned()));
            Ok(())
        }
        3 => {
            let all = values.into_dimensionality::<Ix3>().expect("three dimensions");
            for (r, x) in all.axis_iter(Axis(0)).enumerate() {
                trials.push((
                    format!("{name} (trial {})", r + 1),
                    x.as_standard_layout().into_owned(),
                ));
            }
            Ok(())
        }
        0 => Err(Error::input(format!(
            "{name} is a single number; observations are an array of T rows × N columns"
        ))),
        1 => Err(Error::input(format!(
            "{name} has one dimension ({} values); observations are T rows × N columns",
            shape[0]
        ))
        .with_hint("a single column is T × 1: numpy.save(path, x[:, None])")),
        _ => Err(Error::input(format!(
            "{name} has {dimensions} dimensions; T × N (one trial) and R × T × N (R trials) are read"
        ))
        .with_hint("put trials first and flatten the rest: x.reshape(R, T, -1)")),
    }
}

/// BLAKE3 over all trials: rows, N and K as u64, then the bits of data and inputs as f64, all little-endian. The
/// same numbers give the same hash whatever file type, element type or order they were stored in.
fn hash(data: &[Named], inputs: &[Named]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = Vec::new();
    for ((_, x), (_, s)) in data.iter().zip(inputs) {
        buffer.clear();
        for size in [x.nrows(), x.ncols(), s.ncols()] {
            buffer.extend((size as u64).to_le_bytes());
        }
        for &value in x.iter().chain(s) {
            // One bit pattern for every NaN.
            let value = if value.is_nan() { f64::NAN } else { value };
            buffer.extend(value.to_bits().to_le_bytes());
            if buffer.len() >= 1 << 16 {
                hasher.update(&buffer);
                buffer.clear();
            }
        }
        hasher.update(&buffer);
    }
    hasher.finalize().to_hex().to_string()
}
