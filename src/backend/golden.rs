//! Golden gradient cases: inputs and answers made once, in f64, by automatic differentiation of the model's
//! definition elsewhere. `selftest`, the start-up guard of the GPU and the tests hold every backend to them.
//!
//! A case is an `.npz` with `x[S,T+1,N]`, `A W h L`, `meta = [M,N,P,S,T,τ,α,λ_lat,λ_obs]`, optionally inputs
//! `s[S,T+1,K]` and `C[M,K]`, and the answers `mse reg loss dA dW dh dL [dC] z[S,T,M]`; NaN in `x` is a gap.

use std::path::{Path, PathBuf};

use ndarray::{Array, Array1, Dimension, IntoDimension};

use crate::arrays::{Npz, read_file};
use crate::backend::{Backend, Form, Gradient, Member, Windows};
use crate::error::{Error, Result};
use crate::model::{Dims, Shape, Theta};

/// Largest relative L2 error at which an f32 backend passes a case.
pub const TOLERANCE: f64 = 1e-4;

/// One case: what to compute and what must come out.
#[derive(Clone, Debug)]
pub struct GoldenCase {
    pub name: String,
    pub shape: Shape,
    pub member: Member,
    pub theta: Theta,
    pub windows: Windows,
    pub expected: Gradient,
}

/// Relative L2 errors `‖a − b‖ / ‖b‖` of a case's answers (`‖a − b‖` where the right answer is 0), by name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CaseErrors(pub [(&'static str, f64); 7]);

impl CaseErrors {
    /// The largest error; NaN where any is NaN.
    pub fn worst(&self) -> f64 {
        self.0.iter().fold(0.0, |worst: f64, &(_, error)| {
            if worst.is_nan() || error <= worst {
                worst
            } else {
                error
            }
        })
    }

    /// Whether every error is a number at most `tolerance`.
    pub fn within(&self, tolerance: f64) -> bool {
        self.0.iter().all(|&(_, error)| error <= tolerance)
    }
}

/// Computes a case on a backend and compares.
///
/// # Errors
/// Only where the backend fails; a wrong answer is a large (or NaN) error in the result.
pub fn check_case(backend: &dyn Backend, case: &GoldenCase, form: Form) -> Result<CaseErrors> {
    let got = backend.gradient(case.shape, &case.member, form, &case.theta, &case.windows)?;
    let want = &case.expected;
    let (theta, right) = (got.theta, &want.theta);
    Ok(CaseErrors([
        ("loss", relative_error([got.mse + got.reg], [want.mse + want.reg])),
        ("dA", relative_error(theta.A, right.A.view())),
        ("dW", relative_error(theta.W, right.W.view())),
        ("dh", relative_error(theta.h, right.h.view())),
        ("dL", relative_error(theta.L, right.L.view())),
        ("dC", relative_error(theta.C, right.C.view())),
        ("z", relative_error(got.z, want.z.view())),
    ]))
}

/// `‖a − b‖ / ‖b‖`, or `‖a − b‖` where `b = 0`; infinite where the lengths differ.
pub fn relative_error<A, B, V>(a: A, b: B) -> f64
where
    A: IntoIterator<Item = f64>,
    B: IntoIterator<Item = V>,
    V: std::borrow::Borrow<f64>,
{
    let (mut difference, mut norm) = (0.0, 0.0);
    let mut a = a.into_iter();
    for b in b {
        let b = *b.borrow();
        let Some(a) = a.next() else { return f64::INFINITY };
        difference += (a - b) * (a - b);
        norm += b * b;
    }
    if a.next().is_some() {
        return f64::INFINITY;
    }
    if norm > 0.0 {
        (difference / norm).sqrt()
    } else {
        difference.sqrt()
    }
}

/// The cases that travel inside the program: small ones that touch every branch of the kernels.
pub fn built_in_cases() -> Vec<GoldenCase> {
    let files: [(&str, &[u8]); 7] = [
        ("tiny", include_bytes!("../../tests/golden/tiny.npz")),
        ("linear", include_bytes!("../../tests/golden/linear.npz")),
        ("all_relu", include_bytes!("../../tests/golden/all_relu.npz")),
        ("gtf", include_bytes!("../../tests/golden/gtf.npz")),
        ("reg", include_bytes!("../../tests/golden/reg.npz")),
        ("inputs", include_bytes!("../../tests/golden/data/inputs.npz")),
        ("both_gtf", include_bytes!("../../tests/golden/data/both_gtf.npz")),
    ];
    files
        .into_iter()
        .map(|(name, bytes)| read_case(name, bytes).expect("the built-in golden cases are well-formed"))
        .collect()
}

/// Reads one case from an `.npz` file.
pub fn load_case(path: impl AsRef<Path>) -> Result<GoldenCase> {
    let path = path.as_ref();
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    read_case(&name, &read_file(&path.to_string_lossy())?).map_err(|error| {
        Error::input(format!("{} is not a golden case: {error}", path.display()))
            .with_hint("a case is an .npz with x, A, W, h, L, meta, mse, reg, dA, dW, dh, dL and z in f64")
    })
}

/// Reads every `.npz` of a folder (not of its subfolders), in order of name.
pub fn load_cases(folder: impl AsRef<Path>) -> Result<Vec<GoldenCase>> {
    let folder = folder.as_ref();
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io("read", folder, e))?;
    let mut paths = entries
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<Vec<PathBuf>, _>>()
        .map_err(|e| Error::io("read", folder, e))?;
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "npz"));
    paths.sort();
    if paths.is_empty() {
        return Err(Error::input(format!("no .npz file in {}", folder.display())));
    }
    paths.iter().map(load_case).collect()
}

fn read_case(name: &str, bytes: &[u8]) -> Result<GoldenCase> {
    let mut file = CaseFile(Npz::parse(bytes, name)?);
    let meta: Array1<f64> = file.array("meta", 9)?;
    let [M, N, P, S, T, tau] = std::array::from_fn(|i| meta[i] as usize);
    let inputs = file.0.array("s")?;
    let dims = Dims::new(M, N, inputs.map_or(0, |s| s.shape().last().copied().unwrap_or(0)))?;
    let shape = Shape::new(dims, S, T)?;
    Ok(GoldenCase {
        name: name.to_string(),
        shape,
        member: Member {
            P,
            tau,
            alpha: meta[6],
            lambda_lat: meta[7],
            lambda_obs: meta[8],
            ..Member::default()
        },
        theta: file.theta("", dims)?,
        windows: Windows {
            x: file.array("x", (S, T + 1, N))?,
            s: file.or_empty("s", (S, T + 1, dims.K))?,
        },
        expected: Gradient {
            mse: file.array("mse", 1)?[0],
            reg: file.array("reg", 1)?[0],
            theta: file.theta("d", dims)?,
            z: file.array("z", (S, T, M))?,
        },
    })
}

struct CaseFile<'a>(Npz<'a>);

impl CaseFile<'_> {
    /// An array of this shape.
    fn array<D: Dimension>(
        &mut self,
        key: &str,
        shape: impl IntoDimension<Dim = D>,
    ) -> Result<Array<f64, D>> {
        let shape = shape.into_dimension();
        let array = self.0.array(key)?;
        let array = array.ok_or_else(|| Error::input(format!("there is no {key}")))?;
        let wrong = format!("{key} is {:?}, expected {:?}", array.shape(), shape.slice());
        let fits = |array: &Array<f64, D>| array.raw_dim() == shape;
        let array = array.into_dimensionality().ok().filter(fits);
        array.ok_or_else(|| Error::input(wrong))
    }

    /// As [`CaseFile::array`]; one without entries may be left out.
    fn or_empty<D: Dimension>(
        &mut self,
        key: &str,
        shape: impl IntoDimension<Dim = D>,
    ) -> Result<Array<f64, D>> {
        let shape = shape.into_dimension();
        match shape.size() {
            0 => Ok(Array::zeros(shape)),
            _ => self.array(key, shape),
        }
    }

    fn theta(&mut self, prefix: &str, dims: Dims) -> Result<Theta> {
        let Dims { M, N, K } = dims;
        let key = |symbol: &str| format!("{prefix}{symbol}");
        Ok(Theta {
            A: self.array(&key("A"), M)?,
            W: self.array(&key("W"), (M, M))?,
            h: self.array(&key("h"), M)?,
            L: self.array(&key("L"), (M - N, N))?,
            C: self.or_empty(&key("C"), (M, K))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_and_a_wrong_length_are_no_small_error() {
        assert!(relative_error([f64::NAN], [1.0]).is_nan());
        assert!(relative_error([1.0], [1.0, 2.0]).is_infinite());
        assert!(relative_error([1.0, 2.0], [1.0]).is_infinite());
        assert_eq!(relative_error([0.5], [0.0]), 0.5);
        assert_eq!(relative_error([3.0, 5.0], [3.0, 4.0]), 0.2);
        let mut errors = CaseErrors([("", 0.0); 7]);
        (errors.0[1].1, errors.0[6].1) = (f64::NAN, 1.0);
        assert!(errors.worst().is_nan() && !errors.within(2.0));
    }

    #[test]
    fn built_in_cases_load() {
        let cases = built_in_cases();
        assert_eq!(cases.len(), 7);
        assert!(cases.iter().any(|case| case.shape.dims.K > 0));
        assert!(cases.iter().any(|case| case.windows.x.iter().any(|x| x.is_nan())));
    }
}
