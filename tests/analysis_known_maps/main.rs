//! The analysis on maps whose fixed points, cycles, exponents and symbols are known exactly.
//!
//! An AL-RNN passes a ReLU unit `v` on linearly only to itself (through `A`), to the others as `max(v, 0)`.
//! Each map below says how it is written in that form; `|v| = 2 max(v, 0) − v` throughout.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod borders;
mod entropy;
mod exponents;
mod flows;

use alrnn_gpu::analysis::{
    Analysis, AnalysisInput, AnalysisSettings, Attractor, Cycle, FixedPoint, PeriodSearch, StabilityKind,
    analyze,
};
use alrnn_gpu::model::{Dims, Model, Theta};

const GOLDEN: f64 = 1.618_033_988_749_895;

fn theta<const M: usize>(A: [f64; M], W: [[f64; M]; M], h: [f64; M]) -> Theta {
    let mut theta = Theta::zeros(Dims { M, N: 1, K: 0 });
    theta.A.assign(&ndarray::arr1(&A));
    theta.W.assign(&ndarray::arr2(&W));
    theta.h.assign(&ndarray::arr1(&h));
    theta
}

fn settings() -> AnalysisSettings {
    AnalysisSettings {
        transient: 1000,
        ..AnalysisSettings::default()
    }
}

fn run(theta: &Theta, P: usize, x0: f64, settings: &AnalysisSettings) -> Analysis {
    let start = [x0];
    let input = AnalysisInput {
        start: Some(&start),
        ..AnalysisInput::new(theta, P)
    };
    analyze(&input, settings).expect("the input is valid")
}

/// The tent map with slopes `p` and `−q` and its peak `y = top` at `y = 0`: `y' = top + p y − (p + q) max(y, 0)`, one
/// ReLU unit with `A = p`, `W = −(p + q)`, `h = top`.
fn tent(p: f64, q: f64, top: f64) -> Theta {
    theta([p], [[-(p + q)]], [top])
}

/// The symmetric tent map `x' = s min(x, 1 − x)`, in `y = x − 1/2`.
fn symmetric_tent(s: f64) -> Theta {
    tent(s, s, (s - 1.0) / 2.0)
}

/// The Lozi map `x' = 1 − a|x| + y, y' = b x`. The linear unit cannot see `x`, only `max(x, 0)`; but
/// `q = y + c x` with `c² = a c + b` obeys `q' = c + c q − 2 a c max(x, 0)`, and `x' = 1 + (a − c) x − 2 a max(x, 0) + q`.
fn lozi(a: f64, b: f64) -> Theta {
    let c = (a - (a * a + 4.0 * b).sqrt()) / 2.0;
    theta([c, a - c], [[0.0, -2.0 * a * c], [1.0, -2.0 * a]], [c, 1.0])
}

/// `x' = α x + β max(x, 0) − x₋ + g`, `x₋` the value before: area-preserving, a rotation on each side of 0. Here no
/// real `c` removes `x` from the other unit, so a linear unit `u` carries a copy of `x`: `u' = v' = α u + β max(v, 0)
/// + y + g`, `y' = −u` (units `u, y, v`). The copy adds the eigenvalue 0.
fn rotations(alpha: f64, beta: f64, g: f64) -> Theta {
    let row = [alpha, 1.0, beta];
    let mut theta = theta([0.0; 3], [row, [-1.0, 0.0, 0.0], row], [g, 0.0, g]);
    // Starts from x_0 with x₋ = 0.8 x_0 and the copy in place.
    theta.L.assign(&ndarray::arr2(&[[-0.8], [1.0]]));
    theta
}

/// A model of `tests/cases`.
fn case(name: &str) -> Model {
    let path = format!("{}/tests/cases/{name}.npz", env!("CARGO_MANIFEST_DIR"));
    Model::load(&path).expect("the case is a model")
}

/// `analyze` without data.
fn run_case(name: &str, settings: &AnalysisSettings) -> Analysis {
    let model = case(name);
    analyze(&AnalysisInput::new(&model.theta, model.P), settings).expect("the input is valid")
}

fn close(name: &str, found: f64, expected: f64, tolerance: f64) {
    let d = (found - expected).abs();
    assert!(
        d <= tolerance,
        "{name}: {found:.16} expected {expected:.16}, off by {d:e}"
    );
}

/// Eigenvalues of the fixed point or cycle against those expected, each with its imaginary part.
fn check_eigenvalues(name: &str, found: &[alrnn_gpu::analysis::Eigenvalue], expected: &[(f64, f64)]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for &(re, im) in expected {
        let nearest = found
            .iter()
            .map(|e| (e.re - re).hypot(e.im - im))
            .fold(f64::INFINITY, f64::min);
        assert!(nearest <= 1e-12, "{name}: {re} + {im}i is not among {found:?}");
    }
}

fn fixed_point<'a>(analysis: &'a Analysis, code: &str) -> &'a FixedPoint {
    let point = analysis.fixed_points.points.iter().find(|p| p.code == code);
    point.unwrap_or_else(|| panic!("no fixed point of region {code}"))
}

fn period(analysis: &Analysis, k: usize) -> &PeriodSearch {
    let found = analysis.cycles.iter().find(|c| c.period == k);
    found.unwrap_or_else(|| panic!("period {k} was not searched"))
}

/// The cycle of period `k` that passes through a state whose unit `unit` is `value` in the region `code`.
fn cycle<'a>(analysis: &'a Analysis, word: &[&str]) -> &'a Cycle {
    let found = period(analysis, word.len())
        .cycles
        .iter()
        .find(|c| c.word == word);
    found.unwrap_or_else(|| panic!("no cycle of word {word:?}"))
}

/// Eigenvalues of a 2 × 2 matrix from its trace and determinant.
fn pair(trace: f64, det: f64) -> [(f64, f64); 2] {
    let d = trace * trace / 4.0 - det;
    let (re, im) = if d >= 0.0 {
        (d.sqrt(), 0.0)
    } else {
        (0.0, (-d).sqrt())
    };
    [(trace / 2.0 + re, im), (trace / 2.0 - re, -im)]
}

#[test]
fn tent_map_has_its_fixed_points_and_cycles() {
    let s = 1.99;
    let c = (s - 1.0) / 2.0;
    let analysis = run(&symmetric_tent(s), 1, 0.1, &settings());
    assert_eq!(analysis.attractor, Attractor::Chaotic);

    for (code, y, eigenvalue) in [("0", -0.5, s), ("1", c / (1.0 + s), -s)] {
        let point = fixed_point(&analysis, code);
        assert!(point.real && point.residual <= 1e-15);
        assert_eq!(point.stability.kind, StabilityKind::UnstableNode);
        close("fixed point", point.z[0], y, 1e-12);
        check_eigenvalues("fixed point", &point.stability.eigenvalues, &[(eigenvalue, 0.0)]);
    }
    assert!(analysis.fixed_points.complete && analysis.fixed_points.points.len() == 2);

    // From y' = c − s|y| around the cycle, y the first state of the word.
    let cases: [(&[&str], f64, f64); 3] = [
        (&["0", "1"], c * (1.0 - s) / (1.0 + s * s), -s * s),
        (
            &["0", "0", "1"],
            c * (1.0 - s - s * s) / (1.0 + s.powi(3)),
            -s.powi(3),
        ),
        (
            &["0", "1", "1"],
            c * (1.0 - s + s * s) / (1.0 - s.powi(3)),
            s.powi(3),
        ),
    ];
    for (word, y, eigenvalue) in cases {
        let cycle = cycle(&analysis, word);
        close(&format!("cycle {word:?}"), cycle.z[0], y, 1e-12);
        check_eigenvalues("cycle", &cycle.stability.eigenvalues, &[(eigenvalue, 0.0)]);
        assert!(cycle.residual <= 1e-14 && cycle.word_visited, "{cycle:?}");
    }
    // Orbits of the full tent map up to period 6: 1, 2, 3, 6, 9; at slope 1.99 those of the words 0…01 and 0…011
    // of lengths 5 and 6 stay because the kneading sequence still lets them.
    let found: Vec<usize> = (2..=6).map(|k| period(&analysis, k).found).collect();
    let expected: Vec<usize> = (2..=6).map(|k| tent_cycles(s, k)).collect();
    assert_eq!(found, expected);
    assert!((2..=6).all(|k| period(&analysis, k).complete));
}

/// Cycles of exact period `k` of the tent map: words whose solution of `y_j+1 = c − s σ_j y_j` has the signs `σ`.
fn tent_cycles(s: f64, k: u32) -> usize {
    let c = (s - 1.0) / 2.0;
    let orbit = |word: u32| {
        let sign = |j: u32| if word >> (j % k) & 1 == 1 { 1.0 } else { -1.0 };
        let (slope, offset) = (0..k).fold((1.0, 0.0), |(m, b), j| (-s * sign(j) * m, c - s * sign(j) * b));
        let y0: f64 = offset / (1.0 - slope);
        (0..k)
            .scan(y0, |y, j| {
                Some(std::mem::replace(y, c - s * sign(j) * *y) * sign(j))
            })
            .all(|v| v > 0.0)
    };
    let primitive = |word: &u32| (1..k).all(|r| (word >> r | word << (k - r)) & ((1 << k) - 1) != *word);
    (0..1u32 << k)
        .filter(primitive)
        .filter(|&word| orbit(word))
        .count()
        / k as usize
}

/// At slope 2 the binary expansion of a float runs out after 53 steps; the skew tent map with its peak at 1/2 + 1e-4
/// has the exponent `−a ln a − (1 − a) ln(1 − a) = ln 2 − 2e-8` (its invariant density is uniform) and does not.
#[test]
fn tent_map_has_the_exponent_ln_2() {
    for (a, tolerance) in [(0.5 + 1e-4, 1e-6), (0.3, 0.01)] {
        let (p, q) = (1.0 / a, 1.0 / (1.0 - a));
        let analysis = run(&tent(p, q, 1.0 - a), 1, 0.1, &settings());
        let exact = -a * a.ln() - (1.0 - a) * (1.0 - a).ln();
        let l = analysis.lyapunov.as_ref().expect("bounded");
        close("λ", l.spectrum[0], exact, 4.0 * l.error[0]);
        assert!(
            l.error[0] > 0.0 && l.error[0] <= tolerance,
            "error bar {}",
            l.error[0]
        );
        // The branches are a Bernoulli partition with probabilities a and 1 − a: Pesin's formula is exact.
        let symbols = analysis.symbols.as_ref().expect("bounded");
        let rate = symbols.block_rate.expect("two symbols are sampled well");
        close("entropy of words", rate.value, exact, 4.0 * rate.error + 1e-3);
        let rate = symbols.rate.expect("not periodic");
        close("entropy rate", rate.value, exact, 4.0 * rate.error + 0.02);
        assert_eq!((symbols.markov_order, symbols.forbidden_count), (Some(0), 0));
        if a > 0.5 {
            close("λ near ln 2", l.spectrum[0], std::f64::consts::LN_2, 1e-5);
        }
    }
}

/// At slope (1 + √5)/2 the peak's orbit has period 3: of the two pieces that it cuts out of the attractor, the left one
/// (drawn with −y, so that the unit is on there) is mapped onto the right one, the right one onto both. The symbols
/// are those of the golden-mean shift: `11` never occurs, and the entropy is ln((1 + √5)/2).
#[test]
fn golden_mean_tent_map_forbids_11() {
    let s = GOLDEN;
    let theta = theta([-s], [[2.0 * s]], [(1.0 - s) / 2.0]);
    let analysis = run(&theta, 1, 0.1, &settings());
    let regions = analysis.regions.as_ref().expect("bounded");
    let codes: Vec<&str> = regions.list.iter().map(|r| r.code.as_str()).collect();
    assert_eq!(codes, ["0", "1"]);
    // Invariant density: 1/(1 + φ²) of the time on the left.
    close("share", regions.list[1].share, 1.0 / (1.0 + s * s), 0.01);
    assert_eq!(regions.list[1].dwell.max, 1);
    close("dwell", regions.list[0].dwell.mean.expect("visits"), s * s, 0.05);

    let symbols = analysis.symbols.as_ref().expect("bounded");
    let forbidden: Vec<&[u32]> = symbols.forbidden.iter().map(|w| &w.symbols[..]).collect();
    assert_eq!(forbidden, [[1, 1]]);
    assert!(symbols.forbidden[0].chance <= 1e-300);
    let rate = symbols.block_rate.expect("two symbols");
    close("entropy of words", rate.value, s.ln(), 4.0 * rate.error + 1e-3);
    let rate = symbols.rate.expect("not periodic");
    close("entropy rate", rate.value, s.ln(), 4.0 * rate.error + 0.02);
    assert_eq!(symbols.markov_order, Some(1));
    // Words of length n are counted by Fibonacci numbers.
    let words: Vec<usize> = symbols.blocks.iter().take(8).map(|b| b.words).collect();
    assert_eq!(words, [2, 3, 5, 8, 13, 21, 34, 55]);

    let graph = analysis.transitions.as_ref().expect("bounded");
    assert_eq!(graph.probability[1], [1.0, 0.0]);
    close("stays right", graph.probability[0][0], 1.0 / s, 0.01);
    assert_eq!(graph.change_probability, [[0.0, 1.0], [1.0, 0.0]]);
    assert!(graph.dot().contains("1 -> 0 [label=\"1.000\""));
    let l = analysis.lyapunov.as_ref().expect("bounded");
    close("λ", l.spectrum[0], s.ln(), 1e-12);
}

#[test]
fn lozi_map_has_its_orbits_and_exponents() {
    let (a, b) = (1.7, 0.5);
    let settings = AnalysisSettings {
        lyapunov_steps: 400_000,
        ..settings()
    };
    let analysis = run(&lozi(a, b), 1, 0.1, &settings);
    assert_eq!(analysis.attractor, Attractor::Chaotic);

    // Unit 1 is x.
    for (code, x, slope) in [("1", 1.0 / (1.0 + a - b), -a), ("0", 1.0 / (1.0 - a - b), a)] {
        let point = fixed_point(&analysis, code);
        assert!(point.real);
        close("fixed point", point.z[1], x, 1e-12);
        check_eigenvalues("fixed point", &point.stability.eigenvalues, &pair(slope, -b));
        assert_eq!(
            (point.stability.kind, point.stability.unstable_dimension),
            (StabilityKind::Saddle, 1)
        );
    }
    let lower = (1.0 - b - a) / ((1.0 - b).powi(2) + a * a);
    let two = cycle(&analysis, &["0", "1"]);
    close("2-cycle", two.z[1], lower, 1e-12);
    check_eigenvalues(
        "2-cycle",
        &two.stability.eigenvalues,
        &cycle_eigenvalues(&[-1.0, 1.0], a, b),
    );

    // At these parameters the Lozi map has no 3-cycles.
    let threes = period(&analysis, 3);
    assert!(threes.complete);
    assert_eq!(threes.found, 0);

    // Sprott, Chaos and Time-Series Analysis (2003): 0.47023 and −1.16338, dimension 1.40419.
    let l = analysis.lyapunov.as_ref().expect("bounded");
    close("λ1", l.spectrum[0], 0.47023, 4.0 * l.error[0]);
    close("λ2", l.spectrum[1], -1.16338, 4.0 * l.error[1]);
    close("λ1 + λ2", l.spectrum[0] + l.spectrum[1], b.ln(), 1e-12);
    close("dimension", l.kaplan_yorke, 1.40419, 4.0 * l.error[0]);
    assert!(l.error[0] <= 1e-3, "error bar {}", l.error[0]);
    // Young 1985: the natural measure is smooth along unstable curves, so Pesin's formula holds; symbols by the sign
    // of x generate (Ishii 1997), and finite words overestimate.
    let rate = analysis
        .symbols
        .as_ref()
        .and_then(|s| s.rate)
        .expect("two symbols");
    assert!(rate.value >= 0.46 && rate.value <= 0.52, "{rate:?}");
}

#[test]
fn lozi_map_has_its_3_cycles() {
    let (a, b) = (1.8, 0.1);
    let analysis = run(
        &lozi(a, b),
        1,
        0.1,
        &AnalysisSettings {
            steps: 20_000,
            ..settings()
        },
    );
    assert_eq!(period(&analysis, 3).found, 2);
    for (word, signs) in [
        (["0", "0", "1"], [-1.0, -1.0, 1.0]),
        (["0", "1", "1"], [-1.0, 1.0, 1.0]),
    ] {
        let cycle = cycle(&analysis, &word);
        for (state, x) in cycle.states.iter().zip(three_cycle(signs, a, b)) {
            close("3-cycle", state[1], x, 1e-12);
        }
        check_eigenvalues(
            "3-cycle",
            &cycle.stability.eigenvalues,
            &cycle_eigenvalues(&signs, a, b),
        );
        assert_eq!(cycle.stability.kind, StabilityKind::Saddle);
        assert!(cycle.residual <= 1e-14, "{}", cycle.residual);
    }
}

/// Eigenvalues of the product of `[[−a σ, 1], [b, 0]]` along a cycle.
fn cycle_eigenvalues(signs: &[f64], a: f64, b: f64) -> [(f64, f64); 2] {
    let product = signs.iter().fold([[1.0, 0.0], [0.0, 1.0]], |m, sign| {
        let j = [[-a * sign, 1.0], [b, 0.0]];
        std::array::from_fn(|r| std::array::from_fn(|c| j[r][0] * m[0][c] + j[r][1] * m[1][c]))
    });
    let det = product[0][0] * product[1][1] - product[0][1] * product[1][0];
    pair(product[0][0] + product[1][1], det)
}

/// The 3-cycle of the Lozi map with the signs `σ`: `x_{j+1} + a σ_j x_j − b x_{j−1} = 1`, by Cramer's rule.
fn three_cycle(signs: [f64; 3], a: f64, b: f64) -> [f64; 3] {
    let det = |m: [[f64; 3]; 3]| {
        let minor = |r: usize, s: usize| m[1][r] * m[2][s] - m[1][s] * m[2][r];
        m[0][0] * minor(1, 2) - m[0][1] * minor(0, 2) + m[0][2] * minor(0, 1)
    };
    let [p, q, r] = signs.map(|sign| a * sign);
    let m = [[p, 1.0, -b], [-b, q, 1.0], [1.0, -b, r]];
    std::array::from_fn(|column| {
        let mut replaced = m;
        replaced.iter_mut().for_each(|row| row[column] = 1.0);
        det(replaced) / det(m)
    })
}

#[test]
fn linear_saddle_diverges_from_its_fixed_point() {
    // diag(A) + W = [[2, 0.5], [0, 0.5]].
    let theta = theta([1.5, 0.25], [[0.5, 0.5], [0.0, 0.25]], [-1.0, 1.0]);
    let analysis = run(&theta, 0, 0.3, &settings());
    // The distance to the fixed point doubles from 0.5 or so: 2^27 > 1e8 steps out.
    let Attractor::Diverges { step } = analysis.attractor else {
        panic!("{:?}", analysis.attractor)
    };
    assert!((25..30).contains(&step), "after {step}");
    assert!(analysis.regions.is_none() && analysis.lyapunov.is_none() && analysis.cycles.is_empty());
    let point = &analysis.fixed_points.points[0];
    close("x", point.z[0], 0.0, 1e-12);
    close("y", point.z[1], 2.0, 1e-12);
    check_eigenvalues("saddle", &point.stability.eigenvalues, &[(2.0, 0.0), (0.5, 0.0)]);
    assert_eq!(
        (point.stability.kind, point.stability.unstable_dimension),
        (StabilityKind::Saddle, 1)
    );
    assert!(
        analysis
            .summary()
            .contains(&format!("diverges after {step} steps")),
        "{}",
        analysis.summary()
    );
    assert!(analysis.summary().lines().count() <= 6, "{}", analysis.summary());
}

#[test]
fn piecewise_rotation_turns_without_growing() {
    let (alpha, beta, g) = (1.1f64, -0.5f64, 0.7);
    let angle = |c: f64| (c / 2.0).acos();
    let x = g / (2.0 - alpha - beta);
    // An ellipse around the fixed point x = 0.5 that stays above 0 (orbits that cross 0 may be chaotic).
    let analysis = run(
        &rotations(alpha, beta, g),
        1,
        0.55,
        &AnalysisSettings {
            dt: Some(0.5),
            ..settings()
        },
    );
    let point = fixed_point(&analysis, "1");
    assert!(point.real);
    close("fixed point", point.z[0], x, 1e-12);
    close("its copy", point.z[2], x, 1e-12);
    let (sin, cos) = angle(alpha + beta).sin_cos();
    check_eigenvalues(
        "on",
        &point.stability.eigenvalues,
        &[(cos, sin), (cos, -sin), (0.0, 0.0)],
    );
    assert_eq!(
        (point.stability.kind, point.stability.marginal_dimension),
        (StabilityKind::Center, 2)
    );

    let other = fixed_point(&analysis, "0");
    assert!(!other.real && other.lies_in == "1");
    let (sin, cos) = angle(alpha).sin_cos();
    check_eigenvalues(
        "off",
        &other.stability.eigenvalues,
        &[(cos, sin), (cos, -sin), (0.0, 0.0)],
    );

    assert_eq!(analysis.attractor, Attractor::Regular);
    let l = analysis.lyapunov.as_ref().expect("bounded");
    assert_eq!(l.spectrum[2], f64::NEG_INFINITY);
    close("λ1 + λ2", l.spectrum[0] + l.spectrum[1], 0.0, 1e-12);
    close("λ1", l.spectrum[0], 0.0, 1e-5);
    assert_eq!(l.positive_sum, 0.0);
    close("dimension", l.kaplan_yorke, 2.0, 1e-3);
    close(
        "per time",
        l.per_time.as_ref().expect("dt")[0],
        l.spectrum[0] / 0.5,
        1e-15,
    );
    let json = analysis.to_json().expect("serialises");
    let value: serde_json::Value = serde_json::from_str(&json).expect("valid JSON");
    assert!(value["lyapunov"]["spectrum"][2].is_null());
}

/// `x' = |x| − x₋` (Brown 1983): every orbit has period 9, so the cycles form a plane and `I − J` is singular.
#[test]
fn a_plane_of_cycles_is_called_singular() {
    let settings = AnalysisSettings {
        max_period: 9,
        ..settings()
    };
    let analysis = run(&rotations(-1.0, 2.0, 0.0), 1, 0.3, &settings);
    assert_eq!(analysis.attractor, Attractor::Cycle { period: 9 });
    assert!(analysis.settled_on.is_none());
    let nine = period(&analysis, 9);
    assert_eq!(nine.found, 0);
    let planes: Vec<_> = nine
        .degenerate_words
        .iter()
        .filter(|w| w.continuum && w.nullity == 2)
        .collect();
    assert!(!planes.is_empty(), "{nine:?}");
    assert!(planes.iter().all(|w| w.condition > 1e13));
}

#[test]
fn a_stable_fixed_point_is_where_the_run_settles() {
    // A contraction with one ReLU unit: z = (0.5 z + 1, 0.25 max(v, 0) − 1), v < 0 in the end.
    let theta = theta([0.5, 0.0], [[0.0, 0.0], [0.0, 0.25]], [1.0, -1.0]);
    let scaling = alrnn_gpu::model::Scaling {
        mean: vec![10.0],
        scale: vec![3.0],
    };
    let start = [5.0];
    let input = AnalysisInput {
        scaling: Some(&scaling),
        start: Some(&start),
        ..AnalysisInput::new(&theta, 1)
    };
    let analysis = analyze(&input, &settings()).expect("valid");
    assert_eq!(analysis.attractor, Attractor::FixedPoint);
    let settled = analysis.settled_on.as_ref().expect("isolated");
    assert_eq!(settled.stability.kind, StabilityKind::StableNode);
    close("z", settled.z[0], 2.0, 1e-12);
    close("data units", settled.observed[0][0], 16.0, 1e-12);
    let regions = analysis.regions.as_ref().expect("bounded");
    assert_eq!((regions.visited, regions.possible), (1, 2.0));
    assert!(
        analysis
            .summary()
            .contains("settles on a stable fixed point: stable node at (16.0000)")
    );
}

/// So slow a contraction that the transient does not suffice is no limit cycle.
#[test]
fn a_slow_contraction_has_not_settled() {
    let theta = theta([1.0 - 1e-4], [[0.0]], [0.0]);
    let analysis = run(
        &theta,
        1,
        -1.0,
        &AnalysisSettings {
            steps: 5000,
            ..settings()
        },
    );
    assert_eq!(analysis.attractor, Attractor::Settling);
    assert!(
        analysis.summary().contains("has not settled yet"),
        "{}",
        analysis.summary()
    );
}

#[test]
fn a_linear_model_is_one_region() {
    // A damped rotation.
    let (sin, cos) = 0.3f64.sin_cos();
    let theta = theta([0.9 * cos; 2], [[0.0, -0.9 * sin], [0.9 * sin, 0.0]], [0.1, 0.0]);
    let analysis = run(&theta, 0, 1.0, &settings());
    assert_eq!(analysis.attractor, Attractor::FixedPoint);
    assert_eq!(
        analysis.settled_on.as_ref().map(|c| c.stability.kind),
        Some(StabilityKind::StableFocus)
    );
    let regions = analysis.regions.as_ref().expect("bounded");
    assert_eq!(
        (regions.visited, regions.possible, regions.list[0].code.as_str()),
        (1, 1.0, "linear")
    );
    let l = analysis.lyapunov.as_ref().expect("bounded");
    close("λ1", l.spectrum[0], 0.9f64.ln(), 1e-12);
    assert_eq!(l.kaplan_yorke, 0.0);
    assert!(analysis.summary().contains("1 of 1 visited"));
}

/// A global contraction with 50 ReLU units has one fixed point, in one of 2^50 regions.
#[test]
fn the_search_finds_one_region_in_2_to_the_50() {
    let dims = Dims { M: 60, N: 3, K: 0 };
    let mut theta = Theta::zeros(dims);
    let mut draws = alrnn_gpu::rng::normals(3, alrnn_gpu::rng::Stream::InitW).map(f64::from);
    theta.A.fill(0.3);
    theta
        .W
        .iter_mut()
        .zip(&mut draws)
        .for_each(|(w, n)| *w = 0.06 * n);
    theta.h.iter_mut().zip(&mut draws).for_each(|(h, n)| *h = n);
    let start = [50.0, -50.0, 50.0];
    let input = AnalysisInput {
        start: Some(&start),
        ..AnalysisInput::new(&theta, 50)
    };
    let settings = AnalysisSettings {
        transient: 0,
        steps: 1,
        lyapunov_steps: 100,
        max_period: 1,
        ..settings()
    };
    let short = analyze(&input, &settings).expect("valid");
    assert_eq!((short.fixed_points.real, short.fixed_points.complete), (1, false));
    let long = analyze(
        &input,
        &AnalysisSettings {
            transient: 2000,
            ..settings
        },
    )
    .expect("valid");
    let settled = long.settled_on.as_ref().expect("settles");
    let point = short
        .fixed_points
        .points
        .iter()
        .find(|p| p.real)
        .expect("one is real");
    assert_eq!(point.code, settled.word[0]);
    assert!(point.residual <= 1e-13 && point.stability.kind == settled.stability.kind);
    for (found, settled) in point.z.iter().zip(&settled.z) {
        close("z", *found, *settled, 1e-11);
    }
}

#[test]
fn inputs_that_do_not_fit_are_refused_in_words() {
    let good = symmetric_tent(1.5);
    let mut bad = good.clone();
    bad.h[0] = f64::NAN;
    let error = |input: AnalysisInput<'_>| analyze(&input, &settings()).expect_err("refused").to_string();
    assert!(error(AnalysisInput::new(&bad, 1)).contains("not finite"));
    assert!(error(AnalysisInput::new(&good, 2)).contains("P = 2"));
    let start = [0.0, 1.0];
    assert!(
        error(AnalysisInput {
            start: Some(&start),
            ..AnalysisInput::new(&good, 1)
        })
        .contains("2 values")
    );
}

/// What is written can be read back, and equals what the structs say.
#[test]
fn files_hold_what_was_found() {
    let analysis = run(
        &lozi(1.7, 0.5),
        1,
        0.1,
        &AnalysisSettings {
            steps: 3000,
            ..settings()
        },
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    analysis.write(folder.path()).expect("writes");
    let read = |key: &str| {
        let spec = format!("{}:{key}", folder.path().join("analysis.npz").display());
        alrnn_gpu::arrays::read_arrays(&spec)
            .expect("reads")
            .remove(0)
            .values
    };
    let regions = analysis.regions.as_ref().expect("bounded");
    let symbols: Vec<u32> = read("symbols").iter().map(|&s| s as u32).collect();
    assert_eq!(symbols, regions.sequence);
    assert_eq!(read("codes").shape(), [2, 1]);
    assert_eq!(read("z").shape(), [3000, 2]);
    assert_eq!(read("transitions").shape(), [2, 2]);
    let spectrum = &analysis.lyapunov.as_ref().expect("bounded").spectrum;
    assert_eq!(read("lyapunov")[[0, 0]], spectrum[0]);
    assert_eq!(read("lyapunov_convergence").shape()[1], 2);
    assert_eq!(read("cycles_2")[[0, 0, 1]], cycle(&analysis, &["0", "1"]).z[1]);
    let json = std::fs::read_to_string(folder.path().join("analysis.json")).expect("JSON is there");
    let value: serde_json::Value = serde_json::from_str(&json).expect("valid JSON");
    assert_eq!(value["attractor"]["kind"], "chaotic");
    assert_eq!(value["fixed_points"]["points"][0]["type"], "saddle");
    let dot = std::fs::read_to_string(folder.path().join("transitions.dot")).expect("DOT is there");
    assert!(dot.starts_with("digraph"));
    // The same settings give the same bytes.
    let again = run(
        &lozi(1.7, 0.5),
        1,
        0.1,
        &AnalysisSettings {
            steps: 3000,
            ..settings()
        },
    );
    assert!(again.to_json().expect("serialises") == json);
}
