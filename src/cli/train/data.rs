//! The data to train on and to score on.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use crate::backend::TrainingData;
use crate::cli::evaluate;
use crate::config::Settings;
use crate::dataset::{Dataset, LoadRequest, load};
use crate::error::{Error, Result};
use crate::run::Record;
use crate::study::Study;

pub fn load_training(settings: &Settings) -> Result<Dataset> {
    let data = load(&LoadRequest {
        data: settings.data.clone(),
        inputs: settings.inputs.clone(),
        drop: settings.drop.clone(),
        allow_missing: settings.allow_missing,
        standardize: settings.standardize,
        ..LoadRequest::default()
    })?;
    data.warn_of_clocks();
    data.warn_of_offsets();
    Ok(data)
}

/// The held-out data, in the units and the columns of the training data.
pub fn load_test(settings: &Settings, data: &Dataset) -> Result<Option<Dataset>> {
    if settings.test.is_empty() {
        return Ok(None);
    }
    let test = load(&LoadRequest {
        data: settings.test.clone(),
        inputs: settings.test_inputs.clone(),
        drop: settings.drop.clone(),
        drop_if_there: true,
        allow_missing: settings.allow_missing,
        standardize: false,
        scaling: data.scaling.clone(),
        columns: data.columns.clone(),
        input_columns: data.input_columns.clone(),
    })?;
    evaluate::check_columns("--test", &test, data.N, data.K)?;
    Ok(Some(test))
}

/// Windows of every length in the study; says which trials have none.
pub fn training_data(study: &Study, data: &Dataset) -> Result<BTreeMap<usize, Arc<TrainingData>>> {
    let mut by_length = BTreeMap::new();
    for (shape, _) in &study.groups {
        if let Entry::Vacant(slot) = by_length.entry(shape.T) {
            let (training, skipped) = data.training(shape.T)?;
            for trial in skipped {
                eprintln!("warning: {trial}");
            }
            slot.insert(Arc::new(training));
        }
    }
    Ok(by_length)
}

pub fn refuse_other_data(record: &Record, data: &Dataset) -> Result<()> {
    if record.data.hash == data.hash {
        return Ok(());
    }
    Err(
        Error::input("the data differ from those the run was started with (their hash is another)")
            .with_hint("resume with the same data, or start another run with --out"),
    )
}
