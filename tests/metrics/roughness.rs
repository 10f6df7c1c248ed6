//! Roughness, and the rule that tells the better of two scores.

use std::cmp::Ordering;

use alrnn_gpu::metrics::{Histogram, Mixture, Standing, roughness, success_threshold};
use ndarray::{Array2, array, concatenate, s};

use super::{close, walk};

/// A sine of amplitude `size` and its mirror image, `period` rows a turn.
fn wave(rows: usize, period: f64, size: f64) -> Array2<f64> {
    Array2::from_shape_fn((rows, 2), |(t, n)| {
        let angle = std::f64::consts::TAU * t as f64 / period;
        if n == 0 { size * angle.sin() } else { -angle.cos() }
    })
}

#[test]
fn roughness_is_the_ratio_of_second_differences_of_the_furthest_column() {
    let data = wave(1200, 60.0, 1.0);
    let of = |run: &Array2<f64>| roughness(&[data.view()], &[run.view()]);
    assert_eq!(of(&data), 1.0);
    // Twice as large in one column is twice as rough; a column that is a third as rough is further from 1.
    close("twice", of(&wave(1200, 60.0, 2.0)), 2.0, 1e-12);
    let mut run = wave(1200, 60.0, 2.0);
    run.column_mut(1).mapv_inplace(|v| v / 3.0);
    close("a third", of(&run), 1.0 / 3.0, 1e-12);
    // Second differences by hand: 0 1 0 1 … has |d| = 2 throughout, 0 0 1 1 … half of it.
    let quick = Array2::from_shape_fn((400, 1), |(t, _)| (t % 2) as f64);
    let slow = Array2::from_shape_fn((400, 1), |(t, _)| (t / 2 % 2) as f64);
    close("by hand", roughness(&[quick.view()], &[slow.view()]), 0.5, 1e-12);
    // The same rows, jumping to and fro between two stretches: the states alone cannot tell.
    let jumps = Array2::from_shape_fn((1200, 2), |(t, n)| data[[(t % 2 * 630 + t / 2) % 1200, n]]);
    assert!(of(&jumps) > 20.0, "{}", of(&jumps));
}

#[test]
fn roughness_does_not_reach_over_gaps_or_from_trial_to_trial() {
    let (a, b) = (wave(300, 50.0, 1.0), 10.0 + wave(200, 50.0, 1.0));
    let runs = [2.0 * &a, 2.0 * &b];
    let of = |data: &[Array2<f64>], runs: &[Array2<f64>]| {
        let data: Vec<_> = data.iter().map(|x| x.view()).collect();
        let runs: Vec<_> = runs.iter().map(|x| x.view()).collect();
        roughness(&data, &runs)
    };
    close("trials", of(&[a.clone(), b.clone()], &runs), 2.0, 1e-12);
    let mut holes = a.clone();
    holes.slice_mut(s![100..140, 0]).fill(f64::NAN);
    let mut run = 2.0 * &a;
    run.slice_mut(s![100..140, 0]).fill(1e6);
    close("gap", of(&[holes], &[run]), 2.0, 1e-12);
}

#[test]
fn roughness_is_defined_where_it_can_be() {
    let ramp = Array2::from_shape_fn((100, 1), |(t, _)| 0.1 * t as f64);
    assert!(roughness(&[ramp.view()], &[walk(100, 1, 1).view()]).is_nan());
    // A ramp beside a column that varies decides nothing.
    let data = concatenate![ndarray::Axis(1), ramp, walk(100, 1, 1)];
    let mut run = data.clone();
    run.column_mut(0).assign(&walk(100, 1, 2).column(0));
    assert_eq!(roughness(&[data.view()], &[run.view()]), 1.0);
    run[[50, 1]] = f64::NAN;
    assert_eq!(roughness(&[data.view()], &[run.view()]), f64::INFINITY);
    let still = Array2::<f32>::zeros((100, 2));
    assert_eq!(roughness(&[data.view()], &[still.view()]), 0.0);
    let two = array![[1.0, 2.0], [3.0, 4.0]];
    assert!(roughness(&[two.view()], &[two.view()]).is_nan());
}

const GOOD: Standing = Standing {
    dstsp: 3.0,
    saturated: false,
    roughness: 1.2,
    dh: 0.2,
};

#[test]
fn the_better_of_two_is_told_by_one_rule() {
    // Each is better than all that follow.
    let order = [
        Standing {
            dstsp: 1.0,
            roughness: 2.0,
            ..GOOD
        },
        Standing {
            dstsp: 1.5,
            roughness: 0.5,
            ..GOOD
        },
        Standing {
            dstsp: 3.0,
            dh: 0.1,
            ..GOOD
        },
        GOOD,
        // Of two saturated values neither counts, however low: the spectrum decides.
        Standing {
            dstsp: 1e-3,
            saturated: true,
            dh: 0.1,
            ..GOOD
        },
        Standing {
            dstsp: 1e-4,
            saturated: true,
            dh: 0.3,
            ..GOOD
        },
        // Units that switch every other step, and runs that die.
        Standing {
            dstsp: 0.1,
            roughness: 2.01,
            ..GOOD
        },
        Standing {
            dstsp: 0.2,
            roughness: 0.49,
            ..GOOD
        },
        Standing {
            dstsp: 0.3,
            roughness: f64::INFINITY,
            ..GOOD
        },
        Standing {
            dstsp: f64::NAN,
            dh: 0.01,
            ..GOOD
        },
    ];
    for (i, a) in order.iter().enumerate() {
        assert_eq!(a.compare(a), Ordering::Equal);
        for b in &order[i + 1..] {
            assert!(a.better(b) && !b.better(a), "{a:?} {b:?}");
        }
    }
    // A roughness that was never recorded, or that the data do not have, decides nothing.
    let unknown = Standing {
        dstsp: 2.0,
        roughness: f64::NAN,
        ..GOOD
    };
    assert!(unknown.better(&GOOD));
    assert!(GOOD.succeeds(3.1) && !GOOD.succeeds(3.0));
    assert!(
        !order[6].succeeds(3.1) && order[7].succeeds(3.1),
        "smooth beside noisy data is no fault"
    );
    assert!(!order[4].succeeds(3.1) && !order[9].succeeds(3.1));
}

#[test]
fn success_needs_a_floor_below_what_a_run_scores_that_knows_nothing() {
    let near = |value: Option<f64>, expected: f64| close("threshold", value.expect("told"), expected, 1e-12);
    near(success_threshold(0.15, 13.0, 3.0), 0.45);
    near(success_threshold(3.0, 12.0, 3.0), 6.0);
    near(success_threshold(7.0, 12.0, 3.0), 7.0);
    near(success_threshold(1e-4, 12.0, 3.0), 0.24);
    near(success_threshold(-1e-4, 12.0, 3.0), 0.24);
    for (floor, resting) in [
        (9.07, 13.1),
        (f64::NAN, 13.0),
        (0.1, f64::NAN),
        (0.0, 0.0),
        (2.6e-3, 2.6e-3),
    ] {
        assert_eq!(success_threshold(floor, resting, 3.0), None, "{floor} {resting}");
    }
}

#[test]
fn what_knowing_nothing_scores_is_what_such_runs_score() {
    let data = walk(4000, 2, 1);
    let histogram = Histogram::new(&[data.view()], 30).expect("few bins");
    let mixture = Mixture::new(&[data.view()], 0.3, 0);
    let at = |x: f64, y: f64| Array2::from_shape_fn((4000, 2), |(_, n)| if n == 0 { x } else { y });
    let lowest = |of: &dyn Fn(&Array2<f64>) -> f64| {
        let places = data
            .rows()
            .into_iter()
            .step_by(7)
            .map(|row| of(&at(row[0], row[1])));
        places.fold(f64::INFINITY, f64::min)
    };
    // No row of the data is a better place than the one found.
    let place = lowest(&|x| histogram.divergence(&[x.view()]).value);
    close("bins", histogram.resting(), place, 1e-9);
    let mean = data.mean_axis(ndarray::Axis(0)).expect("rows");
    close(
        "mixture",
        mixture.resting(),
        mixture.divergence(&[at(mean[0], mean[1]).view()]).value,
        1e-9,
    );
    // Samples lie about the mean only nearly.
    assert!(lowest(&|x| mixture.divergence(&[x.slice(s![..1, ..])]).value) > 0.99 * mixture.resting());
    // A corner of the range that the data do not visit.
    let (low, high) = data
        .rows()
        .into_iter()
        .fold((f64::MAX, f64::MIN), |(low, high), row| {
            (low.min(row[0]), high.max(row[1]))
        });
    let corner = at(low, high);
    for rows in [1, 50, 4000] {
        let run = corner.slice(s![..rows, ..]);
        let divergence = histogram.divergence(&[run]);
        assert_eq!(divergence.rows, rows);
        close("disjoint", histogram.disjoint(rows), divergence.value, 1e-3);
    }
}
