//! Every case that fuzzing kept or found goes through the same entry points as there: no panic, no abort, and no
//! allocation that the bytes at hand do not justify (`tests/README.md` says how to fuzz on).

#[path = "corpus/entry.rs"]
mod entry;

use std::path::Path;

#[test]
fn every_kept_case_is_answered() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    for (name, target) in entry::TARGETS {
        let folder = root.join(name);
        let mut cases = 0;
        for file in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = file.expect("entry").path();
            let bytes = std::fs::read(&path).expect("readable");
            // Shown where a case panics.
            println!("{}", path.display());
            target(&bytes);
            cases += 1;
        }
        assert!(cases >= 5, "{name} has only {cases} cases");
    }
}
