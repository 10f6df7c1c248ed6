//! Trains four models of the Lorenz system and reads the best one: `cargo run --release --example lorenz`.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use alrnn_gpu::analysis::{AnalysisInput, AnalysisSettings, analyze};
use alrnn_gpu::config::{Grid, Seeds, Settings};
use alrnn_gpu::error::Result;
use alrnn_gpu::model::Model;
use alrnn_gpu::train::{self, Place};

fn main() -> Result<()> {
    let settings = Settings {
        data: vec![concat!(env!("CARGO_MANIFEST_DIR"), "/data/lorenz.npy").into()],
        P: Grid::one(2),
        seeds: Seeds::count(4).expect("one seed or more"),
        epochs: 100,
        ..Settings::default()
    };
    let folder = std::env::args().nth(1).unwrap_or("runs/example".into());
    let never = AtomicBool::new(false);
    let outcome = train::run(&settings, &Place::New(PathBuf::from(folder)), &never, &mut ())?;

    let best = outcome.best().expect("a member was scored");
    println!(
        "{} of {} models: D_stsp {:?}, D_H {:?}, PE {:?}",
        best.id,
        outcome.members.len(),
        best.D_stsp,
        best.D_H,
        best.PE
    );
    let model = Model::load(outcome.folder.best(&best.id))?;
    let analysis = analyze(
        &AnalysisInput::new(&model.theta, model.P),
        &AnalysisSettings::default(),
    )?;
    print!("{}", analysis.summary());
    Ok(())
}
