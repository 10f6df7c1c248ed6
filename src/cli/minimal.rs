//! `minimal`: a study of several `P`, and what it says of the number of ReLUs.
#![allow(non_snake_case, reason = "the paper's symbols")]

use std::path::Path;

use toml::Table;

use crate::cli::args::MinimalArgs;
use crate::cli::output::{print, print_json};
use crate::cli::train::{self, Watched, watched};
use crate::cli::{SUCCESS, Status};
use crate::error::{Error, Result};
use crate::fs::write_bytes;
use crate::minimal::{Certificate, Judge, reduce};
use crate::report::{minimal_figures, write_figure};
use crate::run::Run;
use crate::train::{Data, Place};

/// Generations of polishing where nobody says how many: enough to tell sizes apart.
const POLISH: u32 = 100;

/// What the arguments ask for.
pub struct Request {
    pub train: train::Request,
    reduce: bool,
}

impl Request {
    pub fn new(args: &MinimalArgs) -> Result<Self> {
        let mut defaults = Table::new();
        defaults.insert("P".into(), "0..6".into());
        defaults.insert("seeds".into(), 20.into());
        if args.train.test.is_empty() {
            defaults.insert("hold-out".into(), 0.25.into());
        }
        Ok(Self {
            train: train::Request::with_defaults(&args.train, &defaults, Some(POLISH))?,
            reduce: args.reduce,
        })
    }
}

/// Trains what is not trained yet, then judges it.
pub fn run(request: &Request) -> Result<Status> {
    let Request { train, reduce } = request;
    if train.profile {
        return train::run(train);
    }
    let root = train.place.path();
    let done = matches!(&train.place, Place::Resume(run) if Run::read(run)?.is_finished());
    if !done {
        let way_on = format!("alrnn-gpu minimal --resume {}", root.display());
        match train::train(train, &way_on)? {
            Watched::Interrupted => return Ok(crate::cli::INTERRUPTED),
            Watched::Finished(outcome) => drop(outcome),
        }
    }
    let run = Run::read(root)?;
    if let Some(shard) = run.settings.shard {
        eprintln!(
            "this is part {shard} of the study; join all parts (alrnn-gpu merge PART… --out RUN), then: alrnn-gpu minimal --resume RUN"
        );
        return Ok(SUCCESS);
    }
    let loaded;
    let data = match &train.data {
        Some(data) => data,
        None => {
            loaded = Data::load_again(&run.settings, &run.record.data)?;
            &loaded
        }
    };
    if data.training.hash != run.record.data.hash {
        return Err(Error::input(
            "the data differ from those the run was trained on (their hash is another)",
        ));
    }
    let judge = Judge::new(&run, data)?;
    let mut certificate = judge.certificate();
    if *reduce && !reduced(&judge, &run, data, &mut certificate, root)? {
        return Ok(crate::cli::INTERRUPTED);
    }
    write(&certificate, root)?;
    if train.json {
        print_json(&serde_json::json!(certificate))?;
    } else {
        print(&certificate.text())?;
    }
    let shown = root.display();
    eprintln!(
        "minimal.json and pictures (plots/minimal-…) are in {shown}; everything on a page: alrnn-gpu report {shown}"
    );
    Ok(SUCCESS)
}

/// Learn, reduce, retrain; `false` where Ctrl-C ended it.
fn reduced(
    judge: &Judge,
    run: &Run,
    data: &Data,
    certificate: &mut Certificate,
    root: &Path,
) -> Result<bool> {
    eprintln!("reducing the models of the largest P that succeed");
    let outcome = watched(root, |stop, watch| {
        reduce(judge, run, data, &root.join("reduced"), stop, watch)
    })?;
    let Some(outcome) = outcome else {
        eprintln!(
            "stopped; continue with: alrnn-gpu minimal --reduce --resume {}",
            root.display()
        );
        return Ok(false);
    };
    certificate.take(outcome.reduced, outcome.found);
    Ok(true)
}

fn write(certificate: &Certificate, root: &Path) -> Result<()> {
    let mut json = serde_json::json!(certificate);
    json["text"] = certificate.text().into();
    let plots = root.join("plots");
    std::fs::create_dir_all(&plots).map_err(|error| Error::io("make the folder", &plots, error))?;
    for figure in minimal_figures(&json)? {
        write_figure(&plots, &figure)?;
    }
    write_bytes(root.join("minimal.json"), json.to_string())
}
