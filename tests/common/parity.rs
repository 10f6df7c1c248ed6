//! Comparing what two implementations computed: how far apart, where most, and both arrays kept where it is too far.

use std::fs::File;

use alrnn_gpu::backend::golden::relative_error;
use ndarray::ArrayView1;
use ndarray_npy::NpzWriter;

/// How far training moved parameters. They are compared by this: 20 steps move them by less than a hundredth of their
/// size, so that a step of half the length would look right beside the parameters themselves.
pub fn displacement(after: &[f32], before: &[f32]) -> Vec<f64> {
    let pairs = after.iter().zip(before);
    pairs.map(|(&a, &b)| f64::from(a) - f64::from(b)).collect()
}

pub fn widened(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// The relative L2 error of `got`, which must be a number at most `tolerance`.
pub fn assert_close(name: &str, got: &[f64], want: &[f64], tolerance: f64) -> f64 {
    let error = relative_error(got.iter().copied(), want);
    assert!(
        error <= tolerance,
        "{name}: relative error {error:e} above {tolerance:e}, {}",
        difference(got, want)
    );
    error
}

/// Where two arrays differ most, with both values, and the file in which both arrays were saved.
pub fn difference(got: &[f64], want: &[f64]) -> String {
    if got.len() != want.len() {
        return format!("{} values where there should be {}", got.len(), want.len());
    }
    let mut worst = (0, 0.0);
    for (index, (a, b)) in got.iter().zip(want).enumerate() {
        let apart = (a - b).abs();
        // One that is no number is the worst, the first of them.
        if !f64::is_nan(worst.1) && (apart > worst.1 || apart.is_nan()) {
            worst = (index, apart);
        }
    }
    let (a, b) = (
        got.get(worst.0).copied().unwrap_or(0.0),
        want.get(worst.0).copied().unwrap_or(0.0),
    );
    format!(
        "most at [{}]: {a:e}, should be {b:e}; {}",
        worst.0,
        save(got, want)
    )
}

fn save(got: &[f64], want: &[f64]) -> String {
    let write = || -> Result<_, Box<dyn std::error::Error>> {
        let (file, path) = tempfile::Builder::new()
            .prefix("alrnn-gpu-parity-")
            .suffix(".npz")
            .tempfile()?
            .keep()?;
        let mut npz: NpzWriter<File> = NpzWriter::new(file);
        npz.add_array("got", &ArrayView1::from(got))?;
        npz.add_array("want", &ArrayView1::from(want))?;
        npz.finish()?;
        Ok(path)
    };
    match write() {
        Ok(path) => format!("`got` and `want` are in {}", path.display()),
        Err(error) => format!("both arrays could not be saved: {error}"),
    }
}
