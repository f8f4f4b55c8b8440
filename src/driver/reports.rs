//! From reports of executors to facts: outcomes of attempts, with their files taken in.

use rustix::fs::statvfs;

use super::attempt::{AdoptError, TaskProgram, directory, stderr_tail};
use super::{Driver, DriverError};
use crate::engine::{TaskResult, file};
use crate::exec::{JobEvent, Report, Termination, discard};
use crate::simulate::SimResult;
use crate::store::{CacheEntry, Commit, LEAST_ROOM, SimulationRow, StartedAttempt};
use crate::task::{Attempt, Fact, Failure, FailureKind, HostFault, Outcome, TaskId, Token, Usage};

/// Most reports taken in before a commit.
const MOST_REPORTS: usize = 1000;

/// A fault of the host that an attempt met.
pub(super) struct AttemptHostFault {
    fault: HostFault,
    why: String,
    /// The attempt may have left a result, which can be taken in once the host is repaired.
    left: bool,
}

/// Facts and data of reports that are taken in together.
#[derive(Default)]
struct TakenReports {
    facts: Vec<Fact>,
    commit: Commit,
    entries: Vec<CacheEntry>,
}

impl<P: TaskProgram> Driver<P> {
    /// Takes in `first` and the reports that came since.
    pub(super) async fn take_reports(&mut self, first: Report) -> Result<(), DriverError> {
        if self.is_ahead() {
            return Ok(());
        }
        let mut taken = TakenReports::default();
        let mut next = Some(first);
        while let Some(report) = next {
            self.take_report(report, &mut taken);
            next = match taken.facts.len() < MOST_REPORTS {
                true => self.reports.try_recv().ok(),
                false => None,
            };
        }
        self.take(taken.facts, taken.commit).await?;
        if let Some(cache) = &mut self.cache {
            cache.keep(&taken.entries).await;
        }
        Ok(())
    }

    fn take_report(&mut self, report: Report, taken: &mut TakenReports) {
        let (Token { task, attempt, .. }, at) = (report.token, report.at);
        if !self.engine.awaits(task, attempt) {
            return;
        }
        match report.event {
            JobEvent::Started => {
                self.order.started(task, at);
                taken
                    .commit
                    .started
                    .push(StartedAttempt { task, attempt, at });
            }
            JobEvent::Ended {
                exit,
                result,
                started,
                ended,
            } => match self.read(task, attempt, &exit, result.as_deref()) {
                Ok(result) => {
                    taken.entries.extend(self.entry(task, &result, at));
                    // A job that its scheduler ended leaves no times of its process.
                    let submitted = self.order.submitted().get(&task);
                    let started = started.or(submitted.and_then(|submitted| submitted.started));
                    taken.add(task, attempt, (started, ended), result);
                }
                Err(AttemptHostFault { fault, why, left }) => {
                    if !left {
                        // Without its directory it has not begun: the next engine starts it, as the
                        // same attempt.
                        let dir = directory(&self.context.run_dir, task, attempt);
                        discard(&dir, file::RESULT);
                    }
                    self.halt(fault, why, false);
                }
            },
        }
    }

    /// Returns the result of an attempt, with its files adopted.
    ///
    /// # Errors
    ///
    /// Fails if a fault of the host, not the attempt, is the cause of the outcome.
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
            // A program that meets a full disk may report any error.
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

impl TakenReports {
    /// Adds the end of an attempt. `ran`: start and end of its process.
    fn add(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        (started, ended): (Option<i64>, Option<i64>),
        result: TaskResult,
    ) {
        let simulation = result.simulation.map(|s| row(task, s));
        self.commit.simulations.extend(simulation);
        self.facts.push(Fact::Ended {
            task,
            attempt,
            usage: Usage {
                started,
                ended,
                peak_memory_kib: result.peak_memory_kib,
                host: result.host,
            },
            outcome: result.outcome,
        });
    }
}

/// Row of the store for the result of a task.
pub(super) fn row(task: TaskId, s: SimResult) -> SimulationRow {
    let geometry = s.geometry.as_ref();
    let xyz = geometry.map_or_else(String::new, |geometry| geometry.to_xyz(&s.level_of_theory));
    SimulationRow {
        task,
        engine: s.engine,
        version: s.version,
        level_of_theory: s.level_of_theory,
        xyz,
    }
}
