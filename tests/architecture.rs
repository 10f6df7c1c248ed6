//! Modules import one way: what a module may use is listed here, and a new edge is a decision, not an accident. Files do not
//! use each other in circles.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, ItemMod, ItemUse, Macro, UseTree, Visibility};

/// Module → the modules of this crate that it may use. `cli` may use all.
const ALLOWED: [(&str, &[&str]); 23] = [
    ("error", &[]),
    ("stats", &[]),
    ("rng", &[]),
    ("text", &[]),
    ("fs", &["error"]),
    ("config", &["error"]),
    ("resources", &["error"]),
    ("arrays", &["error", "fs"]),
    ("model", &["arrays", "error", "fs", "rng"]),
    ("systems", &["config", "dataset", "error", "resources", "rng"]),
    ("dataset", &["arrays", "error", "model", "stats"]),
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
            "stats",
            "text",
        ],
    ),
    // Free runs of a backend meet the metrics, which know no backend.
    ("scoring", &["backend", "error", "metrics", "model"]),
    ("study", &["backend", "config", "error", "model"]),
    (
        "polish",
        &["backend", "dataset", "error", "metrics", "model", "rng", "stats"],
    ),
    // A checkpoint holds the state of polishing.
    ("run", &["config", "error", "fs", "metrics", "model", "polish"]),
    (
        "train",
        &[
            "backend",
            "config",
            "dataset",
            "error",
            "metrics",
            "model",
            "polish",
            "resources",
            "run",
            "scoring",
            "stats",
            "study",
        ],
    ),
    (
        "minimal",
        &[
            "analysis", "backend", "config", "dataset", "error", "metrics", "model", "run", "scoring",
            "stats", "text", "train",
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
            "stats",
            "text",
        ],
    ),
    // What drives the GPU backend, for a page that trains in a browser.
    (
        "page",
        &[
            "backend", "config", "dataset", "error", "model", "report", "study", "text", "train",
        ],
    ),
    ("main", &[]),
];

/// A module as a path of names below the crate's root.
type ModulePath = Vec<String>;

/// What the source of one module refers to, tests left out.
#[derive(Default)]
struct Source {
    file: PathBuf,
    /// Paths in `use` declarations and in code, as written.
    paths: Vec<Vec<String>>,
    /// Paths of `pub use` declarations: names that this module only hands on.
    handed_on: Vec<Vec<String>>,
}

/// Whether this is `#[cfg(test)]`.
fn is_test(attributes: &[Attribute]) -> bool {
    let argument = |a: &Attribute| a.parse_args::<syn::Ident>();
    attributes
        .iter()
        .any(|a| a.path().is_ident("cfg") && argument(a).is_ok_and(|name| name == "test"))
}

impl Source {
    fn read(file: PathBuf) -> Self {
        let text = std::fs::read_to_string(&file).expect("readable source");
        let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let mut source = Self {
            file,
            ..Self::default()
        };
        if !is_test(&parsed.attrs) {
            source.visit_file(&parsed);
        }
        source
    }
}

impl<'ast> Visit<'ast> for Source {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let list = match item.vis {
            Visibility::Inherited => &mut self.paths,
            _ => &mut self.handed_on,
        };
        if !is_test(&item.attrs) {
            flatten(&item.tree, &mut Vec::new(), list);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = path.segments.iter().map(|segment| segment.ident.to_string());
        self.paths.push(names.collect());
        visit::visit_path(self, path);
    }

    /// Arguments of a macro are tokens, not syntax: every run of names joined by `::` is a path.
    fn visit_macro(&mut self, call: &'ast Macro) {
        let text = call.tokens.to_string().replace(" :: ", "::");
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let words = text.split(|c| !is_part(c)).filter(|word| word.contains("::"));
        self.paths
            .extend(words.map(|word| word.split("::").map(str::to_owned).collect()));
    }
}

/// Every path of a `use` declaration.
fn flatten(tree: &UseTree, before: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let last = match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, found);
            before.pop();
            return;
        }
        UseTree::Group(group) => {
            for item in &group.items {
                flatten(item, before, found);
            }
            return;
        }
        UseTree::Name(name) => name.ident.to_string(),
        UseTree::Rename(rename) => rename.ident.to_string(),
        UseTree::Glob(_) => "*".to_owned(),
    };
    found.push(before.iter().cloned().chain([last]).collect());
}

/// Every module of the library.
fn modules() -> BTreeMap<ModulePath, Source> {
    fn walk(folder: &Path, at: &[String], found: &mut BTreeMap<ModulePath, Source>) {
        for entry in std::fs::read_dir(folder).expect("readable folder") {
            let path = entry.expect("entry").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let below = |name: &str| at.iter().cloned().chain([name.to_owned()]).collect::<Vec<_>>();
            if path.is_dir() {
                walk(&path, &below(&name), found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                match name.as_str() {
                    "main" | "tests" => {}
                    "mod" | "lib" => _ = found.insert(at.to_vec(), Source::read(path)),
                    _ => _ = found.insert(below(&name), Source::read(path)),
                }
            }
        }
    }
    let mut found = BTreeMap::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    walk(&root, &[], &mut found);
    assert!(found.len() > 50, "only {} sources found", found.len());
    found
}

/// A path written in `module` as a path from the crate's root; `None` where it leads out of the crate or to a name that the
/// module imports.
fn absolute(all: &BTreeMap<ModulePath, Source>, module: &[String], path: &[String]) -> Option<Vec<String>> {
    let ups = path.iter().take_while(|name| *name == "super").count();
    let first = path.first().map_or("", String::as_str);
    let (base, rest) = match first {
        "crate" => (&[][..], &path[1..]),
        "self" => (module, &path[1..]),
        "super" => (module.get(..module.len().checked_sub(ups)?)?, &path[ups..]),
        _ => (module, path),
    };
    let joined: Vec<String> = base.iter().chain(rest).cloned().collect();
    let named = matches!(first, "crate" | "self" | "super") || all.contains_key(&joined[..base.len() + 1]);
    named.then_some(joined)
}

/// The module that a path leads to, through names that others only hand on.
fn home(all: &BTreeMap<ModulePath, Source>, path: &[String], depth: usize) -> ModulePath {
    let known = (0..=path.len()).rev().find(|&n| all.contains_key(&path[..n]));
    let (module, rest) = path.split_at(known.expect("the crate's root is a module"));
    let handed_on = rest.first().and_then(|name| {
        let entry = all[module].handed_on.iter().find(|p| p.last() == Some(name))?;
        absolute(all, module, entry).filter(|next| *next != path)
    });
    match handed_on {
        Some(next) if depth < 8 => home(all, &next, depth + 1),
        _ => module.to_vec(),
    }
}

/// The modules that each module uses. A folder's `mod.rs` and what lies in the folder are one room.
fn uses(all: &BTreeMap<ModulePath, Source>) -> BTreeMap<ModulePath, BTreeSet<ModulePath>> {
    let of = |module: &ModulePath, source: &Source| {
        let paths = source.paths.iter().filter_map(|path| absolute(all, module, path));
        paths
            .map(|path| home(all, &path, 0))
            .filter(|used| !module.starts_with(used) && !used.starts_with(module))
            .collect()
    };
    all.iter()
        .map(|(module, source)| (module.clone(), of(module, source)))
        .collect()
}

#[test]
fn imports_run_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into_iter().collect();
    let all = modules();
    let mut wrong = Vec::new();
    for (module, source) in all
        .iter()
        .filter(|(module, _)| !module.is_empty() && module[0] != "cli")
    {
        let permitted = allowed
            .get(module[0].as_str())
            .unwrap_or_else(|| panic!("no rule for module {}", module[0]));
        for path in source.paths.iter().chain(&source.handed_on) {
            if let Some([name, ..]) = absolute(&all, module, path).as_deref()
                && *name != module[0]
                && !permitted.contains(&name.as_str())
            {
                wrong.push(format!("{} uses {name}", source.file.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "imports against the grain:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let uses = uses(&modules());
    let leads_to = |from: &ModulePath, to: &ModulePath| {
        let mut seen = BTreeSet::new();
        let mut next = vec![from];
        while let Some(module) = next.pop() {
            if seen.insert(module) {
                next.extend(&uses[module]);
            }
        }
        seen.contains(to)
    };
    let mut circles = Vec::new();
    for (module, used) in &uses {
        for back in used.iter().filter(|used| leads_to(used, module)) {
            circles.push(format!("{} uses {}", module.join("::"), back.join("::")));
        }
    }
    assert!(circles.is_empty(), "in circles:\n{}", circles.join("\n"));
}

/// Training knows the backend trait, never a particular device.
#[test]
fn only_the_backend_module_names_devices() {
    let all = modules();
    for (module, source) in &all {
        let outside = [
            "train", "scoring", "study", "run", "polish", "metrics", "analysis", "report",
        ];
        let is_outside = module
            .first()
            .is_some_and(|first| outside.contains(&first.as_str()));
        let paths = source.paths.iter().filter(|_| is_outside);
        for path in paths.filter_map(|path| absolute(&all, module, path)) {
            for device in ["cpu", "gpu", "reference"] {
                let named = path.starts_with(&["backend".into(), device.into()]);
                assert!(!named, "{} names {device}", source.file.display());
            }
        }
    }
}
