#![allow(non_snake_case, reason = "the paper's symbols")]

use nalgebra::{DMatrix, DVector};

use super::linalg::{Factored, least_squares};
use super::map::Map;
use super::orbit::Orbit;
use super::symbols::Code;

/// Condition number of `I − J` above which a word's fixed point is not called isolated.
pub const SINGULAR: f64 = 1e13;
/// Pivot ratio below which the condition number is worth computing during a search.
const SUSPICIOUS: f64 = 1e-9;

/// The solution of `F_w(z) = z`, where `F_w` composes the affine maps of the regions of a word `w`.
pub enum Solution {
    Isolated(Orbit),
    Degenerate(Degenerate),
}

/// A word for which `I − J` is singular within rounding: no solution, or a continuum of them.
pub struct Degenerate {
    pub word: Vec<Code>,
    /// Condition number of `I − J`.
    pub condition: f64,
    /// Dimension of the null space of `I − J`.
    pub nullity: usize,
    /// Whether solutions exist; then the states are those of the one of smallest norm.
    pub states: Option<Vec<Vec<f64>>>,
}

/// Solves `(I − J) z = b` with `F_w(z) = J z + b`, `J = J_k ⋯ J_1`; two rounds of iterative refinement along the
/// word.
pub fn solve_word(map: &Map, word: &[Code]) -> Solution {
    let M = map.M;
    let mut J = map.jacobian(word[0]);
    let (mut scratch, mut product) = (DMatrix::zeros(M, M), DMatrix::zeros(M, M));
    for &code in &word[1..] {
        map.apply_jacobian(code, &J, &mut scratch, &mut product);
        std::mem::swap(&mut J, &mut product);
    }
    let b = along(map, word, &vec![0.0; M]).1;
    if J.iter().chain(&b).any(|v| !v.is_finite()) {
        return degenerate(map, word, f64::INFINITY, None);
    }
    let b = DVector::from_vec(b);
    let system = DMatrix::identity(M, M) - &J;
    let matrix = Factored::new(system.clone());
    let ratio = matrix.pivot_ratio();
    if ratio.is_nan() || ratio < SUSPICIOUS {
        let condition = matrix.condition();
        if condition > SINGULAR {
            return degenerate(map, word, condition, Some((&system, &b)));
        }
    }
    let Some(mut z) = matrix.solve(&b) else {
        return degenerate(map, word, f64::INFINITY, Some((&system, &b)));
    };
    for _ in 0..2 {
        let image = DVector::from_vec(along(map, word, z.as_slice()).1);
        if let Some(step) = matrix.solve(&(image - &z)) {
            z += step;
        }
    }
    Solution::Isolated(Orbit {
        word: word.to_vec(),
        states: along(map, word, z.as_slice()).0,
        jacobian: J,
        matrix,
        errors: None,
    })
}

/// The states `z_1 = z, z_2, …, z_k` along a word and the image `z_{k+1}` of the last one.
pub fn along(map: &Map, word: &[Code], z: &[f64]) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut states = Vec::with_capacity(word.len());
    let mut now = z.to_vec();
    for &code in word {
        let mut next = vec![0.0; map.M];
        map.affine_step(code, &now, &mut next);
        states.push(std::mem::replace(&mut now, next));
    }
    (states, now)
}

fn degenerate(
    map: &Map,
    word: &[Code],
    condition: f64,
    system: Option<(&DMatrix<f64>, &DVector<f64>)>,
) -> Solution {
    let solved = system.and_then(|(matrix, b)| {
        let (z, nullity) = least_squares(matrix, b)?;
        let residual = (matrix * &z - b).amax();
        let exists = residual <= 1e-9 * (1.0 + z.amax() + b.amax());
        Some((nullity, exists.then(|| along(map, word, z.as_slice()).0)))
    });
    let (nullity, states) = solved.unwrap_or((0, None));
    Solution::Degenerate(Degenerate {
        word: word.to_vec(),
        condition,
        nullity,
        states,
    })
}
