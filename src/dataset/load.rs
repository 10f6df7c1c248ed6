use ndarray::{Array2, ArrayView2, Axis, Ix2, Ix3};

use crate::arrays::{NamedArray, read_arrays, refuse_faults, times};
use crate::dataset::checks::{
    Named, check_inputs, check_shape, check_values, refuse_empty_columns, refuse_missing,
};
use crate::dataset::columns::{Wanted, label, unknown};
use crate::dataset::hold_out::taken;
use crate::dataset::{Dataset, Part, Trial, column_scaling, standardize};
use crate::error::{Error, Result};
use crate::model::Scaling;

/// What to read and how. Every entry of `data` and `inputs` is a path or `rec.npz:key`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadRequest {
    /// Several entries are several trials; an entry may itself hold several.
    pub data: Vec<String>,
    /// External inputs, trial by trial; empty for none.
    pub inputs: Vec<String>,
    /// Columns of the data to leave out: names, or numbers counted from 1. A name wins over a number.
    pub drop: Vec<String>,
    /// A column to leave out need not be there, as in held-out data that never had it.
    pub drop_if_there: bool,
    /// NaN means "not observed" instead of being refused.
    pub allow_missing: bool,
    /// Z-score the columns of the data (inputs stay as they are).
    pub standardize: bool,
    /// Scale as this model does, instead of from the data's own mean and standard deviation.
    pub scaling: Option<Scaling>,
    /// Columns that the model has: arrays of as many are not taken for transposed ones, be they as short as they may.
    pub width: Option<usize>,
    /// Names of the columns that the model was trained on: arrays with names have to have these, in any order and
    /// beside others, which are left out. Without, the first names found are these.
    pub columns: Option<Vec<String>>,
    /// Names of the model's inputs, likewise.
    pub input_columns: Option<Vec<String>>,
    /// Which of the rows.
    pub part: Part,
}

/// Reads, checks and scales the trials of a study.
///
/// # Errors
/// One sentence with file, row and column (both counted from 1, as in the file) for everything that would silently
/// spoil a model: shapes that do not fit, missing or infinite values, transposed arrays, columns without any value,
/// columns of other names than the model's.
pub fn load(request: &LoadRequest) -> Result<Dataset> {
    let data = read_trials(&request.data, request, model_names(&request.columns))?;
    let inputs = read_inputs(request, &data.trials)?;
    assemble(data, inputs, request)
}

/// Checks and scales trials that are in memory: observations `[T_total, N]` with NaN where missing, inputs
/// `[T_total, K]`. Of the request counts what is not about files: `allow_missing`, `standardize`, `scaling`, `width`, `part`; `columns` and
/// `input_columns` are the names of the arrays' columns, if they have any.
///
/// # Errors
/// As [`load`]; rows and columns are counted from 1.
pub fn from_arrays(trials: Vec<Trial>, request: &LoadRequest) -> Result<Dataset> {
    let named = |names: &Option<Vec<String>>| Arrays {
        trials: Vec::new(),
        columns: names.clone(),
    };
    let (mut data, mut inputs) = (named(&request.columns), named(&request.input_columns));
    for Trial { name, x, s } in trials {
        check_dimensions(&name, x.shape())?;
        inputs.trials.push(Named::new(&name, s));
        data.trials.push(Named::new(&name, x));
    }
    for arrays in [&data, &inputs] {
        check_widths(&arrays.trials)?;
        check_names(arrays)?;
    }
    assemble(data, inputs, request)
}

/// Names of columns are as many as these.
fn check_names(arrays: &Arrays) -> Result<()> {
    match (&arrays.columns, arrays.trials.first()) {
        (Some(names), Some(first)) if names.len() != first.x.ncols() => Err(Error::input(format!(
            "{} has {} columns, and {} names for them",
            first.name,
            first.x.ncols(),
            names.len()
        ))),
        _ => Ok(()),
    }
}

fn assemble(data: Arrays, inputs: Arrays, request: &LoadRequest) -> Result<Dataset> {
    let (data, columns) = (data.trials, data.columns);
    let Some(first) = data.first() else {
        return Err(Error::input("no data were given").with_hint("name a file with --data"));
    };
    if request.width != Some(first.x.ncols()) {
        check_shape(&data, "data")?;
    }
    check_inputs(&data, &inputs.trials)?;
    for trial in &data {
        check_values(trial, "data")?;
    }
    if !request.allow_missing {
        refuse_missing(&data)?;
    }
    let lengths: Vec<usize> = data.iter().map(|trial| trial.x.nrows()).collect();
    let rows = request.part.rows(&lengths)?;
    let (data, inputs_taken) = (taken(data, &rows), taken(inputs.trials, &rows));
    let first = &data[0];
    let places: Vec<usize> = first.from.iter().map(|j| j + 1).collect();
    let label = |j: usize| label(columns.as_deref(), j, places[j], &first.name, data.len());
    refuse_empty_columns(&data, label)?;
    let scaling = choose_scaling(request, &data, label)?;
    let hash = hash(&data, &inputs_taken);
    let (N, K) = (first.x.ncols(), inputs_taken[0].x.ncols());
    let mut trials = Vec::with_capacity(data.len());
    for (mut trial, Named { x: s, .. }) in data.into_iter().zip(inputs_taken) {
        if let Some(scaling) = &scaling {
            standardize(&mut trial.x, scaling);
            check_values(&trial, "scaled data")?;
        }
        let Named { name, x, .. } = trial;
        trials.push(Trial { name, x, s });
    }
    Ok(Dataset {
        trials,
        N,
        K,
        scaling,
        columns,
        input_columns: inputs.columns,
        places,
        hash,
    })
}

/// The inputs of every trial, arrays without columns where there are none.
fn read_inputs(request: &LoadRequest, data: &[Named]) -> Result<Arrays> {
    if !request.inputs.is_empty() {
        let all = LoadRequest::default();
        return read_trials(&request.inputs, &all, model_names(&request.input_columns));
    }
    let none = |trial: &Named| Named::new(&trial.name, Array2::zeros((trial.x.nrows(), 0)));
    Ok(Arrays {
        trials: data.iter().map(none).collect(),
        columns: None,
    })
}

/// The model's own scaling, or the data's, or none.
fn choose_scaling(
    request: &LoadRequest,
    data: &[Named],
    label: impl Fn(usize) -> String,
) -> Result<Option<Scaling>> {
    let Named { name, x, .. } = &data[0];
    match &request.scaling {
        Some(scaling) if scaling.mean.len() != x.ncols() => Err(Error::input(format!(
            "{name} has {} columns, but the model was trained on {}",
            x.ncols(),
            scaling.mean.len()
        ))
        .with_hint("leave out what the model does not know: --drop COLUMN")),
        Some(scaling) => Ok(Some(scaling.clone())),
        None if request.standardize => {
            let views: Vec<_> = data.iter().map(|t| t.x.view()).collect();
            column_scaling(&views, label).map(Some)
        }
        None => Ok(None),
    }
}

/// Trials and the names of their columns, where any of their files has names.
#[derive(Default)]
pub(super) struct Arrays {
    pub trials: Vec<Named>,
    pub columns: Option<Vec<String>>,
}

/// Names that columns must have, and who has them: `the data have`.
pub(super) type Known<'a> = Option<(&'a [String], &'static str)>;

fn model_names(columns: &Option<Vec<String>>) -> Known<'_> {
    columns
        .as_deref()
        .map(|names| (names, "the model was trained on"))
}

/// Reads every entry, takes the columns that are wanted and cuts three-dimensional arrays into trials.
pub(super) fn read_trials(specs: &[String], request: &LoadRequest, known: Known<'_>) -> Result<Arrays> {
    let mut trials: Vec<Named> = Vec::new();
    let mut columns = known.map(|(names, _)| names.to_vec());
    let mut knower = known.map_or_else(String::new, |(_, knower)| knower.to_owned());
    let mut used = vec![false; request.drop.len()];
    let mut last = None;
    for spec in specs {
        for array in read_arrays(spec)? {
            if array.values.is_empty() {
                refuse_faults(&array.faults, |_| true)?;
            }
            let width = check_dimensions(&array.name, array.values.shape())?;
            let wanted = Wanted {
                drop: &request.drop,
                drop_if_there: request.drop_if_there,
                known: columns.as_deref(),
                knower: &knower,
            };
            let from = wanted.choose(&array.name, array.columns.as_deref(), width, &mut used)?;
            refuse_faults(&array.faults, |j| from.contains(&j))?;
            if columns.is_none()
                && let Some(found) = &array.columns
            {
                columns = Some(from.iter().map(|&j| found[j].clone()).collect());
                knower = format!("{} has", array.name);
            }
            last = Some((array.name.clone(), array.columns.clone(), width));
            cut_trials(array, from, &mut trials);
        }
    }
    if let (Some(entry), Some((name, found, width))) = (used.iter().position(|used| !used), last)
        && !request.drop_if_there
    {
        return Err(unknown(&request.drop[entry], &name, found.as_deref(), width));
    }
    check_widths(&trials)?;
    Ok(Arrays { trials, columns })
}

/// All trials have as many columns as the first.
fn check_widths(trials: &[Named]) -> Result<()> {
    if let Some(first) = trials.first()
        && let Some(other) = trials.iter().find(|t| t.x.ncols() != first.x.ncols())
    {
        return Err(Error::input(format!(
            "{} has {} columns where {} has {}",
            other.name,
            other.x.ncols(),
            first.name,
            first.x.ncols()
        )));
    }
    Ok(())
}

/// The number of columns, or what an array that is neither one trial nor several has wrong.
fn check_dimensions(name: &str, shape: &[usize]) -> Result<usize> {
    if shape.contains(&0) {
        return Err(Error::input(format!("{name} is empty (shape {})", times(shape))));
    }
    match shape.len() {
        2 | 3 => Ok(shape[shape.len() - 1]),
        0 => Err(Error::input(format!(
            "{name} is a single number; observations are an array of T rows × N columns"
        ))),
        1 => Err(Error::input(format!(
            "{name} has one dimension ({} values); observations are T rows × N columns",
            shape[0]
        ))
        .with_hint("a single column is T × 1: numpy.save(path, x[:, None])")),
        dimensions => Err(Error::input(format!(
            "{name} has {dimensions} dimensions; T × N (one trial) and R × T × N (R trials) are read"
        ))
        .with_hint("put trials first and flatten the rest: x.reshape(R, T, -1)")),
    }
}

/// Appends the trials of an array of two or three dimensions, with the columns `from`. A text file is one trial.
fn cut_trials(array: NamedArray, from: Vec<usize>, trials: &mut Vec<Named>) {
    let NamedArray {
        name, values, lines, ..
    } = array;
    let mut push = |name: String, x: ArrayView2<'_, f64>| {
        let x = if from.iter().copied().eq(0..x.ncols()) {
            x.as_standard_layout().into_owned()
        } else {
            x.select(Axis(1), &from).as_standard_layout().into_owned()
        };
        let (from, lines) = (from.clone(), lines.clone());
        trials.push(Named { name, x, from, lines });
    };
    if values.ndim() == 2 {
        let x = values.into_dimensionality::<Ix2>().expect("two dimensions");
        push(name, x.view());
        return;
    }
    let all = values.into_dimensionality::<Ix3>().expect("three dimensions");
    for (r, x) in all.axis_iter(Axis(0)).enumerate() {
        push(format!("{name} (trial {})", r + 1), x);
    }
}

/// BLAKE3 over all trials: rows, N and K as u64, then the bits of data and inputs as f64, all little-endian. The
/// same numbers give the same hash whatever file type, element type or order they were stored in.
fn hash(data: &[Named], inputs: &[Named]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = Vec::new();
    for (Named { x, .. }, Named { x: s, .. }) in data.iter().zip(inputs) {
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
