//! How many ReLUs data need: held-out rows, the certificate, reduction, agreement; on the built program.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod cli_common;

use alrnn_gpu::model::Model;
use cli_common::{Workplace, small_study, stderr, stdout};
use ndarray::Axis;
use serde_json::Value;

/// Two columns with uniform noise of this width: `rows` rows of `f`.
fn noisy(w: &Workplace, name: &str, rows: usize, width: f64, f: impl Fn(f64) -> [f64; 2]) {
    let mut noise = 7u32;
    let mut draw = move || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        width * (f64::from(noise) / f64::from(u32::MAX) - 0.5)
    };
    let values = (0..rows).flat_map(|t| f(t as f64).map(|v| (v + draw()) as f32));
    w.npy_f32(name, rows, 2, &values.collect::<Vec<_>>());
}

/// A linear oscillator with a little noise: `rows` rows of a sine and a cosine.
fn oscillator(w: &Workplace, name: &str, rows: usize) {
    noisy(w, name, rows, 0.02, |t| [(0.21 * t).sin(), (0.21 * t).cos()]);
}

/// Arguments of a search that takes seconds.
fn small_search<'a>(out: &'a str, epochs: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let fixed = "minimal --data wave.npy --backend cpu --preset lorenz63 --P 0..2 --seeds 4 --M 5 --T 60 --tau 8 --start-lr 0.01 \
                 --noise 0 --bins 10";
    let mut args: Vec<&str> = fixed.split_whitespace().collect();
    args.extend(["--out", out, "--epochs", epochs, "--eval-every", epochs]);
    args.extend(more);
    args
}

fn certificate(w: &Workplace, run: &str) -> Value {
    serde_json::from_slice(&w.read(format!("{run}/minimal.json"))).expect("JSON")
}

#[test]
fn rows_held_out_are_those_of_a_file_of_their_own() {
    let w = Workplace::new();
    oscillator(&w, "wave", 400);
    let all = ndarray_npy::read_npy::<_, ndarray::Array2<f32>>(w.path("wave.npy")).expect("written");
    let (first, rest) = all.view().split_at(Axis(0), 300);
    for (name, part) in [("first", first), ("rest", rest)] {
        let values: Vec<f32> = part.iter().copied().collect();
        w.npy_f32(name, part.nrows(), 2, &values);
    }
    let one = |flags: &[&'static str], out: &'static str| {
        w.succeed(&small_study(
            out,
            &[
                flags,
                &["--M", "5", "--seeds", "1", "--standardize", "--polish", "2"],
            ]
            .concat(),
        ));
        let bits = w.read(format!("{out}/last/m000.npz"));
        (bits, w.read(format!("{out}/members.csv")))
    };
    let whole = one(&["--data", "wave.npy", "--hold-out", "0.25"], "whole");
    let parts = one(&["--data", "first.npy", "--test", "rest.npy"], "parts");
    assert!(whole == parts, "the same model, the same scores");
    // Readers of the run take the same rows.
    w.succeed(&["report", "whole"]);
    let page = String::from_utf8(w.read("whole/report.html")).expect("UTF-8");
    assert!(!page.contains("could not be read again"));
    let output = w.succeed(&["analyze", "whole"]);
    assert!(stdout(&output).contains("Data: 300 rows"), "{}", stdout(&output));
    let both = w.run(&small_study(
        "no",
        &["--data", "wave.npy", "--hold-out", "0.25", "--test", "rest.npy"],
    ));
    assert_eq!(both.status.code(), Some(2));
    assert!(
        stderr(&both).contains("--hold-out 0.25 and --test"),
        "{}",
        stderr(&both)
    );
}

#[test]
fn a_linear_oscillator_needs_no_relu() {
    let w = Workplace::new();
    oscillator(&w, "wave", 2_000);
    let output = w.succeed(&small_search("run", "60", &[]));
    let text = stdout(&output);
    assert!(text.starts_with("No ReLU is needed"), "{text}");
    let found = certificate(&w, "run");
    assert_eq!(
        (&found["found"]["P"], &found["bound"], &found["chaotic"]),
        (&0.into(), &0.into(), &false.into())
    );
    assert_eq!((&found["rows"], &found["held_out"]), (&1500.into(), &500.into()));
    let sizes = found["sizes"].as_array().expect("a list");
    let relus: Vec<&Value> = sizes.iter().map(|size| &size["P"]).collect();
    assert_eq!(relus, [0, 1, 2]);
    assert!(
        sizes
            .iter()
            .all(|size| size["models"] == 4 && size["scores"].as_array().is_some_and(|s| s.len() == 4))
    );

    // Nothing is trained again, and the answer is the same; the report shows it.
    let models = w.read("run/last/m000.npz");
    let again = w.succeed(&["minimal", "--resume", "run"]);
    assert_eq!(stdout(&again), text);
    assert_eq!(w.read("run/last/m000.npz"), models);
    w.succeed(&["report", "run"]);
    let page = String::from_utf8(w.read("run/report.html")).expect("UTF-8");
    assert!(page.contains("How many ReLUs these data need") && page.contains("No ReLU is needed"));
}

/// It leaves the range that models are trained in, and the answer says how little such data tell.
#[test]
fn a_straight_line_needs_no_relu() {
    let w = Workplace::new();
    noisy(&w, "wave", 2_000, 0.1, |t| [t / 500.0, -t / 1_000.0]);
    let text = stdout(&w.succeed(&small_search("run", "60", &["--standardize"])));
    assert!(text.starts_with("No ReLU is needed"), "{text}");
    assert!(text.contains("These data tell little"), "{text}");
    assert!(certificate(&w, "run")["floor"].is_null());
}

#[test]
fn parts_are_judged_once_they_are_joined() {
    let w = Workplace::new();
    oscillator(&w, "wave", 2_000);
    let whole = stdout(&w.succeed(&small_search("whole", "30", &[]))).replace("whole", "RUN");
    for part in ["1/2", "2/2"] {
        let out = format!("part{}", &part[..1]);
        let output = w.succeed(&small_search(&out, "30", &["--shard", part]));
        assert!(
            stdout(&output).is_empty() && stderr(&output).contains("join all parts"),
            "{}",
            stderr(&output)
        );
    }
    w.succeed(&["merge", "part1", "part2", "--out", "joined"]);
    let joined = stdout(&w.succeed(&["minimal", "--resume", "joined"])).replace("joined", "RUN");
    assert_eq!(joined, whole);
}

#[test]
fn a_grid_of_anything_else_is_refused() {
    let w = Workplace::with_data(400);
    w.succeed(&small_study("run", &[]));
    let output = w.run(&["minimal", "--resume", "run"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("differ in more than P and the seed"),
        "{}",
        stderr(&output)
    );
}

/// Hidden units in another order and in other units (powers of two, so that rounding stays the same).
fn disguised(model: &Model) -> Model {
    let (M, N, P) = (model.theta.A.len(), model.theta.L.ncols(), model.P);
    let relu = M - P;
    let order: Vec<usize> = (0..N).chain((N..relu).rev()).chain((relu..M).rev()).collect();
    let scale = |i: usize| if i < N { 1.0 } else { [0.5, 4.0, 2.0][i % 3] };
    let mut theta = model.theta.reordered(&order);
    for i in 0..M {
        theta.h[i] *= scale(i);
        for j in 0..M {
            theta.W[[i, j]] *= scale(i) / scale(j);
        }
        if i >= N {
            theta.L.row_mut(i - N).mapv_inplace(|l| l * scale(i));
        }
    }
    Model {
        theta,
        ..model.clone()
    }
}

#[test]
fn a_model_agrees_with_itself_by_other_names_and_says_how_far_with_others() {
    let w = Workplace::with_data(2_000);
    w.succeed(&small_study(
        "run",
        &[
            "--M",
            "8",
            "--P",
            "3",
            "--seeds",
            "3",
            "--epochs",
            "30",
            "--batches-per-epoch",
            "20",
            "--start-lr",
            "0.01",
        ],
    ));
    let model = Model::load(w.path("run/best/m000.npz")).expect("a model");
    disguised(&model).save(w.path("twin.npz")).expect("written");
    let output = w.succeed(&[
        "compare",
        "run/best/m000.npz",
        "twin.npz",
        "--data",
        "data.npy",
        "--json",
    ]);
    let twins: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let pair = &twins["pairs"][0];
    assert_eq!(
        (&pair["adjusted_mutual_information"], &pair["matched_share"]),
        (&1.0.into(), &1.0.into())
    );
    assert_eq!(
        (&pair["equal_graphs"], &twins["commonest"]),
        (&true.into(), &2.into())
    );

    let output = w.succeed(&["compare", "run"]);
    assert!(
        stdout(&output).contains("of 3 models have the commonest graph"),
        "{}",
        stdout(&output)
    );
    for file in ["agreement.json", "agreement.svg", "agreement.png"] {
        assert!(!w.read(format!("run/agreement/{file}")).is_empty());
    }
    w.succeed(&["report", "run"]);
    let page = String::from_utf8(w.read("run/report.html")).expect("UTF-8");
    assert!(page.contains("Do the models agree?") && page.contains("id=\"agreement\""));
    let alone = w.run(&["compare", "run/best/m000.npz"]);
    assert_eq!(alone.status.code(), Some(2), "{}", stderr(&alone));
    assert!(
        stderr(&alone).contains("do not say what they were trained on"),
        "{}",
        stderr(&alone)
    );
    let output = w.succeed(&[
        "analyze",
        "run",
        "--reduce",
        "--steps",
        "500",
        "--transient",
        "100",
    ]);
    assert!(
        stdout(&output).contains("ReLUs that may be linear"),
        "{}",
        stdout(&output)
    );
}
