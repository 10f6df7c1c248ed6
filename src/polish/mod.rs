//! Polishing: a trained model continues on the score itself.
//!
//! Training minimises the squared error of forecasts between two teacher forcings, whose optimum shrinks predictions towards
//! the mean; over a free run the attractor contracts and dies. Scores look at free runs, through histograms, spectra and
//! exponents that have no useful gradient over thousands of chaotic steps. So a few hundred generations of an evolution
//! strategy follow (`search`), in coordinates that the adjoint pass supplies (`coordinates`), on free runs of all
//! candidates at once (`objective`).
#![allow(non_snake_case, reason = "the paper's symbols")]

mod coordinates;
mod exponent;
mod objective;
mod search;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::backend::{Backend, FreeModel, Member, Rollout, Runs, Tangent, TrainingData, curvature};
use crate::error::{Error, Result};
use crate::metrics::{Scores, Standing, Verdict};
use crate::model::{Dims, Shape, Theta};
pub use coordinates::Coordinates;
pub use exponent::largest_exponent;
pub use objective::{Draw, Objective, Parts, demand};
use objective::{STEPS, rise};
use search::{POPULATION, Search};

/// Generations unless said otherwise: where models of Lorenz-63 have nearly settled (`benches/RECIPE.md`).
pub const DEFAULT_GENERATIONS: u32 = 1_000;
/// Batches that coordinates are made from, and windows in each.
const BATCHES: u32 = 60;
const WINDOWS: usize = 8;
/// Share of the generations after which coordinates are made anew, about the model as it is by then.
const RENEWAL: f64 = 0.72;
/// Steps of the search start as large as raise the median candidate's forecast error by this much (in logarithms), before
/// and after the coordinates' renewal; but halved until the free runs of no more than this share of the candidates leave the data,
/// or, where the start's does, leave them in half its time.
const FIRST_STEP: [f64; 2] = [0.1, 0.08];
const MOST_LEAVING: f64 = 0.5;
/// A run has left the data where more than this share of it is outside of their range.
const LEFT: f64 = 0.5;
/// Where that step size is looked for, and in how many halvings (of its logarithm).
const STEP_RANGE: [f64; 2] = [1e-7, 1e-2];
const HALVINGS: usize = 12;
/// Bytes of candidates that go to a device together, about.
const TOGETHER: usize = 256 << 20;
/// How often a model is judged on its way, evenly, its end included.
const JUDGED: u32 = 40;
/// An earlier state remains where its D_stsp is below this share of the end's. From one look to the next it varies by 5 % on
/// models of Lorenz-63, and the best of forty looks at one model lies that far below most of them by chance; the end, an average
/// over generations, has the better exponents.
const CLEARLY: f64 = 0.85;
/// A state has lost its way from another one if it stands worse and its D_stsp is more than this many times that one's, or its run leaves
/// for good, which the start's does not.
const MOST_DSTSP: f64 = 1.5;
/// So has one whose forecast error is more than this many times that one's.
const MOST_FORECAST: f64 = 1.1;
/// Steps of a search that has gone back are smaller by this much, each time.
const CAUTION: f64 = 0.5;
/// Draws from here on belong to the choice of step sizes.
const CHOICE: u32 = u32::MAX - 1;

/// A model on its way: what its next generation depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Polished {
    /// Packed parameters that polishing started from, and that this stage's coordinates are about.
    start: Vec<f32>,
    base: Vec<f32>,
    /// Generations done.
    pub generations: u32,
    /// `None` before the first generation of a stage, and after going back.
    search: Option<Search>,
    /// Scores of the start.
    first: Option<Scores>,
    /// Of the first state whose free run was alive. Before it there is hardly a reason to go back: what a run scores that dies sooner or later
    /// is chance, and its forecasts, shrunk towards the mean, may be better than those of one that does not.
    alive: Option<Scores>,
    /// The best state since then, packed, and its scores; until then, the best of all.
    kept: Option<(Vec<f32>, Scores)>,
    /// Times that the search went back to it.
    returns: i32,
}

impl Polished {
    /// Before the first generation.
    pub fn new(theta: Vec<f32>) -> Self {
        Self {
            base: theta.clone(),
            start: theta,
            generations: 0,
            search: None,
            first: None,
            alive: None,
            kept: None,
            returns: 0,
        }
    }

    /// Takes in the scores of the present state. The best so far is kept. One that has lost its way from the start, and from the first
    /// state that was alive or, before there is one, for good, gives way to it: the search goes back, with smaller steps.
    pub fn judged(&mut self, theta: &mut Vec<f32>, scores: &mut Scores) {
        let first = *self.first.get_or_insert(*scores);
        let leaves = |scores: &Scores| Standing::from(scores).leaves() || scores.dstsp.is_nan();
        let leaves_first = leaves(scores) && !leaves(&first);
        let is_lost_from = |from: Scores| {
            let is_far = leaves_first || scores.dstsp > MOST_DSTSP * from.dstsp;
            from.better(scores) && is_far || scores.pe > MOST_FORECAST * from.pe
        };
        let is_lost = is_lost_from(first) && self.alive.map_or(leaves_first, is_lost_from);
        if self.alive.is_none() && scores.verdict == Verdict::Alive {
            self.alive = Some(*scores);
            self.kept = None;
        }
        match &self.kept {
            Some((kept, best)) if is_lost => {
                theta.clone_from(kept);
                *scores = *best;
                self.base.clone_from(kept);
                self.search = None;
                self.returns += 1;
            }
            Some((_, best)) if !scores.better(best) => {}
            _ => self.kept = Some((theta.clone(), *scores)),
        }
    }

    /// What polishing leaves, of which [`Polished::judged`] was the last: the present state, unless the best was clearly better, or the
    /// start better at all.
    pub fn finish(&self, theta: &mut Vec<f32>, scores: &mut Scores) {
        let nearer = Scores {
            dstsp: CLEARLY * scores.dstsp,
            ..*scores
        };
        let is_worse = |scores: &Scores| self.first.filter(|first| first.better(scores));
        if let Some((kept, best)) = &self.kept
            && (is_worse(scores).is_some() || best.better(&nearer))
        {
            theta.clone_from(kept);
            *scores = *best;
        }
        if let Some(first) = is_worse(scores) {
            theta.clone_from(&self.start);
            *scores = first;
        }
    }
}

/// Whether models are to be judged after `done` of so many generations.
pub fn is_judged(done: u32, generations: u32) -> bool {
    let looks = |done: u32| u64::from(done) * u64::from(JUDGED) / u64::from(generations);
    done == 0 || looks(done) > looks(done - 1)
}

/// The candidates of a generation.
struct Asked {
    draw: Draw,
    /// Packed parameters, one after another.
    thetas: Vec<Vec<f32>>,
}

/// What polishing a model needs beside its state.
pub struct Polisher<'a> {
    /// Runs candidates where no device looks at them by itself, and those that the first steps are chosen by.
    pub backend: &'a dyn Backend,
    pub objective: &'a Objective,
    pub data: &'a TrainingData,
    /// Sizes of the model, and of the windows that it was trained with.
    pub shape: Shape,
    pub member: &'a Member,
    /// Generations in all.
    pub generations: u32,
    /// Of the stage under way, made by the first generation here.
    pub coordinates: Option<Coordinates>,
}

impl Polisher<'_> {
    /// The candidates of a model's next generation.
    fn ask(&mut self, polished: &mut Polished) -> Result<Asked> {
        let renewal = (RENEWAL * f64::from(self.generations)).round() as u32;
        let stage = usize::from(polished.generations >= renewal);
        if polished.generations == renewal
            && let Some(search) = polished.search.take()
        {
            polished.base = self.coordinates(&polished.base).theta(search.result());
            self.coordinates = None;
        }
        let coordinates = match self.coordinates.take() {
            Some(coordinates) if polished.search.is_some() => coordinates,
            _ => self.coordinates(&polished.base),
        };
        let search = match polished.search.take() {
            Some(search) => search,
            None => {
                let step = self.first_step(&coordinates, stage)? * CAUTION.powi(polished.returns);
                Search::new(coordinates.dimension(), step)
            }
        };
        let (seed, generation) = (self.member.seed, polished.generations);
        let candidates = search.ask(seed, generation);
        let thetas = candidates.par_iter().map(|u| coordinates.theta(u)).collect();
        polished.search = Some(search);
        self.coordinates = Some(coordinates);
        Ok(Asked {
            draw: self.objective.draw(seed, generation),
            thetas,
        })
    }

    /// Takes in what the candidates cost; the parameters after this generation, packed.
    fn tell(&self, polished: &mut Polished, costs: &[f64]) -> Vec<f32> {
        let search = polished.search.as_mut().expect("asked before");
        let coordinates = self.coordinates.as_ref().expect("asked before");
        search.tell(self.member.seed, polished.generations, costs);
        polished.generations += 1;
        coordinates.theta(search.result())
    }

    fn dims(&self) -> Dims {
        self.shape.dims
    }

    fn coordinates(&self, base: &[f32]) -> Coordinates {
        let base = Theta::unpack(self.dims(), base);
        let shape = Shape {
            S: WINDOWS,
            ..self.shape
        };
        let curvature = curvature(shape, self.member, self.data, &base, BATCHES);
        Coordinates::new(base, self.member.P, &curvature)
    }

    /// See [`FIRST_STEP`].
    fn first_step(&self, coordinates: &Coordinates, stage: usize) -> Result<f64> {
        let (seed, number) = (self.member.seed, CHOICE + stage as u32);
        let draw = self.objective.draw(seed, number);
        let start = coordinates.theta(&vec![0.0; coordinates.dimension()]);
        let candidates = |step: f64| -> Vec<Vec<f32>> {
            let candidates = Search::new(coordinates.dimension(), step).ask(seed, number);
            candidates.iter().map(|u| coordinates.theta(u)).collect()
        };
        let [mut low, mut high] = STEP_RANGE.map(f64::ln);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            let errors = self.forecast_errors(&draw, &start, &candidates(middle.exp()));
            let mut rises: Vec<f64> = errors[1..].iter().map(|&e| rise(e, errors[0])).collect();
            rises.sort_by(f64::total_cmp);
            if rises[rises.len() / 2] <= FIRST_STEP[stage] {
                low = middle;
            } else {
                high = middle;
            }
        }
        let mut step = (0.5 * (low + high)).exp();
        // Sooner at all would be a toss of a coin, and steps halved until it falls well.
        let most = match self.outside(&draw, std::slice::from_ref(&start))?[0] {
            share if share > LEFT => 0.5 * (1.0 + share),
            _ => LEFT,
        };
        while step > STEP_RANGE[0] {
            let outside = self.outside(&draw, &candidates(step))?;
            let leaving = outside.iter().filter(|&&share| share > most).count();
            if leaving as f64 <= MOST_LEAVING * outside.len() as f64 {
                break;
            }
            step *= 0.5;
        }
        Ok(step)
    }

    /// Shares of the free runs of some models that are outside of the data's range.
    fn outside(&self, draw: &Draw, thetas: &[Vec<f32>]) -> Result<Vec<f64>> {
        let runs = self.runs(draw, Tangent::NONE, thetas)?;
        let share = |run: &Rollout| self.objective.judge(run, f64::NAN).outside;
        Ok(runs.par_iter().map(share).collect())
    }

    /// Free runs of some models, by the processor.
    fn runs(&self, draw: &Draw, tangent: Tangent, thetas: &[Vec<f32>]) -> Result<Vec<Rollout>> {
        let models: Vec<FreeModel<'_>> = thetas.iter().map(|theta| self.model(theta)).collect();
        self.backend.rollouts(self.dims(), &models, &draw.run, tangent)
    }

    /// Forecast errors of a model and of others, in this order.
    fn forecast_errors(&self, draw: &Draw, start: &[f32], others: &[Vec<f32>]) -> Vec<f64> {
        let all: Vec<&[f32]> = std::iter::once(start)
            .chain(others.iter().map(Vec::as_slice))
            .collect();
        let error = |theta: &&[f32]| {
            self.objective
                .forecast_error(draw, self.dims(), self.model(theta))
        };
        all.par_iter().map(error).collect()
    }

    fn model<'a>(&self, theta: &'a [f32]) -> FreeModel<'a> {
        FreeModel {
            theta,
            P: self.member.P,
        }
    }

    /// What candidates cost, run and looked at by the processor.
    fn costs(&self, polished: &Polished, asked: &Asked) -> Result<Vec<f64>> {
        let (draw, objective) = (&asked.draw, self.objective);
        let runs = self.runs(draw, draw.tangent, &asked.thetas)?;
        let errors = self.forecast_errors(draw, &polished.start, &asked.thetas);
        let parts: Vec<Parts> = (runs.par_iter().zip(&errors[1..]))
            .map(|(run, &error)| objective.judge(run, error))
            .collect();
        Ok(Objective::costs(&parts, errors[0]))
    }
}

/// A model on its way, and what polishes it.
pub type Pair<'a, 'b> = (&'a mut Polished, &'a mut Polisher<'b>);

/// The next generation of several models; their parameters after it, packed. Where `device` looks at runs by itself, the candidates of
/// neighbours of one shape go there together; otherwise each polisher's backend runs a model's.
///
/// What comes of a model depends on its member's seed and on the generation alone: not on other models, nor on where polishing
/// was interrupted.
///
/// # Errors
/// When a backend cannot run the candidates.
pub fn generation(device: &dyn Backend, models: &mut [Pair<'_, '_>]) -> Result<Vec<Vec<f32>>> {
    let on_device = models.iter().try_fold(true, |all, (_, polisher)| {
        let none = Runs {
            starts: &[],
            steps: STEPS,
            tangent: Tangent::NONE,
        };
        let answer = device.statistics(polisher.dims(), none, polisher.objective.statistics())?;
        Ok::<_, Error>(all && answer.is_some())
    })?;
    if !on_device {
        let one = |(polished, polisher): &mut Pair<'_, '_>| {
            let asked = polisher.ask(polished)?;
            let costs = polisher.costs(polished, &asked)?;
            Ok(polisher.tell(polished, &costs))
        };
        return models.par_iter_mut().map(one).collect();
    }
    let mut all = Vec::with_capacity(models.len());
    for alike in models.chunk_by_mut(|a, b| a.1.dims() == b.1.dims()) {
        let bytes = POPULATION * alike[0].1.dims().n_params() * size_of::<f32>();
        for some in alike.chunks_mut((TOGETHER / bytes).max(1)) {
            let asked: Vec<Asked> = (some.par_iter_mut())
                .map(|(polished, polisher)| polisher.ask(polished))
                .collect::<Result<_>>()?;
            let costs = costs_on(device, some, &asked)?;
            let told = some.par_iter_mut().zip(&costs);
            all.par_extend(told.map(|((polished, polisher), costs)| polisher.tell(polished, costs)));
        }
    }
    Ok(all)
}

/// What the candidates of models of one shape cost, the device looking at their runs; forecasts are the processor's meanwhile.
fn costs_on(device: &dyn Backend, models: &[Pair<'_, '_>], asked: &[Asked]) -> Result<Vec<Vec<f64>>> {
    let (objective, draw) = (models[0].1.objective, &asked[0].draw);
    let candidates = models.iter().zip(asked).flat_map(|((_, polisher), asked)| {
        let start = |theta| (polisher.model(theta), asked.draw.run.x0.as_slice());
        asked.thetas.iter().map(move |theta| start(theta.as_slice()))
    });
    let starts: Vec<_> = candidates.collect();
    let runs = Runs {
        starts: &starts,
        steps: draw.run.steps,
        tangent: draw.tangent,
    };
    let forecasts = |((polished, polisher), asked): (&Pair<'_, '_>, &Asked)| {
        polisher.forecast_errors(&asked.draw, &polished.start, &asked.thetas)
    };
    let (seen, errors) = rayon::join(
        || device.statistics(models[0].1.dims(), runs, objective.statistics()),
        || (models.par_iter().zip(asked)).map(forecasts).collect::<Vec<_>>(),
    );
    let seen = seen?.ok_or_else(|| Error::runtime("the device no longer looks at runs"))?;
    let costs = seen.chunks(POPULATION).zip(errors).map(|(seen, errors)| {
        let pairs = seen.iter().zip(&errors[1..]);
        let parts: Vec<Parts> = pairs.map(|(run, &error)| objective.parts(run, error)).collect();
        Objective::costs(&parts, errors[0])
    });
    Ok(costs.collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::Array2;

    use super::*;
    use crate::backend::cpu::CpuBackend;
    use crate::dataset::{LoadRequest, Trial, from_arrays};
    use crate::metrics::{ScoreSettings, Scorer};

    #[test]
    fn models_are_judged_evenly_and_at_both_ends() {
        for generations in [1, 3, 40, 41, 50, 1_000] {
            let judged: Vec<u32> = (0..=generations)
                .filter(|&done| is_judged(done, generations))
                .collect();
            assert_eq!(judged.len() as u32, 1 + JUDGED.min(generations), "{judged:?}");
            assert_eq!((judged[0], judged[judged.len() - 1]), (0, generations));
        }
    }

    /// Of a run that is alive.
    fn scores(dstsp: f64, pe: f64) -> Scores {
        Scores {
            dstsp,
            dstsp_standard_error: None,
            saturated: false,
            dh: 0.1,
            pe,
            roughness: 1.0,
            verdict: Verdict::Alive,
            points_dstsp: 100,
            points_inside: 100,
            points_dh: 100,
            pairs_pe: 100,
        }
    }

    #[test]
    fn the_best_that_was_judged_is_kept_and_gone_back_to() {
        let mut polished = Polished::new(vec![0.0]);
        let judged = [
            (0.0, (2.0, 1.0), 0.0),
            (1.0, (1.0, 1.05), 1.0),
            (2.0, (1.0, 1.0), 2.0),
            // Lost, by its run and by its forecasts.
            (3.0, (f64::NAN, 1.0), 1.0),
            (4.0, (3.1, 1.0), 1.0),
            (5.0, (0.5, 1.2), 1.0),
            // No better than the start, and worse, but neither is lost.
            (6.0, (2.0, 1.0), 6.0),
            (7.0, (2.9, 1.0), 7.0),
        ];
        for (theta, (dstsp, pe), then) in judged {
            let (mut theta, mut scores) = (vec![theta], scores(dstsp, pe));
            polished.judged(&mut theta, &mut scores);
            assert_eq!(theta, [then]);
            assert_eq!(scores.dstsp == 1.0, [1.0, 2.0].contains(&then));
        }
        for (dstsp, left) in [(1.1, 7.0), (1.2, 1.0), (f64::NAN, 1.0)] {
            let (mut theta, mut scores) = (vec![7.0], scores(dstsp, 1.0));
            polished.finish(&mut theta, &mut scores);
            assert_eq!((theta, scores.dstsp == 1.0), (vec![left], left == 1.0));
        }
        assert_eq!((polished.returns, polished.base), (3, vec![1.0]));
        // A little worse than the start is not lost on the way, but nothing to end with.
        let mut polished = Polished::new(vec![0.0]);
        for (theta, dstsp, left) in [(0.0, 2.0, 0.0), (1.0, 2.1, 0.0)] {
            let (mut theta, mut scores) = (vec![theta], scores(dstsp, 1.0));
            let judged = theta.clone();
            polished.judged(&mut theta, &mut scores);
            assert_eq!(theta, judged);
            polished.finish(&mut theta, &mut scores);
            assert_eq!((theta, scores.dstsp), (vec![left], 2.0));
        }
    }

    #[test]
    fn a_dead_start_is_not_gone_back_to_but_left_where_nothing_is_better() {
        let scores = |verdict, dstsp, pe| Scores {
            verdict,
            roughness: if verdict == Verdict::Diverged {
                f64::INFINITY
            } else {
                1.0
            },
            ..scores(dstsp, pe)
        };
        let mut polished = Polished::new(vec![0.0]);
        let judged = [
            (0.0, (Verdict::FixedPoint, 2.0, 1.0), 0.0),
            // Far from the start in every way, which says nothing.
            (1.0, (Verdict::Periodic, 9.0, 3.0), 1.0),
            // But nothing comes back from there.
            (1.5, (Verdict::Diverged, 9.0, 1.0), 0.0),
            (2.0, (Verdict::Alive, 2.5, 2.0), 2.0),
            (3.0, (Verdict::Alive, 2.4, 2.1), 3.0),
            // Lost, beside the first that was alive.
            (4.0, (Verdict::FixedPoint, 4.0, 2.0), 3.0),
            (5.0, (Verdict::Alive, 1.0, 2.3), 3.0),
            (6.0, (Verdict::Alive, 2.6, 2.0), 6.0),
        ];
        for (theta, (verdict, dstsp, pe), then) in judged {
            let (mut theta, mut scores) = (vec![theta], scores(verdict, dstsp, pe));
            polished.judged(&mut theta, &mut scores);
            assert_eq!(theta, [then]);
        }
        for (dstsp, left) in [(2.6, 0.0), (1.9, 6.0)] {
            let (mut theta, mut scores) = (vec![6.0], scores(Verdict::Alive, dstsp, 2.0));
            polished.finish(&mut theta, &mut scores);
            assert_eq!((theta, scores.dstsp == 2.0), (vec![left], left == 0.0));
        }
    }

    #[test]
    fn a_start_that_leaves_the_data_is_not_gone_back_to() {
        let scores = |dstsp| Scores {
            verdict: Verdict::Diverged,
            roughness: f64::INFINITY,
            ..scores(dstsp, 1.0)
        };
        let mut polished = Polished::new(vec![0.0]);
        for (theta, dstsp) in [(0.0, 5.0), (1.0, 5.1), (2.0, 4.9)] {
            let (mut state, mut scores) = (vec![theta], scores(dstsp));
            polished.judged(&mut state, &mut scores);
            assert_eq!(state, [theta]);
        }
        assert_eq!(polished.returns, 0);
    }

    /// Two rotations a tenth too fast that hardly fade, half of whose neighbours grow each within 20,480 steps; or that hardly grow,
    /// half of whose neighbours grow faster.
    #[test]
    fn first_steps_keep_candidates_with_the_data() {
        const ANGLES: [f64; 2] = [0.1, 0.17];
        let wave = |t: usize, n: usize| {
            let phase = (n % 2) as f64 * std::f64::consts::FRAC_PI_2;
            (ANGLES[n / 2] * t as f64 + phase).sin()
        };
        let trial = Trial {
            name: "circles".into(),
            x: Array2::from_shape_fn((1_000, 4), |(t, n)| wave(t, n)),
            s: Array2::zeros((1_000, 0)),
        };
        let dataset = from_arrays(vec![trial], &LoadRequest::default()).expect("data");
        let scorer = Scorer::new(&dataset, ScoreSettings::default()).expect("they vary");
        let objective = Objective::new(&dataset, Arc::new(scorer)).expect("no inputs");
        let shape = Shape::new(Dims::new(5, 4, 0).expect("sizes"), 4, 20).expect("sizes");
        let member = Member {
            seed: 1,
            P: 1,
            tau: 5,
            noise: 0.05,
            start_lr: 1e-3,
            end_lr: 1e-3,
            ..Member::default()
        };
        let backend = CpuBackend::new(Some(1)).expect("a thread starts");
        let (data, _) = dataset.training(shape.T).expect("long enough");
        let polisher = Polisher {
            backend: &backend,
            objective: &objective,
            data: &data,
            shape,
            member: &member,
            generations: 1,
            coordinates: None,
        };
        for (modulus, start_stays) in [(0.9999, true), (1.0001, false)] {
            let mut theta = Theta::zeros(shape.dims);
            for (pair, angle) in ANGLES.into_iter().enumerate() {
                let ((sin, cos), at) = ((1.1 * angle).sin_cos(), 2 * pair);
                // x = sin, y = cos
                (theta.W[[at, at]], theta.W[[at, at + 1]]) = (modulus * cos, modulus * sin);
                (theta.W[[at + 1, at]], theta.W[[at + 1, at + 1]]) = (-modulus * sin, modulus * cos);
            }
            let coordinates = polisher.coordinates(&theta.pack());
            let step = polisher.first_step(&coordinates, 0).expect("it runs");
            let outside = |thetas: &[Vec<f32>]| {
                let draw = objective.draw(1, CHOICE);
                polisher.outside(&draw, thetas).expect("they run")
            };
            let start = outside(&[theta.pack()])[0];
            assert_eq!(start <= 0.5, start_stays, "{start}");
            let most = if start_stays {
                0.5
            } else {
                1.0 - (1.0 - start) / 2.0
            };
            let stay = |step: f64| {
                let candidates = Search::new(coordinates.dimension(), step).ask(1, CHOICE);
                let thetas: Vec<Vec<f32>> = candidates.iter().map(|u| coordinates.theta(u)).collect();
                let staying = outside(&thetas).into_iter().filter(|&share| share <= most);
                staying.count() >= POPULATION / 2
            };
            assert!(stay(step) && !stay(2.0 * step), "{modulus}: {step}");
        }
    }
}
