//! The optimisers and their schedule, in f64, against curves from another framework.

use crate::backend;
use crate::backend::golden::relative_error;
use crate::backend::reference::ReferenceEnsemble;
use crate::backend::{Ensemble, Form, reference::members};
use crate::model;

#[path = "../../../tests/common/curve.rs"]
mod curve;

/// Parameters by how far they moved. (The results' losses are f32.)
#[test]
fn whole_trainings_are_those_of_another_framework() {
    for curve in curve::all(Form::Plain) {
        let mut ensemble = ReferenceEnsemble {
            members: members(curve.plan.shape.dims, &curve.start),
            plan: curve.plan,
            data: curve.data,
            step: 0,
            finished: Vec::new(),
        };
        let start = curve.theta.row(0);
        for (epoch, &loss) in curve.loss.iter().enumerate() {
            ensemble.train_epoch().expect("it trains");
            let result = ensemble.finished.pop().expect("a result an epoch");
            let of_loss = relative_error([f64::from(result.loss[0])], [loss]);
            let theta = ensemble.members[0].theta.iter().zip(&start).map(|(a, b)| a - b);
            let of_theta = relative_error(theta, (&curve.theta.row(epoch + 1) - &start).iter());
            println!(
                "{} epoch {epoch}: loss {of_loss:e}, parameters {of_theta:e}",
                curve.name
            );
            assert!(
                of_loss <= 1e-7,
                "loss of {}, epoch {epoch}: {of_loss:e}",
                curve.name
            );
            assert!(
                of_theta <= 1e-9,
                "parameters of {}, epoch {epoch}: {of_theta:e}",
                curve.name
            );
        }
    }
}
