//! From reports of executors to facts: what attempts came to, with their files taken in.

use rustix::fs::statvfs;

use super::attempt::{AdoptError, TaskProgram, directory, stderr_tail};
use super::{Driver, DriverError};
use crate::engine::{TaskResult, file};
use crate::exec::{JobEvent, Report, Termination, discard};
use crate::simulate::SimResult;
use crate::store::{CacheEntry, Commit, LEAST_ROOM, Simulation};
use crate::task::{Attempt, Fact, Failure, FailureKind, HostFault, Outcome, TaskId, Token, Usage};

/// Reports taken in before a commit, at the most.
const MOST_REPORTS: usize = 1000;

/// A fault of the host that an attempt met.
pub(super) struct AttemptHostFault {
    fault: HostFault,
    why: String,
    /// The attempt may have left a result, which can be taken in once the host is well.
    left: bool,
}

impl<P: TaskProgram> Driver<P> {
    /// Takes in `first` and what else has come since.
    pub(super) async fn take_reports(&mut self, first: Report) -> Result<(), DriverError> {
        let mut batch = Commit::default();
        let mut facts = Vec::new();
        if self.is_ahead() {
            return Ok(());
        }
        let mut entries = Vec::new();
        let mut next = Some(first);
        while let Some(report) = next {
            let Token { task, attempt, .. } = report.token;
            match report.event {
                _ if !self.engine.awaits(task, attempt) => {}
                JobEvent::Started => {
                    self.order.started(task, report.at);
                    batch.started.push((task, attempt, report.at));
                }
                JobEvent::Ended {
                    exit,
                    result,
                    started,
                } => {
                    let read = match self.read(task, attempt, &exit, result.as_deref()) {
                        Ok(read) => read,
                        Err(AttemptHostFault { fault, why, left }) => {
                            if !left {
                                // Without its directory it has not begun: the next engine starts
                                // it, as the same attempt.
                                let dir = directory(&self.context.run_dir, task, attempt);
                                discard(&dir, file::RESULT);
                            }
                            self.halt(fault, why, false);
                            next = self.reports.try_recv().ok();
                            continue;
                        }
                    };
                    entries.extend(self.entry(task, &read, report.at));
                    let TaskResult {
                        outcome,
                        peak_memory_kib,
                        simulation,
                        host_fault: _,
                    } = read;
                    batch.simulations.extend(simulation.map(|s| row(task, s)));
                    facts.push(Fact::Ended {
                        task,
                        attempt,
                        usage: Usage {
                            started,
                            peak_memory_kib,
                        },
                        outcome,
                    });
                }
            }
            next = if facts.len() < MOST_REPORTS {
                self.reports.try_recv().ok()
            } else {
                None
            };
        }
        self.take(facts, batch).await?;
        if let Some(cache) = &mut self.cache {
            cache.keep(&entries).await;
        }
        Ok(())
    }

    /// The outcome of an attempt, with its files adopted; or the fault of its host, for which the
    /// attempt is not to blame.
    pub(super) fn read(
        &self,
        task: TaskId,
        attempt: Attempt,
        exit: &Termination,
        result: Option<&[u8]>,
    ) -> Result<TaskResult, AttemptHostFault> {
        let dir = directory(&self.context.run_dir, task, attempt);
        let mut read = self.program.read(exit, result);
        match self.files.adopt(&dir, &read.outcome) {
            Ok(()) => {}
            Err(e @ AdoptError::Result(_)) => {
                read.outcome = Outcome::Failed(Failure {
                    kind: FailureKind::Unreadable,
                    message: e.to_string(),
                });
            }
            Err(AdoptError::Host(e)) => {
                return Err(AttemptHostFault {
                    fault: HostFault::of(&e).unwrap_or(HostFault::InputOutput),
                    why: format!("a file of the result could not be taken in: {e}"),
                    left: true,
                });
            }
        }
        if let Outcome::Failed(failure) = &mut read.outcome {
            let tail = stderr_tail(&dir);
            if !tail.is_empty() {
                failure.message = format!("{}\n{tail}", failure.message);
            }
            failure.message = self.secrets.hide(&failure.message);
            // A program that meets a full disk may say anything.
            let is_full = || {
                statvfs(&self.context.run_dir).is_ok_and(|s| s.f_bavail * s.f_frsize < LEAST_ROOM)
            };
            let fault = read.host_fault;
            let fault = fault.or_else(|| is_full().then_some(HostFault::DiskFull));
            if let (Some(fault), false) = (fault, *exit == Termination::Cancelled) {
                return Err(AttemptHostFault {
                    fault,
                    why: std::mem::take(&mut failure.message),
                    left: matches!(exit, Termination::Unread(..)),
                });
            }
            tracing::warn!(
                "task {task}, attempt {attempt}: {}: {}",
                failure.kind.word(),
                failure.message
            );
        }
        Ok(read)
    }

    /// Returns the cache entry of a task's result, if that can be kept.
    fn entry(&self, task: TaskId, result: &TaskResult, at: i64) -> Option<CacheEntry> {
        let cache = self.cache.as_ref()?;
        let input = self.engine.input(task)?.0;
        let key = cache.key(self.engine.method_of(task)?, input.simulation()?)?;
        cache.entry(task, key, result, at)
    }
}

pub(super) fn row(task: TaskId, s: SimResult) -> Simulation {
    let xyz = s.geometry.to_xyz(&s.level);
    Simulation {
        task,
        engine: s.engine,
        version: s.version,
        level_of_theory: s.level,
        xyz,
    }
}
