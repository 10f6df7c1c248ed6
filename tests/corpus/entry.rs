//! What the fuzz targets call, one function a target; `tests/faults_corpus.rs` calls the same on every kept case.
//! A case passes when the call returns: an error is an answer, a panic or an abort is a find.

use std::path::Path;

use alrnn_gpu::arrays::{Npz, parse_arrays, read_csv, read_npy};
use alrnn_gpu::config::{Grid, Seeds, Shard, parse_file, resolve};
use alrnn_gpu::model::Model;
use alrnn_gpu::run::{Checkpoint, parse_log, parse_members};

/// What is done with a case's bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also its corpus folder's.
pub const TARGETS: [(&str, Target); 6] = [
    ("npy", npy),
    ("model", model),
    ("csv", csv),
    ("config", config),
    ("checkpoint", checkpoint),
    ("lists", lists),
];

pub fn npy(bytes: &[u8]) {
    if let Ok(array) = read_npy(bytes, "x.npy") {
        assert!(array.len() <= bytes.len(), "more values than bytes");
    }
    let _ = parse_arrays(bytes, "x.npy.gz", None);
}

/// Archives: as data, and as a model that must survive being written and read back.
pub fn model(bytes: &[u8]) {
    if let Ok(mut npz) = Npz::parse(bytes, "x.npz") {
        let _ = npz.select(Some("*"));
    }
    if let Ok(model) = Model::from_bytes(bytes, "x.npz") {
        let again =
            Model::from_bytes(&model.to_bytes(), "again.npz").expect("a model that was read can be written");
        assert_eq!(again, model);
    }
}

/// Tables of data, and the run folder's own.
pub fn csv(bytes: &[u8]) {
    for delimiter in [b',', b'\t'] {
        if let Ok(table) = read_csv(bytes, "x.csv", delimiter) {
            // A separator stands between two cells.
            assert!(
                table.values.len() <= bytes.len() + 1,
                "more values than bytes can separate"
            );
        }
    }
    let _ = parse_members(bytes, Path::new("members.csv"));
    let _ = parse_log(bytes, Path::new("log.csv"));
}

/// Config files; what resolves must survive its own file, as a run folder's `config.toml` does.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let path = Path::new("config.toml");
    let Ok(settings) =
        parse_file(text, path).and_then(|table| resolve(Some((path, table)), toml::Table::new()))
    else {
        return;
    };
    let written = toml::to_string(&settings).expect("settings are TOML");
    let again = parse_file(&written, path)
        .and_then(|table| resolve(Some((path, table)), toml::Table::new()))
        .expect("resolved settings are valid");
    assert_eq!(again, settings);
}

/// Checkpoints: the bytes as they are, and as a payload with the checksum it needs to be decoded at all.
pub fn checkpoint(bytes: &[u8]) {
    let _ = Checkpoint::decode(bytes);
    let sealed = [Checkpoint::head(bytes).as_slice(), bytes].concat();
    let _ = Checkpoint::decode(&sealed);
}

/// Number lists, ranges, seeds and parts as flags give them.
pub fn lists(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(grid) = text.parse::<Grid<f64>>() {
        assert!(grid.values().iter().all(|v| v.is_finite()), "{grid:?}");
        assert_eq!(list(grid.values()).parse(), Ok(grid));
    }
    if let Ok(grid) = text.parse::<Grid<usize>>() {
        assert_eq!(list(grid.values()).parse(), Ok(grid));
    }
    let _ = text.parse::<Seeds>();
    if let Ok(shard) = text.parse::<Shard>() {
        assert!(1 <= shard.index() && shard.index() <= shard.count());
        assert_eq!(shard.to_string().parse(), Ok(shard));
    }
}

/// Values as a flag takes them.
fn list(values: &[impl ToString]) -> String {
    let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    texts.join(",")
}
