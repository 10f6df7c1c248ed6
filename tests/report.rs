//! Pictures and the HTML report, from arrays and from a made-up run folder.

mod support;

use std::fs;
use std::path::Path;

use alrnn_gpu::report::pictures::*;
use alrnn_gpu::report::plot::{Figure, Key};
use alrnn_gpu::report::{self, Look, ReportOptions, write_report};
use ndarray::{Array2, s};

fn names(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("{i:02b}")).collect()
}

/// One picture of each kind, with the awkward cases.
fn gallery() -> Vec<Figure> {
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
    let regions = Regions {
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
            regions: Some(Regions {
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
            &TransitionGraph {
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
        0.06,
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

/// Every picture is well formed, small, free of `NaN`, and becomes a PNG. `REPORT_GALLERY=DIR` keeps them.
#[test]
fn pictures_of_every_kind_can_be_drawn() {
    let keep = std::env::var_os("REPORT_GALLERY");
    for figure in gallery() {
        let svg = figure.svg(Look::File);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", figure.name);
        assert!(svg.len() < 400_000, "{} takes {} bytes", figure.name, svg.len());
        let png = report::png(&figure).expect("png");
        assert!(png.len() > 2000, "{} is {} bytes of PNG", figure.name, png.len());
        if let Some(dir) = &keep {
            let dir = Path::new(dir);
            fs::create_dir_all(dir).expect("folder");
            fs::write(dir.join(format!("{}.svg", figure.name)), &svg).expect("svg");
            fs::write(dir.join(format!("{}.png", figure.name)), &png).expect("png");
            println!(
                "{}: svg {} png {} ({})",
                figure.name,
                svg.len(),
                png.len(),
                figure.caption
            );
        }
    }
}

/// The page without its script.
fn shown(page: &str) -> &str {
    page.split("<script>").next().unwrap_or(page)
}

/// Folder of one test, kept where `REPORT_KEEP=DIR` says so.
fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let temporary = tempfile::tempdir().expect("folder");
    let path = std::env::var_os("REPORT_KEEP").map_or_else(|| temporary.path().into(), Into::into);
    (temporary, path)
}

#[test]
fn a_study_of_60_members_makes_one_small_file_that_needs_no_network() {
    let (_guard, root) = folder();
    let run = support::run_folder(&root, "lorenz <b>&'.npy", 20_000);
    let path = write_report(&run, &ReportOptions::default()).expect("report");
    let page = fs::read_to_string(&path).expect("page");
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    for bad in ["http:", "https:", "//", "url(", "@import", "<b>&'.npy", "src="] {
        // The script has comments, and `//` occurs there.
        let found = page
            .lines()
            .filter(|l| !l.trim_start().starts_with("//"))
            .any(|l| l.contains(bad));
        assert!(!found, "the page contains {bad:?}");
    }
    assert!(
        page.contains("lorenz &lt;b&gt;&amp;&#x27;.npy"),
        "the data's name is shown, escaped"
    );
    assert!(
        page.matches("<th scope=\"row\"").count() == 60,
        "a row for each member"
    );
    assert!(page.contains("What the best model is made of") && page.contains("Fixed points"));
    assert!(page.contains("diverged at epoch 12"));
    assert!(page.contains("Noise floor 0.11"));
    assert!(!shown(&page).contains("NaN"), "no undefined number is shown");
    for id in [
        "attractor",
        "series",
        "spectrum",
        "D_stsp-by-P",
        "D_H-by-P",
        "success-by-P",
        "regions-by-P",
        "eigenvalues",
        "lyapunov",
        "training",
    ] {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id} is missing");
        for ending in ["svg", "png", "json"] {
            assert!(
                run.join("plots").join(format!("{id}.{ending}")).is_file(),
                "plots/{id}.{ending}"
            );
        }
    }
    let links = page
        .split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    for link in links {
        let link = link.replace("&#x2f;", "/");
        assert!(run.join(&link).exists(), "the link to {link} leads nowhere");
    }
}

#[test]
fn data_that_are_gone_or_changed_are_said() {
    let (_guard, root) = folder();
    let run = support::run_folder(&root, "lorenz.npy", 2000);
    let options = ReportOptions {
        steps: 500,
        ..ReportOptions::default()
    };
    let page = |run: &Path| fs::read_to_string(write_report(run, &options).expect("report")).expect("page");
    assert!(!page(&run).contains("could not be read again"));
    let data = root.join("lorenz.npy");
    let x = support::lorenz(1999);
    alrnn_gpu::arrays::save_array(&data, x.view(), None).expect("other data");
    assert!(page(&run).contains("has changed since training"));
    fs::remove_file(&data).expect("removed");
    let gone = page(&run);
    assert!(gone.contains("could not be read again") && gone.contains("lorenz.npy"));
    assert!(gone.contains("id=\"attractor\""), "the model is still shown");
}

#[test]
fn a_folder_that_is_no_run_is_refused() {
    let (_guard, root) = folder();
    let error = write_report(&root, &ReportOptions::default()).expect_err("no run");
    assert!(error.to_string().contains("config.toml"), "{error}");
    assert_eq!(error.exit_code(), 2);
}

/// A run that has just begun: no score, no model, no log.
#[test]
fn a_run_without_scores_still_makes_a_page() {
    let (_guard, root) = folder();
    let run = support::run_folder(&root, "lorenz.npy", 2000);
    fs::remove_dir_all(run.join("best")).expect("removed");
    fs::remove_file(run.join("log.csv")).expect("removed");
    let path = write_report(&run, &ReportOptions::default()).expect("report");
    let page = fs::read_to_string(path).expect("page");
    assert!(page.contains("No model has a score"));
    assert!(!shown(&page).contains("NaN"));
}

/// Numbers and marks of a picture tell apart what varies beside a large offset.
#[test]
fn series_keep_what_varies_beside_a_large_offset() {
    let x = Array2::from_shape_fn((200, 1), |(t, _)| 101_325.0 + 0.02 * (0.1 * t as f64).sin());
    let figure = time_series(&Series {
        name: "series",
        data: Some(x.view()),
        model: x.view(),
        columns: &["p".to_owned()],
        dt: None,
        most: 200,
    })
    .expect("a picture");
    for (row, drawn) in figure.data["model"].as_array().expect("rows").iter().enumerate() {
        let drawn = drawn[0].as_f64().expect("a number");
        assert!((drawn - x[(row, 0)]).abs() < 1e-6, "row {row}: {drawn}");
    }
    let svg = figure.svg(Look::File);
    assert!(
        svg.contains(">101325.02<") && svg.contains(">101324.98<"),
        "{svg}"
    );
}
