//! A made-up run of 60 members and data of the Lorenz system, for the tests of the report.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(non_snake_case, reason = "the paper's symbols")]

pub mod chromium;

use std::fs;
use std::path::{Path, PathBuf};

use alrnn_gpu::arrays::save_array;
use alrnn_gpu::dataset::{LoadRequest, load};
use alrnn_gpu::model::{Dims, Model, init};
use alrnn_gpu::rng::{Stream, normals};
use ndarray::Array2;

/// `rows` observations of the Lorenz-63 system (RK4, 0.01 apart, transient dropped), standardised.
pub fn lorenz(rows: usize) -> Array2<f64> {
    let f = |[x, y, z]: [f64; 3]| [10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z];
    let along = |v: [f64; 3], k: [f64; 3], h: f64| [v[0] + h * k[0], v[1] + h * k[1], v[2] + h * k[2]];
    let mut v = [1.0, 1.0, 20.0];
    let mut x = Array2::zeros((rows, 3));
    for t in 0..rows + 1000 {
        let h = 0.01;
        let k1 = f(v);
        let k2 = f(along(v, k1, 0.5 * h));
        let k3 = f(along(v, k2, 0.5 * h));
        let k4 = f(along(v, k3, h));
        for j in 0..3 {
            v[j] += h / 6.0 * (k1[j] + 2.0 * k2[j] + 2.0 * k3[j] + k4[j]);
        }
        if t >= 1000 {
            x.row_mut(t - 1000).assign(&ndarray::aview1(&v));
        }
    }
    for mut column in x.columns_mut() {
        let (mean, deviation) = (column.mean().expect("rows"), column.std(1.0));
        column.mapv_inplace(|v| (v - mean) / deviation);
    }
    x
}

/// A run folder of 60 members (P 0 … 5 × 10 seeds), three of them diverged, as `train` leaves it, with its data
/// beside it; `data` is the data file's name.
pub fn run_folder(root: &Path, data: &str, rows: usize) -> PathBuf {
    let run = root.join("run");
    for folder in ["best", "last", "plots"] {
        fs::create_dir_all(run.join(folder)).expect("folder");
    }
    let path = root.join(data);
    save_array(&path, lorenz(rows).view(), None).expect("data");
    let request = LoadRequest {
        data: vec![path.display().to_string()],
        ..LoadRequest::default()
    };
    let hash = load(&request).expect("data load").hash;
    fs::write(run.join("config.toml"), config(&path, rows, &hash)).expect("config");
    let mut members = String::from(
        "id,seed,M,P,tau,alpha,T,batch_size,noise,start_lr,end_lr,optimizer,clip,lambda_lat,lambda_obs,status,\
         stopped_epoch,best_epoch,D_stsp,D_H,PE,points_D_stsp,points_D_H,pairs_PE\n",
    );
    let mut log = String::from("epoch,member,loss,lr,D_stsp,D_H,PE\n");
    for i in 0..60u32 {
        let (id, P, seed) = (format!("m{i:03}"), i / 10, i % 10);
        let diverged = [7, 23, 24].contains(&i);
        let spread = 1.0 + 0.9 * f64::from((seed * 7 + P * 3) % 10) / 10.0;
        let best = (0.12 + 4.0 / f64::from(1 + 4 * P * P)) * spread;
        let settings = format!("{id},{seed},20,{P},16,1,200,16,0.05,0.001,0.00001,radam,,0,0");
        members += &if diverged {
            format!("{settings},diverged,12,,,,,,,\n")
        } else {
            format!(
                "{settings},ok,,{},{best},{},{},{rows},{rows},{rows}\n",
                1900 + seed,
                0.1 * best,
                0.3 * best
            )
        };
        for e in 1..=80u32 {
            let decay = 1.0 + 9.0 * (-f64::from(e) / (8.0 + f64::from(seed))).exp();
            let row = format!("{},{id},{},0.0005,", 25 * e, 0.05 * spread * decay);
            if !diverged {
                log += &format!(
                    "{row}{},{},{}\n",
                    best * decay,
                    0.1 * best * decay.sqrt(),
                    0.3 * best
                );
            } else if e < 2 {
                log += &format!("{row},,\n");
            }
        }
        if !diverged {
            let dims = Dims::new(20, 3, 0).expect("sizes");
            let mut theta = init(dims, i);
            theta
                .W
                .iter_mut()
                .zip(normals(i, Stream::Noise))
                .for_each(|(w, n)| *w += 0.12 * f64::from(n));
            theta
                .h
                .iter_mut()
                .zip(normals(i + 100, Stream::Noise))
                .for_each(|(h, n)| *h = 0.3 * f64::from(n));
            theta.A.mapv_inplace(|a| 0.5 * a);
            let model = Model {
                theta,
                P: P as usize,
                scaling: None,
                dt: Some(0.01),
                columns: None,
                input_columns: None,
            };
            model
                .save(run.join("best").join(format!("{id}.npz")))
                .expect("model");
        }
    }
    fs::write(run.join("members.csv"), members).expect("members");
    fs::write(run.join("log.csv"), log).expect("log");
    run
}

fn config(data: &Path, rows: usize, hash: &str) -> String {
    format!(
        "data = [{data:?}]\nstandardize = false\nM = 20\nP = [0, 1, 2, 3, 4, 5]\ntau = 16\nepochs = 2000\n\
         smoothing = 20.0\npe-steps = 20\nseeds = 10\n\n\
         [run]\nversion = \"0.1.0\"\nbackend = \"cpu\"\ndevice = \"8 cores, AVX-512\"\n\
         started = \"2026-01-02 10:00:00\"\nfinished = \"2026-01-02 10:04:30\"\nmembers = 60\ndstsp = \"bins\"\n\n\
         [run.data]\nhash = {hash:?}\nrows = {rows}\ntrials = 1\nN = 3\nK = 0\n\n\
         [run.noise-floor]\nD_stsp = 0.11\nD_H = 0.015\nD_stsp_resting = 13.2\n"
    )
}
