//! A model with some of its ReLU units made linear, trained to do what it did before.

use std::sync::Arc;

use ndarray::{Array2, Axis};

use super::fit::fitted;
use crate::analysis::Reduction;
use crate::backend::{
    Backend, EnsembleStart, EnsembleState, Form, FreeModel, Member, MemberState, Optimizer, Plan,
};
use crate::dataset::{LoadRequest, Trial, from_arrays};
use crate::error::{Error, Result};
use crate::model::{Dims, FreeRun, Model, Shape, Theta};

/// Rows of the free run that a reduced model is trained on, steps predicted of a window, steps between two of which all units
/// are forced, windows in a batch, epochs of 50 batches, and learning rates (Tamura and Tanaka, arXiv 2610.01369, but for
/// rows and epochs).
const ROWS: usize = 20_000;
const T: usize = 200;
const TAU: usize = 128;
const S: usize = 16;
const BATCHES: u32 = 50;
const LEARNING_RATES: [f64; 2] = [1e-3, 1e-5];
/// Sets of units looked at.
const SETS: usize = 16;

/// A model to reduce, and the sets of units, any of which may be made linear; all leave as many ReLUs.
#[derive(Clone, Debug)]
pub struct Parent {
    pub model: Model,
    pub reductions: Vec<Reduction>,
    pub seed: u32,
}

/// A model before it is retrained.
struct Start {
    theta: Theta,
    P: usize,
    /// The parent's free run, `[ROWS, M]`, in the order of these units.
    states: Array2<f64>,
}

impl Parent {
    /// The units of the reduced model by those of the parent: the ones to make linear stand before the other ReLUs.
    ///
    /// # Errors
    /// When ReLU units are among the observed ones, which cannot change places.
    fn order(&self, reduction: &Reduction) -> Result<Vec<usize>> {
        let P = self.model.P;
        let Dims { M, N, .. } = self.model.theta.dims();
        if P > M - N {
            return Err(Error::input(format!(
                "a model of P = {P} ReLUs and M − N = {} hidden units has observed ReLUs, which cannot be made linear",
                M - N
            ))
            .with_hint("use a larger --M"));
        }
        let first = M - P;
        let linear = &reduction.linear;
        let stay = (0..P).filter(|unit| !linear.contains(unit));
        let hidden = linear.iter().copied().chain(stay).map(|unit| first + unit);
        Ok((0..first).chain(hidden).collect())
    }

    /// Of the sets of units the one without which the model's steps along its own run are told best.
    fn start(&self, x0: &[f64], backend: &dyn Backend) -> Result<Start> {
        let run = free_run(&self.model, x0, ROWS, backend)?;
        let mut best: Option<(Start, f64)> = None;
        for reduction in self.reductions.iter().take(SETS) {
            let order = self.order(reduction)?;
            let states = run.select(Axis(1), &order);
            let (theta, error) = fitted(&self.model.theta.reordered(&order), reduction.P, states.view())?;
            if best.as_ref().is_none_or(|(_, least)| error < *least) {
                let P = reduction.P;
                best = Some((Start { theta, P, states }, error));
            }
        }
        best.map(|(start, _)| start)
            .ok_or_else(|| Error::input("no units of this model can be made linear"))
    }
}

/// All units along a model's free run, `[rows, M]`.
///
/// # Errors
/// When the model has external inputs, or the device fails.
pub(super) fn free_run(model: &Model, x0: &[f64], rows: usize, backend: &dyn Backend) -> Result<Array2<f64>> {
    let dims = model.theta.dims();
    if dims.K > 0 {
        return Err(Error::input(
            "models with external inputs cannot be reduced: they have no free run of their own",
        ));
    }
    let theta = model.theta.pack();
    let run = FreeRun {
        x0: x0.iter().map(|&v| v as f32).collect(),
        steps: rows - 1,
        s: Array2::zeros((0, 0)),
    };
    let P = model.P;
    let states = backend
        .free_run(dims, &[FreeModel { theta: &theta, P }], &[run], true)?
        .remove(0)
        .remove(0);
    Ok(states.mapv(f64::from))
}

/// Trains reduced models, each on the free run of its parent, side by side; in their order. One that diverges is `None`.
///
/// Each starts from the model with these units linear that is nearest to its parent step by step (by least squares): with the
/// parent's own parameters a unit that is linear all at once sends runs to infinity before they are trained. The loss is the
/// mean squared error over the observed units plus `λ` times that over the hidden ones, `λ = (M − N)/N`: up to a factor the mean
/// over all units, so it is the loss of a model that observes all its units, and forcing of all units is the forcing of that
/// model. Every backend trains it as any other. `x0[N]` is where the parents' runs start.
///
/// # Errors
/// When a parent has external inputs or observed ReLUs, its run does not stay finite, or the device fails.
pub fn retrain(
    parents: &[Parent],
    x0: &[f64],
    epochs: u32,
    backend: &dyn Backend,
    epoch_done: &mut dyn FnMut(u32) -> bool,
) -> Result<Option<Vec<Option<Model>>>> {
    if parents.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let reduced: Vec<Start> = (parents.iter())
        .map(|parent| parent.start(x0, backend))
        .collect::<Result<_>>()?;
    let start = |(parent, start): (&Parent, &Start)| ensemble(parent, start, epochs);
    let starts: Vec<EnsembleStart> = parents.iter().zip(&reduced).map(start).collect::<Result<_>>()?;
    let mut ensembles = backend.ensembles(starts)?;
    for epoch in 1..=epochs {
        backend.train_epoch(&mut ensembles)?;
        for ensemble in &mut ensembles {
            ensemble.results(true)?;
        }
        if !epoch_done(epoch) {
            return Ok(None);
        }
    }
    let trained = ensembles
        .iter_mut()
        .zip(parents)
        .zip(&reduced)
        .map(|((ensemble, parent), before)| {
            let state = ensemble.state()?.members.remove(0);
            let all = Theta::unpack(observing_all(before.theta.dims()), &state.theta);
            let model = Model {
                theta: Theta {
                    L: before.theta.L.clone(),
                    C: before.theta.C.clone(),
                    ..all
                },
                P: before.P,
                ..parent.model.clone()
            };
            Ok(state.stopped_at.is_none().then_some(model))
        });
    trained.collect::<Result<_>>().map(Some)
}

/// Of a model whose units are all observed.
fn observing_all(dims: Dims) -> Dims {
    Dims {
        N: dims.M,
        K: 0,
        ..dims
    }
}

fn ensemble(parent: &Parent, start: &Start, epochs: u32) -> Result<EnsembleStart> {
    let dims = observing_all(start.theta.dims());
    let trial = Trial {
        name: format!("the free run of the model of seed {}", parent.seed),
        x: start.states.clone(),
        s: Array2::zeros((ROWS, 0)),
    };
    let data = from_arrays(vec![trial], &LoadRequest::default())?;
    let theta = Theta {
        L: Array2::zeros((0, dims.M)),
        C: Array2::zeros((dims.M, 0)),
        ..start.theta.clone()
    };
    let member = Member {
        seed: parent.seed,
        P: start.P,
        tau: TAU,
        start_lr: LEARNING_RATES[0],
        end_lr: LEARNING_RATES[1],
        ..Member::default()
    };
    Ok(EnsembleStart {
        plan: Plan {
            shape: Shape::new(dims, S, T)?,
            members: vec![member],
            optimizer: Optimizer::Radam,
            epochs,
            batches_per_epoch: BATCHES,
            form: Form::Auto,
        },
        data: Arc::new(data.training(T)?.0),
        state: EnsembleState {
            step: 0,
            members: vec![MemberState::new(&theta)],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::CpuBackend;

    /// A circle with two hidden ReLUs, of which the second (unit 3 of 4) is always on.
    fn parent() -> Parent {
        let mut theta = Theta::zeros(Dims { M: 4, N: 2, K: 0 });
        let (sine, cosine) = 0.1f64.sin_cos();
        theta.A.assign(&ndarray::arr1(&[cosine, cosine, 0.0, 0.5]));
        theta.W[[0, 1]] = -sine;
        theta.W[[1, 0]] = sine;
        theta.W[[2, 0]] = 0.3;
        theta.W[[3, 3]] = 0.25;
        theta.W[[3, 1]] = 0.1;
        theta.W[[3, 2]] = 0.2;
        theta.h[3] = 1.0;
        theta.L[[1, 0]] = 4.0;
        Parent {
            model: Model {
                theta,
                P: 2,
                scaling: None,
                dt: None,
                columns: None,
                input_columns: None,
            },
            reductions: vec![Reduction {
                linear: vec![1],
                P: 1,
                symbols: 2,
            }],
            seed: 3,
        }
    }

    #[test]
    fn a_unit_that_is_always_on_is_no_loss() {
        let parent = parent();
        let backend = CpuBackend::new(None).expect("a CPU");
        let trained = retrain(
            std::slice::from_ref(&parent),
            &[1.0, 0.0],
            1,
            &backend,
            &mut |_| true,
        )
        .expect("trained");
        let model = trained.expect("not stopped").remove(0).expect("finite");
        assert_eq!((model.P, model.theta.dims()), (1, parent.model.theta.dims()));
        // Unit 3 stands before the ReLU that stays; the loss was 0, so nothing has moved.
        let order = parent.order(&parent.reductions[0]).expect("hidden ReLUs");
        let expected = parent.model.theta.reordered(&order);
        assert_eq!(expected.h.to_vec(), [0.0, 0.0, 1.0, 0.0]);
        let moved = model
            .theta
            .iter()
            .zip(expected.iter())
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max);
        assert!(moved <= 1e-3, "{moved}");
        let run = |theta: &Theta, P: usize| {
            let mut z = theta.initial_state(&[1.0, 0.0]);
            (0..50).for_each(|_| z = theta.step(P, &z, &[]));
            z[0]
        };
        let apart = (run(&parent.model.theta, 2) - run(&expected, 1)).abs();
        assert!(apart <= 1e-12, "{apart}");
    }

    #[test]
    fn observed_relus_stay() {
        let mut parent = parent();
        parent.model.P = 3;
        let error = parent.order(&parent.reductions[0]).expect_err("an observed ReLU");
        assert!(error.to_string().contains("observed ReLUs"), "{error}");
    }
}
