//! Threads that work beside the caller in rounds of microseconds, too short for a thread to be put to sleep and woken.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Turns of the waiting loop before a thread lets others run: some tens of microseconds.
const PATIENCE: u32 = 1000;

#[derive(Default)]
struct Rounds {
    begun: AtomicU32,
    /// Helpers' rounds done, all of them together.
    done: AtomicU32,
    /// The caller is through, or somebody panicked.
    over: AtomicBool,
}

impl Rounds {
    /// Waits until `ready`; false where it is over before.
    fn wait(&self, ready: impl Fn() -> bool) -> bool {
        let mut turns = 0;
        while !ready() {
            if self.over.load(Ordering::Acquire) {
                return false;
            }
            if turns < PATIENCE {
                turns += 1;
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        true
    }
}

/// Whoever drops it ends the rounds: a panic must not leave the others waiting.
struct EndsRounds<'a>(&'a Rounds);

impl Drop for EndsRounds<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Release);
    }
}

/// Runs `lead` on this thread with `helpers` others beside it. Each time that `lead` calls what it is given, `work` is
/// done once for every thread, counted from 0, which is this one; the call returns when all are done. Helpers then do
/// `meanwhile` for themselves, which is also given the number of rounds that were.
///
/// # Panics
/// Where `lead` or `work` does.
pub fn with_helpers<R>(
    helpers: u32,
    work: impl Fn(usize) + Sync,
    meanwhile: impl Fn(usize, u32) + Sync,
    lead: impl FnOnce(&dyn Fn()) -> R,
) -> R {
    if helpers == 0 {
        return lead(&|| work(0));
    }
    let rounds = Rounds::default();
    std::thread::scope(|scope| {
        let _over = EndsRounds(&rounds);
        let start = |helper: u32| {
            let (rounds, work, meanwhile) = (&rounds, &work, &meanwhile);
            let help = move || {
                let over_if_panicked = EndsRounds(rounds);
                let mut round = 0;
                while rounds.wait(|| rounds.begun.load(Ordering::Acquire) != round) {
                    round += 1;
                    work(helper as usize);
                    rounds.done.fetch_add(1, Ordering::Release);
                    meanwhile(helper as usize, round);
                }
                std::mem::forget(over_if_panicked);
            };
            std::thread::Builder::new().spawn_scoped(scope, help).is_ok()
        };
        // Where the system gives no more threads, this one does the work of those that are missing.
        let missing = (1..=helpers)
            .find(|&helper| !start(helper))
            .unwrap_or(helpers + 1);
        lead(&|| {
            let round = rounds.begun.fetch_add(1, Ordering::Release) + 1;
            work(0);
            (missing..=helpers).for_each(|helper| work(helper as usize));
            let all_done = rounds.wait(|| rounds.done.load(Ordering::Acquire) == round * (missing - 1));
            assert!(all_done, "a helping thread panicked");
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn every_thread_works_once_a_round() {
        for helpers in [0, 1, 3] {
            let counts: Vec<Mutex<u32>> = (0..=helpers).map(|_| Mutex::new(0)).collect();
            let seen = with_helpers(
                helpers,
                |thread| *counts[thread].lock().expect("no panic") += 1,
                |_, round| assert!(round <= 1000),
                |all_work| {
                    (1..=1000)
                        .filter(|&round| {
                            all_work();
                            counts
                                .iter()
                                .all(|count| *count.lock().expect("no panic") == round)
                        })
                        .count()
                },
            );
            assert_eq!(seen, 1000, "{helpers} helpers");
        }
    }

    /// Neither side waits for ever for one that is gone.
    #[test]
    fn a_panic_ends_the_rounds() {
        for panics in [0, 1, 2] {
            let outcome = std::panic::catch_unwind(|| {
                with_helpers(
                    1,
                    |thread| assert!(thread != panics, "on purpose"),
                    |_, round| assert!(panics != 2 || round != 1, "on purpose"),
                    |all_work| (0..2).for_each(|_| all_work()),
                );
            });
            assert!(outcome.is_err(), "case {panics}");
        }
    }
}
