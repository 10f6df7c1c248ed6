//! Golden gradient cases: inputs and answers made once, in f64, by automatic differentiation of the model's
//! definition elsewhere. `selftest`, the start-up guard of the GPU and the tests hold every backend to them.
//!
//! A case is an `.npz` with `x[S,T+1,N]`, `A W h L`, `meta = [M,N,P,S,T,τ,α,λ_lat,λ_obs]`, optionally inputs
//! `s[S,T+1,K]` and `C[M,K]`, and the answers `mse reg loss dA dW dh dL [dC] z[S,T,M]`; NaN in `x` is a gap.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use ndarray::{Array, Array1, Array3, Dimension};
use ndarray_npy::NpzReader;

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

/// Relative L2 errors `‖a − b‖ / ‖b‖` of a case's answers (`‖a − b‖` where the right answer is 0).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CaseErrors {
    pub loss: f64,
    pub dA: f64,
    pub dW: f64,
    pub dh: f64,
    pub dL: f64,
    pub dC: f64,
    pub z: f64,
}

impl CaseErrors {
    pub fn named(&self) -> [(&'static str, f64); 7] {
        [
            ("loss", self.loss),
            ("dA", self.dA),
            ("dW", self.dW),
            ("dh", self.dh),
            ("dL", self.dL),
            ("dC", self.dC),
            ("z", self.z),
        ]
    }

    /// The largest error; NaN where any is NaN.
    pub fn worst(&self) -> f64 {
        self.named().iter().fold(0.0, |worst: f64, &(_, error)| {
            if worst.is_nan() || error <= worst {
                worst
            } else {
                error
            }
        })
    }

    /// Whether every error is a number at most `tolerance`.
    pub fn within(&self, tolerance: f64) -> bool {
        self.named().iter().all(|&(_, error)| error <= tolerance)
    }
}

/// Computes a case on a backend and compares.
///
/// # Errors
/// Only where the backend fails; a wrong answer is a large (or NaN) error in the result.
pub fn check_case(backend: &dyn Backend, case: &GoldenCase, form: Form) -> Result<CaseErrors> {
    let got = backend.gradient(case.shape, &case.member, form, &case.theta, &case.windows)?;
    let want = &case.expected;
    let loss = |g: &Gradient| g.mse + g.reg;
    Ok(CaseErrors {
        loss: relative_error([loss(&got)], [loss(want)]),
        dA: relative_error(got.theta.A, want.theta.A.view()),
        dW: relative_error(got.theta.W, want.theta.W.view()),
        dh: relative_error(got.theta.h, want.theta.h.view()),
        dL: relative_error(got.theta.L, want.theta.L.view()),
        dC: relative_error(got.theta.C, want.theta.C.view()),
        z: relative_error(got.z, want.z.view()),
    })
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
        .map(|(name, bytes)| {
            read_case(name, Cursor::new(bytes)).expect("the built-in golden cases are well-formed")
        })
        .collect()
}

/// Reads one case from an `.npz` file.
pub fn load_case(path: impl AsRef<Path>) -> Result<GoldenCase> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|e| Error::io("open", path, e))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    read_case(&name, BufReader::new(file)).map_err(|message| {
        Error::input(format!("{} is not a golden case: {message}", path.display()))
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

fn read_case(name: &str, source: impl Read + Seek) -> Result<GoldenCase, String> {
    let mut npz = NpzReader::new(source).map_err(|e| e.to_string())?;
    let meta: Array1<f64> = read(&mut npz, "meta")?;
    let &[M, N, P, S, T, tau, alpha, lambda_lat, lambda_obs] =
        meta.as_slice().ok_or("meta is not contiguous")?
    else {
        return Err(format!("meta has {} entries instead of 9", meta.len()));
    };
    let [M, N, P, S, T, tau] = [M, N, P, S, T, tau].map(|v| v as usize);
    let has_inputs = npz
        .names()
        .map_err(|e| e.to_string())?
        .iter()
        .any(|n| n == "s" || n == "s.npy");
    let s: Array3<f64> = if has_inputs {
        read(&mut npz, "s")?
    } else {
        Array3::zeros((S, T + 1, 0))
    };
    let dims = Dims::new(M, N, s.dim().2).map_err(|e| e.to_string())?;
    let theta = read_theta(&mut npz, "", dims)?;
    let windows = Windows {
        x: read(&mut npz, "x")?,
        s,
    };
    let expected = Gradient {
        mse: read_scalar(&mut npz, "mse")?,
        reg: read_scalar(&mut npz, "reg")?,
        theta: read_theta(&mut npz, "d", dims)?,
        z: read(&mut npz, "z")?,
    };
    if windows.x.dim() != (S, T + 1, N)
        || windows.s.dim() != (S, T + 1, dims.K)
        || expected.z.dim() != (S, T, M)
    {
        return Err("x, s or z does not have the shape that meta says".to_string());
    }
    Ok(GoldenCase {
        name: name.to_string(),
        shape: Shape::new(dims, S, T).map_err(|e| e.to_string())?,
        member: Member {
            seed: 0,
            P,
            tau,
            alpha,
            noise: 0.0,
            start_lr: 0.0,
            end_lr: 0.0,
            lambda_lat,
            lambda_obs,
            clip: None,
        },
        theta,
        windows,
        expected,
    })
}

fn read_theta<R: Read + Seek>(npz: &mut NpzReader<R>, prefix: &str, dims: Dims) -> Result<Theta, String> {
    let key = |symbol: &str| format!("{prefix}{symbol}");
    let theta = Theta {
        A: read(npz, &key("A"))?,
        W: read(npz, &key("W"))?,
        h: read(npz, &key("h"))?,
        L: read(npz, &key("L"))?,
        C: if dims.K > 0 {
            read(npz, &key("C"))?
        } else {
            Array::zeros((dims.M, 0))
        },
    };
    let Dims { M, N, K } = dims;
    let fits = theta.A.len() == M
        && theta.W.dim() == (M, M)
        && theta.h.len() == M
        && theta.L.dim() == (M - N, N)
        && theta.C.dim() == (M, K);
    if fits {
        Ok(theta)
    } else {
        Err(format!(
            "{} does not have the sizes that meta says",
            key("A W h L C")
        ))
    }
}

fn read_scalar<R: Read + Seek>(npz: &mut NpzReader<R>, key: &str) -> Result<f64, String> {
    let values: Array1<f64> = read(npz, key)?;
    match values.as_slice() {
        Some(&[value]) => Ok(value),
        _ => Err(format!("{key} is not a single number")),
    }
}

fn read<R: Read + Seek, D: Dimension>(npz: &mut NpzReader<R>, key: &str) -> Result<Array<f64, D>, String> {
    npz.by_name(key).map_err(|e| format!("{key}: {e}"))
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
        let errors = CaseErrors {
            loss: 0.0,
            dA: f64::NAN,
            dW: 0.0,
            dh: 0.0,
            dL: 0.0,
            dC: 0.0,
            z: 1.0,
        };
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
