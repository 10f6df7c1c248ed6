//! Orbits with a ReLU unit at 0: one orbit each, whatever its code, and none that are not there.

use alrnn_gpu::analysis::{Analysis, AnalysisInput, AnalysisSettings, analyze};
use alrnn_gpu::model::{Dims, Theta};
use alrnn_gpu::rng::threefry2x32;
use ndarray::Array1;

use super::{period, run, run_case, settings, symmetric_tent};

fn search(max_period: usize) -> AnalysisSettings {
    AnalysisSettings {
        steps: 2000,
        lyapunov_steps: 1000,
        surrogates: 0,
        max_period,
        search_budget: 5000,
        ..settings()
    }
}

fn found(analysis: &Analysis) -> Vec<usize> {
    analysis.cycles.iter().map(|c| c.found).collect()
}

/// The 3-cycle touches the border, so its words have both codes there, and so have those of 6, 9 and 12 steps that
/// spell it differently from turn to turn. Orbits of the golden mean shift are counted by Lucas numbers.
#[test]
fn golden_mean_tent_map_has_the_cycles_of_its_shift() {
    let expected = [1, 1, 1, 2, 2, 4, 5, 8, 11, 18, 25];
    let analysis = run_case("border-orbits/golden-tent", &search(12));
    assert_eq!(found(&analysis), expected);
    assert!(analysis.cycles.iter().all(|c| c.complete));
    let three = &period(&analysis, 3).cycles[0];
    assert!(
        three.on_border && three.word_visited && three.residual <= 1e-14,
        "{three:?}"
    );
    let others = analysis.cycles.iter().filter(|c| c.period != 3);
    assert!(others.flat_map(|c| &c.cycles).all(|c| !c.on_border));
    // A slope that is off by far more than rounding has no orbit on the border: above, the 3-cycle splits in two that
    // lie close to each other; below, there is none.
    let near = |s: f64| found(&run(&symmetric_tent(s), 1, 0.1, &search(4)))[1];
    assert_eq!((near(super::GOLDEN + 1e-9), near(super::GOLDEN - 1e-9)), (2, 0));
}

#[test]
fn fixed_points_on_a_border_are_one() {
    for name in ["border-orbits/fixed-twice", "border-orbits/fixed-missed"] {
        let analysis = run_case(name, &search(1));
        let points = &analysis.fixed_points;
        assert_eq!(points.real, 1, "{name}");
        assert_eq!(
            points.points.len(),
            1,
            "{name}: the neighbouring region has the same one"
        );
        let point = &points.points[0];
        assert!(
            point.real && point.on_border && point.lies_in == point.code,
            "{name}"
        );
        assert!(
            point.border_distance.is_some_and(|d| d <= 1e-14),
            "{name}: {point:?}"
        );
        assert!(
            analysis.summary().contains("on a border"),
            "{name}: {}",
            analysis.summary()
        );
    }
}

#[test]
fn cycles_on_a_border_are_one() {
    for (name, fixed) in [
        ("border-orbits/cycle-twice", 2),
        ("border-orbits/cycle-missed", 1),
    ] {
        let analysis = run_case(name, &search(4));
        assert_eq!(found(&analysis), [1, 0, 0], "{name}");
        assert_eq!(analysis.fixed_points.real, fixed, "{name}");
        assert!(period(&analysis, 2).cycles[0].on_border, "{name}");
    }
}

/// Draws of one test: multiples of 1/16 between −2 and 2, which f64 adds and multiplies exactly here.
struct Draws(u32, u32);

impl Draws {
    fn next(&mut self) -> f64 {
        self.1 += 1;
        (f64::from(threefry2x32([self.0, 7], [self.1, 0])[0] % 65) - 32.0) / 16.0
    }

    fn vector(&mut self, n: usize) -> Array1<f64> {
        (0..n).map(|_| self.next()).collect()
    }
}

fn phi(z: &Array1<f64>, P: usize) -> Array1<f64> {
    let first = z.len() - P;
    z.iter()
        .enumerate()
        .map(|(i, &v)| if i < first { v } else { v.max(0.0) })
        .collect()
}

/// A model with the exact orbit `z_1 → z_2 → … → z_1` (1 or 2 states): `h` closes the first step, and column 0 of `W`
/// (of a linear unit by which the states differ by a power of 2) the second.
fn model_through(states: &[Array1<f64>], P: usize, draws: &mut Draws) -> Theta {
    let M = states[0].len();
    let mut theta = Theta::zeros(Dims { M, N: 1, K: 0 });
    theta.A = draws.vector(M) / 2.0;
    theta.W.iter_mut().for_each(|w| *w = draws.next() / 2.0);
    if let [a, b] = states {
        theta.W.column_mut(0).fill(0.0);
        let missing = b - a - &theta.A * &(a - b) - theta.W.dot(&(phi(a, P) - phi(b, P)));
        theta.W.column_mut(0).assign(&(missing / (a[0] - b[0])));
    }
    let next = &states[1 % states.len()];
    theta.h = next - &theta.A * &states[0] - theta.W.dot(&phi(&states[0], P));
    theta
}

fn analysed(theta: &Theta, P: usize, max_period: usize) -> Analysis {
    let settings = AnalysisSettings {
        steps: 1,
        transient: 0,
        lyapunov_steps: 20,
        ..search(max_period)
    };
    let start = [1.0];
    let input = AnalysisInput {
        start: Some(&start),
        ..AnalysisInput::new(theta, P)
    };
    analyze(&input, &settings).expect("valid")
}

fn near(a: &[f64], b: &Array1<f64>, tolerance: f64) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance)
}

/// Real fixed points near `z` in one model, and the condition of the worst of them.
fn count_near(analysis: &Analysis, z: &Array1<f64>, tolerance: f64) -> usize {
    let real = analysis.fixed_points.points.iter().filter(|p| p.real);
    real.filter(|p| near(&p.z, z, tolerance)).count()
}

#[test]
fn exact_fixed_points_on_borders_are_found_once() {
    let mut looked_at = 0;
    for seed in 0..300 {
        let mut draws = Draws(seed, 0);
        let (M, P) = ([3, 5, 8][seed as usize % 3], 1 + seed as usize % 3);
        let mut z = draws.vector(M);
        // One unit on the border, or several.
        for on in 0..=(seed as usize / 3) % P {
            z[M - 1 - on] = 0.0;
        }
        let analysis = analysed(&model_through(&[z.clone()], P, &mut draws), P, 1);
        let points = &analysis.fixed_points;
        // Ill-conditioned or singular regions have no single solution to count.
        if !points.degenerate.is_empty() || points.points.iter().any(|p| p.condition > 1e4) {
            continue;
        }
        looked_at += 1;
        assert_eq!(count_near(&analysis, &z, 1e-9), 1, "seed {seed}: {points:?}");
    }
    assert!(looked_at > 200, "{looked_at} of 300 models");
}

#[test]
fn exact_cycles_on_borders_are_found_once() {
    let mut looked_at = 0;
    for seed in 1000..1200 {
        let mut draws = Draws(seed, 0);
        let (M, P) = ([3, 4][seed as usize % 2], 1 + seed as usize / 2 % 2);
        let (mut a, mut b) = (draws.vector(M), draws.vector(M));
        b[0] = a[0] + 1.0;
        a[M - 1] = 0.0;
        if seed % 3 == 0 {
            b[M - P] = 0.0;
        }
        let analysis = analysed(&model_through(&[a.clone(), b], P, &mut draws), P, 4);
        let searches = &analysis.cycles;
        if searches
            .iter()
            .any(|c| c.degenerate > 0 || c.cycles.iter().any(|c| c.condition > 1e4))
        {
            continue;
        }
        looked_at += 1;
        for c in searches {
            let through = c
                .cycles
                .iter()
                .filter(|c| c.states.iter().any(|z| near(z, &a, 1e-9)))
                .count();
            assert_eq!(
                through,
                usize::from(c.period == 2),
                "seed {seed}, period {}",
                c.period
            );
        }
    }
    assert!(looked_at > 100, "{looked_at} of 200 models");
}

/// Pushed off the border by 1e-9, far more than rounding, the two regions' solutions part: both are real, one is, or
/// none, by the signs of the ReLU unit in the two linear responses `(I − J)⁻¹ e`.
#[test]
fn orbits_beside_a_border_are_counted_as_they_are() {
    let mut seen = [0; 3];
    for seed in 2000..2300 {
        let mut draws = Draws(seed, 0);
        let (M, P) = ([3, 5][seed as usize % 2], 1);
        let mut z = draws.vector(M);
        z[M - 1] = 0.0;
        let mut theta = model_through(&[z.clone()], P, &mut draws);
        let push = 1e-9 * f64::from(1 - 2 * (seed as i32 / 2 % 2));
        theta.h[0] += push;
        let response = |on: bool| {
            let matrix = nalgebra::DMatrix::from_fn(M, M, |i, j| {
                let w = if j < M - 1 || on { theta.W[[i, j]] } else { 0.0 };
                f64::from(u8::from(i == j)) * (1.0 - theta.A[i]) - w
            });
            matrix.try_inverse().map(|inverse| inverse[(M - 1, 0)] * push)
        };
        let (Some(off), Some(on)) = (response(false), response(true)) else {
            continue;
        };
        if off.abs() < 1e-10 || on.abs() < 1e-10 || off.abs().max(on.abs()) > 1e-7 {
            continue;
        }
        let expected = usize::from(off < 0.0) + usize::from(on > 0.0);
        let analysis = analysed(&theta, P, 1);
        let points = &analysis.fixed_points;
        assert_eq!(
            count_near(&analysis, &z, 1e-5),
            expected,
            "seed {seed}: {points:?}"
        );
        assert!(points.points.iter().all(|p| !p.on_border), "seed {seed}");
        seen[expected] += 1;
    }
    assert!(seen.iter().all(|n| *n >= 20), "{seen:?}");
}
