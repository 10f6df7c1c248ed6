use nalgebra::{DMatrix, DVector};

use super::linalg::Factored;
use super::map::Map;
use super::orbit::difference;

/// Newton steps, and halvings of one.
const STEPS: usize = 40;
const HALVINGS: usize = 8;
/// The residual at which nothing is left to gain, and the one up to which a curve counts as closed, both relative.
const ROUNDING: f64 = 1e-13;
const CLOSED: f64 = 1e-9;
/// Steps after which a product of Jacobians is looked through for columns that are negligible, relative to the largest.
const COMPRESSED: usize = 16;
const NEGLIGIBLE: f64 = 1e-15;
/// Steps by which a closed curve may miss its own beginning.
const LONGEST_GAP: f64 = 1.5;
/// How often the number of steps is put right, and by which share of it at most.
const SHIFTS: usize = 5;
const LARGEST_SHIFT: f64 = 0.2;

/// A closed curve of a map that stands for a flow: `F^k(z) = z + s f(z)` with `f(z) = F(z) − z`.
///
/// The period of a flow's orbit is no whole number of steps; the rest `s` of a step is passed in the direction of the flow.
/// The period is `k − s` steps.
#[derive(Clone, Debug)]
pub struct Closing {
    /// `z, F(z), …, F^k(z)`, `[k + 1][M]`.
    pub states: Vec<Vec<f64>>,
    pub s: f64,
    /// `F^k(z) − z − s f(z)`, `[M]`.
    rest: DVector<f64>,
}

impl Closing {
    /// The best `s` for a start: it leaves a residual across the flow.
    fn of(map: &Map, z: &[f64], k: usize) -> Option<Self> {
        let mut states = vec![z.to_vec()];
        for t in 0..k {
            let mut next = vec![0.0; map.M];
            map.step(&states[t], &mut next);
            states.push(next);
        }
        let flow = difference(&states[1], z);
        let miss = difference(&states[k], z);
        let s = miss.dot(&flow) / flow.norm_squared();
        let rest = miss - s * flow;
        let finite = s.is_finite() && rest.iter().all(|v| v.is_finite());
        finite.then_some(Self { states, s, rest })
    }

    /// Whole steps `k`.
    pub fn steps(&self) -> usize {
        self.states.len() - 1
    }

    /// `k − s`, in steps.
    pub fn period(&self) -> f64 {
        self.steps() as f64 - self.s
    }

    /// `max |F^k(z) − z − s f(z)|`.
    pub fn residual(&self) -> f64 {
        self.rest.amax()
    }

    /// `F(z) − z` at the beginning.
    fn flow(&self) -> DVector<f64> {
        difference(&self.states[1], &self.states[0])
    }

    fn is_within(&self, residual: f64) -> bool {
        let size = self.states[0].iter().fold(1.0f64, |m, v| m.max(v.abs()));
        self.residual() <= residual * size
    }

    /// Solves for the closed curve near `z` of about `k` steps by Newton's method: with the Jacobian `J` of `F^k` and `J₁` of
    /// `F`, each from the regions passed, `(J − I − s (J₁ − I)) dz − f ds = −r`, `f · dz = 0`; steps are halved until the
    /// residual falls. Then `k` is put right by the whole steps in `s`, and the curve solved once more from where it stays
    /// longest in one region. Flops are taken from `work`.
    pub fn solve(map: &Map, z: &[f64], k: usize, work: &mut f64) -> Option<Self> {
        let mut steps = k;
        let mut found = Self::newton(map, z, k, work)?;
        for _ in 0..SHIFTS {
            let whole = found.s.round();
            if whole == 0.0 || whole.abs() > LARGEST_SHIFT * k as f64 {
                break;
            }
            steps = (steps as f64 - whole) as usize;
            found = Self::newton(map, &found.states[0], steps, work)?;
        }
        if !found.is_closed() {
            return None;
        }
        let again = Self::newton(map, found.quiet_state(map), steps, work);
        Some(again.filter(Self::is_closed).unwrap_or(found))
    }

    fn is_closed(&self) -> bool {
        self.is_within(CLOSED) && self.s.abs() < LONGEST_GAP
    }

    /// The state in the middle of the longest stay in one region: there the flow is smooth, so that where the curve ends
    /// between two rows makes least difference.
    fn quiet_state(&self, map: &Map) -> &[f64] {
        let codes: Vec<_> = self.states.iter().map(|z| map.code(z)).collect();
        let mut start = 0;
        let stays = codes.chunk_by(|a, b| a == b).map(|stay| {
            start += stay.len();
            (stay.len(), start - stay.len().div_ceil(2))
        });
        let middle = stays.max().map_or(0, |(_, middle)| middle);
        &self.states[middle]
    }

    fn newton(map: &Map, z: &[f64], k: usize, work: &mut f64) -> Option<Self> {
        if k < 2 {
            return None;
        }
        let mut now = Self::of(map, z, k)?;
        for _ in 0..STEPS {
            if now.is_within(ROUNDING) || *work < 0.0 {
                break;
            }
            let Some(step) = now.newton_step(map, work) else {
                break;
            };
            let norm = now.rest.norm();
            let shorter = (0..HALVINGS).find_map(|halved| {
                let part = 0.5f64.powi(halved as i32);
                let z: Vec<f64> = now.states[0]
                    .iter()
                    .zip(&step)
                    .map(|(z, d)| z + part * d)
                    .collect();
                Self::of(map, &z, k).filter(|next| next.rest.norm() < (1.0 - 0.1 * part) * norm)
            });
            let Some(next) = shorter else { break };
            now = next;
        }
        Some(now)
    }

    fn newton_step(&self, map: &Map, work: &mut f64) -> Option<Vec<f64>> {
        let M = map.M;
        let identity = DMatrix::identity(M, M);
        let state = &self.states[0];
        let first = map.apply_mean_jacobian(&map.shares_on(state, state), &identity);
        let (turned, flops) = self.turned(map, |pair| map.shares_on(&pair[0], &pair[0]));
        *work -= flops;
        let flow = self.flow();
        let mut system = DMatrix::zeros(M + 1, M + 1);
        let within = turned - &identity - self.s * (first - &identity);
        system.view_mut((0, 0), (M, M)).copy_from(&within);
        system.view_mut((0, M), (M, 1)).copy_from(&(-&flow));
        system.view_mut((M, 0), (1, M)).copy_from(&flow.transpose());
        let mut right = DVector::zeros(M + 1);
        right.rows_mut(0, M).copy_from(&(-&self.rest));
        let step = Factored::new(system).solve(&right)?;
        Some(step.as_slice()[..M].to_vec())
    }

    /// The monodromy matrix of the flow, `[M, M]`.
    ///
    /// The product of the Jacobians of the regions passed depends on where within a step the curve begins: a border is
    /// crossed between two rows, and the row before it belongs to one region as a whole. The mean of a Jacobian over the
    /// step from a row to the next maps that step exactly onto the one after it, so the product of the means has the flow for
    /// an eigenvector, with eigenvalue 1 once the last `s` of a step is taken back, and does not depend on the beginning.
    pub fn monodromy(&self, map: &Map) -> Option<DMatrix<f64>> {
        let identity = DMatrix::identity(map.M, map.M);
        let mean = |pair: &[Vec<f64>]| map.shares_on(&pair[0], &pair[1]);
        let first = map.apply_mean_jacobian(&mean(&self.states[..2]), &identity);
        let rest = &identity + self.s * (first - &identity);
        let (turned, _) = self.turned(map, mean);
        Factored::new(rest).inverse().map(|back| back * turned)
    }

    /// The product of Jacobians around the curve, `[M, M]`, and the operations spent; `on` are the units' shares of each step.
    ///
    /// Most directions die out soon. The product is kept as two factors, and columns below rounding are dropped.
    fn turned(&self, map: &Map, on: impl Fn(&[Vec<f64>]) -> Vec<f64>) -> (DMatrix<f64>, f64) {
        let M = map.M;
        let (mut left, mut right) = (DMatrix::identity(M, M), DMatrix::identity(M, M));
        let mut flops = 0.0;
        for (t, pair) in self.states.windows(2).enumerate() {
            left = map.apply_mean_jacobian(&on(pair), &left);
            flops += (2 * M * M * left.ncols()) as f64;
            if t % COMPRESSED == COMPRESSED - 1 {
                (left, right) = compressed(left, right);
            }
        }
        (left * right, flops)
    }
}

/// The same product, with fewer columns on the left and rows on the right where rounding allows it.
fn compressed(left: DMatrix<f64>, right: DMatrix<f64>) -> (DMatrix<f64>, DMatrix<f64>) {
    let qr = left.clone().col_piv_qr();
    let (mut q, mut r) = (qr.q(), qr.r());
    let least = NEGLIGIBLE * r[(0, 0)].abs();
    let rank = (0..r.nrows()).take_while(|&i| r[(i, i)].abs() > least).count();
    if rank == 0 || rank == left.ncols() {
        return (left, right);
    }
    // The left factor keeps the sizes of its columns, by which the next ones are judged.
    for i in 0..rank {
        let size = r[(i, i)];
        q.column_mut(i).scale_mut(size);
        r.row_mut(i).unscale_mut(size);
    }
    qr.p().inv_permute_columns(&mut r);
    (q.columns(0, rank).into_owned(), r.rows(0, rank) * right)
}
