//! Opening of a run: the journal is replayed and the saved files are checked.

use std::collections::BTreeSet;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::attempt::{StateFiles, TaskProgram};
use super::commit::{failed_attempt, record_duration};
use super::directory_cleaner::DirectoryCleaner;
use super::durations::TaskDurations;
use super::submission_order::{JobTime, SubmissionOrder};
use super::{Driver, DriverError, ExecutionContext};
use crate::engine::Engine;
use crate::exec::{Report, Secrets};
use crate::store::Store;
use crate::task::{Attempt, TaskId};

/// Data from the journal that the engine itself does not keep.
#[derive(Default)]
struct History {
    failed: BTreeSet<(TaskId, Attempt)>,
    durations: TaskDurations,
}

impl<P: TaskProgram> Driver<P> {
    /// Opens a run, new or with a journal. `reports` receives the reports of the executors in
    /// `context`.
    ///
    /// # Errors
    ///
    /// Fails if the journal cannot be read or holds an impossible fact, or if a saved file of the
    /// run is missing or damaged.
    pub async fn new(
        mut engine: Engine,
        mut store: Store,
        context: ExecutionContext,
        reports: UnboundedReceiver<Report>,
        program: P,
    ) -> Result<Self, DriverError> {
        let history = replay(&mut engine, &mut store).await?;
        let path = context.run_dir.clone();
        let files = open_files(&engine, &context)?;
        Ok(Self {
            cleaner: DirectoryCleaner::start(path.join("tasks")),
            failed: history.failed,
            draining: None,
            changed: None,
            halted: None,
            durations: history.durations,
            job: context.time.map(|time| (Instant::now(), JobTime(time))),
            order: SubmissionOrder::default(),
            later: BTreeSet::new(),
            cache: None,
            inherited: None,
            secrets: Secrets::default(),
            engine,
            store,
            context,
            reports,
            program,
            files,
        })
    }
}

/// Passes all events of the journal to the engine.
async fn replay(engine: &mut Engine, store: &mut Store) -> Result<History, DriverError> {
    let mut history = History::default();
    let mut illegal = None;
    store
        .replay(|seq, event| {
            record_duration(&mut history.durations, engine, &event);
            history.failed.extend(failed_attempt(&event.fact));
            if let (None, Err(source)) = (&illegal, engine.handle(&event)) {
                illegal = Some(DriverError::Journal { seq, source });
            }
        })
        .await?;
    illegal.map_or(Ok(history), Err)
}

/// Opens the saved files of the run, and checks those that the engine needs.
fn open_files(engine: &Engine, context: &ExecutionContext) -> Result<StateFiles, DriverError> {
    let path = context.run_dir.clone();
    let files = StateFiles::open(&path).map_err(|source| DriverError::Files {
        path: path.clone(),
        source,
    })?;
    let live = engine.live_files();
    let damaged = files.damaged(&live);
    let damaged = damaged.map_err(|source| DriverError::Read { path, source })?;
    match damaged.first() {
        Some(file) => Err(DriverError::State {
            path: files.path(file),
        }),
        None => Ok(files),
    }
}
