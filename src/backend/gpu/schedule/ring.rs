//! Results of epochs on their way to the host: a few may be enqueued, so that
//! reading one epoch does not hold up the next.

use std::collections::VecDeque;

use crate::backend::EpochResult;
use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::memory::buffers::{Readback, STAGING};
use crate::backend::gpu::memory::params::Status;
use crate::error::Result;

/// Epochs that may be enqueued before the oldest must be finished.
const EPOCHS_IN_FLIGHT: usize = 3;

#[derive(Debug, Default)]
pub struct Ring {
    in_flight: VecDeque<InFlight>,
    finished: Vec<EpochResult>,
}

/// An enqueued epoch.
#[derive(Debug)]
struct InFlight {
    epoch: u32,
    /// Optimiser steps of the epoch.
    steps: u32,
    /// Numbers of the members in the order in which their status is copied.
    members: Vec<usize>,
    status: Readback,
}

impl Ring {
    /// Waits for the oldest epoch where as many as allowed are enqueued.
    pub fn make_room(&mut self, gpu: &Gpu) -> Result<()> {
        while self.in_flight.len() >= EPOCHS_IN_FLIGHT {
            self.collect_one(gpu)?;
        }
        Ok(())
    }

    /// Copies the members' status, given by chunks, for the host to read when the epoch is done.
    pub fn push(
        &mut self,
        gpu: &Gpu,
        epoch: u32,
        steps: u32,
        chunks: &[(&[usize], &wgpu::Buffer)],
    ) -> Result<()> {
        let one = size_of::<Status>();
        let members: Vec<usize> = chunks.iter().flat_map(|(members, _)| *members).copied().collect();
        let staging = gpu.scoped(|| gpu.buffer("results", (one * members.len()) as u64, STAGING))?;
        let mut encoder = gpu.encoder();
        let mut at = 0;
        for (members, status) in chunks {
            let length = (one * members.len()) as u64;
            encoder.copy_buffer_to_buffer(status, 0, &staging, at, length);
            at += length;
        }
        self.in_flight.push_back(InFlight {
            epoch,
            steps,
            members,
            status: gpu.fetch(encoder, staging),
        });
        Ok(())
    }

    /// The finished epochs that were not taken before, oldest first; with `all`, waits for
    /// every enqueued one.
    pub fn take(&mut self, gpu: &Gpu, all: bool) -> Result<Vec<EpochResult>> {
        while self
            .in_flight
            .front()
            .is_some_and(|oldest| all || oldest.status.is_ready())
        {
            self.collect_one(gpu)?;
        }
        Ok(std::mem::take(&mut self.finished))
    }

    /// Takes in the oldest enqueued epoch once it is finished.
    fn collect_one(&mut self, gpu: &Gpu) -> Result<()> {
        let Some(done) = self.in_flight.pop_front() else {
            return Ok(());
        };
        let copied: Vec<Status> = done.status.values(gpu, done.members.len())?;
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
