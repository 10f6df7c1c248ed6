use nalgebra::{DMatrix, DVector};

use super::linalg::{Factored, least_squares};
use super::map::Map;
use super::orbit::Orbit;
use super::symbols::Code;

/// Condition number of `I − J` above which a word's fixed point is not called isolated.
pub const SINGULAR: f64 = 1e13;
/// Pivot ratio below which the condition number is worth computing during a search.
const SUSPICIOUS: f64 = 1e-9;

/// A word whose map has no isolated solution: `I − J` is singular within rounding.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct DegenerateWord {
    pub word: Vec<String>,
    /// Condition number (1-norm) of `I − J`.
    pub condition: f64,
    /// Dimension of the null space of `I − J` (0 where `J` is too large to tell).
    pub nullity: usize,
    /// Whether solutions exist: a whole line, plane, … of them.
    pub continuum: bool,
    /// Whether the one of smallest norm lies in the word's regions.
    pub real: bool,
}

/// The solution of `F_w(z) = z`, where `F_w` composes the affine maps of the regions of a word `w`:
/// `(I − J) z = b` with `F_w(z) = J z + b`, `J = J_k ⋯ J_1`; two rounds of iterative refinement along the word.
///
/// # Errors
/// A word without an isolated solution, and what is known of it.
pub fn solve_word(map: &Map, word: &[Code]) -> Result<Orbit, DegenerateWord> {
    let M = map.M;
    let mut J = map.jacobian(word[0]);
    let (mut scratch, mut product) = (DMatrix::zeros(M, M), DMatrix::zeros(M, M));
    for &code in &word[1..] {
        map.apply_jacobian(code, &J, &mut scratch, &mut product);
        std::mem::swap(&mut J, &mut product);
    }
    let b = map.along(word, &vec![0.0; M]).1;
    if J.iter().chain(&b).any(|v| !v.is_finite()) {
        return Err(degenerate(map, word, f64::INFINITY, None));
    }
    let b = DVector::from_vec(b);
    let system = DMatrix::identity(M, M) - &J;
    let matrix = Factored::new(system.clone());
    let ratio = matrix.pivot_ratio();
    if ratio.is_nan() || ratio < SUSPICIOUS {
        let condition = matrix.condition();
        if condition > SINGULAR {
            return Err(degenerate(map, word, condition, Some((&system, &b))));
        }
    }
    let singular = || degenerate(map, word, f64::INFINITY, Some((&system, &b)));
    let mut z = matrix.solve(&b).ok_or_else(singular)?;
    for _ in 0..2 {
        let image = DVector::from_vec(map.along(word, z.as_slice()).1);
        if let Some(step) = matrix.solve(&(image - &z)) {
            z += step;
        }
    }
    Ok(Orbit {
        word: word.to_vec(),
        states: map.along(word, z.as_slice()).0,
        jacobian: J,
        matrix,
        errors: None,
    })
}

fn degenerate(
    map: &Map,
    word: &[Code],
    condition: f64,
    system: Option<(&DMatrix<f64>, &DVector<f64>)>,
) -> DegenerateWord {
    let solved = system.and_then(|(matrix, b)| {
        let (z, nullity) = least_squares(matrix, b)?;
        let residual = (matrix * &z - b).amax();
        let exists = residual <= 1e-9 * (1.0 + z.amax() + b.amax());
        Some((nullity, exists.then(|| map.along(word, z.as_slice()).0)))
    });
    let (nullity, states) = solved.unwrap_or((0, None));
    let lies_there = |states: &Vec<Vec<f64>>| states.iter().zip(word).all(|(z, c)| map.code(z) == *c);
    DegenerateWord {
        word: word.iter().map(|c| c.text(map.P)).collect(),
        condition,
        nullity,
        continuum: states.is_some(),
        real: states.as_ref().is_some_and(lies_there),
    }
}
