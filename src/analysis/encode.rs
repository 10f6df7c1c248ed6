use std::collections::HashMap;

use super::input::AnalysisInput;
use super::map::Map;
use super::symbols::Code;
use crate::model::{Bounds, Theta};

/// Data as codes.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    /// One code a row, all trials one after another.
    pub codes: Vec<Code>,
    /// How often the driven state left the finite numbers and was started anew from the row at hand.
    pub restarts: usize,
}

impl Encoded {
    /// How many rows have each code.
    pub fn counts(&self) -> HashMap<Code, u64> {
        let mut counts = HashMap::new();
        self.codes
            .iter()
            .for_each(|&code| *counts.entry(code).or_default() += 1);
        counts
    }
}

/// Encodes data by driving the model through them.
///
/// From `z_0 = [x_0 ; L x_0]` on, the state of row `t` is `z̃_t = [x_t ; (F(z̃_{t−1}) + C s_t)[N:]]`: the observed
/// units are replaced by the data (where observed) at every row with `t mod interval = 0`, the others follow the
/// model. The code of a row is that of `z̃_t`. `None` without rows.
pub fn encode(input: &AnalysisInput<'_>, interval: usize, bounds: Bounds) -> Option<Encoded> {
    let theta = input.theta;
    let map = Map::new(theta, input.P, &[]);
    let mut encoded = Encoded::default();
    for trial in input.data {
        let mut z = Vec::new();
        for (t, x) in trial.x.rows().into_iter().enumerate() {
            let x = x.to_vec();
            if t > 0 {
                z = driven_step(theta, &map, &z, &trial.s.row(t).to_vec());
                if t % interval == 0 {
                    z.iter_mut()
                        .zip(&x)
                        .filter(|(_, x)| !x.is_nan())
                        .for_each(|(z, x)| *z = *x);
                }
            }
            let lost = !bounds.hold(&z);
            if t == 0 || lost {
                encoded.restarts += usize::from(lost);
                z = theta.initial_state(&x).to_vec();
            }
            encoded.codes.push(map.code(&z));
        }
    }
    Some(encoded).filter(|encoded| !encoded.codes.is_empty())
}

/// `F(z) + C s`.
fn driven_step(theta: &Theta, map: &Map, z: &[f64], s: &[f64]) -> Vec<f64> {
    let mut next = vec![0.0; map.M];
    map.step(z, &mut next);
    for (row, n) in theta.C.rows().into_iter().zip(&mut next) {
        let known = row.iter().zip(s).filter(|(_, s)| !s.is_nan());
        *n += known.map(|(c, s)| c * s).sum::<f64>();
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Trial;
    use crate::model::Dims;
    use ndarray::{Array2, array};

    /// `x' = x` is observed, `v' = x + 2 s` is a hidden ReLU unit: the code of a row is the sign of the row before
    /// plus twice its own input, and of `L x_0` in the first.
    #[test]
    fn hidden_units_follow_the_forced_ones() {
        let mut theta = Theta::zeros(Dims { M: 2, N: 1, K: 1 });
        theta.A[0] = 1.0;
        theta.W[[1, 0]] = 1.0;
        theta.L[[0, 0]] = -1.0;
        theta.C[[1, 0]] = 2.0;
        let x = array![[1.0], [-1.0], [1.0], [f64::NAN], [-2.0], [5.0]];
        let s = array![[0.0], [0.0], [0.0], [0.0], [-1.0], [2.0]];
        let name = "a".to_owned();
        let trial = Trial { name, x, s };
        let input = AnalysisInput {
            data: &[trial.clone(), trial],
            ..AnalysisInput::new(&theta, 1)
        };
        let encoded = encode(&input, 1, Bounds::around(&[10.0])).expect("rows");
        let bits: String = encoded.codes.iter().map(|c| c.text(1)).collect();
        // Rows: L·1 < 0; 1; −1; 1; (row 3 kept 1) 1 − 2; −2 + 4.
        assert_eq!(bits, "010101".repeat(2));
        assert_eq!(encoded.restarts, 0);
    }

    #[test]
    fn a_driven_state_that_overflows_is_started_anew() {
        let mut theta = Theta::zeros(Dims { M: 2, N: 1, K: 0 });
        theta.A[1] = 10.0;
        theta.L[[0, 0]] = 1.0;
        let x = Array2::from_elem((40, 1), 1.0);
        let s = Array2::zeros((40, 0));
        let name = "a".to_owned();
        let input = AnalysisInput {
            data: &[Trial { name, x, s }],
            ..AnalysisInput::new(&theta, 1)
        };
        let encoded = encode(&input, 1, Bounds::around(&[10.0])).expect("rows");
        assert_eq!(encoded.codes.len(), 40);
        assert_eq!(encoded.restarts, 3);
    }
}
