//! Training as a program does it, without the command line: the same bits, and going on from a checkpoint.

mod cli_common;

use std::sync::atomic::{AtomicBool, Ordering};

use alrnn_gpu::config::{Settings, resolve};
use alrnn_gpu::dataset::{LoadRequest, Trial, from_arrays};
use alrnn_gpu::error::Error;
use alrnn_gpu::run::Run;
use alrnn_gpu::train::{self, Data, Ending, Observer, Outcome, Place, Progress, Start};
use cli_common::{Workplace, assert_same_results, small_study};

/// The settings of `cli_common::small_study`.
fn small(w: &Workplace) -> Settings {
    let text = "backend = 'cpu'\nM = [5, 8]\nT = 10\ntau = 5\nbatch-size = 4\nbins = 5\nseeds = 2\nepochs = 6\n\
                batches-per-epoch = 5\neval-every = 2";
    Settings {
        data: vec![w.path("data.npy").to_string_lossy().into_owned()],
        ..resolve(None, text.parse().expect("TOML")).expect("valid")
    }
}

/// Asks to stop once some epochs are done, in the one after them, and keeps where training began.
struct Stopper<'a> {
    stop: &'a AtomicBool,
    after: u32,
    begun_at: Option<u32>,
}

impl Observer for Stopper<'_> {
    fn started(&mut self, start: &Start<'_>) {
        self.begun_at = Some(start.epochs_done);
    }

    fn epoch(&mut self, progress: &Progress) {
        self.stop.store(progress.epoch >= self.after, Ordering::Relaxed);
    }
}

/// Trains to the end of the epoch after `after`; returns how it ended and where it began.
fn train(settings: &Settings, place: &Place, after: u32) -> Result<(Outcome, Option<u32>), Error> {
    let stop = AtomicBool::new(false);
    let mut stopper = Stopper {
        stop: &stop,
        after,
        begun_at: None,
    };
    let outcome = train::run(settings, place, &stop, &mut stopper)?;
    Ok((outcome, stopper.begun_at))
}

#[test]
fn the_library_trains_as_the_command_line_does() {
    let w = Workplace::with_data(400);
    w.succeed(&small_study("command-line", &[]));
    let settings = small(&w);
    let (outcome, begun_at) = train(&settings, &Place::New(w.path("library")), u32::MAX).expect("trained");
    assert_eq!((outcome.ending, begun_at), (Ending::Finished, Some(0)));
    assert_same_results(&w, "command-line", "library");
    let best = outcome.best().expect("scored members");
    assert!(w.path(format!("library/best/{}.npz", best.id)).is_file());
}

#[test]
fn a_run_goes_on_to_the_same_bits() {
    let w = Workplace::with_data(400);
    let settings = small(&w);
    train(&settings, &Place::New(w.path("whole")), u32::MAX).expect("trained");
    let (outcome, _) = train(&settings, &Place::New(w.path("parts")), 2).expect("trained");
    assert_eq!((outcome.ending, outcome.epochs_done), (Ending::Interrupted, 3));
    // The folder is in use as long as what was returned lives.
    let place = Place::Resume(w.path("parts"));
    let error = train(&settings, &place, u32::MAX).expect_err("locked");
    assert!(error.to_string().contains("another process"), "{error}");
    drop(outcome);
    let other = Settings {
        epochs: 7,
        ..settings.clone()
    };
    let error = train(&other, &place, u32::MAX).expect_err("other settings");
    assert!(error.to_string().starts_with("--epochs 7: the run"), "{error}");
    let (outcome, begun_at) = train(&settings, &place, u32::MAX).expect("trained");
    assert_eq!((outcome.ending, begun_at), (Ending::Finished, Some(3)));
    assert_same_results(&w, "whole", "parts");
}

/// Arrays train as the file does that holds them, and a run knows them again by their values.
#[test]
fn arrays_in_memory_are_data() {
    let w = Workplace::with_data(400);
    let settings = small(&w);
    let (from_file, _) = train(&settings, &Place::New(w.path("file")), u32::MAX).expect("trained");
    let file = Data::load(&settings).expect("data").training.trials.remove(0);
    let settings = Settings {
        data: Vec::new(),
        ..settings
    };
    let arrays = |x: ndarray::Array2<f64>| {
        let trial = Trial {
            name: "array".into(),
            s: ndarray::Array2::zeros((x.nrows(), 0)),
            x,
        };
        Data::from(from_arrays(vec![trial], &LoadRequest::default()).expect("valid"))
    };
    let never = AtomicBool::new(false);
    let data = arrays(file.x.clone());
    let place = Place::New(w.path("memory"));
    let outcome = train::run_on(&settings, &data, &place, &never, &mut ()).expect("trained");
    assert_same_results(&w, "file", "memory");
    assert_eq!(outcome.record.data, from_file.record.data);
    drop(outcome);
    let place = Place::Resume(w.path("memory"));
    let other = arrays(file.x.mapv(|v| v + 1.0));
    let error = train::run_on(&settings, &other, &place, &never, &mut ()).err();
    let text = error.expect("other data").to_string();
    assert!(text.contains("the data differ"), "{text}");
    train::run_on(&settings, &data, &place, &never, &mut ()).expect("goes on, with nothing left to do");
    assert!(Run::read(&w.path("memory")).expect("whole").is_finished());
}
