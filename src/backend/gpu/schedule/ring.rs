//! Results of epochs on their way to the host: a few may be enqueued, so that
//! reading one epoch does not hold up the next.

use std::collections::VecDeque;

use crate::backend::EpochResult;
use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::memory::buffers::{Readback, STAGING};
use crate::backend::gpu::memory::params::Status;
use crate::backend::gpu::schedule::chunk::Chunk;
use crate::error::Result;

/// Epochs that may be enqueued before the oldest must be finished.
const EPOCHS_IN_FLIGHT: usize = 3;

/// What a device will have once it has come to it. (Of a GPU, and of what tests put in its place.)
pub trait Arriving<D> {
    fn is_ready(&self) -> bool;

    /// The members' status, after waiting for it.
    fn status(self, device: &D, members: usize) -> Result<Vec<Status>>;
}

impl Arriving<Gpu> for Readback {
    fn is_ready(&self) -> bool {
        Self::is_ready(self)
    }

    fn status(self, gpu: &Gpu, members: usize) -> Result<Vec<Status>> {
        self.values(gpu, members)
    }
}

/// Enqueued epochs, oldest first.
#[derive(Debug)]
pub struct Ring<A> {
    in_flight: VecDeque<InFlight<A>>,
    finished: Vec<EpochResult>,
}

/// An enqueued epoch.
#[derive(Debug)]
struct InFlight<A> {
    epoch: u32,
    /// Optimiser steps of the epoch.
    steps: u32,
    /// Numbers of the members in the order in which their status is copied.
    members: Vec<usize>,
    status: A,
}

impl<A> Default for Ring<A> {
    fn default() -> Self {
        Self {
            in_flight: VecDeque::new(),
            finished: Vec::new(),
        }
    }
}

impl<A> Ring<A> {
    /// Waits for the oldest epoch where as many as allowed are enqueued.
    pub fn make_room<D>(&mut self, device: &D) -> Result<()>
    where
        A: Arriving<D>,
    {
        while self.in_flight.len() >= EPOCHS_IN_FLIGHT {
            self.collect_one(device)?;
        }
        Ok(())
    }

    /// Takes up an epoch of so many steps that is enqueued: the status of these members is on its way.
    pub fn push(&mut self, epoch: u32, steps: u32, members: Vec<usize>, status: A) {
        self.in_flight.push_back(InFlight {
            epoch,
            steps,
            members,
            status,
        });
    }

    /// The finished epochs that were not taken before, oldest first; with `all`, waits for
    /// every enqueued one.
    pub fn take<D>(&mut self, device: &D, all: bool) -> Result<Vec<EpochResult>>
    where
        A: Arriving<D>,
    {
        while self
            .in_flight
            .front()
            .is_some_and(|oldest| all || oldest.status.is_ready())
        {
            self.collect_one(device)?;
        }
        Ok(std::mem::take(&mut self.finished))
    }

    /// Takes in the oldest enqueued epoch once it is finished.
    fn collect_one<D>(&mut self, device: &D) -> Result<()>
    where
        A: Arriving<D>,
    {
        let Some(done) = self.in_flight.pop_front() else {
            return Ok(());
        };
        let copied = done.status.status(device, done.members.len())?;
        let mut all = vec![Status::default(); copied.len()];
        for (&e, status) in done.members.iter().zip(copied) {
            all[e] = status;
        }
        let loss = |s: &Status| match s.stopped_at() {
            None => s.loss_sum / done.steps as f32,
            Some(_) => f32::NAN,
        };
        self.finished.push(EpochResult {
            epoch: done.epoch,
            loss: all.iter().map(loss).collect(),
            stopped_at: all.iter().map(Status::stopped_at).collect(),
        });
        Ok(())
    }
}

/// Enqueues a copy of the status of all chunks' members, one chunk after another.
pub fn copy_status(gpu: &Gpu, chunks: &[Chunk]) -> Result<(Vec<usize>, Readback)> {
    let one = size_of::<Status>() as u64;
    let members: Vec<usize> = chunks.iter().flat_map(|chunk| &chunk.members).copied().collect();
    let staging = gpu.scoped(|| gpu.buffer("results", one * members.len() as u64, STAGING))?;
    let mut encoder = gpu.encoder();
    let mut at = 0;
    for chunk in chunks {
        let length = one * chunk.members.len() as u64;
        encoder.copy_buffer_to_buffer(chunk.kept("status"), 0, &staging, at, length);
        at += length;
    }
    Ok((members, gpu.fetch(encoder, staging)))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A queue with a clock: what is submitted runs one after another, and waiting lets the clock go on to its end.
    #[derive(Default)]
    struct Queue {
        now: Cell<f64>,
        /// When everything submitted so far will be done.
        busy_until: Cell<f64>,
        /// How long it had nothing to do since its first submission.
        idle: Cell<f64>,
    }

    impl Queue {
        fn submit(&self, seconds: f64, step: f32) -> Epoch<'_> {
            let late = self.now.get() - self.busy_until.get();
            if self.busy_until.get() > 0.0 {
                self.idle.set(self.idle.get() + late.max(0.0));
            }
            let start = self.busy_until.get().max(self.now.get());
            self.busy_until.set(start + seconds);
            Epoch {
                queue: self,
                done: start + seconds,
                loss_sum: step,
            }
        }

        /// The host does something else.
        fn host(&self, seconds: f64) {
            self.now.set(self.now.get() + seconds);
        }
    }

    struct Epoch<'a> {
        queue: &'a Queue,
        done: f64,
        loss_sum: f32,
    }

    impl Arriving<Queue> for Epoch<'_> {
        fn is_ready(&self) -> bool {
            self.done <= self.queue.now.get()
        }

        /// Of all members alike, but for the second, which stops in step 5.
        fn status(self, queue: &Queue, members: usize) -> Result<Vec<Status>> {
            queue.now.set(queue.now.get().max(self.done));
            let status = |e| Status {
                loss_sum: self.loss_sum,
                stopped_at: if e == 1 { 5 } else { 0 },
                ..Status::default()
            };
            Ok((0..members).map(status).collect())
        }
    }

    fn epochs(results: &[EpochResult]) -> Vec<u32> {
        results.iter().map(|result| result.epoch).collect()
    }

    #[test]
    fn as_many_epochs_are_enqueued_as_allowed_and_only_the_oldest_is_waited_for() {
        let (queue, mut ring) = (Queue::default(), Ring::default());
        for epoch in 0..10 {
            ring.make_room(&queue).expect("the queue answers");
            let ahead = (queue.busy_until.get() - queue.now.get()) / 2.0;
            let allowed = EPOCHS_IN_FLIGHT as u32 - 1;
            assert_eq!(ahead, f64::from(epoch.min(allowed)), "before epoch {epoch}");
            ring.push(epoch, 1, vec![0], queue.submit(2.0, 1.0));
        }
        assert_eq!(queue.idle.get(), 0.0);
        let results = ring.take(&queue, true).expect("the queue answers");
        assert_eq!(epochs(&results), (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_finished_is_taken_once_and_nothing_is_waited_for() {
        let (queue, mut ring) = (Queue::default(), Ring::default());
        fn take<'a>(ring: &mut Ring<Epoch<'a>>, queue: &'a Queue, all: bool) -> Vec<u32> {
            epochs(&ring.take(queue, all).expect("the queue answers"))
        }
        assert!(take(&mut ring, &queue, false).is_empty());
        for epoch in 0..3 {
            ring.push(epoch, 1, vec![0], queue.submit(2.0, 1.0));
        }
        assert!(take(&mut ring, &queue, false).is_empty());
        queue.host(4.5);
        assert_eq!(take(&mut ring, &queue, false), [0, 1]);
        assert_eq!(queue.now.get(), 4.5);
        assert_eq!(take(&mut ring, &queue, true), [2]);
        assert_eq!(queue.now.get(), 6.0);
        assert!(take(&mut ring, &queue, true).is_empty());
    }

    /// The host may be busy for nearly as long as the epochs that are enqueued without the device running dry.
    #[test]
    fn a_busy_host_is_hidden_behind_what_is_enqueued() {
        let (queue, mut ring) = (Queue::default(), Ring::default());
        for epoch in 0..30 {
            ring.make_room(&queue).expect("the queue answers");
            ring.push(epoch, 1, vec![0], queue.submit(2.0, 1.0));
            if epoch % 5 == 4 {
                queue.host(3.9);
            }
        }
        assert_eq!(queue.idle.get(), 0.0);
        queue.host(100.0);
        queue.submit(1.0, 1.0);
        assert!(queue.idle.get() > 90.0, "an idle device is noticed");
    }

    #[test]
    fn members_are_put_in_their_order() {
        let (queue, mut ring) = (Queue::default(), Ring::default());
        ring.push(7, 4, vec![2, 0, 1], queue.submit(1.0, 8.0));
        let results = ring.take(&queue, true).expect("the queue answers");
        // The second that is copied is member 0.
        assert_eq!(results[0].stopped_at, [Some(5), None, None]);
        assert!(results[0].loss[0].is_nan());
        assert_eq!(results[0].loss[1..], [2.0, 2.0]);
    }
}
