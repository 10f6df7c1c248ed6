use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use crate::backend::TrainingData;
use crate::config::Settings;
use crate::dataset::{Dataset, LoadRequest, Part, check_columns, load, standardize};
use crate::error::{Error, Result};
use crate::run::DataRecord;
use crate::study::Study;

/// What a study is trained and scored on.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    pub training: Dataset,
    /// Held-out data to score on in the place of the training data, in their units and columns.
    pub test: Option<Dataset>,
}

impl Data {
    /// Reads the files that the settings name; warns of what looks like a mistake.
    ///
    /// # Errors
    /// As [`load`]; also when the held-out data have other columns.
    pub fn load(settings: &Settings) -> Result<Self> {
        let data = Self::read(settings, None)?;
        data.warn();
        Ok(data)
    }

    /// The data of a run, in the units and columns of its models: where it polishes a model file, these are not what
    /// its settings say.
    ///
    /// # Errors
    /// As [`Data::load`].
    pub fn load_again(settings: &Settings, record: &DataRecord) -> Result<Self> {
        let data = Self::read(settings, Some(record))?;
        data.warn();
        Ok(data)
    }

    fn read(settings: &Settings, record: Option<&DataRecord>) -> Result<Self> {
        if settings.data.is_empty() {
            return Err(Error::input("no data given").with_hint("name a file: --data lorenz.npy"));
        }
        let training = load(&LoadRequest {
            data: settings.data.clone(),
            inputs: settings.inputs.clone(),
            drop: settings.drop.clone(),
            allow_missing: settings.allow_missing,
            standardize: settings.standardize,
            part: Part::training(settings.hold_out),
            scaling: record.and_then(|record| record.scaling.clone()),
            width: record.map(|record| record.N),
            columns: record.and_then(|record| record.columns.clone()),
            input_columns: record.and_then(|record| record.input_columns.clone()),
            ..LoadRequest::default()
        })?;
        let held_out = match settings.test.is_empty() {
            true => (&settings.data, &settings.inputs, Part::HeldOut(settings.hold_out)),
            false => (&settings.test, &settings.test_inputs, Part::All),
        };
        let test = match held_out {
            (_, _, Part::HeldOut(0.0)) => None,
            (data, inputs, part) => Some(load_test(settings, &training, data, inputs, part)?),
        };
        Ok(Self { training, test })
    }

    fn warn(&self) {
        self.training.warn_of_clocks();
        self.training.warn_of_offsets();
    }

    /// Reads the files that the settings name as they are; then `choose` says what to train with, of which
    /// `standardize` is done here.
    ///
    /// # Errors
    /// As [`Data::load`], and what `choose` refuses.
    pub fn load_and_choose(
        settings: &Settings,
        choose: impl FnOnce(&Dataset) -> Result<Settings>,
    ) -> Result<(Self, Settings)> {
        let mut data = Self::read(settings, None)?;
        let chosen = choose(&data.training)?;
        if chosen.standardize && data.training.scaling.is_none() {
            data.standardize()?;
        }
        data.warn();
        Ok((data, chosen))
    }

    /// What `--standardize` does while reading.
    fn standardize(&mut self) -> Result<()> {
        let scaling = self.training.column_scaling()?;
        for dataset in std::iter::once(&mut self.training).chain(&mut self.test) {
            for trial in &mut dataset.trials {
                standardize(&mut trial.x, &scaling);
            }
            dataset.scaling = Some(scaling.clone());
        }
        Ok(())
    }

    /// The data to score on.
    pub fn scored(&self) -> &Dataset {
        self.test.as_ref().unwrap_or(&self.training)
    }
}

impl From<Dataset> for Data {
    fn from(training: Dataset) -> Self {
        Self { training, test: None }
    }
}

/// The held-out data, in the units and the columns of the training data.
fn load_test(
    settings: &Settings,
    training: &Dataset,
    data: &[String],
    inputs: &[String],
    part: Part,
) -> Result<Dataset> {
    let test = load(&LoadRequest {
        data: data.to_vec(),
        inputs: inputs.to_vec(),
        part,
        drop: settings.drop.clone(),
        drop_if_there: true,
        allow_missing: settings.allow_missing,
        standardize: false,
        scaling: training.scaling.clone(),
        width: Some(training.N),
        columns: training.columns.clone(),
        input_columns: training.input_columns.clone(),
    })?;
    check_columns("--test", &test, training.N, training.K)?;
    Ok(test)
}

/// Windows of every length in the study; warns of trials that have none.
pub(super) fn windows(study: &Study, data: &Dataset) -> Result<BTreeMap<usize, Arc<TrainingData>>> {
    let mut by_length = BTreeMap::new();
    for (shape, _) in &study.groups {
        if let Entry::Vacant(slot) = by_length.entry(shape.T) {
            let (training, skipped) = data.training(shape.T)?;
            for trial in skipped {
                log::warn!("{trial}");
            }
            slot.insert(Arc::new(training));
        }
    }
    Ok(by_length)
}
