//! The report in a real browser: it opens without a complaint, sorts, and fits a phone. Listed as ignored where there
//! is no Chromium (the last line says so); ALRNN_CHROMIUM names the program to use.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use alrnn_gpu::report::{ReportOptions, write_report};
use libtest_mimic::{Arguments, Trial};
use support::chromium;

/// Runs before the page's own script: collects every complaint.
const LISTEN: &str = r#"<script>
window.complaints = [];
addEventListener("error", (e) => complaints.push("error: " + e.message), true);
addEventListener("unhandledrejection", (e) => complaints.push("rejection: " + e.reason));
document.addEventListener("securitypolicyviolation", (e) => complaints.push("policy: " + e.violatedDirective));
for (const kind of ["error", "warn"]) console[kind] = (...text) => complaints.push(kind + ": " + text.join(" "));
</script>"#;

/// Runs after it: clicks every head twice, checks the order each time, and leaves its findings in an attribute.
const CHECK: &str = r#"<script>
{
  const table = document.querySelector("table.sortable"), wrong = [];
  const values = (column) => [...table.tBodies[0].rows].map((row) => row.cells[column].dataset.v);
  const sorted = (list, sign) => {
    const full = list.filter((v) => v !== "");
    const numbers = full.every((v) => !isNaN(v));
    const inOrder = full.every((v, i) => !i || sign * (numbers ? v - full[i - 1] : v.localeCompare(full[i - 1])) >= 0);
    return inOrder && list.slice(full.length).every((v) => v === "");
  };
  let clicks = 0;
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const before = values(column).slice().sort().join();
    const first = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const sign of [first, -first]) {
      head.querySelector("button").click();
      clicks += 1;
      if (!sorted(values(column), sign)) wrong.push(head.textContent + " is not sorted: " + values(column).slice(0, 5));
      if (head.getAttribute("aria-sort") !== (sign > 0 ? "ascending" : "descending")) wrong.push(head.textContent + ": aria-sort");
    }
    if (values(column).slice().sort().join() !== before) wrong.push(head.textContent + " lost rows");
  });
  const root = document.documentElement;
  const drawn = [...document.querySelectorAll("figure svg")];
  if (drawn.some((svg) => svg.getBoundingClientRect().width < 200)) wrong.push("a picture has no size");
  if (root.scrollWidth > innerWidth) wrong.push("the page is " + root.scrollWidth + " wide in a window of " + innerWidth);
  const smallest = Math.min(...[...document.querySelectorAll("figure svg text")].map((t) => t.getBoundingClientRect().height));
  root.dataset.findings = JSON.stringify({
    clicks, rows: values(0).length, pictures: drawn.length, width: innerWidth, smallest,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    background: getComputedStyle(document.body).backgroundColor,
    wrong: wrong.concat(complaints),
  });
}
</script>"#;

type Check = fn(&Path);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let chromium = chromium::find();
    let found = chromium.is_some();
    let trials: [(&str, Check); 3] = [
        ("opens_and_sorts_on_a_desktop", |c| look(c, (1300, 900), false)),
        ("fits_a_phone", |c| look(c, (390, 800), false)),
        ("is_dark_where_the_reader_prefers_it", |c| {
            look(c, (1300, 900), true)
        }),
    ];
    let trials = trials
        .into_iter()
        .map(|(name, check)| {
            let chromium = chromium.clone();
            Trial::test(name, move || {
                check(&chromium.ok_or("no Chromium")?);
                Ok(())
            })
            .with_ignored_flag(!found)
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !found {
        println!("NOT RUN: the report in a browser; {}", chromium::INSTALL);
    }
    conclusion.exit_code()
}

/// The page of a made-up study with the checks in it.
fn page() -> &'static str {
    static PAGE: OnceLock<String> = OnceLock::new();
    PAGE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("folder");
        let run = support::run_folder(folder.path(), "lorenz.npy", 3000);
        let options = ReportOptions {
            steps: 3000,
            ..ReportOptions::default()
        };
        let page = fs::read_to_string(write_report(&run, &options).expect("report")).expect("page");
        let page = page.replacen("<title>", &format!("{LISTEN}<title>"), 1);
        page.replacen("</body>", &format!("{CHECK}</body>"), 1)
    })
}

/// Headless windows are not made narrower than this.
const NARROWEST: u32 = 500;

/// The page in a frame of the given size; its findings are handed to the page around it.
fn framed(page: &str, size: (u32, u32)) -> String {
    let page = page.replace('&', "&amp;").replace('"', "&quot;");
    format!(
        "<!doctype html><iframe style=\"width:{}px;height:{}px;border:0\" srcdoc=\"{page}\" onload=\"\
         document.documentElement.dataset.findings = this.contentDocument.documentElement.dataset.findings\"></iframe>",
        size.0, size.1
    )
}

/// Opens the page in a window of this size and judges what it found out about itself.
fn look(chromium: &Path, window: (u32, u32), dark: bool) {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("checked.html");
    let page = if window.0 < NARROWEST {
        framed(page(), window)
    } else {
        page().to_string()
    };
    fs::write(&path, page).expect("page with checks");
    let dump = folder.path().join("dump.html");
    let complaints = folder.path().join("stderr.txt");
    let mut command = chromium::headless(chromium, folder.path());
    command
        .args(["--disable-gpu", "--dump-dom"])
        .arg(format!("--window-size={},{}", window.0, window.1))
        .args(dark.then_some("--blink-settings=preferredColorScheme=0"))
        .arg(format!("file://{}", path.display()))
        .stdout(fs::File::create(&dump).expect("file"))
        .stderr(fs::File::create(&complaints).expect("file"));
    wait(command, Duration::from_secs(120));

    let dump = fs::read_to_string(dump).expect("the page as the browser left it");
    let errors = fs::read_to_string(complaints).expect("messages");
    let console: Vec<&str> = errors.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(console.is_empty(), "the console says: {console:#?}");
    let head = dump.split("<iframe").next().unwrap_or_default();
    let findings = head
        .split("data-findings=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap_or_else(|| panic!("the page did not finish; the browser said:\n{errors}"))
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&amp;", "&");
    let findings: serde_json::Value = serde_json::from_str(&findings).expect("findings");
    let wrong = findings["wrong"].as_array().expect("a list");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(findings["rows"], 60, "{findings}");
    // model, P, seed, status, best epoch, four scores, last score and verdict: each clicked twice.
    assert_eq!(findings["clicks"], 22, "{findings}");
    assert!(findings["pictures"].as_u64() >= Some(12), "{findings}");
    assert!(
        findings["smallest"].as_f64() >= Some(7.0),
        "text too small to read: {findings}"
    );
    assert_eq!(findings["dark"], dark, "{findings}");
    let paper = if dark {
        "rgb(20, 24, 28)"
    } else {
        "rgb(255, 255, 255)"
    };
    assert_eq!(findings["background"], paper, "{findings}");
    assert_eq!(findings["width"], window.0, "{findings}");
}

/// Runs a program to its end, or kills it after `limit`.
fn wait(mut command: Command, limit: Duration) {
    let mut child = command.spawn().expect("the browser starts");
    let begun = Instant::now();
    while child.try_wait().expect("its state").is_none() {
        if begun.elapsed() > limit {
            child.kill().expect("killed");
            child.wait().expect("gone");
            panic!("the browser did not finish within {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
