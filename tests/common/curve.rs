//! `tests/golden/training/*.npz`, see `make.py` there. The parent module says which crate `backend` and `model` are of: unit
//! tests read the curves too.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use ndarray::{Array0, Array1, Array2};
use ndarray_npy::NpzReader;

use super::backend::{EnsembleState, Form, MISSING, Member, MemberState, Optimizer, Plan, TrainingData};
use super::model::{Dims, Shape, Theta};

/// A training made elsewhere, of which every number is known.
pub struct Curve {
    pub name: &'static str,
    pub plan: Plan,
    pub data: Arc<TrainingData>,
    pub start: EnsembleState,
    /// `[epochs + 1, n_params]` parameters before the first and after each epoch.
    pub theta: Array2<f64>,
    /// `[epochs]` mean loss.
    pub loss: Vec<f64>,
}

/// All of them, to be trained in this form.
pub fn all(form: Form) -> Vec<Curve> {
    let names = ["radam", "adam", "radam_clipped", "adam_clipped"];
    names.into_iter().map(|name| load(name, form)).collect()
}

/// The checkout: where this was built, or where CARGO_MANIFEST_DIR says that it lies by now.
pub fn checkout() -> PathBuf {
    let moved = std::env::var_os("CARGO_MANIFEST_DIR");
    moved.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()).into()
}

fn load(name: &'static str, form: Form) -> Curve {
    let folder = checkout().join("tests/golden/training");
    let file = File::open(folder.join(format!("{name}.npz"))).expect("the curve is there");
    let mut npz = NpzReader::new(file).expect("an archive");
    let meta: Array1<f64> = npz.by_name("meta").expect("sizes");
    let [M, N, P, K, S, T, tau, epochs, batches] = std::array::from_fn(|i| meta[i] as usize);
    let settings: Array1<f64> = npz.by_name("settings").expect("settings");
    let [alpha, start_lr, end_lr, lambda_lat, lambda_obs, clip] = std::array::from_fn(|i| settings[i]);
    let adam: Array0<f64> = npz.by_name("adam").expect("the optimiser");
    let x: Array2<f64> = npz.by_name("x").expect("data");
    let s: Array2<f64> = npz.by_name("s").expect("inputs");
    let theta: Array2<f64> = npz.by_name("theta").expect("parameters");
    let loss: Array2<f64> = npz.by_name("loss").expect("losses");

    let dims = Dims::new(M, N, K).expect("sizes");
    let member = Member {
        seed: 1,
        P,
        tau,
        alpha,
        start_lr,
        end_lr,
        lambda_lat,
        lambda_obs,
        clip: (clip > 0.0).then_some(clip),
        ..Member::default()
    };
    let single = |&v: &f64| if v.is_nan() { MISSING } else { v as f32 };
    let start = Theta::unpack(dims, &theta.row(0).to_vec());
    Curve {
        name,
        plan: Plan {
            shape: Shape::new(dims, S, T).expect("sizes"),
            members: vec![member],
            optimizer: if adam[()] == 1.0 {
                Optimizer::Adam
            } else {
                Optimizer::Radam
            },
            epochs: epochs as u32,
            batches_per_epoch: batches as u32,
            form,
        },
        data: Arc::new(TrainingData {
            N,
            K,
            x: x.iter().map(single).collect(),
            s: s.iter().map(|&v| v as f32).collect(),
            starts: vec![0],
            has_missing: x.iter().any(|v| v.is_nan()),
        }),
        start: EnsembleState {
            step: 0,
            members: vec![MemberState::new(&start)],
        },
        theta,
        loss: loss.mean_axis(ndarray::Axis(1)).expect("batches").to_vec(),
    }
}
