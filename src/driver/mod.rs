//! Driver of a run: it waits for reports, commits the facts in them with their records, then
//! performs the effects that the engine requests.

mod attempt;
mod begin;
mod commit;
mod directory_cleaner;
mod drain;
mod durations;
mod error;
mod event_loop;
mod observer;
mod open;
mod reports;
mod result_cache;
mod submission_order;
mod submit;

pub(crate) use attempt::StateFiles;
pub use attempt::{TaskProgram, TaskRun};
pub use error::DriverError;
pub use observer::{PartitionUsage, RunObserver};
pub(crate) use result_cache::ResultCache;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use directory_cleaner::DirectoryCleaner;
use drain::HostHalt;
use durations::TaskDurations;
use submission_order::{JobTime, SubmissionOrder};

use crate::engine::{Engine, Progress};
use crate::exec::{Executor, Report, Scratch, Secrets};
use crate::plan::PlannedMethod;
use crate::store::Store;
use crate::task::{Attempt, Fact, StoppedBy, TaskId};

/// Drives an engine until the run has ended or is interrupted.
pub struct Driver<P> {
    engine: Engine,
    store: Store,
    context: ExecutionContext,
    reports: UnboundedReceiver<Report>,
    program: P,
    files: StateFiles,
    cleaner: DirectoryCleaner,
    /// Failed attempts, whose directories are kept.
    failed: BTreeSet<(TaskId, Attempt)>,
    /// End of the wall time of the campaign, by `now`.
    deadline: Option<i64>,
    /// Reason for which no more tasks are started; None before a drain.
    draining: Option<RunEnd>,
    /// Fault of the host for which the run has to stop.
    halted: Option<HostHalt>,
    /// Fact that settings were changed, to be journalled when the run resumes.
    changed: Option<Fact>,
    durations: TaskDurations,
    /// Begin and length of the batch job that the engine runs in, if its time is limited.
    job: Option<(Instant, JobTime)>,
    order: SubmissionOrder,
    /// Attempts whose backoff is not over, by its end.
    later: BTreeSet<(Instant, TaskId, Attempt)>,
    cache: Option<ResultCache>,
    /// Secrets that no message may hold.
    secrets: Secrets,
}

/// Molecules drawn from the source of the search space for a new run, canonical SMILES.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitialMolecules {
    /// Molecules of the stages that take them from the source, by stage.
    pub stages: BTreeMap<String, Vec<String>>,
    /// Replacements for those that fail, and fresh starts of the generator.
    pub reserve: Vec<String>,
    /// All molecules of the source, if a generator proposes these.
    pub pool: Option<Vec<String>>,
}

/// Directory, methods and executors of a run: where its tasks are started.
pub struct ExecutionContext {
    /// Random name of the run.
    pub run: String,
    /// Run directory.
    pub run_dir: PathBuf,
    /// Methods of the plan, by name.
    pub methods: BTreeMap<String, PlannedMethod>,
    /// Folder in which the programs of tasks keep temporary files.
    pub scratch: Scratch,
    /// Executors, by partition.
    pub executors: BTreeMap<String, Box<dyn Executor>>,
    /// Remaining time of the batch job that the engine runs in; None outside of a job.
    pub time: Option<Duration>,
}

/// Reason for which a driver returned or drains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// The run has ended.
    Stopped(StoppedBy),
    /// A signal interrupted the run; `resume` continues it.
    Interrupted,
    /// Nothing more can be done in the time of the batch job; the next job resumes the run.
    JobOver,
    /// A partition has no node left.
    NodesLost,
}

impl<P: TaskProgram> Driver<P> {
    /// Returns the driver with a cache of results across runs.
    pub(crate) fn with_cache(self, cache: ResultCache) -> Self {
        Self {
            cache: Some(cache),
            ..self
        }
    }

    /// Returns the driver with secrets, which it hides in failure messages.
    pub fn with_secrets(self, secrets: Secrets) -> Self {
        Self { secrets, ..self }
    }

    /// Returns true if the run has not begun.
    pub fn is_fresh(&self) -> bool {
        self.engine.is_fresh()
    }

    /// Returns true if the run has ended and cannot be resumed. A run that ended because a free
    /// atom was missing can.
    pub fn is_ended(&self) -> bool {
        let stopped_by = self.engine.stopped_by();
        stopped_by.is_some_and(|stopped_by| stopped_by != StoppedBy::References)
    }

    /// Sets the fact that settings were changed, to be journalled when the run resumes.
    pub fn change(&mut self, changed: Option<Fact>) {
        self.changed = changed;
    }

    /// Returns the progress of the run so far.
    pub fn progress(&self) -> Progress {
        self.engine.progress()
    }
}
