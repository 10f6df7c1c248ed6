#![allow(non_snake_case, reason = "the paper's symbols")]

use crate::model::Theta;

/// Per-column affine map between the user's units and the model's: `data = mean + scale · model`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Scaling {
    pub mean: Vec<f64>,
    pub scale: Vec<f64>,
}

/// A trained model: parameters, `P`, and what is needed to speak in the user's units.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub theta: Theta,
    pub P: usize,
    pub scaling: Option<Scaling>,
    /// Time between two observations, in the user's unit of time.
    pub dt: Option<f64>,
}
