//! Polishing, generation by generation; evaluations and checkpoints as in training.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::Training;
use super::desk::Desk;
use super::keeper::{Polishing, States};
use crate::backend::{FreeModel, Member, open};
use crate::config::BackendChoice;
use crate::error::Result;
use crate::metrics::{Scorer, Scores};
use crate::polish::{Pair, Polished, Polisher, generation, is_judged};
use crate::scoring::score_models;
use crate::study::Candidate;
use crate::train::Observer;

impl Training<'_> {
    /// Polishes the members that have not diverged, to the end or until `stop` is set. What remains of a member is its
    /// end, or the best of the states that were judged on its way, where that is clearly better.
    pub(super) fn polish(
        &mut self,
        states: &mut [Polishing],
        desk: &mut Desk,
        stop: &AtomicBool,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let task = self.task;
        let settings = task.settings;
        let Some(objective) = &task.objective else {
            return Ok(());
        };
        let members: Vec<Member> = (task.study.candidates.iter())
            .map(|candidate| Member::from(&candidate.settings))
            .collect();
        // Where the device that has trained does not look at candidates by itself, the processor's cores do.
        let backend = open(BackendChoice::Cpu, None)?;
        let mut polishers: Vec<Polisher<'_>> = (task.study.candidates.iter().zip(&members))
            .map(|(candidate, member)| Polisher {
                backend: backend.as_ref(),
                objective,
                data: &task.windows[&candidate.shape.T],
                shape: candidate.shape,
                member,
                generations: settings.polish,
                coordinates: None,
            })
            .collect();
        (self.started, self.member_steps) = (Instant::now(), 0);
        for ((theta, polished), health) in states.iter_mut().zip(&self.health) {
            if health.stopped_at.is_none() {
                polished.get_or_insert_with(|| Polished::new(theta.clone()));
            }
        }
        if self.epochs_done == settings.epochs {
            self.judge(states, objective.scorer())?;
        }
        // Evaluations score on the same data unless some were held out.
        let is_evaluation = std::ptr::eq(objective.scorer(), task.scorer.as_ref());
        let mut stopping = false;
        while self.epochs_done < settings.length() && !stopping {
            let (mut thetas, mut models): (Vec<&mut Vec<f32>>, Vec<Pair<'_, '_>>) = (states.iter_mut())
                .zip(&mut polishers)
                .filter_map(|((theta, polished), polisher)| Some((theta, (polished.as_mut()?, polisher))))
                .unzip();
            let polished = generation(self.backend.as_ref(), &mut models)?;
            for (theta, polished) in thetas.iter_mut().zip(polished) {
                **theta = polished;
            }
            self.epochs_done += 1;
            self.member_steps += self.active() as u64;
            let mut scores = None;
            if is_judged(self.epochs_done - settings.epochs, settings.polish) {
                scores = Some(self.judge(states, objective.scorer())?);
            }
            stopping = stop.load(Ordering::Relaxed);
            if stopping || self.is_scored() || self.is_checkpoint_due() {
                let scores = scores.filter(|_| is_evaluation);
                self.hand_in(
                    desk,
                    self.is_scored(),
                    States::Polished(states.to_vec(), scores),
                    observer,
                )?;
            }
            while let Some(kept) = desk.take(false)? {
                self.report(kept, observer);
            }
            observer.epoch(&self.progress());
        }
        self.finish(desk, observer)
    }

    /// Judges the members as they are by full free runs on the training data, at the end takes what is to remain of each: their scores then.
    fn judge(&self, states: &mut [Polishing], scorer: &Scorer) -> Result<Vec<Option<Scores>>> {
        let is_end = self.epochs_done == self.task.settings.length();
        let models: Vec<_> = (states.iter().zip(&self.task.study.candidates))
            .filter(|((_, polished), _)| polished.is_some())
            .map(|((theta, _), Candidate { shape, settings, .. })| {
                (shape.dims, FreeModel { theta, P: settings.P })
            })
            .collect();
        let mut scores = score_models(&models, self.backend.as_ref(), scorer)?.into_iter();
        let judged = states.iter_mut().map(|(theta, polished)| {
            let polished = polished.as_mut()?;
            let mut scores = scores.next().expect("scores of every model");
            polished.judged(theta, &mut scores);
            if is_end {
                polished.finish(theta, &mut scores);
            }
            Some(scores)
        });
        Ok(judged.collect())
    }
}
