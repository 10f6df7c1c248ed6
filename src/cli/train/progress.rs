use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::summary::introduction;
use crate::cli::INTERRUPTED;
use crate::cli::output::{count, divergence, number};
use crate::metrics::Verdict;
use crate::train::{Evaluation, Observer, Progress, Start};

/// Epochs of retraining between two lines about it.
const RETRAINING: u32 = 100;

/// Training's progress on stderr: a bar on a terminal, one line an evaluation otherwise.
pub struct Watch {
    /// What Ctrl-C sets once training has started.
    stop: Arc<AtomicBool>,
    started: bool,
    bar: Option<ProgressBar>,
    /// What the last evaluation found, in the words of its line.
    score: String,
    /// Where this process took up training or, from then on, polishing.
    first: Option<Place>,
    last_draw: Instant,
}

/// Epochs of training that are done, or generations of polishing.
#[derive(Clone, Copy)]
struct Place {
    unit: &'static str,
    done: u32,
    of: u32,
}

impl Place {
    /// After `epoch` epochs and generations.
    fn of(epoch: u32, progress: &Progress) -> Self {
        match epoch.checked_sub(progress.training) {
            None | Some(0) => Self {
                unit: "epoch",
                done: epoch,
                of: progress.training,
            },
            Some(done) => Self {
                unit: "generation",
                done,
                of: progress.epochs - progress.training,
            },
        }
    }
}

impl Watch {
    pub fn new(stop: Arc<AtomicBool>) -> Self {
        Self {
            stop,
            started: false,
            bar: None,
            score: String::new(),
            first: None,
            last_draw: Instant::now(),
        }
    }

    /// Whether there is a run folder that is being trained in.
    pub fn started(&self) -> bool {
        self.started
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// A message that must not be overdrawn by the bar.
    pub fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }

    /// Time to the end at the pace so far.
    fn eta(&self, progress: &Progress) -> String {
        let now = Place::of(progress.epoch, progress);
        let first = self.first.filter(|first| first.unit == now.unit);
        let done = first.map_or(0, |first| now.done.saturating_sub(first.done));
        if done == 0 {
            return "-".into();
        }
        let left = progress.elapsed.as_secs_f64() / f64::from(done) * f64::from(now.of - now.done);
        format!("{:#}", HumanDuration(Duration::from_secs(left.round() as u64)))
    }

    fn line(&self, loss: f32, progress: &Progress) -> String {
        let (score, eta) = (&self.score, self.eta(progress));
        if progress.polishing() {
            let rate = number(progress.rate());
            return format!("{score}{rate} member-generations/s  ETA {eta}");
        }
        let (loss, rate) = (number(f64::from(loss)), count(progress.rate() as u64));
        format!("loss {loss}  {score}{rate} member-steps/s  ETA {eta}")
    }
}

impl Observer for Watch {
    fn started(&mut self, start: &Start<'_>) {
        self.started = true;
        eprintln!("{}", introduction(start));
        stop_on_ctrl_c(Arc::clone(&self.stop));
        self.bar = std::io::stderr().is_terminal().then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(4);
            let bar = ProgressBar::with_draw_target(None, target);
            let style = ProgressStyle::with_template("{prefix} {pos}/{len} {wide_bar} {msg}")
                .expect("the template is fixed")
                .progress_chars("━╸ ");
            bar.set_style(style);
            bar
        });
    }

    fn epoch(&mut self, progress: &Progress) {
        let now = Place::of(progress.epoch, progress);
        if self.first.is_none_or(|first| first.unit != now.unit) {
            self.first = Some(Place {
                done: now.done - 1,
                ..now
            });
        }
        if let Some(bar) = &self.bar
            && (self.last_draw.elapsed() > Duration::from_millis(200) || now.done == now.of)
        {
            bar.set_prefix(now.unit);
            bar.set_length(u64::from(now.of));
            bar.set_position(u64::from(now.done));
            bar.set_message(self.line(progress.loss, progress));
            self.last_draw = Instant::now();
        }
    }

    fn evaluation(&mut self, evaluation: &Evaluation) {
        if let Some((id, scores)) = &evaluation.best {
            let verdicts = evaluation.members.iter().filter_map(|member| member.verdict);
            let alive = verdicts.filter(|verdict| *verdict == Verdict::Alive).count();
            self.score = format!(
                "alive {alive}/{}  D_stsp {} ({id}; median {})  D_H {}  rough {}  ",
                evaluation.progress.members,
                divergence(scores.dstsp, scores.saturated),
                number(evaluation.median_dstsp),
                number(scores.dh),
                number(scores.roughness)
            );
        }
        if self.bar.is_none() {
            let Place { unit, done, of } = Place::of(evaluation.epoch, &evaluation.progress);
            let line = self.line(evaluation.loss, &evaluation.progress);
            eprintln!("{unit} {done}/{of}  {line}");
        }
    }

    fn reduced(&mut self, done: usize, models: usize) {
        self.say(&format!("reduced {done} of {models} models"));
    }

    fn retrained(&mut self, epoch: u32, epochs: u32) {
        if epoch == 1 {
            stop_on_ctrl_c(Arc::clone(&self.stop));
        }
        if epoch.is_multiple_of(RETRAINING) {
            self.say(&format!("retraining: epoch {epoch}/{epochs}"));
        }
    }

    fn diverged(&mut self, id: &str, epoch: u32) {
        self.say(&format!(
            "warning: member {id} diverged in epoch {epoch} and stopped; the others go on"
        ));
    }
}

/// What Ctrl-C sets: of several trainings one after another the one that goes on.
static STOPPING: Mutex<Option<Arc<AtomicBool>>> = Mutex::new(None);

/// Ctrl-C asks training to stop after the epoch; a second one stops at once.
fn stop_on_ctrl_c(stop: Arc<AtomicBool>) {
    let current = || STOPPING.lock().unwrap_or_else(PoisonError::into_inner);
    if current().replace(stop).is_some() {
        return;
    }
    let set = ctrlc::set_handler(move || {
        let stop = current().clone();
        if stop.is_none_or(|stop| stop.swap(true, Ordering::Relaxed)) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        eprintln!("\nfinishing the epoch; press Ctrl-C again to stop at once");
    });
    if let Err(error) = set {
        log::warn!("Ctrl-C will stop at once: {error}");
    }
}
