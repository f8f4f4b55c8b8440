//! From facts to effects: the engine handles facts, the store commits what they change, then the
//! effects are performed.

use std::path::PathBuf;
use std::time::Duration;

use super::attempt::{TaskProgram, directory};
use super::durations::TaskDurations;
use super::{Driver, DriverError};
use crate::engine::{Effect, Engine};
use crate::exec::now;
use crate::store::Commit;
use crate::task::{Attempt, Event, Fact, Outcome, TaskId, Token};

/// Actions that follow the commit of facts.
#[derive(Default)]
struct AfterCommit {
    effects: Vec<Effect>,
    /// Directories of attempts that succeeded, and scratch folders of those that failed.
    obsolete: Vec<PathBuf>,
    /// True if an outcome brought new files.
    files_changed: bool,
}

impl<P: TaskProgram> Driver<P> {
    /// Handles facts, commits them with their records, and only then performs the effects; repeats
    /// this for the facts that result.
    pub(super) async fn take(
        &mut self,
        mut facts: Vec<Fact>,
        mut commit: Commit,
    ) -> Result<(), DriverError> {
        if self.is_ahead() {
            return Ok(());
        }
        while !(facts.is_empty() && commit.is_empty()) {
            (facts, commit) = self.take_once(facts, commit).await?;
        }
        Ok(())
    }

    /// Returns the facts that result, and what is to be committed with them.
    async fn take_once(
        &mut self,
        facts: Vec<Fact>,
        mut commit: Commit,
    ) -> Result<(Vec<Fact>, Commit), DriverError> {
        let after = self.handle(facts, &mut commit);
        if !commit.is_empty() {
            self.store.commit(&commit).await?;
        }
        let hits = self.perform(&after.effects).await;
        for dir in after.obsolete {
            self.cleaner.remove(dir);
        }
        if after.files_changed
            && let Err(e) = self.files.keep_only(&self.engine.live_files())
        {
            tracing::warn!("could not delete an agent state that is no longer needed: {e}");
        }
        Ok(hits)
    }

    /// Passes facts to the engine, and adds them to `commit` with their records.
    fn handle(&mut self, facts: Vec<Fact>, commit: &mut Commit) -> AfterCommit {
        let at = now();
        let mut after = AfterCommit::default();
        for fact in facts {
            let event = Event { at, fact };
            record_duration(&mut self.durations, &self.engine, &event);
            if let Fact::Ended { task, .. } = &event.fact {
                self.order.end(*task);
            }
            match self.engine.handle(&event) {
                Ok(step) => {
                    self.note_ended(&event.fact, &mut after);
                    after.effects.extend(step.effects);
                    commit.facts.push((event, step.records));
                }
                Err(illegal) => tracing::warn!("ignored: {illegal}"),
            }
        }
        after
    }

    /// Notes the files and directories of an attempt, if `fact` is its end.
    fn note_ended(&mut self, fact: &Fact, after: &mut AfterCommit) {
        let Fact::Ended {
            task,
            attempt,
            outcome,
            ..
        } = fact
        else {
            return;
        };
        after.files_changed |= !outcome.new_files().is_empty();
        match failed_attempt(fact) {
            Some(failed) => {
                self.failed.insert(failed);
                let scratch = self.context.scratch.here(&self.token(*task, *attempt));
                after.obsolete.extend(scratch);
            }
            None => after
                .obsolete
                .push(directory(&self.context.run_dir, *task, *attempt)),
        }
    }

    /// Returns the token of an attempt of this run.
    pub(super) fn token(&self, task: TaskId, attempt: Attempt) -> Token {
        Token {
            run: self.context.run.clone(),
            task,
            attempt,
        }
    }
}

/// Records the duration of the attempt that this event ends.
pub(super) fn record_duration(durations: &mut TaskDurations, engine: &Engine, event: &Event) {
    if let Fact::Ended {
        task,
        attempt,
        usage,
        outcome,
    } = &event.fact
        && let Some(took) = usage.took(event.at)
        && engine.awaits(*task, *attempt)
        && let Some(method) = engine.method_of(*task)
    {
        durations.add(method, Duration::from_millis(took), outcome);
    }
}

/// Returns the attempt that failed, if the fact is its failure.
pub(super) fn failed_attempt(fact: &Fact) -> Option<(TaskId, Attempt)> {
    match fact {
        Fact::Ended {
            task,
            attempt,
            outcome: Outcome::Failed(_),
            ..
        } => Some((*task, *attempt)),
        Fact::Began { .. }
        | Fact::Ended { .. }
        | Fact::Cached { .. }
        | Fact::Inherited { .. }
        | Fact::Resumed
        | Fact::ReferencesAgain
        | Fact::TimeIsUp
        | Fact::SettingsChanged { .. }
        | Fact::StateLost => None,
    }
}
