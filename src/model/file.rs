//! The model file: an `.npz` with `A W h L`, `C` where there are inputs, scalar `P` and `N`, and the user's units and
//! names.

use std::path::Path;

use ndarray::{Array1, Array2, ArrayD, ArrayView1, Dimension, Ix2};

use crate::arrays::{Entry, Npz, npz_bytes, read_file, times};
use crate::error::{Error, Result};
use crate::fs::write_bytes;
use crate::model::{Dims, Theta};

/// Per-column affine map between the user's units and the model's: `data = mean + scale · model`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Scaling {
    pub mean: Vec<f64>,
    pub scale: Vec<f64>,
}

impl Scaling {
    /// Turns rows in the model's units back into the user's: `mean + scale · x`, column by column, where there is a scaling.
    pub fn restored(scaling: Option<&Self>, mut x: Array2<f64>) -> Array2<f64> {
        if let Some(Self { mean, scale }) = scaling {
            for ((mut column, mean), scale) in x.columns_mut().into_iter().zip(mean).zip(scale) {
                column.mapv_inplace(|v| mean + scale * v);
            }
        }
        x
    }
}

/// A trained model: parameters, `P`, and what is needed to speak in the user's units.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub theta: Theta,
    pub P: usize,
    pub scaling: Option<Scaling>,
    /// Time between two observations, in the user's unit of time.
    pub dt: Option<f64>,
    /// Names of the `N` columns it was trained on, where they had any.
    pub columns: Option<Vec<String>>,
    /// Names of the `K` external inputs, where they had any.
    pub input_columns: Option<Vec<String>>,
}

impl Model {
    /// Writes the model to `path`: equal models give equal bytes, and values are stored as float64, so parameters
    /// trained in f32 come back bit by bit.
    ///
    /// # Errors
    /// When the file cannot be written; an old file at `path` is then untouched.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write_bytes(path, self.to_bytes())
    }

    /// The content of a model file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Theta { A, W, h, L, C } = &self.theta;
        let mut entries = vec![
            ("A", Entry::Real(A.view().into_dyn())),
            ("W", Entry::Real(W.view().into_dyn())),
            ("h", Entry::Real(h.view().into_dyn())),
            ("L", Entry::Real(L.view().into_dyn())),
        ];
        if C.ncols() > 0 {
            entries.push(("C", Entry::Real(C.view().into_dyn())));
        }
        entries.push(("P", Entry::Integer(self.P as i64)));
        entries.push(("N", Entry::Integer(L.ncols() as i64)));
        if let Some(Scaling { mean, scale }) = &self.scaling {
            entries.push(("mean", Entry::Real(ArrayView1::from(mean).into_dyn())));
            entries.push(("scale", Entry::Real(ArrayView1::from(scale).into_dyn())));
        }
        let dt = self.dt.map(ndarray::arr0);
        if let Some(dt) = &dt {
            entries.push(("dt", Entry::Real(dt.view().into_dyn())));
        }
        let names = [("columns", &self.columns), ("input_columns", &self.input_columns)]
            .map(|(key, names)| (key, names.as_ref().map(|names| json(names))));
        for (key, text) in &names {
            if let Some(text) = text {
                entries.push((key, Entry::Bytes(text)));
            }
        }
        npz_bytes(&entries)
    }

    /// Reads a model file, also one made elsewhere with just `A W h L P` in any real dtype.
    ///
    /// # Errors
    /// When an array is missing, of a shape that does not fit the others, or not finite.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_string_lossy();
        Self::from_bytes(&read_file(&path)?, &path)
    }

    /// What [`Model::load`] does once the file is read; `name` is what messages call it.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn from_bytes(bytes: &[u8], name: &str) -> Result<Self> {
        let mut file = Reader {
            npz: Npz::parse(bytes, name).map_err(|e| match e.hint() {
                Some(_) => e,
                None => e.with_hint("a model is an .npz with arrays A, W, h, L and P"),
            })?,
            name,
        };
        let A = file.diagonal()?;
        let M = A.len();
        let W = matrix(file.sized("W", &[M, M], "M × M")?);
        let h = flat(&file.sized("h", &[M], "M")?);
        let (L, N) = file.readout(M)?;
        let P = file.count("P")?.ok_or_else(|| file.missing("P"))?;
        if P > M {
            return Err(file.wrong(format!("P = {P} ReLU units, but only M = {M} units")));
        }
        let C = match file.array("C")? {
            None => Array2::zeros((M, 0)),
            Some(C) if C.ndim() == 2 && C.shape()[0] == M => matrix(C),
            Some(C) => return Err(file.shape("C", C.shape(), "M × K", &format!("{M} × K"))),
        };
        let theta = Theta { A, W, h, L, C };
        let K = theta.C.ncols();
        Dims::new(M, N, K).map_err(|e| file.wrong(e.to_string()))?;
        Ok(Self {
            P,
            scaling: file.scaling(N)?,
            dt: file.dt()?,
            columns: file.names("columns", N)?,
            input_columns: file.names("input_columns", K)?,
            theta,
        })
    }
}

/// Takes arrays out of a model file and says what is wrong with them.
struct Reader<'a> {
    npz: Npz<'a>,
    name: &'a str,
}

impl Reader<'_> {
    fn wrong(&self, what: String) -> Error {
        Error::input(format!("{} is not a usable model: {what}", self.name))
    }

    fn missing(&self, key: &str) -> Error {
        let found = self.npz.names();
        let found = if found.is_empty() {
            "nothing".into()
        } else {
            found.join(", ")
        };
        self.wrong(format!("there is no {key} (it holds {found})"))
            .with_hint("a model is an .npz with arrays A[M], W[M,M], h[M], L[M−N,N] and P")
    }

    fn shape(&self, key: &str, found: &[usize], symbols: &str, expected: &str) -> Error {
        let found = match found {
            [] => "one number".into(),
            sizes => times(sizes),
        };
        self.wrong(format!("{key} is {found}, expected {symbols} = {expected}"))
    }

    /// An array with finite values that f32 can hold.
    fn array(&mut self, key: &str) -> Result<Option<ArrayD<f64>>> {
        let Some(values) = self.npz.array(key)? else {
            return Ok(None);
        };
        let unusable = |v: f64| !v.is_finite() || v.abs() > f64::from(f32::MAX);
        if let Some((index, value)) = values.indexed_iter().find(|(_, v)| unusable(**v)) {
            let place = index.as_array_view().mapv(|i| (i + 1).to_string()).to_vec();
            return Err(self.wrong(format!(
                "{key}[{}] (counted from 1) is {value:e}, not a finite f32 number",
                place.join(", ")
            )));
        }
        Ok(Some(values))
    }

    fn required(&mut self, key: &str) -> Result<ArrayD<f64>> {
        self.array(key)?.ok_or_else(|| self.missing(key))
    }

    /// `A`, either its diagonal or a whole diagonal matrix.
    fn diagonal(&mut self) -> Result<Array1<f64>> {
        let values = self.required("A")?;
        let expected = "a vector, or a diagonal matrix";
        match values.shape() {
            [_] | [_, 1] if !values.is_empty() => Ok(flat(&values)),
            &[rows, columns] if rows == columns && rows > 0 => {
                let matrix = matrix(values);
                if let Some(((i, j), _)) = matrix.indexed_iter().find(|((i, j), v)| i != j && **v != 0.0) {
                    return Err(self
                        .wrong(format!(
                            "A is a matrix that is not diagonal (row {}, column {}, counted from 1)",
                            i + 1,
                            j + 1
                        ))
                        .with_hint("put couplings into W"));
                }
                Ok(matrix.diag().to_owned())
            }
            found => Err(self.shape("A", found, "M", expected)),
        }
    }

    /// An array of these sizes; a vector may be a matrix of one column.
    fn sized(&mut self, key: &str, sizes: &[usize], symbols: &str) -> Result<ArrayD<f64>> {
        let values = self.required(key)?;
        let shape = values.shape();
        if shape == sizes || sizes.len() == 1 && shape == [sizes[0], 1] {
            return Ok(values);
        }
        Err(self.shape(key, shape, symbols, &times(sizes)))
    }

    /// `L` and `N`: from `N` where the file has it, else from the columns of `L`. A model that observes all its
    /// units (`M = N`) may leave `L` out if it says `N`.
    fn readout(&mut self, M: usize) -> Result<(Array2<f64>, usize)> {
        let N = self.count("N")?;
        let L = match self.array("L")? {
            Some(L) => L,
            None if N == Some(M) => return Ok((Array2::zeros((0, M)), M)),
            None => return Err(self.missing("L")),
        };
        let N = match (N, L.shape()) {
            (Some(N), _) => N,
            (None, &[_, N]) => N,
            (None, found) => return Err(self.shape("L", found, "(M − N) × N", "a matrix")),
        };
        if N == 0 || N > M {
            return Err(self.wrong(format!("N = {N} observed of M = {M} units")));
        }
        let rows = M - N;
        if L.shape() == [rows, N] {
            return Ok((matrix(L), N));
        }
        if rows == 0 && L.is_empty() {
            return Ok((Array2::zeros((0, N)), N));
        }
        Err(self.shape("L", L.shape(), "(M − N) × N", &times(&[rows, N])))
    }

    /// A scalar, as a 0-dimensional array or one of a single element.
    fn scalar(&mut self, key: &str) -> Result<Option<f64>> {
        match self.array(key)? {
            None => Ok(None),
            Some(values) if values.len() == 1 => Ok(values.first().copied()),
            Some(values) => Err(self.shape(key, values.shape(), key, "one number")),
        }
    }

    fn count(&mut self, key: &str) -> Result<Option<usize>> {
        match self.scalar(key)? {
            None => Ok(None),
            Some(v) if (0.0..=1e9).contains(&v) && v.fract() == 0.0 => Ok(Some(v as usize)),
            Some(v) => Err(self.wrong(format!("{key} = {v} is not a whole number from 0 on"))),
        }
    }

    fn scaling(&mut self, N: usize) -> Result<Option<Scaling>> {
        let (mean, scale) = match (self.array("mean")?, self.array("scale")?) {
            (None, None) => return Ok(None),
            (Some(mean), Some(scale)) => (mean, scale),
            (Some(_), None) => return Err(self.wrong("it has mean but no scale".into())),
            (None, Some(_)) => return Err(self.wrong("it has scale but no mean".into())),
        };
        for (key, values) in [("mean", &mean), ("scale", &scale)] {
            if values.len() != N {
                return Err(self.shape(key, values.shape(), "N", &N.to_string()));
            }
        }
        if let Some(i) = scale.iter().position(|&v| v <= 0.0) {
            return Err(self.wrong(format!("the scale of column {} is not above 0", i + 1)));
        }
        Ok(Some(Scaling {
            mean: flat(&mean).to_vec(),
            scale: flat(&scale).to_vec(),
        }))
    }

    fn dt(&mut self) -> Result<Option<f64>> {
        match self.scalar("dt")? {
            Some(dt) if dt <= 0.0 => Err(self.wrong(format!("dt = {dt} is not above 0"))),
            dt => Ok(dt),
        }
    }

    /// Names as [`json`] makes them.
    fn names(&mut self, key: &str, count: usize) -> Result<Option<Vec<String>>> {
        let how = "it is a list of names as JSON: numpy.frombuffer(json.dumps(names).encode(), 'uint8')";
        let Some(values) = self.npz.array(key).map_err(|e| e.with_hint(how))? else {
            return Ok(None);
        };
        let bytes: Vec<u8> = values.iter().map(|&v| v as u8).collect();
        let names: Vec<String> = serde_json::from_slice(&bytes)
            .map_err(|_| self.wrong(format!("{key} holds no names")).with_hint(how))?;
        if names.len() != count {
            return Err(self.wrong(format!("{key} holds {} names of {count} columns", names.len())));
        }
        Ok(Some(names))
    }
}

/// A list of names as UTF-8 bytes, which every reader of arrays of numbers can take: Julia's, for one, knows no array
/// of strings and would refuse the whole file.
fn json(names: &[String]) -> Vec<u8> {
    serde_json::to_vec(names).expect("strings are JSON")
}

fn matrix(values: ArrayD<f64>) -> Array2<f64> {
    values.into_dimensionality::<Ix2>().expect("two dimensions")
}

/// The values of an array in logical order.
fn flat(values: &ArrayD<f64>) -> Array1<f64> {
    values.iter().copied().collect()
}
