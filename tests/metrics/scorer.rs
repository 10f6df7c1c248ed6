//! The `Scorer`: trials, gaps, inputs, and the noise floor.

use std::collections::HashMap;

use alrnn_gpu::dataset::{Dataset, Trial};
use alrnn_gpu::metrics::{DstspKind, Mixture, ScoreSettings, Scorer, Spectra, noise_floor};
use alrnn_gpu::model::{Dims, Theta};
use ndarray::{Array2, Axis, concatenate, s};

use super::dstsp::dense_divergence;
use super::{close, plain_prediction_error, prediction_error, theta, trials, walk};

pub fn dataset(trials: Vec<(Array2<f64>, Array2<f64>)>) -> Dataset {
    let (N, K) = (trials[0].0.ncols(), trials[0].1.ncols());
    let trials = trials.into_iter().enumerate().map(|(i, (x, s))| Trial {
        name: format!("trial {i}"),
        x,
        s,
    });
    Dataset {
        trials: trials.collect(),
        N,
        K,
        ..Dataset::default()
    }
}

pub fn without_inputs(x: Array2<f64>) -> (Array2<f64>, Array2<f64>) {
    let s = Array2::zeros((x.nrows(), 0));
    (x, s)
}

#[test]
fn scorer_scores_the_data_themselves_as_perfect() {
    let data = dataset(vec![
        without_inputs(walk(500, 3, 1)),
        without_inputs(walk(120, 3, 2)),
    ]);
    let scorer = Scorer::new(&data, ScoreSettings::default()).expect("valid");
    assert_eq!(scorer.dstsp_kind(), DstspKind::Bins);
    let runs = scorer.free_runs();
    assert_eq!(runs.iter().map(|run| run.steps).collect::<Vec<_>>(), [499, 119]);
    assert_eq!(runs[0].s.dim(), (0, 0));
    let dims = Dims { M: 5, N: 3, K: 0 };
    let perfect: Vec<_> = data.trials.iter().map(|t| t.x.mapv(|v| v as f32)).collect();
    let pe = || prediction_error(scorer.predictions(), &theta(dims, 1), 2).0;
    let scores = scorer.score(&perfect, pe());
    assert!(scores.dstsp.abs() < 0.05 && scores.dh < 1e-6, "{scores:?}");
    assert_eq!(
        (scores.points_dstsp, scores.points_inside, scores.points_dh),
        (620, 620, 620)
    );
    assert_eq!(scores.pairs_pe, 480 + 100);
    // Shared by threads, the same bits each time.
    let again: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| scorer.score(&perfect, pe())))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    assert!(again.iter().all(|other| *other == scores), "{again:?}");
}

#[test]
fn scorer_handles_gaps_trials_and_inputs() {
    let mut raw = trials(&[300, 80, 2], 3, 2, 0.1, 11);
    raw[0].0.slice_mut(s![..5, ..]).fill(f64::NAN);
    raw[0].0[[5, 0]] = 1.5;
    let data = dataset(raw.clone());
    let scorer = Scorer::new(
        &data,
        ScoreSettings {
            pe_steps: 4,
            ..Default::default()
        },
    )
    .expect("valid");
    let runs = scorer.free_runs();
    assert_eq!(runs.iter().map(|run| run.steps).collect::<Vec<_>>(), [294, 79, 1]);
    assert_eq!(runs[0].x0[0], 1.5);
    assert_eq!(runs[0].s.dim(), (295, 2));
    assert_eq!(runs[0].s[[1, 0]], raw[0].1[[6, 0]] as f32);

    let dims = Dims { M: 6, N: 3, K: 2 };
    let model = theta(dims, 4);
    let generated: Vec<Array2<f32>> = runs.iter().map(|run| free_run(&model, 2, run)).collect();
    let scores = scorer.score(&generated, prediction_error(scorer.predictions(), &model, 2).0);
    raw[0].0 = raw[0].0.slice(s![5.., ..]).to_owned();
    raw[0].1 = raw[0].1.slice(s![5.., ..]).to_owned();
    let complete = raw
        .iter()
        .flat_map(|(x, _)| x.rows())
        .filter(|r| r.iter().all(|v| v.is_finite()));
    assert_eq!(scores.points_dstsp, complete.count());
    assert_eq!(scores.points_dh, 375);
    let (expected, pairs) = plain_prediction_error(&raw, &model, 2, 4);
    close("PE", scores.pe, expected, 1e-4);
    assert_eq!(scores.pairs_pe, pairs);
    assert!(
        scores.dstsp.is_finite() && (0.0..=1.0).contains(&scores.dh),
        "{scores:?}"
    );

    let floor = scorer.noise_floor().expect("valid");
    assert!(
        floor.dstsp.is_finite() && (0.0..=1.0).contains(&floor.dh),
        "{floor:?}"
    );
}

fn free_run(model: &Theta, P: usize, run: &alrnn_gpu::backend::FreeRun) -> Array2<f32> {
    let N = run.x0.len();
    let x0: Vec<f64> = run.x0.iter().map(|&v| f64::from(v)).collect();
    let mut z = model.initial_state(&x0);
    let mut out = Array2::zeros((run.steps + 1, N));
    for t in 0..=run.steps {
        if t > 0 {
            let s: Vec<f64> = if run.s.is_empty() {
                vec![]
            } else {
                run.s.row(t).iter().map(|&v| f64::from(v)).collect()
            };
            z = model.step(P, &z, &s);
        }
        out.row_mut(t).assign(&z.slice(s![..N]).mapv(|v| v as f32));
    }
    out
}

#[test]
fn many_dimensions_are_scored_by_mixtures() {
    let x = walk(400, 12, 1);
    let data = dataset(vec![without_inputs(x.clone())]);
    let settings = ScoreSettings {
        gmm_variance: 0.3,
        ..Default::default()
    };
    let scorer = Scorer::new(&data, settings.clone()).expect("valid");
    assert_eq!(scorer.dstsp_kind().label(), "GMM");
    let run = walk(400, 12, 2).mapv(|v| v as f32);
    let scores = scorer.score(std::slice::from_ref(&run), f64::NAN);
    let direct = Mixture::new(&[x.view()], 0.3, 0).divergence(&[run.view()]);
    assert_eq!(scores.dstsp, direct.value);
    assert_eq!(scores.dstsp_standard_error, direct.standard_error);
    let floor = noise_floor(&[x.view()], &settings).expect("valid");
    assert!(
        floor.dstsp > 0.0 && floor.dstsp_standard_error.is_some_and(|e| e > 0.0),
        "{floor:?}"
    );
    assert_eq!(floor.rows, 200);
}

#[test]
fn noise_floor_is_the_second_half_scored_against_the_first() {
    let (a, b) = (walk(401, 2, 1), walk(200, 2, 2));
    let settings = ScoreSettings {
        bins: 8,
        ..Default::default()
    };
    let floor = noise_floor(&[a.view(), b.view()], &settings).expect("valid");
    let (a1, a2) = (a.slice(s![..200, ..]), a.slice(s![201.., ..]));
    let (b1, b2) = (b.slice(s![..100, ..]), b.slice(s![100.., ..]));
    let pooled = |x, y| concatenate![Axis(0), x, y];
    let dense = dense_divergence(&pooled(a1, b1), &pooled(a2, b2), 8);
    close("D_stsp", floor.dstsp, dense, 1e-9);
    let expected = Spectra::new(&[a1, b1], 20.0).distance(&[a2, b2]);
    assert_eq!(floor.dh, expected);
    assert_eq!(floor.rows, 300);
}

#[test]
fn senseless_settings_are_refused() {
    let data = dataset(vec![without_inputs(walk(50, 2, 1))]);
    let default = ScoreSettings::default;
    let cases: HashMap<&str, ScoreSettings> = HashMap::from([
        ("bins", ScoreSettings { bins: 0, ..default() }),
        (
            "variance",
            ScoreSettings {
                gmm_variance: f64::NAN,
                ..default()
            },
        ),
        (
            "smoothing",
            ScoreSettings {
                smoothing: -1.0,
                ..default()
            },
        ),
        (
            "step",
            ScoreSettings {
                pe_steps: 0,
                ..default()
            },
        ),
    ]);
    for (word, settings) in cases {
        let error = Scorer::new(&data, settings).err().expect("refused");
        assert!(error.to_string().contains(word), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}
