use ndarray::Array2;

use super::{Rk4, find};
use crate::config::values::{Real, Whole};
use crate::dataset::{column_scaling, standardize};
use crate::error::{Error, Result};
use crate::resources::require_memory;
use crate::rng::{Stream, normal_pair, normals, threefry2x32, unit};

/// Second counter words of the `System` stream; 0 are the initial states.
const NOISE: u32 = 1;
const GAPS: u32 = 2;
const STIMULUS: u32 = 3;

/// What to simulate.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulateRequest {
    pub system: String,
    /// Rows to record.
    pub steps: usize,
    /// Time between rows; the system's own without.
    pub dt: Option<f64>,
    pub seed: u32,
    /// Number of variables, for the systems that leave it open.
    pub dims: Option<usize>,
    /// Z-score every column.
    pub standardize: bool,
    /// Standard deviation of added Gaussian observation noise, in units of each column's standard deviation.
    pub noise: f64,
}

impl SimulateRequest {
    pub const STEPS: Whole = Whole::range(2, i64::MAX as u64);
    pub const DT: Real = Real::above(0.0, 100.0);
    pub const NOISE: Real = Real::range(0.0, 1e6);
}

/// Shares of values that may be made missing, up to the largest number below 1.
pub const SHARE: Real = Real::range(0.0, 1.0 - 0.5 * f64::EPSILON);

impl Default for SimulateRequest {
    fn default() -> Self {
        Self {
            system: "lorenz63".into(),
            steps: 100_000,
            dt: None,
            seed: 0,
            dims: None,
            standardize: true,
            noise: 0.0,
        }
    }
}

/// A simulated recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulation {
    /// `[steps, N]`
    pub x: Array2<f64>,
    /// `[steps, K]`; row `t` is held while the state moves from row `t − 1` to row `t`. `None` where `K = 0`.
    pub s: Option<Array2<f64>>,
    pub dt: f64,
    /// Mean and standard deviation of the columns before standardisation (and without noise).
    pub mean: Vec<f64>,
    pub scale: Vec<f64>,
}

/// Integrates a benchmark system from a random initial state, after its transient has passed.
///
/// The same request gives the same numbers: random ones are addressed by `seed`, the arithmetic is f64 in a fixed
/// order. (`sin`, in `thomas` alone, may differ in the last bit between platforms.)
///
/// # Errors
/// When the system is unknown or a number is out of range.
pub fn simulate(request: &SimulateRequest) -> Result<Simulation> {
    let system = find(&request.system)?;
    request.check()?;
    let dt = request.dt.unwrap_or(system.dt);
    let dims = request.dims.unwrap_or(system.dims);
    let draws = normals(request.seed, Stream::System).map(f64::from);
    let origin = (system.origin)(dims).into_iter().zip(draws);
    let mut x: Vec<f64> = origin.map(|(origin, n)| origin + system.spread * n).collect();
    let s = (system.inputs > 0).then(|| stimulus(request.steps, dt, system.inputs, request.seed));
    let mut rk4 = Rk4::new(dims);
    let no_input = vec![0.0; system.inputs];
    for _ in 0..(system.transient / system.max_step).ceil() as u64 {
        rk4.step(system.field, &mut x, &no_input, system.max_step);
    }
    let mut values = Vec::with_capacity(request.steps * dims);
    for t in 0..request.steps {
        if t > 0 {
            let row = s.as_ref().map(|s| s.row(t).to_vec()).unwrap_or_default();
            rk4.advance(system, &mut x, &row, dt);
        }
        values.extend_from_slice(&x);
    }
    let mut x = Array2::from_shape_vec((request.steps, dims), values).expect("steps rows of dims values");
    if !x.iter().all(|v| v.is_finite()) {
        return Err(Error::runtime(format!("{} left every bound", system.name)));
    }
    let scaling = column_scaling(&[x.view()], |j| format!("variable {} of {}", j + 1, system.name))?;
    if request.standardize {
        standardize(&mut x, &scaling);
    }
    add_noise(&mut x, request, &scaling.scale);
    Ok(Simulation {
        x,
        s,
        dt,
        mean: scaling.mean,
        scale: scaling.scale,
    })
}

impl SimulateRequest {
    /// Checks every number, and that there is memory for the recording.
    ///
    /// # Errors
    /// When the system is unknown; otherwise names the flag that cannot be met.
    pub fn check(&self) -> Result<()> {
        let system = find(&self.system)?;
        let refuse = |flag: &str, value: usize, why: String| Error::input(format!("--{flag} {value}: {why}"));
        Self::STEPS.require("steps", self.steps as u64)?;
        Self::DT.require("dt", self.dt.unwrap_or(system.dt))?;
        Self::NOISE.require("noise", self.noise)?;
        let dims = self.dims.unwrap_or(system.dims);
        if dims != system.dims && !system.any_dims {
            let why = format!("{} has {} variables", system.name, system.dims);
            return Err(refuse("dims", dims, why).with_hint("only lorenz96 has a free number of variables"));
        }
        if system.any_dims && !(4..=10_000).contains(&dims) {
            let why = format!("{} needs 4 to 10000 variables", system.name);
            return Err(refuse("dims", dims, why));
        }
        // Values, their copy in the order of a file, and inputs.
        let numbers = (2 * dims + system.inputs) as u64;
        require_memory(
            &format!("--steps {}", self.steps),
            (self.steps as u64).saturating_mul(8 * numbers),
        )?;
        // Random numbers for noise and gaps are addressed by 32 bits.
        if self.steps.checked_mul(dims).is_none_or(|n| n > 1 << 32) {
            let why = format!("more than 2³² values of {dims} variables");
            return Err(refuse("steps", self.steps, why));
        }
        Ok(())
    }
}

/// A stimulus per input that goes to a new random level, `0.5 ≤ |s| ≤ 1` of either sign, every 1 to 4 units of time,
/// along a smooth ramp (`3u² − 2u³`) of 0.25 units.
fn stimulus(steps: usize, dt: f64, inputs: usize, seed: u32) -> Array2<f64> {
    const RAMP: f64 = 0.25;
    let mut s = Array2::zeros((steps, inputs));
    for (k, mut column) in s.columns_mut().into_iter().enumerate() {
        let draw = |i: u32| {
            let word = i * inputs as u32 + k as u32;
            threefry2x32([seed, Stream::System as u32], [word, STIMULUS]).map(|w| f64::from(unit(w)))
        };
        let (mut from, mut to, mut since, mut next, mut switches) = (0.0, 0.0, 0.0, 0.0, 0);
        for (t, value) in column.iter_mut().enumerate() {
            let time = t as f64 * dt;
            if time >= next {
                let [level, dwell] = draw(switches);
                switches += 1;
                let side = if level < 0.5 { -1.0 } else { 1.0 };
                (from, to, since) = (to, side * (0.5 + 0.5 * (2.0 * level).fract()), time);
                next = time + 1.0 + 3.0 * dwell;
            }
            let u = ((time - since) / RAMP).min(1.0);
            *value = from + (to - from) * u * u * (3.0 - 2.0 * u);
        }
    }
    s
}

fn add_noise(x: &mut Array2<f64>, request: &SimulateRequest, scale: &[f64]) {
    if request.noise == 0.0 {
        return;
    }
    let columns = scale.len();
    for (i, value) in x.iter_mut().enumerate() {
        let pair = normal_pair(threefry2x32(
            [request.seed, Stream::System as u32],
            [(i / 2) as u32, NOISE],
        ));
        let unit = if request.standardize {
            1.0
        } else {
            scale[i % columns]
        };
        *value += request.noise * unit * f64::from(pair[i % 2]);
    }
}

/// Makes every value missing (NaN) with probability `share`, each on its own.
///
/// # Errors
/// When `share` is outside `0 ≤ share < 1`.
pub fn cut_gaps(x: &mut Array2<f64>, share: f64, seed: u32) -> Result<()> {
    SHARE.require("gaps", share)?;
    for (i, value) in x.iter_mut().enumerate() {
        let words = threefry2x32([seed, Stream::System as u32], [(i / 2) as u32, GAPS]);
        if f64::from(unit(words[i % 2])) < share {
            *value = f64::NAN;
        }
    }
    Ok(())
}
