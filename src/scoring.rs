//! Scores of many models: free runs on the device, as many models at a time as memory holds, and metrics on all cores.
#![allow(non_snake_case, reason = "the paper's symbols")]

use rayon::prelude::*;

use crate::backend::{Backend, FreeModel, prediction_error};
use crate::error::Result;
use crate::metrics::{Scorer, Scores};
use crate::model::Dims;

/// Bytes of free runs held in memory at a time.
const TRAJECTORY_BUDGET: usize = 64 << 20;

/// Scores of all models, in their order. Those of equal dimensions run together; a model's scores do not depend on
/// which others are scored beside it.
///
/// # Errors
/// When the device cannot run a model.
pub fn score_models(
    models: &[(Dims, FreeModel<'_>)],
    backend: &dyn Backend,
    scorer: &Scorer,
) -> Result<Vec<Scores>> {
    let mut order: Vec<usize> = (0..models.len()).collect();
    order.sort_by_key(|&i| models[i].0);
    let rows: usize = scorer.free_runs().iter().map(|run| run.steps + 1).sum();
    let mut scored = Vec::with_capacity(models.len());
    for equal in order.chunk_by(|&i, &j| models[i].0 == models[j].0) {
        let dims = models[equal[0]].0;
        let most = (TRAJECTORY_BUDGET / (4 * rows * dims.N).max(1)).max(1);
        for chunk in equal.chunks(most) {
            let free: Vec<FreeModel<'_>> = chunk.iter().map(|&i| models[i].1).collect();
            let runs = backend.free_run(dims, &free, scorer.free_runs(), false)?;
            scored.par_extend(chunk.par_iter().zip(&free).zip(&runs).map(|((&i, model), runs)| {
                let predictions = scorer.predictions();
                let (rows, steps) = (predictions.rows(), predictions.steps());
                let pe = prediction_error(dims, *model, rows, &rows.starts, steps);
                (i, scorer.score(runs, pe))
            }));
        }
    }
    scored.sort_by_key(|&(i, _)| i);
    Ok(scored.into_iter().map(|(_, scores)| scores).collect())
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::backend::open;
    use crate::config::BackendChoice;
    use crate::dataset::{Dataset, Trial};
    use crate::metrics::ScoreSettings;
    use crate::model::init;

    /// Models of two sizes in turn, as `evaluate RUN` has them best first.
    #[test]
    fn scores_stand_in_the_models_order_and_do_not_depend_on_the_others() {
        let x = Array2::from_shape_fn((120, 2), |(t, j)| (0.3 * t as f64 + j as f64).sin());
        let trial = Trial {
            name: "waves".into(),
            s: Array2::zeros((120, 0)),
            x,
        };
        let data = Dataset {
            trials: vec![trial],
            N: 2,
            ..Dataset::default()
        };
        let scorer = Scorer::new(&data, ScoreSettings::default()).expect("valid");
        let backend = open(BackendChoice::Cpu, None).expect("a CPU");
        let dims = [5, 7, 5, 7, 3].map(|M| Dims { M, N: 2, K: 0 });
        let thetas: Vec<Vec<f32>> = (0..5).map(|i| init(dims[i], i as u32).pack()).collect();
        let models: Vec<_> = std::iter::zip(dims, &thetas)
            .map(|(dims, theta)| (dims, FreeModel { theta, P: 1 }))
            .collect();
        let together = score_models(&models, backend.as_ref(), &scorer).expect("scored");
        for (model, scores) in models.chunks(1).zip(together) {
            let alone = score_models(model, backend.as_ref(), &scorer).expect("scored")[0];
            assert_eq!(format!("{scores:?}"), format!("{alone:?}"));
        }
    }
}
