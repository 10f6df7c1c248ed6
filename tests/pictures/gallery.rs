//! One picture of each kind.

use alrnn_gpu::report::pictures::*;
use alrnn_gpu::report::plot::{Figure, Key};
use ndarray::{Array2, s};

use super::support;

fn names(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("{i:02b}")).collect()
}

/// One picture of each kind, with the awkward cases.
pub fn gallery() -> Vec<Figure> {
    let x = support::lorenz(30_000);
    let symbols: Vec<u32> = x
        .rows()
        .into_iter()
        .map(|r| {
            if r[0] > 0.3 {
                0
            } else if r[0] < -0.3 {
                1
            } else if r[2] < 0.0 {
                2
            } else {
                3
            }
        })
        .collect();
    let labels = names(4);
    let share = [0.4, 0.38, 0.15, 0.07];
    let columns: Vec<String> = ["x", "y", "z"].map(String::from).to_vec();
    let regions = RegionNames {
        labels: &labels,
        share: &share,
        total: 4,
    };
    let marks = [
        ([0.0, 0.0, 0.0], false),
        ([1.06, 0.94, 0.4], true),
        ([-1.06, -0.94, 0.4], true),
    ]
    .map(|(x, real)| Mark {
        x: x.to_vec(),
        real,
        title: "fixed point".into(),
    });
    let track = |title, class| Track {
        title,
        class,
        x: x.view(),
        symbols: None,
    };
    let mut all = vec![
        state_space(&StateSpace {
            name: "attractor",
            tracks: vec![track("Data", "data"), track("Free run of the model", "c0")],
            behind: None,
            regions: None,
            columns: &columns,
            most: 8000,
            marks: &[],
        }),
        state_space(&StateSpace {
            name: "regions",
            tracks: vec![Track {
                symbols: Some(&symbols),
                ..track("Free run by region", "c0")
            }],
            behind: None,
            regions: Some(regions),
            columns: &columns,
            most: 8000,
            marks: &marks,
        }),
        time_series(&Series {
            name: "series",
            data: Some(x.view()),
            model: x.slice(s![400.., ..]),
            columns: &columns,
            dt: Some(0.01),
            most: 1000,
        }),
    ];
    // The Hénon map: points, not lines.
    let mut henon = Array2::zeros((5000, 2));
    let (mut a, mut b) = (0.1, 0.1);
    for mut row in henon.rows_mut() {
        (a, b) = (1.0 - 1.4 * a * a + b, 0.3 * a);
        row.assign(&ndarray::aview1(&[a, b]));
    }
    let sides: Vec<u32> = henon.rows().into_iter().map(|r| u32::from(r[0] < 0.0)).collect();
    for (name, x) in [("henon", henon.view()), ("return", henon.slice(s![.., ..1]))] {
        all.push(state_space(&StateSpace {
            name,
            tracks: vec![Track {
                title: "Free run by region",
                class: "c0",
                x,
                symbols: Some(&sides),
            }],
            behind: None,
            regions: Some(RegionNames {
                labels: &labels[..2],
                share: &[0.7, 0.3],
                total: 2,
            }),
            columns: &[],
            most: 8000,
            marks: &[],
        }));
    }
    let bump = |shift: f64| -> Vec<f64> {
        (0..5000)
            .map(|k| {
                (-(f64::from(k) - 60.0 - shift).powi(2) / 4000.0).exp() + 1e-6 + 1e-3 / (1.0 + f64::from(k))
            })
            .collect()
    };
    all.push(power_spectra(
        "spectrum",
        &PowerSpectra {
            length: 10_000,
            data: Some(bump(0.0)),
            model: bump(12.0),
            dt: None,
            smoothing: 20.0,
        },
    ));
    let members = curves();
    all.push(training_curves(
        "training",
        &Curves {
            members: &members,
            best: Some("m014"),
            floor: (0.05, 0.02),
            keys: (0..6)
                .map(|p| Key::new(format!("c{p}"), format!("P = {p}")))
                .collect(),
        },
    ));
    all.push(coverage(
        "coverage",
        &Coverage {
            model: vec![0.5, 0.8, 0.95, 1.0],
            data: Some(vec![0.45, 0.75, 0.9, 0.99, 1.0]),
            visited: 4,
            possible: 16.0,
        },
    ));
    for n in [2usize, 4, 11, 40] {
        let share: Vec<f64> = (0..n).map(|i| 0.6f64.powi(i as i32)).collect();
        let sum: f64 = share.iter().sum();
        let probability = (0..n)
            .map(|i| {
                let row: Vec<f64> = (0..n)
                    .map(|j| {
                        if i == j {
                            5.0
                        } else {
                            1.0 / (1.0 + ((3 * i + 7 * j) % n) as f64).powi(2)
                        }
                    })
                    .collect();
                let sum: f64 = row.iter().sum();
                row.into_iter().map(|v| v / sum).collect()
            })
            .collect();
        let labels = (0..n)
            .map(|i| format!("{i:0width$b}", width = (n as f64).log2().ceil() as usize))
            .collect();
        let share = share.into_iter().map(|s| s / sum).collect();
        all.push(transition_graph(
            &format!("graph-{n}"),
            &Transitions {
                labels,
                share,
                probability,
            },
        ));
    }
    let sets: Vec<EigenSet> = (0..3)
        .map(|k| EigenSet {
            label: format!("fixed point {}, region {k:02b}", k + 1),
            values: (0..10)
                .map(|i| (f64::from(i) * 0.63 + f64::from(k), 0.12 * f64::from(i)))
                .flat_map(|(t, r)| [(r * t.cos(), r * t.sin()), (r * t.cos(), -r * t.sin())])
                .collect(),
        })
        .collect();
    all.push(eigenvalues("eigenvalues", &sets));
    let bars: Vec<LyapunovBar> = (0..20)
        .map(|i| LyapunovBar {
            exponent: 0.9 - 0.9 * f64::from(i).sqrt(),
            error: 0.05,
            positive: i == 0,
        })
        .collect();
    all.push(lyapunov("lyapunov", &bars, 133, "step"));
    let groups = Groups {
        setting: "P".into(),
        names: (0..6).map(|p| p.to_string()).collect(),
        values: (0..6)
            .map(|p| {
                (0..10)
                    .map(|s| {
                        if p == 0 && s < 3 {
                            f64::NAN
                        } else {
                            3.0 / f64::from(1 + p * (s + 1))
                        }
                    })
                    .collect()
            })
            .collect(),
    };
    all.push(metric_by_setting(
        "D_stsp-P",
        "State space divergence",
        "D_stsp",
        &groups,
        (0.06, "noise floor"),
    ));
    let counts = Groups {
        values: (0..6)
            .map(|p| (0..10).map(|s| f64::from(1 << p.min(s))).collect())
            .collect(),
        ..groups.clone()
    };
    all.push(regions_by_setting("regions-P", &counts));
    all.push(success_by_setting(
        "success-P",
        &Success {
            setting: "P".into(),
            names: groups.names.clone(),
            counts: vec![(0, 10), (1, 10), (5, 10), (8, 10), (10, 10), (9, 10)],
            rule: "Success: best D_stsp below 0.18, 3 times the noise floor 0.06; a diverged member is none."
                .into(),
        },
    ));
    all.into_iter().map(|f| f.expect("picture")).collect()
}

fn curves() -> Vec<Curve> {
    (0..60)
        .map(|m| {
            let epoch: Vec<f64> = (1..=40).map(|e| 25.0 * f64::from(e)).collect();
            let rate = 0.002 * f64::from(1 + m % 7);
            let wave = |e: f64, k: f64| 1.0 + 0.3 * (0.05 * e * k + f64::from(m)).sin();
            Curve {
                id: format!("m{m:03}"),
                loss: epoch
                    .iter()
                    .map(|e| 0.01 + (-rate * e).exp() * wave(*e, 1.0))
                    .collect(),
                d_stsp: epoch
                    .iter()
                    .map(|e| {
                        if m == 3 {
                            f64::NAN
                        } else {
                            0.1 + 8.0 * (-rate * e).exp() * wave(*e, 2.0)
                        }
                    })
                    .collect(),
                d_h: epoch
                    .iter()
                    .map(|e| 0.03 + 0.5 * (-rate * e).exp() * wave(*e, 3.0))
                    .collect(),
                class: format!("c{}", m / 10),
                epoch,
            }
        })
        .collect()
}
