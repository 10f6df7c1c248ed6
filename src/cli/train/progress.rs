use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::summary::introduction;
use crate::cli::INTERRUPTED;
use crate::cli::output::{count, divergence, number};
use crate::train::{Evaluation, Observer, Progress, Start};

/// Training's progress on stderr: a bar on a terminal, one line an evaluation otherwise.
pub struct Watch {
    /// What Ctrl-C sets once training has started.
    stop: Arc<AtomicBool>,
    started: bool,
    bar: Option<ProgressBar>,
    score: String,
    first_epoch: Option<u32>,
    last_draw: Instant,
}

impl Watch {
    pub fn new(stop: Arc<AtomicBool>) -> Self {
        Self {
            stop,
            started: false,
            bar: None,
            score: String::new(),
            first_epoch: None,
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
        let first = self.first_epoch.unwrap_or(progress.epoch);
        let done = progress.epoch.saturating_sub(first);
        if done == 0 {
            return "-".into();
        }
        let left =
            progress.elapsed.as_secs_f64() / f64::from(done) * f64::from(progress.epochs - progress.epoch);
        format!("{:#}", HumanDuration(Duration::from_secs(left.round() as u64)))
    }

    fn line(&self, loss: f32, progress: &Progress) -> String {
        format!(
            "loss {}  alive {}/{}  {}{} member-steps/s  ETA {}",
            number(f64::from(loss)),
            progress.alive,
            progress.members,
            self.score,
            count(progress.rate() as u64),
            self.eta(progress),
        )
    }
}

impl Observer for Watch {
    fn started(&mut self, start: &Start<'_>) {
        self.started = true;
        eprintln!("{}", introduction(start));
        stop_on_ctrl_c(Arc::clone(&self.stop));
        self.bar = std::io::stderr().is_terminal().then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(4);
            let bar = ProgressBar::with_draw_target(Some(u64::from(start.epochs)), target);
            let style = ProgressStyle::with_template("epoch {pos}/{len} {wide_bar} {msg}")
                .expect("the template is fixed")
                .progress_chars("━╸ ");
            bar.set_style(style);
            bar.set_position(u64::from(start.epochs_done));
            bar
        });
    }

    fn epoch(&mut self, progress: &Progress) {
        self.first_epoch.get_or_insert(progress.epoch - 1);
        if let Some(bar) = &self.bar
            && (self.last_draw.elapsed() > Duration::from_millis(200) || progress.epoch == progress.epochs)
        {
            bar.set_position(u64::from(progress.epoch));
            bar.set_message(self.line(progress.loss, progress));
            self.last_draw = Instant::now();
        }
    }

    fn evaluation(&mut self, evaluation: &Evaluation) {
        if let Some((id, scores)) = &evaluation.best {
            self.score = format!(
                "D_stsp {} ({id}; median {})  D_H {}  rough {}  ",
                divergence(scores.dstsp, scores.saturated),
                number(evaluation.median_dstsp),
                number(scores.dh),
                number(scores.roughness)
            );
        }
        if self.bar.is_none() {
            let epochs = evaluation.progress.epochs;
            eprintln!(
                "epoch {}/{epochs}  {}",
                evaluation.epoch,
                self.line(evaluation.loss, &evaluation.progress)
            );
        }
    }

    fn diverged(&mut self, id: &str, epoch: u32) {
        self.say(&format!(
            "warning: member {id} diverged in epoch {epoch} and stopped; the others go on"
        ));
    }
}

/// Ctrl-C asks training to stop after the epoch; a second one stops at once.
fn stop_on_ctrl_c(stop: Arc<AtomicBool>) {
    let set = ctrlc::set_handler(move || {
        if stop.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        eprintln!("\nfinishing the epoch; press Ctrl-C again to stop at once");
    });
    if let Err(error) = set {
        log::warn!("Ctrl-C will stop at once: {error}");
    }
}
