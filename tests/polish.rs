//! Polishing: better on what it looks at, never worse in the end, and the same bits however it is cut.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod cli_common;

use std::sync::atomic::{AtomicBool, Ordering};

use alrnn_gpu::backend::cpu::CpuBackend;
use alrnn_gpu::backend::reference::ReferenceBackend;
use alrnn_gpu::backend::{Backend, FreeModel, FreeRun, Tangent};
use alrnn_gpu::config::resolve;
use alrnn_gpu::metrics::Standing;
use alrnn_gpu::model::{Dims, Model, Theta};
use alrnn_gpu::run::{LogRow, Run};
use alrnn_gpu::train::{self, Data, Ending, Observer, Place, Progress};
use cli_common::{Workplace, small_study, stderr};
use ndarray::{Array2, array};

const POLISHED: [&str; 2] = ["--polish", "3"];

fn last_models(w: &Workplace, run: &str, ids: &[&str]) -> Vec<Vec<u8>> {
    ids.iter()
        .map(|id| w.read(format!("{run}/last/{id}.npz")))
        .collect()
}

#[test]
fn polishing_is_the_same_within_training_after_it_alone_and_interrupted() {
    let w = Workplace::with_data(400);
    let ids = ["m000", "m001", "m002", "m003"];
    w.succeed(&small_study("whole", &POLISHED));
    let whole = last_models(&w, "whole", &ids);

    w.succeed(&small_study("trained", &[]));
    assert_ne!(whole, last_models(&w, "trained", &ids));
    w.succeed(&["polish", "trained", "--generations", "3", "--out", "after"]);
    assert_eq!(whole, last_models(&w, "after", &ids), "after training");

    w.succeed(&small_study(
        "alone",
        &["--polish", "3", "--M", "5", "--seeds", "1,"],
    ));
    assert_eq!(whole[1..2], last_models(&w, "alone", &["m000"]), "alone");

    /// Stops one epoch after the first generation.
    struct Stopper<'a>(&'a AtomicBool);
    impl Observer for Stopper<'_> {
        fn epoch(&mut self, progress: &Progress) {
            self.0.store(progress.epoch >= 7, Ordering::Relaxed);
        }
    }
    let run = Run::read(&w.path("whole")).expect("a run");
    let stop = AtomicBool::new(false);
    let place = Place::New(w.path("parts"));
    let outcome = train::run(&run.settings, &place, &stop, &mut Stopper(&stop)).expect("trained");
    assert_eq!((outcome.ending, outcome.epochs_done), (Ending::Interrupted, 8));
    drop(outcome);
    w.succeed(&["train", "--resume", "parts"]);
    assert_eq!(whole, last_models(&w, "parts", &ids), "interrupted");
}

#[test]
fn what_remains_of_polishing_is_no_worse_than_what_was_seen() {
    let w = Workplace::with_data(2_500);
    // Judged after every generation, on the data that it is scored on.
    let flags = [
        ("--polish", "20"),
        ("--P", "2"),
        ("--M", "10"),
        ("--T", "50"),
        ("--tau", "10"),
        ("--batch-size", "8"),
        ("--epochs", "30"),
        ("--batches-per-epoch", "50"),
        ("--start-lr", "5e-3"),
        ("--eval-every", "2"),
        ("--bins", "8"),
    ];
    let flags: Vec<&str> = flags.iter().flat_map(|(flag, value)| [*flag, *value]).collect();
    w.succeed(&small_study("run", &flags));
    let run = Run::read(&w.path("run")).expect("a run");
    let log = run.log().expect("a log");
    let standing = |row: &LogRow| Standing {
        dstsp: row.D_stsp.expect("defined"),
        saturated: row.saturated.expect("known"),
        roughness: row.roughness.expect("defined"),
        dh: row.D_H.expect("defined"),
    };
    let mut sums = [0.0; 2];
    for id in ["m000", "m001"] {
        let rows: Vec<&LogRow> = log
            .iter()
            .filter(|row| row.member == id && row.epoch >= 30)
            .collect();
        let [before, .., after] = rows[..] else {
            panic!("{log:?}")
        };
        assert_eq!((rows.len(), before.epoch, after.epoch), (11, 30, 50));
        assert!(before.lr.is_some() && after.lr.is_none() && after.loss.is_none());
        for row in &rows {
            // But for what is chance.
            let end = Standing {
                dstsp: 0.85 * standing(after).dstsp,
                ..standing(after)
            };
            assert!(!standing(row).better(&end), "{id}: {row:?} and {after:?}");
        }
        let (old, new) = (standing(before).dstsp, standing(after).dstsp);
        assert!(new <= old, "{id}: {old} to {new}");
        sums[0] += old;
        sums[1] += new;
    }
    assert!(sums[1] < 0.9 * sums[0], "{log:?}");
    // The report reads a run that was polished.
    w.succeed(&["report", "run", "--steps", "500"]);
}

#[test]
fn a_model_file_is_polished_on_data_that_are_named() {
    let w = Workplace::with_data(400);
    w.succeed(&small_study("run", &["--M", "5", "--seeds", "1"]));
    let file = "run/last/m000.npz";
    let refused = w.run(&["polish", file]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--data FILE"), "{}", stderr(&refused));
    let refused = w.run(&["polish", "run", "--data", "data.npy"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    let refused = w.run(&["polish", "run:m000"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    w.succeed(&[
        "polish",
        file,
        "--data",
        "data.npy",
        "--generations",
        "2",
        "--bins",
        "5",
        "--backend",
        "cpu",
    ]);
    let polished = Model::load(w.path("run/last/m000-polished/last/m000.npz")).expect("a model");
    let start = Model::load(w.path(file)).expect("a model");
    assert_eq!((polished.P, polished.theta.dims()), (start.P, start.theta.dims()));
}

/// Its units and the order of its columns are the model's, whatever the data have.
#[test]
fn a_run_that_polishes_a_model_file_goes_on_in_the_units_of_the_model() {
    let w = Workplace::new();
    let rows = |header: &str, row: &dyn Fn(f64, f64) -> String| {
        let phases = (0..300).map(|t| (0.2 * f64::from(t)).sin_cos());
        let rows = phases.map(|(sin, cos)| row(10.0 + 3.0 * sin, cos));
        std::iter::once(header.to_owned())
            .chain(rows)
            .collect::<Vec<_>>()
            .join("\n")
    };
    w.write("data.csv", rows("x,y", &|x, y| format!("{x},{y}")).as_bytes());
    let other = rows("y,clock,x", &|x, y| format!("{},0,{}", 2.0 * y, 1.1 * x));
    w.write("other.csv", other.as_bytes());
    let flags = ["--data", "data.csv", "--standardize", "--M", "5", "--seeds", "1"];
    w.succeed(&small_study("run", &flags));
    let polish = |model: &str, more: &[&str]| {
        let args = ["polish", model, "--generations", "2", "--bins", "5"];
        w.succeed(&[&args, more].concat());
    };
    polish(
        "run/last/m000.npz",
        &["--data", "other.csv", "--backend", "cpu", "--out", "first"],
    );
    // With the checkpoint of a run that has finished.
    w.succeed(&["train", "--resume", "first"]);
    polish("first", &["--out", "second"]);
    let log = |run: &str| Run::read(&w.path(run)).and_then(|run| run.log()).expect("a log");
    let (first, second) = (log("first"), log("second"));
    let (end, start) = (&first[first.len() - 1], &second[0]);
    assert!(end.D_stsp.is_some());
    assert_eq!((end.D_stsp, end.D_H, end.PE), (start.D_stsp, start.D_H, start.PE));
}

/// A model that is drawn to where it rests: rounding does not grow.
fn at_rest(M: usize, P: usize, K: usize) -> Theta {
    let mut theta = Theta::zeros(Dims { M, N: 2, K });
    theta.L.fill(0.3);
    theta.C.fill(0.1);
    for i in 0..M {
        theta.A[i] = 0.4 * (i as f64).cos();
        theta.h[i] = 0.2 + 0.05 * i as f64;
        for j in 0..M {
            theta.W[[i, j]] = 1.2 * ((3 * i + 5 * j + P) as f64).sin() / M as f64;
        }
    }
    theta
}

#[test]
fn rollouts_are_alike_on_every_instruction_set() {
    for (M, P, K) in [(2, 0, 0), (3, 3, 1), (8, 2, 2), (20, 5, 0), (33, 4, 0)] {
        let run = FreeRun {
            x0: vec![0.3, f32::NAN],
            s: Array2::from_shape_fn((2_006, K), |(t, k)| ((t + 7 * k) as f32).sin()),
            steps: 2_005,
        };
        let thetas: Vec<Vec<f32>> = (0..5)
            .map(|k| {
                let mut theta = at_rest(M, P, K);
                theta.W *= 0.9 - 0.1 * f64::from(k);
                theta.pack()
            })
            .collect();
        let models: Vec<FreeModel<'_>> = thetas.iter().map(|theta| FreeModel { theta, P }).collect();
        let dims = Dims { M, N: 2, K };
        let tangent = Tangent {
            steps: 1_507,
            settles: 95,
        };
        let expected = ReferenceBackend::new()
            .rollouts(dims, &models, &run, tangent)
            .expect("it runs");
        for backend in CpuBackend::every_instruction_set(Some(2)).expect("threads") {
            let found = backend.rollouts(dims, &models, &run, tangent).expect("it runs");
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                let name = format!("M {M}, P {P}, K {K}, {}", backend.device().name);
                assert!(expected.growth.is_finite(), "{name}");
                let error = (found.growth - expected.growth).abs();
                assert!(error <= 1e-4, "{name}: {} {}", found.growth, expected.growth);
                assert_eq!(found.x.dim(), (2_006, 2), "{name}");
                let apart = (&found.x - &expected.x)
                    .iter()
                    .fold(0.0, |most: f32, e| most.max(e.abs()));
                assert!(apart <= 1e-5, "{name}: {apart}");
            }
            let alone = backend
                .rollouts(dims, &models[3..4], &run, tangent)
                .expect("it runs");
            assert_eq!(alone, found[3..4], "bits depend on the company");
        }
    }
}

/// Of a linear map the growth is the logarithm of its largest eigenvalue.
#[test]
fn growth_is_the_largest_exponent() {
    let mut theta = Theta::zeros(Dims { M: 2, N: 2, K: 0 });
    theta.A = array![0.9, 0.4];
    theta.W = array![[0.0, 0.3], [0.0, 0.0]];
    let packed = theta.pack();
    let run = FreeRun {
        x0: vec![1.0, 1.0],
        s: Array2::zeros((0, 0)),
        steps: 1_000,
    };
    let model = FreeModel { theta: &packed, P: 0 };
    let backend = CpuBackend::new(Some(1)).expect("a thread");
    let tangent = Tangent {
        steps: 1_000,
        settles: 100,
    };
    let runs = backend
        .rollouts(theta.dims(), &[model], &run, tangent)
        .expect("it runs");
    assert!((runs[0].growth - 0.9f64.ln()).abs() < 1e-5, "{}", runs[0].growth);
}

/// Without a preset or a config file the data choose what is not said.
#[test]
fn data_choose_the_settings() {
    let w = Workplace::with_data(1_200);
    let short = ["--epochs", "1", "--batches-per-epoch", "2", "--backend", "cpu"];
    let train = |out: &str, more: &[&str]| {
        let mut args = [&["train", "--data", "data.npy", "--out", out], &short[..], more].concat();
        if !more.contains(&"--polish") {
            args.extend(["--polish", "1"]);
        }
        stderr(&w.succeed(&args))
    };
    let said = train("chosen", &["--M", "6"]);
    assert!(said.contains("preset robust: data standardised"), "{said}");
    let settings = |run: &str| Run::read(&w.path(run)).expect("a run").settings;
    let chosen = settings("chosen");
    let data = Data::load(&chosen).expect("data").training;
    let said = train::Said {
        M: &chosen.M,
        epochs: Some(1),
        polish: Some(1),
    };
    let expected = train::robust(&data, said);
    assert!(chosen.standardize && data.scaling.is_some());
    assert_eq!((&chosen.T, &chosen.tau), (&expected.T, &expected.tau));
    assert_eq!(
        (chosen.start_lr.values(), chosen.epochs, chosen.polish),
        (&[5e-3][..], 1, 1)
    );

    let model = Model::load(w.path("chosen/last/m000.npz")).expect("a model");
    assert_eq!(model.scaling, data.scaling);
    train("named", &["--M", "6", "--preset", "robust"]);
    // A config file says everything; what is said wins.
    w.succeed(&["train", "--config", "chosen/config.toml", "--out", "again"]);
    for run in ["named", "again"] {
        assert_eq!(
            last_models(&w, "chosen", &["m000"]),
            last_models(&w, run, &["m000"]),
            "{run}"
        );
    }
    assert!(!train("published", &["--preset", "fmri"]).contains("preset robust"));

    // Where no polishing follows the data choose other settings, which are said as well.
    let said = train("alone", &["--M", "6", "--polish", "0"]);
    let alone = settings("alone");
    let end = alone.noise_end.as_ref().map(|end| end.values()[0]);
    assert!(alone.restore_best && end.is_some_and(|end| end < alone.noise.values()[0]));
    let expected = format!(
        " to {}, inflation {}, ",
        end.unwrap_or(0.0),
        alone.inflation.values()[0]
    );
    assert!(
        said.contains(&expected) && said.contains("1 epochs, the best state restored, no polishing"),
        "{said}"
    );
    assert_eq!(settings("published").tau.values(), [7]);
    train("said", &["--tau", "5"]);
    assert_eq!(settings("said").tau.values(), [5]);
}

#[test]
fn generations_are_checked() {
    let most = format!(
        "data = ['x']\nbatches-per-epoch = 1\nepochs = {}\npolish = 1",
        u32::MAX
    );
    let error = resolve(None, most.parse().expect("TOML")).expect_err("too many");
    assert!(error.to_string().contains("--epochs + --polish"), "{error}");
}
