//! The HTML report, from a made-up run folder.
#![allow(non_snake_case, reason = "the paper's symbols")]

mod support;

use std::fs;
use std::path::Path;

use alrnn_gpu::model::{Dims, Model, Theta};
use alrnn_gpu::report::pictures::{Series, time_series};
use alrnn_gpu::report::{Look, ReportOptions, write_report};
use ndarray::Array2;

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

/// Models that stand for a flow (an oscillator of two ReLU units, in steps of 0.05) have an orbit in the page.
#[test]
fn periodic_orbits_are_shown() {
    let (_guard, root) = folder();
    let run = support::run_folder(&root, "lorenz.npy", 2000);
    fs::remove_file(root.join("lorenz.npy")).expect("removed");
    let (dt, mut theta) = (0.05, Theta::zeros(Dims { M: 5, N: 3, K: 0 }));
    let x = [1.0 + dt, -dt, 0.0, -2.0 * dt, 2.0 * dt];
    let rows = [x, [0.3 * dt, 1.0, 0.0, 0.0, 0.0], [0.0; 5], x, x.map(|w| -w)];
    theta.W.assign(&ndarray::arr2(&rows));
    theta.h.assign(&ndarray::arr1(&[0.0, 0.0, 0.0, -1.0, -1.0]));
    for entry in fs::read_dir(run.join("best")).expect("models") {
        let path = entry.expect("entry").path();
        let model = Model::load(&path).expect("a model");
        let (P, theta) = (2, theta.clone());
        Model { P, theta, ..model }.save(&path).expect("saved");
    }
    let path = write_report(&run, &ReportOptions::default()).expect("report");
    let page = fs::read_to_string(path).expect("page");
    assert!(page.contains("id=\"orbits\"") && page.contains("id=\"orbits-table\""));
    let row = page
        .split("orbits-table")
        .nth(1)
        .and_then(|rest| rest.split("<tr><td>").nth(1));
    let row = row.expect("a row");
    assert!(row.starts_with("A</td><td>266."), "{row}");
    assert!(!shown(&page).contains("NaN"));
    let arrays = fs::read(run.join("plots/analysis.npz")).expect("arrays");
    let mut arrays = ndarray_npy::NpzReader::new(std::io::Cursor::new(arrays)).expect("npz");
    let z: Array2<f64> = arrays.by_name("periodic_z").expect("states");
    assert!(z.ncols() == 5 && (260..270).contains(&z.nrows()), "{:?}", z.dim());
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
