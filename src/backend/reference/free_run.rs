#![allow(non_snake_case, reason = "the paper's symbols")]

use ndarray::{Array2, s};

use crate::backend::FreeRun;
use crate::model::Theta;

/// The model left to itself: `z_0 = [x_0 ; L x_0]`, `z_{t+1} = F(z_t) + C s_{t+1}`; the first `columns` units of
/// `z_0 … z_steps`, `[steps + 1, columns]`.
pub fn free_run(theta: &Theta, P: usize, run: &FreeRun, columns: usize) -> Array2<f32> {
    let x0: Vec<f64> = run.x0.iter().map(|&x| f64::from(x)).collect();
    let mut z = theta.initial_state(&x0);
    let mut out = Array2::zeros((run.steps + 1, columns));
    for t in 0..=run.steps {
        if t > 0 {
            let inputs: Vec<f64> = if theta.C.ncols() > 0 {
                run.s.row(t).iter().map(|&v| f64::from(v)).collect()
            } else {
                vec![]
            };
            z = theta.step(P, &z, &inputs);
        }
        out.row_mut(t).assign(&z.slice(s![..columns]).mapv(|v| v as f32));
    }
    out
}
