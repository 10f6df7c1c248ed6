//! A study on its data, checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::data::{Data, windows};
use super::place::Place;
use super::room::{require_room, require_windows};
use crate::backend::{Backend, Device, TrainingData};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::metrics::{ScoreSettings, Scorer};
use crate::polish::Objective;
use crate::run::{DataRecord, Record};
use crate::study::Study;

/// What is to be trained, on what, before a device is chosen.
pub struct Task<'a> {
    pub settings: &'a Settings,
    pub data: &'a Data,
    pub study: Study,
    /// Training data by window length `T`.
    pub windows: BTreeMap<usize, Arc<TrainingData>>,
    pub scorer: Arc<Scorer>,
    /// What polishing minimises, where it is asked for.
    pub objective: Option<Objective>,
}

/// Inflation is about 0. (The data may choose to be standardised, so that this is known late.)
fn require_mean_0(settings: &Settings) -> Result<()> {
    let inflates = settings
        .inflation
        .values()
        .iter()
        .find(|&&inflation| inflation > 1.0);
    match inflates.filter(|_| !settings.standardize) {
        None => Ok(()),
        Some(inflation) => Err(Error::input(format!(
            "--inflation {inflation} is about the mean of the data, which is 0 only where they are standardised"
        ))
        .with_hint("add --standardize, or set --inflation 1")),
    }
}

impl<'a> Task<'a> {
    /// # Errors
    /// Everything that can be refused without the device is refused here; nothing is made.
    pub fn new(settings: &'a Settings, data: &'a Data) -> Result<Self> {
        settings.validate()?;
        require_mean_0(settings)?;
        let study = Study::new(settings, data.training.N, data.training.K)?;
        require_windows(&study, &data.training)?;
        let scorer = Arc::new(Scorer::new(data.scored(), ScoreSettings::from(settings))?);
        Ok(Self {
            settings,
            data,
            windows: windows(&study, &data.training)?,
            objective: objective(settings, data, &scorer)?,
            scorer,
            study,
        })
    }

    /// Refuses what memory, or the disk where a run folder is to be made, does not hold.
    pub fn require_room(&self, backend: &dyn Backend, place: &Place) -> Result<()> {
        let new = match place {
            Place::New(path) => Some(path.as_path()),
            Place::Resume(_) => None,
        };
        require_room(&self.study, self.settings, backend, new)
    }

    /// What `config.toml` records of a run that begins now.
    pub(super) fn record(&self, device: &Device) -> Result<Record> {
        let (data, floor) = (&self.data.training, self.scorer.noise_floor()?);
        Ok(Record {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            backend: device.backend.to_owned(),
            device: device.name.clone(),
            started: jiff::Timestamp::now().to_string(),
            finished: None,
            members: self.study.candidates.len(),
            dstsp: Some(self.scorer.dstsp_kind()),
            constant_columns: self.scorer.constant_columns().to_vec(),
            data: DataRecord {
                hash: data.hash.clone(),
                rows: data.rows(),
                trials: data.trials.len(),
                N: data.N,
                K: data.K,
                columns: data.columns.clone(),
                input_columns: data.input_columns.clone(),
                scaling: data.scaling.clone(),
            },
            noise_floor: (&floor).into(),
        })
    }
}

/// Of the training data: held-out ones decide nothing.
fn objective(settings: &Settings, data: &Data, scorer: &Arc<Scorer>) -> Result<Option<Objective>> {
    if settings.polish == 0 {
        return Ok(None);
    }
    let scorer = match &data.test {
        None => Arc::clone(scorer),
        Some(_) => Arc::new(Scorer::new(&data.training, ScoreSettings::from(settings))?),
    };
    Objective::new(&data.training, scorer).map(Some)
}
