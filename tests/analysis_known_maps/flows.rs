//! Maps that stand for flows: periodic orbits whose periods are no whole number of steps.
//!
//! Euler steps of piecewise-linear vector fields. `x` is a linear unit; ReLU units carry `x − 1` and `−x − 1`.

use std::collections::BTreeMap;

use alrnn_gpu::analysis::{
    Analysis, AnalysisInput, AnalysisSettings, Attractor, PeriodicOrbit, PeriodicOrbits, analyze,
};
use alrnn_gpu::dataset::Trial;
use alrnn_gpu::model::{Dims, Theta};
use ndarray::{Array1, Array2, s};

/// `z' = W φ(z) + h` with two ReLU units that carry `x − 1` and `−x − 1`. `rows` are those of the linear units, `x` first.
fn map_of<const M: usize>(rows: &[[f64; M]], N: usize) -> Theta {
    let mut theta = Theta::zeros(Dims { M, N, K: 0 });
    let x = rows[0];
    let all = rows.iter().copied().chain([x, x.map(|w| -w)]);
    for (mut row, values) in theta.W.rows_mut().into_iter().zip(all) {
        row.assign(&Array1::from(values.to_vec()));
    }
    theta.h.slice_mut(s![M - 2..]).fill(-1.0);
    theta
}

/// `x' = x − 2 max(x − 1, 0) + 2 max(−x − 1, 0) − y, y' = ε x`: an oscillator with one limit cycle.
fn oscillator(dt: f64, epsilon: f64) -> Theta {
    map_of(
        &[
            [1.0 + dt, -dt, -2.0 * dt, 2.0 * dt],
            [dt * epsilon, 1.0, 0.0, 0.0],
        ],
        2,
    )
}

/// Chua's circuit with the parameters of `simulate chua`, in Euler steps of 0.01; odd under `(x, y, z) → −(x, y, z)`.
fn circuit() -> Theta {
    let (dt, alpha, beta, m0, m1) = (0.01, 9.0, 100.0 / 7.0, -1.0 / 7.0, 2.0 / 7.0);
    let bend = dt * alpha * (m0 - m1);
    map_of(
        &[
            [1.0 - dt * alpha * m0, dt * alpha, 0.0, bend, -bend],
            [dt, 1.0 - dt, dt, 0.0, 0.0],
            [0.0, -dt * beta, 1.0, 0.0, 0.0],
        ],
        3,
    )
}

fn read(theta: &Theta, x0: &[f64], data: &[Trial], settings: &AnalysisSettings) -> Analysis {
    let input = AnalysisInput {
        start: Some(x0),
        data,
        ..AnalysisInput::new(theta, 2)
    };
    analyze(&input, settings).expect("the input is valid")
}

fn periodic(analysis: &Analysis) -> &PeriodicOrbits {
    analysis.periodic.as_ref().expect("the map stands for a flow")
}

fn by_word(found: &PeriodicOrbits) -> BTreeMap<&str, &PeriodicOrbit> {
    let all: BTreeMap<&str, &PeriodicOrbit> = found.orbits.iter().map(|o| (o.word.as_str(), o)).collect();
    assert_eq!(all.len(), found.orbits.len(), "a word is listed twice");
    all
}

/// `rows` states of the map from `z` on.
fn states(theta: &Theta, mut z: Array1<f64>, rows: usize) -> Array2<f64> {
    let mut all = Array2::zeros((rows, z.len()));
    for mut row in all.rows_mut() {
        row.assign(&z);
        z = theta.step(2, &z, &[]);
    }
    all
}

/// The period of the limit cycle is the mean time between turns of a long run, its multiplier what the second Lyapunov
/// exponent contracts in that time.
#[test]
fn an_oscillator_has_one_orbit() {
    for (dt, epsilon) in [(0.05, 0.3), (0.05, 1.0), (0.1, 1.0)] {
        let theta = oscillator(dt, epsilon);
        let analysis = read(
            &theta,
            &[0.5, 0.0],
            &[],
            &AnalysisSettings {
                dt: Some(dt),
                ..super::settings()
            },
        );
        let found = periodic(&analysis);
        assert_eq!(found.orbits.len(), 1, "{found:?}");
        let orbit = &found.orbits[0];
        assert_eq!((orbit.word.as_str(), orbit.turns), ("A", 1));

        let x = states(&theta, Array1::from(orbit.z.clone()), 200_000);
        let up = |t: &usize| x[(*t, 0)] < 0.0 && x[(t + 1, 0)] >= 0.0;
        let place = |t: usize| t as f64 - x[(t, 0)] / (x[(t + 1, 0)] - x[(t, 0)]);
        let crossings: Vec<f64> = (0..x.nrows() - 1).filter(up).map(place).collect();
        let turns = crossings.len() - 1;
        let mean = (crossings[turns] - crossings[0]) / turns as f64;
        assert!(
            (orbit.period / mean - 1.0).abs() <= 2e-4,
            "{} beside {mean}",
            orbit.period
        );
        assert!(orbit.period.fract() > 0.01, "no whole number: {}", orbit.period);
        super::close("time", orbit.time.expect("dt is known"), dt * orbit.period, 1e-12);
        let l = analysis.lyapunov.as_ref().expect("bounded");
        let contraction = (l.spectrum[1] * mean).exp();
        let multiplier = orbit.multiplier.re;
        assert!(
            (multiplier / contraction - 1.0).abs() <= 0.03,
            "{multiplier} beside {contraction}"
        );
        super::close("along the flow", orbit.along_flow.re, 1.0, 1e-3);
        assert!(orbit.residual <= 1e-12, "{}", orbit.residual);
        assert!(
            analysis.summary().contains("Periodic orbits: 1 of"),
            "{}",
            analysis.summary()
        );
    }
}

/// Growth of a small distance in the second turn around an orbit, the first lines it up: mean of logarithms over starts
/// along the orbit, since borders are crossed between steps.
fn growth(theta: &Theta, orbit: &PeriodicOrbit) -> f64 {
    let k = orbit.states.len();
    let across = |a: &Array1<f64>, b: &Array1<f64>| {
        let flow = theta.step(2, a, &[]) - a;
        let d = b - a;
        (&d - &flow * (d.dot(&flow) / flow.dot(&flow))).dot(&d).sqrt()
    };
    let starts = (0..k).step_by(k / 40);
    let logarithms: Vec<f64> = starts
        .map(|t| {
            let mut a = Array1::from(orbit.states[t].clone());
            let mut b = &a + 1e-9;
            let mut apart = [0.0; 2];
            for apart in &mut apart {
                for _ in 0..k {
                    (a, b) = (theta.step(2, &a, &[]), theta.step(2, &b, &[]));
                }
                *apart = across(&a, &b);
            }
            (apart[1] / apart[0]).ln()
        })
        .collect();
    (logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp()
}

#[test]
fn a_chaotic_circuit_has_its_orbits_in_pairs() {
    let theta = circuit();
    let x = states(&theta, theta.initial_state(&[0.3, 0.1, 0.0]), 102_000);
    let trial = Trial {
        name: "its own run".into(),
        x: x.slice(s![2000.., ..3]).to_owned(),
        s: Array2::zeros((100_000, 0)),
    };
    let settings = AnalysisSettings {
        max_period: 2,
        ..super::settings()
    };
    let analysis = read(&theta, &[0.5, 0.0, 0.0], &[trial], &settings);
    assert_eq!(analysis.attractor, Attractor::Chaotic);
    let orbits = by_word(periodic(&analysis));
    let words: Vec<&str> = orbits.keys().copied().collect();
    assert_eq!(words, ["L", "LL", "R", "RR"]);
    for (word, orbit) in &orbits {
        assert!(
            orbit.residual <= 1e-9 && orbit.turns == word.len(),
            "{word}: {}",
            orbit.residual
        );
        super::close("along the flow", orbit.along_flow.re, 1.0, 0.01);
        // The curve closes by the map itself: k steps, of which s are too many.
        let k = orbit.states.len();
        let run = states(&theta, Array1::from(orbit.z.clone()), k + 1);
        let miss = &run.row(k) - &run.row(0) - (k as f64 - orbit.period) * (&run.row(1) - &run.row(0));
        assert!(miss.iter().all(|v| v.abs() <= 1e-9), "{word}: {miss}");
        let (grown, multiplier) = (growth(&theta, orbit), orbit.multiplier.re.abs());
        assert!(
            (multiplier / grown - 1.0).abs() <= 0.1,
            "{word}: {multiplier} beside {grown}"
        );
        // The data are the map's own run; near the saddle it comes back closely after very different times.
        let data = orbit.data.expect("a close return");
        let off = (data.period / orbit.period - 1.0).abs();
        assert!(
            off <= if orbit.turns == 2 { 0.05 } else { 0.25 },
            "{word}: {data:?} beside {}",
            orbit.period
        );
    }
    for (word, mirrored) in [("L", "R"), ("LL", "RR")] {
        let (a, b) = (orbits[word], orbits[mirrored]);
        assert!(
            (a.period / b.period - 1.0).abs() <= 1e-3,
            "{word}: {} {}",
            a.period,
            b.period
        );
        let ratio = a.multiplier.re / b.multiplier.re;
        assert!(
            (ratio - 1.0).abs() <= 0.01,
            "{word}: {:?} {:?}",
            a.multiplier,
            b.multiplier
        );
    }
    // Two turns that are one turn twice would have its multiplier squared.
    assert!(orbits["LL"].period < 1.98 * orbits["L"].period);
}

/// Maps that are no flows have exact cycles and no such orbits, and a flow at rest has none either.
#[test]
fn other_maps_have_none() {
    for analysis in [
        super::run(&super::symmetric_tent(1.99), 1, 0.1, &super::settings()),
        super::run(&super::lozi(1.7, 0.5), 1, 0.1, &super::settings()),
        super::run(&super::rotations(1.1, -0.5, 0.7), 1, 0.55, &super::settings()),
    ] {
        assert_eq!(analysis.periodic, None);
        assert!(
            !analysis.summary().contains("Periodic orbits"),
            "{}",
            analysis.summary()
        );
    }
    // Damped: the run comes to rest at 0, while the data turn.
    let dt = 0.05;
    let theta = map_of(&[[1.0 - dt, -dt, 0.0, 0.0], [dt, 1.0, 0.0, 0.0]], 2);
    let turning = Array2::from_shape_fn((2000, 2), |(t, j)| (0.05 * t as f64 + 1.5 * j as f64).sin());
    let trial = Trial {
        name: "circle".into(),
        x: turning,
        s: Array2::zeros((2000, 0)),
    };
    let analysis = read(&theta, &[0.5, 0.0], &[trial], &super::settings());
    assert_eq!(analysis.attractor, Attractor::FixedPoint);
    assert!(periodic(&analysis).orbits.is_empty());
    let line = "Periodic orbits: none; the free run does not turn\n";
    assert!(analysis.summary().contains(line), "{}", analysis.summary());
}
