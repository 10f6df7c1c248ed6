use nalgebra::{DMatrix, DVector};

use super::linalg::Factored;
use super::map::Map;
use super::symbols::Code;

/// An orbit that misses itself by more than this (relative) after one turn is not reported.
const MAX_RESIDUAL: f64 = 1e-6;
/// On a border, where neighbouring regions' maps are held to agree, each state must be mapped onto the next by the
/// model itself to within this (relative).
const BORDER_RESIDUAL: f64 = 1e-10;
/// Units nearer to 0 than this (relative, for a well-conditioned word) have the rounding of their value looked into.
const NEAR: f64 = 1e-9;
/// Rounds of refinement of the states of an orbit near a border.
const ROUNDS: usize = 3;

/// The one fixed point of a word's map and its images inside the word.
///
/// Where a ReLU unit of a state is 0 to within rounding, the state lies *on the border* of two regions, and both
/// have it for a solution. Which side a computed value falls on is then chance: the solutions of all words that the
/// border lets the orbit spell are one orbit.
pub struct Orbit {
    pub word: Vec<Code>,
    /// `[k][M]`: `states[j]` is mapped to `states[j + 1]` by the region `word[j]`, whether it lies there or not.
    pub states: Vec<Vec<f64>>,
    /// Product of the Jacobians along the word, `[M, M]`. On a border, that of the side that the word names.
    pub jacobian: DMatrix<f64>,
    /// `I − jacobian`.
    pub matrix: Factored,
    /// Bounds `[k][M]` of the rounding errors of the states of a real orbit on a border; `None` elsewhere.
    pub errors: Option<Vec<Vec<f64>>>,
}

impl Orbit {
    /// The regions in which the states lie. Equal to the word for a *real* orbit that is on no border.
    pub fn codes(&self, map: &Map) -> Vec<Code> {
        self.states.iter().map(|z| map.code(z)).collect()
    }

    /// Condition number (1-norm) of `I − J`.
    pub fn condition(&self) -> f64 {
        self.matrix.condition()
    }

    /// `max |F^k(z_1) − z_1|`: the map itself iterated once around.
    pub fn residual(&self, map: &Map) -> f64 {
        let (mut z, mut next) = (self.states[0].clone(), vec![0.0; map.M]);
        for _ in 0..self.states.len() {
            map.step(&z, &mut next);
            std::mem::swap(&mut z, &mut next);
        }
        distance(&z, &self.states[0])
    }

    /// `max |F_w(z_1) − z_1|` with the affine maps of the word; equal to the residual for a real orbit.
    pub fn affine_residual(&self, map: &Map) -> f64 {
        distance(&map.along(&self.word, &self.states[0]).1, &self.states[0])
    }

    /// Smallest `|z|` of a ReLU unit along the orbit: how far it is from changing its word.
    pub fn border_distance(&self, map: &Map) -> f64 {
        let relu = self.states.iter().flat_map(|z| &z[map.M - map.P..]);
        relu.fold(f64::INFINITY, |smallest, v| smallest.min(v.abs()))
    }

    /// Whether a unit is 0 to within rounding on this real orbit.
    pub fn on_border(&self) -> bool {
        self.errors.is_some()
    }

    /// Whether state `j` lies in the region `code` or on its border.
    pub fn fits(&self, map: &Map, j: usize, code: Code) -> bool {
        let first = map.M - map.P;
        (0..map.P).all(|p| {
            let z = self.states[j][first + p];
            let error = self.errors.as_ref().map_or(0.0, |e| e[j][first + p]);
            (z > 0.0) == code.bit(p) || z.abs() <= error
        })
    }

    /// Whether the solution is *real*: an orbit of the map itself, every state in its region of the word or on the
    /// border of it; otherwise the orbit is *virtual*. Near a border the states are refined, their rounding errors
    /// bounded, and the map itself applied to each of them.
    pub fn settle(&mut self, map: &Map) -> bool {
        let near = self.near(map);
        let relu = map.M - map.P..map.M;
        let mut touches = false;
        for (z, code) in self.states.iter().zip(&self.word) {
            for (p, v) in z[relu.clone()].iter().enumerate() {
                touches |= v.abs() <= near;
                if (*v > 0.0) != code.bit(p) && (v.is_nan() || v.abs() > near) {
                    return false;
                }
            }
        }
        let size = self.states[0].iter().fold(1.0f64, |m, v| m.max(v.abs()));
        if !touches {
            return self.residual(map) <= MAX_RESIDUAL * size;
        }
        self.refine(map);
        let Some(errors) = self.error_bounds(map) else {
            return false;
        };
        self.errors = Some(errors);
        if !(0..self.word.len()).all(|j| self.fits(map, j, self.word[j])) {
            self.errors = None;
            return false;
        }
        if self.clear(map) {
            self.errors = None;
            return self.residual(map) <= MAX_RESIDUAL * size;
        }
        self.is_mapped_onto_itself(map)
    }

    /// The distance from a border below which rounding may decide on the side.
    fn near(&self, map: &Map) -> f64 {
        let k = self.states.len();
        let largest = (0..k)
            .flat_map(|j| map.magnitude(self.word[j], &self.states[j]))
            .fold(0.0, f64::max);
        NEAR * largest / self.matrix.pivot_ratio().max(f64::EPSILON)
    }

    /// Whether all units are farther from 0 than their error.
    fn clear(&self, map: &Map) -> bool {
        let Some(errors) = &self.errors else { return true };
        let pairs = self.states.iter().zip(errors);
        pairs
            .flat_map(|(z, e)| z.iter().zip(e).skip(map.M - map.P))
            .all(|(z, e)| z.abs() > *e)
    }

    fn is_mapped_onto_itself(&self, map: &Map) -> bool {
        let k = self.states.len();
        let mut next = vec![0.0; map.M];
        (0..k).all(|j| {
            map.step(&self.states[j], &mut next);
            let size = map
                .magnitude(self.word[j], &self.states[j])
                .into_iter()
                .fold(0.0, f64::max);
            distance(&next, &self.states[(j + 1) % k]) <= BORDER_RESIDUAL * size
        })
    }

    /// Newton steps for all states at once (multiple shooting): with `r_j = F_w(z_j) − z_{j+1}` the corrections obey
    /// `d_{j+1} = J_j d_j + r_j` around the orbit. Unlike the images of one state, no state's error then grows along
    /// the orbit.
    fn refine(&mut self, map: &Map) {
        let k = self.states.len();
        for _ in 0..ROUNDS {
            let residuals: Vec<Vec<f64>> = (0..k)
                .map(|j| {
                    let mut image = vec![0.0; map.M];
                    map.affine_step(self.word[j], &self.states[j], &mut image);
                    let next = &self.states[(j + 1) % k];
                    image.iter().zip(next).map(|(a, b)| a - b).collect()
                })
                .collect();
            let carried = |start: Vec<f64>| -> Vec<Vec<f64>> {
                let mut all = vec![start];
                for j in 0..k {
                    let mut next = vec![0.0; map.M];
                    map.linear_step(self.word[j], &all[j], &mut next);
                    next.iter_mut().zip(&residuals[j]).for_each(|(n, r)| *n += r);
                    all.push(next);
                }
                all
            };
            let closing = carried(vec![0.0; map.M]).swap_remove(k);
            let Some(first) = self.matrix.solve(&DVector::from_vec(closing)) else {
                return;
            };
            let steps = carried(first.as_slice().to_vec());
            for (z, step) in self.states.iter_mut().zip(steps) {
                z.iter_mut().zip(step).for_each(|(z, d)| *z += d);
            }
        }
    }

    /// Bounds of the states' errors: the rounding `e_j` of each step (of its sums, and of the parameters as they are
    /// stored) carried around the orbit, `|z_1 error| ≤ Σ_j |(I − J)⁻¹ J_k ⋯ J_{j+1}| e_j`, and so from every state on.
    /// `None` where `I − J` has no finite inverse.
    fn error_bounds(&self, map: &Map) -> Option<Vec<Vec<f64>>> {
        let (M, k) = (map.M, self.word.len());
        // A sum of M terms rounds like the root of their number.
        let unit = (4.0 + 2.0 * (M as f64).sqrt()) * f64::EPSILON;
        let rounding: Vec<DVector<f64>> = (0..k)
            .map(|j| {
                let sum = map.magnitude(self.word[j], &self.states[j]);
                DVector::from_vec(sum) * unit
            })
            .collect();
        let jacobians: Vec<DMatrix<f64>> = self.word.iter().map(|&code| map.jacobian(code)).collect();
        (0..k)
            .map(|first| {
                let turn = (1..k).fold(jacobians[first].clone(), |J, i| &jacobians[(first + i) % k] * J);
                let mut carried = Factored::new(DMatrix::identity(M, M) - turn).inverse()?;
                let mut bound = DVector::zeros(M);
                for j in (0..k).rev().map(|i| (first + i) % k) {
                    bound += carried.abs() * &rounding[j];
                    carried *= &jacobians[j];
                }
                Some(bound.as_slice().to_vec())
            })
            .collect()
    }

    /// Whether the states `j` and `i` of two orbits on borders are equal to within their errors.
    fn equal(&self, j: usize, other: &Self, i: usize) -> bool {
        let (Some(own), Some(others)) = (&self.errors, &other.errors) else {
            return false;
        };
        let errors = own[j].iter().zip(&others[i]);
        let states = self.states[j].iter().zip(&other.states[i]);
        states.zip(errors).all(|((a, b), (e, f))| (a - b).abs() <= e + f)
    }

    /// Whether two orbits pass through the same states, whatever their words. Off the borders a word says it all.
    pub fn is_same(&self, other: &Self) -> bool {
        let k = self.states.len();
        k == other.states.len() && (0..k).any(|turn| (0..k).all(|j| self.equal(j, other, (j + turn) % k)))
    }

    /// Whether the states repeat before the word ends: a shorter orbit, spelt differently from turn to turn.
    pub fn repeats(&self) -> bool {
        let k = self.states.len();
        (1..=k / 2).any(|d| k.is_multiple_of(d) && (0..k).all(|j| self.equal(j, self, (j + d) % k)))
    }
}

/// `a − b`.
pub fn difference(a: &[f64], b: &[f64]) -> DVector<f64> {
    DVector::from_iterator(a.len(), a.iter().zip(b).map(|(a, b)| a - b))
}

/// Largest difference between two vectors; NaN where one is not a number.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    let largest = |m: f64, d: f64| if d > m || d.is_nan() { d } else { m };
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, largest)
}
