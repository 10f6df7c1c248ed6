//! Moments on their way to the keeper, which works in a thread of its own.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;

use super::evaluation::Evaluated;
use super::keeper::{Keeper, Moment, failed, no_thread};
use crate::error::Result;

/// Moments that may be under way before training waits: one that is being scored, and one whose states are on their way. A
/// moment holds the parameters and moment estimates of all members.
const UNDER_WAY: usize = 2;

/// Where the trainer hands moments in, and gets what came of them.
pub(super) struct Desk {
    moments: Sender<Moment>,
    kept: Receiver<Result<Option<Evaluated>>>,
    under_way: usize,
}

/// Does `work` while the keeper keeps what that hands in; returns when all is kept.
pub(super) fn beside<R>(keeper: &mut Keeper<'_>, work: impl FnOnce(&mut Desk) -> Result<R>) -> Result<R> {
    std::thread::scope(|scope| {
        let (moments, inbox) = channel::<Moment>();
        let (outbox, kept) = channel();
        let keep = move || {
            for moment in inbox {
                let result = keeper.keep(moment);
                let over = result.is_err();
                if outbox.send(result).is_err() || over {
                    break;
                }
            }
        };
        let thread = Builder::new()
            .name("keeping".into())
            .spawn_scoped(scope, keep)
            .map_err(no_thread)?;
        let mut desk = Desk {
            moments,
            kept,
            under_way: 0,
        };
        let result = work(&mut desk);
        drop(desk);
        thread.join().map_err(|_| failed())?;
        result
    })
}

impl Desk {
    /// Whether the trainer has to wait before it hands in another moment.
    pub fn is_full(&self, others: usize) -> bool {
        self.under_way + others >= UNDER_WAY
    }

    pub fn hand_in(&mut self, moment: Moment) -> Result<()> {
        self.under_way += 1;
        // A keeper that has given up says why below.
        if self.moments.send(moment).is_err() {
            while self.take(true)?.is_some() {}
            return Err(failed());
        }
        Ok(())
    }

    /// What came of the oldest moment that is kept; `None` where there is none, or with `wait` when none is under way.
    pub fn take(&mut self, wait: bool) -> Result<Option<Option<Evaluated>>> {
        if self.under_way == 0 {
            return Ok(None);
        }
        let kept = match wait {
            true => self.kept.recv().map_err(|_| failed())?,
            false => match self.kept.try_recv() {
                Ok(kept) => kept,
                Err(std::sync::mpsc::TryRecvError::Empty) => return Ok(None),
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return Err(failed()),
            },
        };
        self.under_way -= 1;
        kept.map(Some)
    }
}
