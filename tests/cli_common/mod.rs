//! Runs the built program in a folder of its own.
#![allow(dead_code, reason = "each test target uses some of it")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use alrnn_gpu::config::{Settings, resolve};

/// The flags of a study small enough to be trained many times: two shapes, two seeds, where there is no GPU too.
const SMALL: [(&str, &str); 12] = [
    ("--preset", "lorenz63"),
    ("--data", "data.npy"),
    ("--backend", "cpu"),
    ("--M", "5,8"),
    ("--T", "10"),
    ("--tau", "5"),
    ("--batch-size", "4"),
    ("--bins", "5"),
    ("--seeds", "2"),
    ("--epochs", "6"),
    ("--batches-per-epoch", "5"),
    ("--eval-every", "2"),
];

/// Arguments that train the small study into the folder `out`; `flags` add to its own or replace them.
pub fn small_study<'a>(out: &'a str, flags: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["train", "--out", out];
    for (flag, value) in SMALL {
        if !flags.contains(&flag) {
            args.extend([flag, value]);
        }
    }
    args.extend(flags);
    args
}

pub fn alrnn(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_alrnn-gpu"))
        .args(args)
        .output()
        .expect("the program starts")
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A temporary working folder.
pub struct Workplace(tempfile::TempDir);

impl Workplace {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// Settings beside those of the data, which are its `data.npy`.
    pub fn settings(&self, text: &str) -> Settings {
        let mut table: toml::Table = text.parse().expect("TOML");
        let path = self.path("data.npy").to_string_lossy().into_owned();
        table.insert("data".into(), vec![path].into());
        resolve(None, table).expect("valid")
    }

    /// With `data.npy`: this many rows of the Lorenz system.
    pub fn with_data(rows: usize) -> Self {
        let workplace = Self::new();
        workplace.succeed(&[
            "simulate",
            "lorenz63",
            "--steps",
            &rows.to_string(),
            "--out",
            "data.npy",
        ]);
        workplace
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alrnn-gpu"));
        command.args(args).current_dir(self.0.path());
        // Without a desktop session, Mesa's device selection writes complaints of its own to stderr.
        command.env("NODEVICE_SELECT", "1");
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program starts")
    }

    /// Runs and expects exit status 0.
    pub fn succeed(&self, args: &[&str]) -> Output {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}\n{}", stderr(&output));
        output
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("inside")).expect("folder");
        std::fs::write(path, bytes).expect("written");
    }

    pub fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// A `.npy` file from its header's parts and raw bytes.
    pub fn npy(&self, name: &str, descr: &str, shape: &str, data: &[u8]) {
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        while (header.len() + 11) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        self.write(&format!("{name}.npy"), &bytes);
    }

    pub fn npy_f32(&self, name: &str, rows: usize, columns: usize, values: &[f32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.npy(name, "<f4", &format!("({rows}, {columns})"), &bytes);
    }
}

/// Everything of a run that must not depend on how it came about: name and content of each file.
pub fn results(w: &Workplace, run: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = vec!["members.csv".to_owned(), "log.csv".to_owned()];
    for folder in ["best", "last"] {
        let entries = std::fs::read_dir(w.path(run).join(folder)).expect("folder");
        files
            .extend(entries.map(|e| format!("{folder}/{}", e.expect("entry").file_name().to_string_lossy())));
    }
    files.sort();
    files
        .into_iter()
        .map(|name| {
            let bytes = w.read(format!("{run}/{name}"));
            (name, bytes)
        })
        .collect()
}

pub fn assert_same_results(w: &Workplace, a: &str, b: &str) {
    let (a, b) = (results(w, a), results(w, b));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&a), names(&b));
    for ((name, x), (_, y)) in a.iter().zip(&b) {
        assert!(x == y, "{name} differs");
    }
}

/// Waits until training has written this file.
pub fn wait_for(w: &Workplace, file: &str, child: &mut Child) {
    while !w.path(file).exists() {
        let ended = child.try_wait().expect("status");
        assert!(ended.is_none(), "ended before it wrote {file}: {ended:?}");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Asserts that a command failed with this exit status and said one sentence that holds `part`.
pub fn assert_one_sentence(output: &Output, code: i32, part: &str) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error: ")).collect();
    assert!(
        errors.len() == 1 && errors[0].contains(part),
        "not one sentence with '{part}': {text}"
    );
    assert!(!text.contains("panicked"), "{text}");
}
