//! Polishing, generation by generation; evaluations and checkpoints as in training.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::Training;
use super::desk::Desk;
use super::keeper::{Polishing, States};
use crate::backend::{FreeModel, Member, open};
use crate::config::BackendChoice;
use crate::error::Result;
use crate::metrics::{Scorer, Standing};
use crate::polish::{Pair, Polished, Polisher, generation};
use crate::scoring::score_models;
use crate::train::Observer;

impl Training<'_> {
    /// Polishes the members that have not diverged, to the end or until `stop` is set. What is no better than it was
    /// before stays as it was.
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
        let mut stopping = false;
        while self.epochs_done < settings.length() && !stopping {
            let living = states.iter_mut().zip(&mut polishers).zip(&self.health);
            let living = living.filter(|(_, health)| health.stopped_at.is_none());
            let (mut thetas, mut models): (Vec<&mut Vec<f32>>, Vec<Pair<'_, '_>>) = living
                .map(|(((theta, polished), polisher), _)| {
                    let polished = polished.get_or_insert_with(|| Polished::new(theta.clone()));
                    (theta, (polished, polisher))
                })
                .unzip();
            let polished = generation(self.backend.as_ref(), &mut models)?;
            for (theta, polished) in thetas.iter_mut().zip(polished) {
                **theta = polished;
            }
            self.epochs_done += 1;
            self.member_steps += self.alive() as u64;
            if self.epochs_done == settings.length() {
                self.keep_what_was_better(states, objective.scorer())?;
            }
            stopping = stop.load(Ordering::Relaxed);
            if stopping || self.is_scored() || self.is_checkpoint_due() {
                self.hand_in(
                    desk,
                    self.is_scored(),
                    States::Polished(states.to_vec()),
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

    /// Takes back what polishing has not made better, judged by full free runs on the training data.
    fn keep_what_was_better(&self, states: &mut [Polishing], scorer: &Scorer) -> Result<()> {
        let candidates = &self.task.study.candidates;
        let scores = |theta: fn(&Polishing) -> Option<&[f32]>| {
            let members = states.iter().zip(candidates);
            let models = members.filter_map(|(member, candidate)| {
                let (theta, P) = (theta(member)?, candidate.settings.P);
                Some((candidate.shape.dims, FreeModel { theta, P }))
            });
            let models: Vec<_> = models.collect();
            score_models(&models, self.backend.as_ref(), scorer)
        };
        let before = scores(|(_, polished)| polished.as_ref().map(Polished::start))?;
        let after = scores(|(theta, polished)| polished.as_ref().map(|_| theta.as_slice()))?;
        let mut judged = before.iter().zip(&after);
        for (theta, polished) in states {
            if let Some(polished) = polished
                && let Some((before, after)) = judged.next()
                && !Standing::from(after).better(&Standing::from(before))
            {
                *theta = polished.start().to_vec();
            }
        }
        Ok(())
    }
}
