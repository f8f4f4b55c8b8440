//! Drain: no more tasks are started, and running ones are awaited.

use std::path::PathBuf;

use super::attempt::TaskProgram;
use super::error::with_causes;
use super::{Driver, DriverError, RunEnd, RunObserver};
use crate::exec::Termination;
use crate::store::Commit;
use crate::task::{Fact, HostFault, Usage};

/// Stop of the run because of a fault of its host.
pub(super) struct HostHalt {
    fault: HostFault,
    why: String,
    /// True if the engine handled facts that could not be committed: nothing may follow them.
    is_ahead: bool,
    /// True once the observer has been notified.
    is_announced: bool,
}

impl HostHalt {
    /// Returns the error with which the driver of the run in `path` returns.
    pub(super) fn error(self, path: PathBuf) -> DriverError {
        DriverError::Host {
            path,
            fault: self.fault,
            why: self.why,
        }
    }
}

impl<P: TaskProgram> Driver<P> {
    /// Begins a drain: nothing more is submitted, and waiting attempts are dropped.
    pub(super) fn drain(&mut self, reason: RunEnd) {
        self.draining = Some(reason);
        for executor in self.context.executors.values_mut() {
            executor.drop_waiting();
        }
    }

    /// Returns the reason for which no task can start any more, signals aside.
    pub(super) fn reason_to_drain(&self) -> Option<RunEnd> {
        let is_waiting = self.order.submitted().is_empty() && self.order.is_waiting();
        if self.context.executors.values().any(|e| e.slots() == 0) {
            Some(RunEnd::NodesLost)
        } else if self.job.is_some() && is_waiting {
            Some(RunEnd::JobOver)
        } else {
            None
        }
    }

    /// Journals that the batch job ended before the attempts that still run.
    pub(super) async fn give_up(&mut self) -> Result<(), DriverError> {
        self.drain(RunEnd::JobOver);
        let facts = self
            .order
            .submitted()
            .iter()
            .filter_map(|(task, submitted)| {
                let attempt = submitted.attempt;
                let read = self
                    .read(*task, attempt, &Termination::Walltime, None)
                    .ok()?;
                let usage = Usage {
                    started: submitted.started,
                    ..Usage::default()
                };
                Some(Fact::Ended {
                    task: *task,
                    attempt,
                    usage,
                    outcome: read.outcome,
                })
            });
        let facts = facts.collect();
        self.take(facts, Commit::default()).await
    }

    /// Begins a drain because of a fault of the host; running tasks may still leave their results.
    /// `is_ahead`: the engine handled facts that could not be committed.
    pub(super) fn halt(&mut self, fault: HostFault, why: String, is_ahead: bool) {
        tracing::error!("{fault}: {why}");
        match &mut self.halted {
            // The first fault explains those that follow.
            Some(halt) => halt.is_ahead |= is_ahead,
            None => {
                self.halted = Some(HostHalt {
                    fault,
                    why,
                    is_ahead,
                    is_announced: false,
                });
            }
        }
        self.drain(RunEnd::Interrupted);
    }

    /// Halts the run if a commit failed because of the host; returns every other error.
    pub(super) fn halt_if_host(
        &mut self,
        taken: Result<(), DriverError>,
    ) -> Result<(), DriverError> {
        let Err(error) = taken else {
            return Ok(());
        };
        match &error {
            DriverError::Store(store) if let Some(fault) = store.host_fault() => {
                self.halt(fault, with_causes(store), true);
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// Tells the observer of a halt, once.
    pub(super) fn announce_halt(&mut self, observer: &mut dyn RunObserver) {
        if let Some(halt) = self.halted.as_mut().filter(|halt| !halt.is_announced) {
            halt.is_announced = true;
            observer.halted(halt.fault);
        }
    }

    /// Returns true if the engine handled facts that could not be committed.
    pub(super) fn is_ahead(&self) -> bool {
        self.halted.as_ref().is_some_and(|halt| halt.is_ahead)
    }
}
