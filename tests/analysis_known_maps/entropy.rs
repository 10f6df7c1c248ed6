//! The entropy of symbols whose rate is known: a bound is a bound, and an error covers.

use alrnn_gpu::analysis::{AnalysisSettings, EntropyRate, EntropyRates};
use rayon::prelude::*;

use super::{GOLDEN, lozi, run, run_case, symmetric_tent, tent, theta};
use alrnn_gpu::model::Theta;

/// Only what the symbols need.
fn settings() -> AnalysisSettings {
    AnalysisSettings {
        max_period: 1,
        surrogates: 0,
        lyapunov_steps: 5000,
        ..super::settings()
    }
}

fn rates(theta: &Theta, x0: f64) -> EntropyRates {
    run(theta, 1, x0, &settings()).entropy_rates.expect("bounded")
}

/// The number that is called an upper bound, and the estimate from matches.
fn both(rates: &EntropyRates) -> (EntropyRate, EntropyRate) {
    (
        rates.symbol_words.expect("two symbols are sampled well"),
        rates.symbols.expect("not periodic"),
    )
}

#[test]
fn the_upper_bound_of_the_cases_is_above_their_entropy() {
    for (name, slope) in [
        ("entropy-bound/tent-1.6214", 1.6214f64),
        ("entropy-bound/tent-1.6262", 1.6262),
    ] {
        let analysis = run_case(name, &settings());
        let (bound, matches) = both(&analysis.entropy_rates.expect("bounded"));
        let exact = slope.ln();
        assert!(
            bound.value >= exact && bound.value <= exact + 0.01,
            "{name}: {bound:?}"
        );
        assert!(
            (matches.value - exact).abs() <= 2.0 * matches.error,
            "{name}: {matches:?}"
        );
    }
}

/// The entropy rate of a tent map is the logarithm of its slope.
#[test]
fn bounds_and_errors_cover_the_entropy_of_40_tent_maps() {
    let found: Vec<(f64, EntropyRate, EntropyRate)> = (0..40)
        .into_par_iter()
        .map(|i| {
            let slope = 1.42 + 0.56 * f64::from(i) / 39.0;
            let (bound, matches) = both(&rates(&symmetric_tent(slope), 0.1));
            (slope.ln(), bound, matches)
        })
        .collect();
    for (exact, bound, _) in &found {
        assert!(bound.value >= *exact, "{exact}: {bound:?}");
        assert!(
            bound.value <= exact + 0.006,
            "{exact}: the bound is useless, {bound:?}"
        );
    }
    let beyond = found
        .iter()
        .filter(|(exact, _, m)| (m.value - exact).abs() > 2.0 * m.error)
        .count();
    assert!(
        beyond <= 2,
        "{beyond} of 40 lie more than two errors from the truth"
    );
    assert!(
        found.iter().all(|(_, _, m)| m.error <= 0.006),
        "errors that say nothing cover too"
    );
}

/// Other maps: skew tents (an independent draw each step), the golden mean, Lozi (Sprott 2003: λ₁ = 0.47023).
#[test]
fn bounds_and_errors_cover_the_entropy_of_other_maps() {
    let skew = |a: f64| {
        (
            tent(1.0 / a, 1.0 / (1.0 - a), 1.0 - a),
            -a * a.ln() - (1.0 - a) * (1.0 - a).ln(),
        )
    };
    let golden = (
        theta([-GOLDEN], [[2.0 * GOLDEN]], [(1.0 - GOLDEN) / 2.0]),
        GOLDEN.ln(),
    );
    let maps = [golden, (lozi(1.7, 0.5), 0.47023)]
        .into_iter()
        .chain([0.1, 0.2, 0.3, 0.4].map(skew));
    let maps: Vec<(Theta, f64)> = maps.collect();
    let starts: Vec<(usize, f64)> = (0..maps.len())
        .flat_map(|m| [0.1, 0.117, 0.13, 0.151, 0.17].map(|x0| (m, x0)))
        .collect();
    let found: Vec<(usize, EntropyRate, EntropyRate)> = starts
        .into_par_iter()
        .map(|(m, x0)| {
            let (bound, matches) = both(&rates(&maps[m].0, x0));
            (m, bound, matches)
        })
        .collect();
    for (m, bound, _) in &found {
        assert!(bound.value >= maps[*m].1, "map {m}: {} but {bound:?}", maps[*m].1);
    }
    let beyond = found
        .iter()
        .filter(|(m, _, r)| (r.value - maps[*m].1).abs() > 2.0 * r.error);
    let beyond: Vec<_> = beyond.map(|(m, _, r)| (m, maps[*m].1, r)).collect();
    assert!(beyond.len() <= 2, "of {}: {beyond:?}", found.len());
}

/// A slow rotation, one region for half a turn: its symbols have no entropy, but the step at which a change falls
/// looks like chance to short words. A tent map's are what they are.
#[test]
fn symbols_above_the_exponents_are_explained() {
    let (sin, cos) = 0.05f64.sin_cos();
    // The ReLU unit u copies x and acts on nothing.
    let rotation = theta(
        [cos, cos, 0.0],
        [[0.0, -sin, 0.0], [sin, 0.0, 0.0], [1.0, 0.0, 0.0]],
        [0.0; 3],
    );
    let analysis = run(&rotation, 1, 1.0, &settings());
    let rates = analysis.entropy_rates.expect("bounded");
    assert_eq!(rates.positive_exponents, Some(0.0));
    assert!(
        (rates.mean_stay - std::f64::consts::PI / 0.05).abs() <= 0.1,
        "{}",
        rates.mean_stay
    );
    let text = analysis.summary();
    assert_eq!(
        rates.overshoots,
        text.contains("the estimate is too high"),
        "{text}"
    );

    let tent = run(&symmetric_tent(1.7), 1, 0.1, &settings());
    assert!(
        !tent.summary().contains("the estimate is too high"),
        "{}",
        tent.summary()
    );
    let high = EntropyRates {
        positive_exponents: Some(0.01),
        symbols: Some(EntropyRate {
            value: 0.05,
            error: 0.001,
            n: 80,
        }),
        symbol_words: None,
        changes: None,
        mean_stay: 40.0,
        overshoots: true,
    };
    let note = high.note().expect("it is too high");
    assert!(
        note.contains("stays 40 steps") && note.contains("80 symbols"),
        "{note}"
    );
    let coarse = EntropyRates {
        mean_stay: 1.4,
        ..high
    };
    assert!(coarse.note().expect("too high").contains("more --steps"));
    assert_eq!(
        EntropyRates {
            overshoots: false,
            ..high
        }
        .note(),
        None
    );
}
