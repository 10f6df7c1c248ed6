//! The page of `alrnn-gpu page`, made by the built program and opened from disk.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alrnn_gpu::arrays::save_array;
use alrnn_gpu::backend::cpu::CpuBackend;
use alrnn_gpu::backend::{Backend, EnsembleState, MemberState};
use alrnn_gpu::config::resolve;
use alrnn_gpu::model::{Model, init};
use alrnn_gpu::train::{Data, Task};
use ndarray::Array2;
use serde_json::Value;
use toml::Table;

use crate::browser::{Browser, bytes, with_webgpu};
use crate::chromium;
use crate::common::parity::{assert_close, displacement, widened};
use crate::common::training;

/// Trains to the end and tells of it.
const TRAIN: &str = r#"<script>
(async () => {
  const findings = {};
  try {
    await ready;
    await train();
    const file = new Uint8Array(await (await modelFile()).arrayBuffer());
    Object.assign(findings, {
      losses: state.losses,
      file: btoa(String.fromCharCode(...file)),
      regions: part("regions").textContent,
      width: document.documentElement.scrollWidth - innerWidth,
    });
  } catch (error) {
    findings.error = String(error.stack ?? error);
  }
  console.log("FINDINGS " + JSON.stringify(findings));
})();
</script>"#;

/// Tells what the page says where it cannot train.
const LOOK: &str = r#"<script>
ready.then(() => "", String).then((error) => setTimeout(() => console.log("FINDINGS " + JSON.stringify({
  error, problem: part("problem").innerText, disabled: part("train").disabled,
})), 100));
</script>"#;

const LIMIT: Duration = Duration::from_secs(300);

/// Opens the page with a script at its end, and waits for what that finds.
fn open(mut chromium: Command, page: &str, script: &str, folder: &Path) -> Value {
    let path = folder.join("opened.html");
    fs::write(&path, page.replacen("</body>", &format!("{script}</body>"), 1)).expect("page");
    let messages = folder.join("messages.txt");
    let mut child = chromium
        .arg("--window-size=1300,1400")
        .arg(format!("file://{}", path.display()))
        .stdout(File::create(folder.join("stdout.txt")).expect("file"))
        .stderr(File::create(&messages).expect("file"))
        .spawn()
        .expect("the browser starts");
    let said = || fs::read_to_string(&messages).unwrap_or_default();
    let begun = Instant::now();
    let mut found = None;
    while found.is_none() && begun.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(100));
        let said = said();
        let rest = said.split("FINDINGS ").nth(1);
        found = rest.and_then(|rest| Some(rest.split_once("\", source:")?.0.to_owned()));
    }
    child.kill().expect("killed");
    child.wait().expect("gone");
    let found = found.unwrap_or_else(|| panic!("the page did not finish; the browser said:\n{}", said()));
    serde_json::from_str(&found).expect("findings")
}

const ROWS: usize = 20_000;
const STEPS: u32 = 200;

/// 20,000 rows of Lorenz-63 and the page that trains on them, an epoch a step.
fn made(folder: &Path) -> (String, Vec<(&'static str, String)>) {
    let data = training::lorenz_rows(ROWS);
    let x = Array2::from_shape_fn((ROWS, 3), |(t, n)| f64::from(data[3 * t + n]));
    let path = folder.join("lorenz.npy").display().to_string();
    save_array(Path::new(&path), x.view(), None).expect("data");
    let settings = vec![
        ("data", path),
        ("preset", "lorenz63".into()),
        ("start-lr", "0.005".into()),
        ("end-lr", "0.005".into()),
        ("epochs", STEPS.to_string()),
        ("batches-per-epoch", "1".into()),
    ];
    let out = folder.join("page.html");
    let flags = settings
        .iter()
        .flat_map(|(flag, value)| [format!("--{flag}"), value.clone()]);
    let output = Command::new(env!("CARGO_BIN_EXE_alrnn-gpu"))
        .arg("page")
        .args(flags)
        .arg("--out")
        .arg(&out)
        .output()
        .expect("the program starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    (fs::read_to_string(out).expect("the page"), settings)
}

/// The same training on the CPU: losses, and parameters before and after.
fn on_the_cpu(settings: &[(&'static str, String)]) -> (Vec<f32>, [Vec<f32>; 2]) {
    let mut table = Table::new();
    for (key, value) in settings {
        let value = match *key {
            "data" => toml::Value::from(vec![value.clone()]),
            "preset" => value.clone().into(),
            "start-lr" | "end-lr" => value.parse::<f64>().expect("a number").into(),
            _ => value.parse::<i64>().expect("a number").into(),
        };
        table.insert((*key).to_owned(), value);
    }
    let settings = resolve(None, table).expect("valid");
    let data = Data::load(&settings).expect("data");
    let task = Task::new(&settings, &data).expect("valid");
    let plan = task.study.plan(0, &settings);
    let first = MemberState::new(&init(plan.shape.dims, plan.members[0].seed));
    let start = EnsembleState {
        step: 0,
        members: vec![first.clone()],
    };
    let cpu = CpuBackend::new(None).expect("threads");
    let mut ensemble = cpu
        .ensemble(plan.clone(), Arc::clone(&task.windows[&plan.shape.T]), &start)
        .expect("it is built");
    (0..STEPS).for_each(|_| ensemble.train_epoch().expect("an epoch"));
    let losses = ensemble
        .results(true)
        .expect("results")
        .iter()
        .map(|epoch| epoch.loss[0])
        .collect();
    let last = ensemble.state().expect("the state").members.remove(0);
    (losses, [first.theta, last.theta])
}

/// Losses agree to rounding (both sides compute in f32 and sum in orders of their own: 1e-4, as everywhere), each of the
/// first 20 and all together, and fall. The file that the page saves is the model that the CPU has come to; training
/// magnifies rounding, so that after 200 steps parameters are allowed 1e-3 of how far they moved.
pub fn trains_as_the_cpu(browser: &Arc<Browser>) {
    let folder = tempfile::tempdir().expect("folder");
    let (page, settings) = made(folder.path());
    println!("{} KB for {ROWS} rows", page.len() / 1000);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    for outside in ["http://", "https://"] {
        assert!(!page.contains(outside), "the page names {outside}");
    }
    let found = open(
        with_webgpu(browser.program(), folder.path()),
        &page,
        TRAIN,
        folder.path(),
    );
    assert!(found.get("error").is_none(), "{found:#}");
    let losses: Vec<f32> = serde_json::from_value(found["losses"].clone()).expect("numbers");
    let (want, [first, last]) = on_the_cpu(&settings);
    assert_eq!(losses.len(), want.len());
    for (step, (got, want)) in losses.iter().zip(&want).enumerate().take(20) {
        assert!(
            (got - want).abs() <= 1e-4 * want,
            "step {step}: {got} where the CPU has {want}"
        );
    }
    let apart = assert_close("all losses", &widened(&losses), &widened(&want), 1e-4);
    let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
    let (begin, end) = (mean(&losses[..20]), mean(&losses[180..]));
    println!(
        "loss {begin} to {end}, from the CPU's by {apart:e}; regions {}",
        found["regions"]
    );
    assert!(end < 0.5 * begin, "{begin} to {end}");

    let model = Model::from_bytes(&bytes(&found["file"]), "the page's file").expect("a model");
    assert_eq!((model.theta.dims().M, model.theta.dims().N, model.P), (20, 3, 2));
    let (moved, should) = (
        displacement(&model.theta.pack(), &first),
        displacement(&last, &first),
    );
    let apart = assert_close("parameters", &moved, &should, 1e-3);
    println!("parameters moved as on the CPU but for {apart:e}");
    // A scroll bar takes a part of the window.
    assert!(
        found["width"].as_i64() <= Some(0),
        "the page is wider than its window: {found:#}"
    );
}

/// One sentence, and nothing to press.
pub fn says_what_is_missing(browser: &Arc<Browser>) {
    let folder = tempfile::tempdir().expect("folder");
    let (page, _) = made(folder.path());
    let mut without = chromium::headless(browser.program(), folder.path());
    without.args(["--disable-gpu", "--disable-features=WebGPU,WebGPUService"]);
    let found = open(without, &page, LOOK, folder.path());
    let problem = found["problem"].as_str().expect("text");
    assert!(
        problem.contains("WebGPU") && problem.matches(". ").count() == 0,
        "{found:#}"
    );
    assert_eq!(found["disabled"], true, "{found:#}");
}
