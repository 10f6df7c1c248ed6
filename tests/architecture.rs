//! Modules import one way. What a module may use is listed here; a new edge is a decision, not an accident.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Module → the modules of this crate that it may use. `cli` may use all.
const ALLOWED: [(&str, &[&str]); 19] = [
    ("error", &[]),
    ("rng", &[]),
    ("text", &[]),
    ("fs", &["error"]),
    ("config", &["error"]),
    ("resources", &["error"]),
    ("arrays", &["error", "fs"]),
    ("model", &["arrays", "error", "fs", "rng"]),
    ("systems", &["config", "dataset", "error", "resources", "rng"]),
    ("dataset", &["arrays", "error", "model"]),
    ("metrics", &["config", "dataset", "error", "model", "rng"]),
    // `arrays` for the golden cases, which a device is tried on before it trains.
    (
        "backend",
        &["arrays", "config", "dataset", "error", "model", "rng"],
    ),
    (
        "analysis",
        &[
            "arrays",
            "config",
            "dataset",
            "error",
            "fs",
            "model",
            "resources",
            "rng",
            "text",
        ],
    ),
    // Free runs of a backend meet the metrics, which know no backend.
    ("scoring", &["backend", "error", "metrics", "model"]),
    ("study", &["backend", "config", "error", "model"]),
    ("run", &["config", "error", "fs", "metrics", "model"]),
    (
        "train",
        &[
            "backend",
            "config",
            "dataset",
            "error",
            "metrics",
            "model",
            "resources",
            "run",
            "scoring",
            "study",
        ],
    ),
    (
        "report",
        &[
            "analysis",
            "arrays",
            "config",
            "dataset",
            "error",
            "fs",
            "metrics",
            "model",
            "resources",
            "run",
            "text",
        ],
    ),
    ("main", &[]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("readable folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The first path segments after `crate::` in a source without its test module.
fn used(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

#[test]
fn imports_run_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into_iter().collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 50, "only {} sources found", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&root).expect("inside src");
        let module = inside
            .components()
            .next()
            .expect("a file")
            .as_os_str()
            .to_string_lossy();
        let module = module.trim_end_matches(".rs");
        if module == "lib" || module == "cli" {
            continue;
        }
        let source = std::fs::read_to_string(&file).expect("readable source");
        let permitted = allowed
            .get(module)
            .unwrap_or_else(|| panic!("no rule for module {module}"));
        for name in used(&source) {
            if name != module && !permitted.contains(&name.as_str()) {
                wrong.push(format!("{} uses {name}", inside.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "imports against the grain:\n{}",
        wrong.join("\n")
    );
}

/// Training knows the backend trait, never a particular device.
#[test]
fn only_the_backend_module_names_devices() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for module in [
        "train", "scoring", "study", "run", "metrics", "analysis", "report",
    ] {
        let mut files = vec![root.join(module).with_extension("rs")];
        if root.join(module).is_dir() {
            files.clear();
            sources(&root.join(module), &mut files);
        }
        for file in files {
            let source = std::fs::read_to_string(&file).expect("readable source");
            let source = source.split("#[cfg(test)]").next().unwrap_or_default();
            for device in ["backend::cpu", "backend::gpu", "backend::reference"] {
                assert!(!source.contains(device), "{} names {device}", file.display());
            }
        }
    }
}
