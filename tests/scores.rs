//! Scores that can be trusted, through the command line: who succeeds, what decides, what is said beside a number.

#![allow(non_snake_case, reason = "the paper's symbols")]

mod cli_common;

use alrnn_gpu::arrays::{read_arrays, save_array};
use alrnn_gpu::metrics::{Standing, success_threshold};
use cli_common::{Workplace, assert_one_sentence, stderr, stdout};
use ndarray::{Array2, ArrayView2, Ix2, s};
use serde_json::Value;

/// One optimiser step, four seeds.
const UNTRAINED: [&str; 20] = [
    "--preset",
    "lorenz63",
    "--P",
    "1",
    "--T",
    "10",
    "--tau",
    "5",
    "--seeds",
    "4",
    "--epochs",
    "1",
    "--batches-per-epoch",
    "1",
    "--eval-every",
    "1",
    "--backend",
    "cpu",
    "--threads",
    "2",
];

fn case(name: &str) -> String {
    format!("{}/tests/cases/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn save(w: &Workplace, name: &str, x: ArrayView2<'_, f64>) {
    save_array(w.path(name), x, None).expect("written");
}

/// Two stretches of `rows` rows of one system of `N` dimensions: `data.npy`, and `other.npy` from later on.
fn stretches(w: &Workplace, N: usize, rows: usize) {
    let (steps, dims) = ((2 * rows).to_string(), N.max(4).to_string());
    let mut args = vec!["simulate", "lorenz63", "--steps", &steps, "--out", "all.npy"];
    if N > 3 {
        args[1] = "lorenz96";
        args.extend(["--dims", &dims]);
    }
    w.succeed(&args);
    let all = read_arrays(&w.path("all.npy").to_string_lossy())
        .expect("readable")
        .remove(0);
    let all = all.values.into_dimensionality::<Ix2>().expect("a table");
    save(w, "data.npy", all.slice(s![..rows, ..N]));
    save(w, "other.npy", all.slice(s![rows.., ..N]));
}

fn train(w: &Workplace, out: &str, data: &str, M: usize, more: &[&str]) -> Value {
    let M = M.to_string();
    let args = ["train", "--data", data, "--M", &M, "--out", out, "--json"];
    let output = w.succeed(&[&args, UNTRAINED.as_slice(), more].concat());
    serde_json::from_str(&stdout(&output)).expect("JSON")
}

fn evaluate(w: &Workplace, args: &[&str]) -> Value {
    let output = w.succeed(&[&["evaluate", "--json"], args].concat());
    serde_json::from_str(&stdout(&output)).expect("JSON")
}

/// What the report says of success.
fn verdict(w: &Workplace, run: &str) -> String {
    w.succeed(&["report", run]);
    let page = String::from_utf8(w.read(format!("{run}/report.html"))).expect("text");
    let start = ["models succeed", "No success rate"]
        .iter()
        .find_map(|part| page.find(part));
    let start = start.expect("a verdict");
    let start = page[..start].rfind('>').expect("a tag") + 1;
    page[start..].split('<').next().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn standing(scores: &Value, [dstsp, dh]: [&str; 2]) -> Standing {
    Standing {
        dstsp: number(&scores[dstsp]),
        saturated: scores["saturated"].as_bool().expect("said"),
        roughness: number(&scores["roughness"]),
        dh: number(&scores[dh]),
    }
}

#[test]
fn untrained_models_do_not_succeed_and_another_stretch_of_the_system_does() {
    let w = Workplace::new();
    for N in 1..=20 {
        stretches(&w, N, 3000);
        let trained = train(&w, &format!("run-{N}"), "data.npy", N.max(12), &[]);
        let floor = &trained["noise_floor"];
        let (floor, resting) = (number(&floor["D_stsp"]), number(&floor["D_stsp_resting"]));
        let threshold = success_threshold(floor, resting, 3.0);
        let threshold = threshold.unwrap_or_else(|| panic!("N = {N}: no floor at {floor} of {resting}"));
        let kind = if N <= 4 { "bins" } else { "gmm" };
        assert_eq!(trained["dstsp"], kind, "N = {N}");
        for member in trained["members"].as_array().expect("members") {
            let untrained = standing(member, ["D_stsp", "D_H"]);
            assert!(
                !untrained.succeeds(threshold),
                "N = {N}, {threshold}: {untrained:?}"
            );
            assert!(untrained.off_roughness(), "N = {N}: it dies: {untrained:?}");
        }
        let perfect = evaluate(&w, &["--generated", "other.npy", "--data", "data.npy"]);
        assert_eq!(perfect["dstsp"], kind);
        let perfect = standing(&perfect["generated"][0], ["dstsp", "dh"]);
        assert!(perfect.succeeds(threshold), "N = {N}, {threshold}: {perfect:?}");
        assert!(!perfect.off_roughness(), "N = {N}: {perfect:?}");
    }
    for N in [3, 8] {
        let said = verdict(&w, &format!("run-{N}"));
        assert!(said.starts_with("0 of 4 models succeed (0 %"), "{said}");
    }
    let config = String::from_utf8(w.read("run-8/config.toml")).expect("text");
    assert!(
        config.contains("dstsp = \"auto\"") && config.contains("dstsp = \"gmm\""),
        "{config}"
    );
}

/// Bins beyond what the rows can fill, as the paper's code uses them.
#[test]
fn bins_that_smoothing_swallows_are_said_to_tell_nothing() {
    let w = Workplace::new();
    for N in 6..=10 {
        stretches(&w, N, 3000);
        let run = format!("run-{N}");
        let trained = train(&w, &run, "data.npy", 12, &["--dstsp", "bins"]);
        assert_eq!(trained["dstsp"], "bins");
        for member in trained["members"].as_array().expect("members") {
            assert_eq!(member["saturated"], true, "N = {N}: {member}");
        }
        let perfect = [
            "--generated",
            "other.npy",
            "--data",
            "data.npy",
            "--dstsp",
            "bins",
        ];
        if N >= 7 {
            assert_eq!(
                evaluate(&w, &perfect)["generated"][0]["saturated"],
                true,
                "N = {N}"
            );
        }
        let text = stdout(&w.succeed(&["evaluate", &run, "--data", "data.npy", "--backend", "cpu"]));
        assert!(
            text.contains("D_stsp (bins)") && text.contains("* no better than"),
            "{text}"
        );
        assert!(text.contains("cannot be told"), "{text}");
    }
    assert!(verdict(&w, "run-8").starts_with("No success rate"));
    // Continued with its own estimate only.
    let refused = w.run(&["train", "--resume", "run-8", "--dstsp", "gmm"]);
    assert_one_sentence(&refused, 2, "--dstsp \"gmm\"");
    // The authors' rule: mixtures above 10 dimensions.
    stretches(&w, 11, 500);
    let wide = [
        "--generated",
        "other.npy",
        "--data",
        "data.npy",
        "--dstsp",
        "bins",
    ];
    assert_eq!(evaluate(&w, &wide)["dstsp"], "gmm");
}

/// A trend with a season, a random walk, and a record too short to fill its bins.
#[test]
fn halves_that_do_not_overlap_are_no_floor() {
    let w = Workplace::new();
    let mut walk = Array2::zeros((600, 3));
    for t in 1..600 {
        for n in 0..3 {
            walk[[t, n]] = walk[[t - 1, n]] + f64::from((t * t * 7 + n * t * 131) as u32 % 97) / 48.0 - 0.8;
        }
    }
    save(&w, "walk.npy", walk.view());
    w.succeed(&["simulate", "lorenz63", "--steps", "60", "--out", "short.npy"]);
    let sales = case("drift-floor/sales.csv");
    for (run, data) in [
        ("sales", sales.as_str()),
        ("walk", "walk.npy"),
        ("short", "short.npy"),
    ] {
        let args = ["train", "--data", data, "--M", "4", "--out", run, "--standardize"];
        let output = w.succeed(&[&args, UNTRAINED.as_slice()].concat());
        let table = stdout(&output);
        assert!(
            table.contains("cannot be told: the halves of these data score"),
            "{run}: {table}"
        );
        let floor = table
            .lines()
            .find(|line| line.starts_with("noise floor"))
            .expect("a row");
        assert_eq!(floor.split_whitespace().nth(2), Some("-"), "{floor}");
        assert!(
            verdict(&w, run).starts_with("No success rate: the noise floor cannot be told"),
            "{run}"
        );
    }
}

#[test]
fn constant_columns_decide_nothing() {
    let w = Workplace::new();
    let (model, data) = (case("dead-channel/dead.npz"), case("dead-channel/dead.npy"));
    let args = ["evaluate", &model, "--data", &data, "--backend", "cpu", "--json"];
    let output = w.succeed(&args);
    let scores: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let dead = &scores["models"][0];
    assert!(
        number(&dead["dstsp"]) < 1e-3 && number(&dead["dh"]) < 1e-5,
        "{scores}"
    );
    assert!(
        (number(&dead["roughness"]) - 1.0).abs() < 1e-3 && number(&dead["pe"]) < 1e-9,
        "{scores}"
    );
    assert_eq!(
        stderr(&output).matches("column 3").count(),
        1,
        "{}",
        stderr(&output)
    );

    // Constant up to rounding, in the middle, named; the trajectory leaves it alone, or does not.
    let mut csv = String::from("u,bias,v\n");
    let mut run = csv.clone();
    for t in 0..400 {
        let (u, v) = ((0.1 * f64::from(t)).sin(), (0.1 * f64::from(t)).cos());
        let bias = if t % 3 == 0 { 0.3 } else { 0.1 + 0.2 };
        csv += &format!("{u},{bias},{v}\n");
        run += &format!("{u},{},{v}\n", f64::from(t % 7));
    }
    w.write("flat.csv", csv.as_bytes());
    w.write("run.csv", run.as_bytes());
    let output = w.succeed(&[
        "evaluate",
        "--generated",
        "run.csv",
        "--data",
        "flat.csv",
        "--json",
    ]);
    let scores: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(scores["constant_columns"].as_array().map(Vec::len), Some(1));
    assert!(
        scores["constant_columns"][0]
            .as_str()
            .expect("a name")
            .contains("bias"),
        "{scores}"
    );
    assert!(stderr(&output).contains("bias"), "{}", stderr(&output));
    let same = &scores["generated"][0];
    assert!(
        number(&same["dstsp"]).abs() < 1e-9 && number(&same["dh"]) < 1e-9,
        "{scores}"
    );
    assert_eq!(number(&same["roughness"]), 1.0);

    w.write(
        "all.csv",
        "u,v\n"
            .to_owned()
            .as_bytes()
            .iter()
            .copied()
            .chain("1,0.1\n".repeat(100).bytes())
            .collect::<Vec<u8>>()
            .as_slice(),
    );
    let refused = w.run(&["evaluate", "--generated", "all.csv", "--data", "all.csv"]);
    assert_one_sentence(&refused, 2, "constant");
}

/// `best/` and the best member are told by one rule, in every command.
#[test]
fn a_rough_or_saturated_member_is_not_the_best_one() {
    let w = Workplace::with_data(400);
    train(&w, "run", "data.npy", 5, &[]);
    let members = String::from_utf8(w.read("run/members.csv")).expect("text");
    let header = members.lines().next().expect("header").to_owned();
    let at = |name: &str| header.split(',').position(|n| n == name).expect(name);
    // m000 lowest but rough, m001 lowest of the others but saturated, m002 and m003 as they should be.
    let scores = [
        ("0.1", "6", "false"),
        ("0.2", "1", "true"),
        ("3", "1.9", "false"),
        ("2", "0.6", "false"),
    ];
    let mut edited = header.clone() + "\n";
    for (row, (dstsp, roughness, saturated)) in members.lines().skip(1).zip(scores) {
        let mut cells: Vec<&str> = row.split(',').collect();
        cells[at("D_stsp")] = dstsp;
        cells[at("roughness")] = roughness;
        cells[at("saturated")] = saturated;
        edited += &(cells.join(",") + "\n");
    }
    w.write("run/members.csv", edited.as_bytes());
    let models = evaluate(&w, &["run", "--data", "data.npy", "--backend", "cpu"]);
    let order: Vec<&str> = models["models"]
        .as_array()
        .expect("models")
        .iter()
        .map(|row| row["model"].as_str().expect("id"))
        .collect();
    assert_eq!(order, ["m003", "m002", "m001", "m000"]);
    w.succeed(&["report", "run"]);
    let page = String::from_utf8(w.read("run/report.html")).expect("text");
    assert!(page.contains("The best model, m003"));
    let rows: Vec<usize> = order
        .iter()
        .map(|id| page.find(&format!("data-v=\"{id}\"")).expect("a row"))
        .collect();
    assert!(rows.is_sorted(), "{rows:?}");
    assert!(page.contains("D_stsp (bins)") && page.contains("roughness") && page.contains("0.2*"));
}

#[test]
fn run_folders_of_earlier_versions_can_be_read() {
    let w = Workplace::with_data(400);
    train(&w, "run", "data.npy", 5, &[]);
    for (file, columns) in [("run/members.csv", 6), ("run/log.csv", 3)] {
        let text = String::from_utf8(w.read(file)).expect("text");
        let cut = |line: &str| {
            line.rsplitn(columns + 1, ',')
                .last()
                .unwrap_or_default()
                .to_owned()
        };
        let old: Vec<String> = text.lines().map(cut).collect();
        assert!(
            old[0].ends_with("PE") || old[0].ends_with("pairs_PE"),
            "{}",
            old[0]
        );
        w.write(file, (old.join("\n") + "\n").as_bytes());
    }
    let config = String::from_utf8(w.read("run/config.toml")).expect("text");
    let old: Vec<&str> = config
        .lines()
        .filter(|line| !line.starts_with("dstsp") && !line.contains("resting"))
        .collect();
    w.write("run/config.toml", old.join("\n").as_bytes());
    let models = evaluate(&w, &["run", "--data", "data.npy", "--backend", "cpu"]);
    assert_eq!(models["models"].as_array().map(Vec::len), Some(4));
    assert!(verdict(&w, "run").contains("an earlier version made it"));
    let mut checkpoint = w.read("run/checkpoint.bin");
    checkpoint[7] = b'1';
    w.write("run/checkpoint.bin", &checkpoint);
    let refused = w.run(&["train", "--resume", "run"]);
    assert_one_sentence(&refused, 2, "written by another version");
}
