//! `data/lorenz.npy` is what `data/README.md` says it is.

use std::path::Path;

use alrnn_gpu::dataset::{LoadRequest, load};
use alrnn_gpu::systems::{SimulateRequest, simulate};
use ndarray_npy::write_npy;

fn committed() -> String {
    format!("{}/data/lorenz.npy", env!("CARGO_MANIFEST_DIR"))
}

/// What `alrnn-gpu simulate lorenz63 --steps 100000` writes, in single precision.
fn write_lorenz(path: &Path) {
    let simulation = simulate(&SimulateRequest::default()).expect("lorenz63 is known");
    write_npy(path, &simulation.x.mapv(|v| v as f32)).expect("written");
}

#[test]
fn the_committed_file_is_reproduced_bit_by_bit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("lorenz.npy");
    write_lorenz(&path);
    let (made, kept) = (std::fs::read(&path), std::fs::read(committed()));
    assert!(made.expect("just written") == kept.expect("data/lorenz.npy is in the repository"));
}

#[test]
fn the_committed_file_is_standardised() {
    let request = LoadRequest {
        data: vec![committed()],
        ..LoadRequest::default()
    };
    let dataset = load(&request).expect("readable");
    assert_eq!(dataset.trials[0].x.dim(), (100_000, 3));
    for column in dataset.trials[0].x.columns() {
        let column = column.to_owned();
        let (mean, sd) = (column.mean().expect("not empty"), column.std(1.0));
        assert!(
            mean.abs() < 1e-6 && (sd - 1.0).abs() < 1e-6,
            "mean {mean}, sd {sd}"
        );
    }
}

#[test]
#[ignore = "writes data/lorenz.npy"]
fn write_the_committed_file() {
    write_lorenz(Path::new(&committed()));
}
