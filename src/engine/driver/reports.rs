//! From reports of executors to facts: what attempts came to, with their files taken in.

use std::fs;

use rustix::fs::statvfs;

use super::{Driver, DriverError, Ending, Full};
use crate::engine::attempt::{Program, directory, stderr_tail};
use crate::engine::input::TaskResult;
use crate::exec::{Exit, News, Report};
use crate::simulate::SimResult;
use crate::store::{Batch, Entry, Simulation};
use crate::task::{Attempt, Fact, Failure, FailureKind, Outcome, TaskId, Token, Usage};

/// Reports taken in before a commit, at the most.
const MOST_REPORTS: usize = 1000;
/// With less than this, in bytes, a disk counts as full.
const LEAST_ROOM: u64 = 256 << 10;

impl<P: Program> Driver<P> {
    /// Takes in `first` and what else has come since.
    pub(super) async fn take_reports(&mut self, first: Report) -> Result<(), DriverError> {
        let mut batch = Batch::default();
        let mut facts = Vec::new();
        if self.full.as_ref().is_some_and(|full| full.is_ahead) {
            return Ok(());
        }
        let mut entries = Vec::new();
        let mut next = Some(first);
        while let Some(report) = next {
            let Token { task, attempt, .. } = report.token;
            match report.news {
                _ if !self.engine.awaits(task, attempt) => {}
                News::Started => {
                    self.turns.started(task, report.at);
                    batch.started.push((task, attempt, report.at));
                }
                News::Ended {
                    exit,
                    result,
                    started,
                } => {
                    let read = self.read(task, attempt, &exit, result.as_deref());
                    entries.extend(self.entry(task, &read, report.at));
                    let TaskResult {
                        outcome,
                        peak_memory_kib,
                        simulation,
                    } = read;
                    if let Some(why) = self.blames_the_disk(&exit, &outcome) {
                        // Without its directory it has not begun: the next engine starts it, as the same attempt.
                        let _ = fs::remove_dir_all(directory(&self.site.run_dir, task, attempt));
                        self.stop_for_want_of_room(why, false);
                        next = self.reports.try_recv().ok();
                        continue;
                    }
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
        if let Some(earlier) = &mut self.earlier {
            earlier.keep(&entries).await;
        }
        Ok(())
    }

    /// Starts nothing new; what runs may find room for its result.
    pub(super) fn stop_for_want_of_room(&mut self, why: String, is_ahead: bool) {
        tracing::error!("no room on the disk: {why}");
        let is_ahead = is_ahead || self.full.as_ref().is_some_and(|full| full.is_ahead);
        self.full = Some(Full { why, is_ahead });
        self.drain(Ending::Interrupted);
    }

    /// What a failure says, if it came of a full disk: then the attempt is not to blame.
    pub(super) fn blames_the_disk(&self, exit: &Exit, outcome: &Outcome) -> Option<String> {
        let Outcome::Failed(Failure { message, .. }) = outcome else {
            return None;
        };
        // ENOSPC and EDQUOT, as the library words them.
        let said = ["(os error 28)", "(os error 122)"];
        let is_full = said.iter().any(|words| message.contains(words))
            || statvfs(&self.site.run_dir).is_ok_and(|s| s.f_bavail * s.f_frsize < LEAST_ROOM);
        (is_full && *exit != Exit::Cancelled).then(|| message.clone())
    }

    /// What an attempt came to, with its files taken in.
    pub(super) fn read(
        &self,
        task: TaskId,
        attempt: Attempt,
        exit: &Exit,
        result: Option<&[u8]>,
    ) -> TaskResult {
        let dir = directory(&self.site.run_dir, task, attempt);
        let mut read = self.program.read(exit, result);
        if let Err(e) = self.files.adopt(&dir, &read.outcome) {
            let message = format!("a file of the result is missing: {e}");
            read.outcome = Outcome::Failed(Failure {
                kind: FailureKind::Unreadable,
                message,
            });
        }
        if let Outcome::Failed(failure) = &mut read.outcome {
            let tail = stderr_tail(&dir);
            if !tail.is_empty() {
                failure.message = format!("{}\n{tail}", failure.message);
            }
            failure.message = self.secrets.hide(&failure.message);
            tracing::warn!(
                "task {task}, attempt {attempt}: {}: {}",
                failure.kind.word(),
                failure.message
            );
        }
        read
    }

    /// What the answer of a task leaves in the cache.
    pub(super) fn entry(&self, task: TaskId, result: &TaskResult, at: i64) -> Option<Entry> {
        let earlier = self.earlier.as_ref()?;
        let input = self.engine.input(task)?.0;
        let key = earlier.key(self.engine.stage_of(task)?, input.simulation()?)?;
        earlier.entry(task, key, result, at)
    }
}

pub(super) fn row(task: TaskId, s: SimResult) -> Simulation {
    let xyz = s.geometry.to_xyz(&s.level);
    Simulation {
        task,
        engine: s.engine,
        version: s.version,
        level: s.level,
        xyz,
    }
}
