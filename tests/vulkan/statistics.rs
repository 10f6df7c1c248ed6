//! Long-term statistics of free runs on the device, and polishing by them.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::sync::Arc;

use alrnn_gpu::backend::cpu::CpuBackend;
use alrnn_gpu::backend::gpu::GpuBackend;
use alrnn_gpu::backend::{Backend, FreeModel, RunStatistics, Runs, Tangent};
use alrnn_gpu::dataset::{Dataset, LoadRequest, Trial, from_arrays};
use alrnn_gpu::metrics::{ScoreSettings, Scorer};
use alrnn_gpu::model::{Dims, Theta};
use alrnn_gpu::polish::{Objective, Parts};
use ndarray::Array2;

use crate::run_on;

/// The data are no chaos, so that polishing follows no tangent.
const TANGENT: Tangent = Tangent {
    steps: 3_000,
    settles: 200,
};

fn waves(N: usize) -> Array2<f64> {
    let wave = |t: usize, n: usize| (0.11 * t as f64 + 1.5 * n as f64).sin();
    Array2::from_shape_fn((3000, N), |(t, n)| wave(t, n) + 0.3 * wave(3 * t, n))
}

fn objective(N: usize, bins: usize) -> Objective {
    let trial = Trial {
        name: "waves".into(),
        x: waves(N),
        s: Array2::zeros((3000, 0)),
    };
    let data: Dataset = from_arrays(vec![trial], &LoadRequest::default()).expect("valid");
    let settings = ScoreSettings {
        bins,
        ..ScoreSettings::default()
    };
    let scorer = Arc::new(Scorer::new(&data, settings).expect("valid"));
    Objective::new(&data, scorer).expect("valid")
}

/// Rotations of pairs of units by `radius` a step, and a last unit, a ReLU, that one of them switches: the run forgets rounding.
fn oscillations(dims: Dims, radius: f64) -> Theta {
    let mut theta = Theta::zeros(dims);
    for at in (0..dims.M - 2).step_by(2) {
        let (sin, cos) = (0.11 + 0.05 * at as f64).sin_cos();
        theta.W[[at, at]] = radius * cos;
        theta.W[[at + 1, at + 1]] = radius * cos;
        theta.W[[at, at + 1]] = -radius * sin;
        theta.W[[at + 1, at]] = radius * sin;
    }
    let last = dims.M - 1;
    (theta.W[[last, 1]], theta.W[[0, last]]) = (1.0, 0.002);
    (theta.A[last], theta.h[last]) = (0.2, -0.1);
    theta.L.fill(0.6);
    theta
}

fn statistics(
    gpu: &GpuBackend,
    objective: &Objective,
    dims: Dims,
    thetas: &[Vec<f32>],
) -> Vec<RunStatistics> {
    let draw = objective.draw(3, 0);
    let starts: Vec<_> = thetas
        .iter()
        .map(|theta| (FreeModel { theta, P: 1 }, draw.run.x0.as_slice()))
        .collect();
    let runs = Runs {
        starts: &starts,
        steps: draw.run.steps,
        tangent: TANGENT,
    };
    let seen = gpu.statistics(dims, runs, objective.statistics());
    seen.expect("they are computed").expect("on the device")
}

/// What the processor sees of the same runs: slow oscillations, at rest, growing beyond all numbers; by bins of all columns and of
/// principal components.
pub fn match_the_cpu(gpu: &GpuBackend) {
    let cpu = CpuBackend::new(Some(1)).expect("a thread starts");
    for N in [2, 3, 5] {
        let objective = objective(N, 30);
        let dims = Dims::new(N + 3 - N % 2, N, 0).expect("valid sizes");
        let thetas: Vec<Vec<f32>> = [1.0, 0.9995, 0.0, 1.02]
            .map(|radius| oscillations(dims, radius).pack())
            .to_vec();
        let draw = objective.draw(3, 0);
        let models: Vec<_> = thetas.iter().map(|theta| FreeModel { theta, P: 1 }).collect();
        let runs = cpu.rollouts(dims, &models, &draw.run, TANGENT).expect("they run");
        let seen = statistics(gpu, &objective, dims, &thetas);
        for (k, (run, seen)) in runs.iter().zip(&seen).enumerate() {
            let (want, got) = (objective.judge(run, 0.1), objective.parts(seen, 0.1));
            println!("N {N}, model {k}: {got:?}, on the processor {want:?}");
            let values = |p: &Parts| [p.divergence, p.spectrum, p.exponent, p.roughness, p.outside];
            for (got, want) in values(&got).into_iter().zip(values(&want)) {
                // Rows on the edge of a bin fall to either side.
                let near = (got - want).abs() <= 5e-3 * (1.0 + want.abs());
                assert!(
                    near || got == want || (!got.is_finite() && !want.is_finite()),
                    "N {N}, model {k}: {got:?}, on the processor {want:?}"
                );
            }
            let growth = (seen.growth - run.growth).abs();
            assert!(
                growth <= 1e-4 || !run.growth.is_finite(),
                "{} {}",
                seen.growth,
                run.growth
            );
        }
    }
}

/// Bins so fine that a buffer holds those of sixteen models.
pub fn crowd_changes_nothing(gpu: &GpuBackend) {
    let objective = objective(3, 128);
    let dims = Dims::new(6, 3, 0).expect("valid sizes");
    let radius = |k: usize| 0.999 + 1e-4 * k as f64;
    let thetas: Vec<Vec<f32>> = (0..20).map(|k| oscillations(dims, radius(k)).pack()).collect();
    let all = statistics(gpu, &objective, dims, &thetas);
    assert_eq!(all.len(), 20);
    for k in [0, 7, 15, 16, 19] {
        let alone = statistics(gpu, &objective, dims, &thetas[k..=k]);
        assert_eq!(alone[0], all[k], "model {k}");
    }
    let differ = |a: &RunStatistics, b: &RunStatistics| a.terms != b.terms;
    assert!(differ(&all[0], &all[19]) && differ(&all[15], &all[16]));
}

/// Within training, after it, and a member alone: the same bits.
pub fn polishing_is_the_same(gpu: &GpuBackend) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    ndarray_npy::write_npy(path("data.npy"), &waves(3)).expect("it is written");
    let train = |out: &str, more: &[&str]| {
        let (data, out) = (path("data.npy"), path(out));
        let common = ["train", "--data", &data, "--out", &out, "--M", "6", "--P", "2"];
        // Long enough that two generations improve every model.
        // The data choose other settings where no polishing follows.
        let preset = ["--preset", "lorenz63", "--standardize"];
        let training = ["--T", "20", "--tau", "5", "--epochs", "20", "--start-lr", "0.005"];
        run_on(gpu, &[&common[..], &preset, &training, more].concat());
    };
    train("whole", &["--seeds", "4", "--polish", "2"]);
    train("trained", &["--seeds", "4", "--polish", "0"]);
    train("alone", &["--seeds", "1,", "--polish", "2"]);
    let (trained, after) = (path("trained"), path("after"));
    run_on(gpu, &["polish", &trained, "--generations", "2", "--out", &after]);
    let model = |run: &str, id: &str| {
        std::fs::read(folder.path().join(format!("{run}/last/{id}.npz"))).expect("it is there")
    };
    let all = |run: &str| ["m000", "m001", "m002", "m003"].map(|id| model(run, id));
    assert!(all("whole") == all("after"), "after training");
    assert!(model("whole", "m001") == model("alone", "m000"), "alone");
    // Those that it makes no better stay as they were.
    assert!(all("whole") != all("trained"), "nothing was polished");
}
