//! Verification and repair of a run directory.

use std::path::{Path, PathBuf};

use super::error::{CommandError, Topic};
use super::settings_changes::{self, InitialLimits};
use crate::driver::StateFiles;
use crate::engine::Engine;
use crate::plan::Plan;
use crate::store::{self, Commit, Store, StoredSettings};
use crate::task::{self, Event, Fact, FailureKind, FileRef, Outcome, Record, Usage};

/// Number of facts up to which a run is verified whenever it resumes: that takes about a second,
/// and grows with them.
const VERIFIED: i64 = 20_000;

/// Result of the verification of a run that is undamaged.
pub struct Verification {
    /// Number of facts in the journal.
    pub facts: i64,
    /// A line for each setting that was changed since the run started.
    pub changes: Vec<String>,
}

/// Result of a repair.
pub struct Repair {
    /// Number of facts from which the database was rebuilt.
    pub facts: i64,
    /// Least number of facts that are lost.
    pub lost_facts: i64,
    /// Number of results whose geometry and provenance are lost.
    pub lost_results: usize,
    /// True if files of the model or the agent are lost.
    pub has_lost_files: bool,
    /// Folder with the damaged files.
    pub kept: PathBuf,
}

/// Verifies the journal, the tables and the files of the run in `dir`, and lists the changes of its
/// settings.
///
/// # Errors
///
/// Fails if the run is damaged or cannot be read.
pub async fn check(dir: &Path, plan: &Plan) -> Result<Verification, CommandError> {
    let facts = verify(dir, plan).await?;
    let mut store = Store::open_to_read(dir).await?;
    let changes = settings_changes::list(dir, &mut store).await?;
    Ok(Verification { facts, changes })
}

/// Verifies a run before it resumes, unless it is large: then only `moldflow check` verifies it.
///
/// # Errors
///
/// Fails if the run is damaged or cannot be read.
pub async fn verify_if_small(dir: &Path, plan: &Plan) -> Result<(), CommandError> {
    if dir.join(store::FILE).exists() {
        let mut store = Store::open(dir).await?;
        let facts = store.facts().await?;
        store.close().await?;
        if facts <= VERIFIED {
            verify(dir, plan).await?;
        }
    }
    Ok(())
}

/// Verifies a run and returns the number of its facts.
async fn verify(dir: &Path, plan: &Plan) -> Result<i64, CommandError> {
    let mut store = Store::open(dir).await?;
    let mut replayed = ReplayedEngine::new(&mut store, plan).await?;
    store.close().await?;
    let (facts, mut faults) = store::audit(dir, |seq, event| replayed.records(seq, event)).await?;
    faults.append(&mut replayed.illegal);
    for file in replayed.damaged_files(dir)? {
        faults.push(format!("state/{} is missing or damaged", file.sha256));
    }
    if faults.is_empty() {
        return Ok(facts);
    }
    let message = format!("{} is damaged:\n  {}", dir.display(), faults.join("\n  "));
    let hint = format!(
        "`moldflow check --repair {}` rebuilds it from its journal",
        dir.display()
    );
    Err(CommandError::with_hint(message, hint).about(Topic::Damage))
}

/// Rebuilds the database of the run in `dir` from its journal; the damaged files are kept.
///
/// # Errors
///
/// Fails if the journal cannot be read, or the new database cannot be written.
pub async fn repair(dir: &Path, plan: &Plan) -> Result<Repair, CommandError> {
    // Damaged ones are those of the run directory from now on.
    let settings = match Store::open_to_read(dir).await {
        Ok(mut store) => store.settings().await.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let mut replayed = ReplayedEngine::with(at_start(plan, &settings));
    let repaired = store::repair(dir, &settings, |seq, event| replayed.records(seq, event)).await?;
    let damaged = replayed.damaged_files(dir)?;
    for file in &damaged {
        let path = dir.join("state").join(&file.sha256);
        let _ = std::fs::rename(&path, repaired.kept.join(&file.sha256));
    }
    let lost = replayed.without(&damaged, repaired.facts);
    let has_lost_files = !lost.is_empty();
    if has_lost_files {
        let mut store = Store::open(dir).await?;
        store
            .commit(&Commit {
                facts: lost,
                ..Commit::default()
            })
            .await?;
        store.close().await?;
    }
    replayed.set_aside_unknown_tasks(dir, &repaired.kept);
    Ok(Repair {
        facts: repaired.facts,
        lost_facts: repaired.lost,
        lost_results: repaired.results_lost,
        has_lost_files,
        kept: repaired.kept,
    })
}

/// Returns the plan of a run at its start, given all versions of its settings.
fn at_start(plan: &Plan, settings: &[StoredSettings]) -> Plan {
    let initial = settings.first().and_then(InitialLimits::read);
    initial.map_or_else(|| plan.clone(), |initial| initial.applied_to(plan))
}

/// Engine in the state to which a replay of the journal leads.
struct ReplayedEngine {
    engine: Engine,
    illegal: Vec<String>,
}

impl ReplayedEngine {
    /// Returns the engine before the first fact, with the stop conditions with which the run
    /// started.
    async fn new(store: &mut Store, plan: &Plan) -> Result<Self, CommandError> {
        let settings = store.settings().await?;
        Ok(Self::with(at_start(plan, &settings)))
    }

    fn with(plan: Plan) -> Self {
        Self {
            engine: Engine::new(plan),
            illegal: Vec::new(),
        }
    }

    fn records(&mut self, seq: i64, event: &Event) -> Vec<Record> {
        match self.engine.handle(event) {
            Ok(step) => step.records,
            Err(illegal) => {
                self.illegal
                    .push(format!("fact {seq} cannot have happened: {illegal}"));
                Vec::new()
            }
        }
    }

    /// Returns the facts that follow from the loss of these files: the saved state is forgotten,
    /// and tasks that would read them fail.
    fn without(&mut self, lost: &[FileRef], facts: i64) -> Vec<(Event, Vec<Record>)> {
        if lost.is_empty() {
            return Vec::new();
        }
        let at = crate::exec::now();
        let mut seq = facts;
        let mut take = |engine: &mut Self, fact| {
            let event = Event { at, fact };
            seq += 1;
            let records = engine.records(seq, &event);
            (event, records)
        };
        let mut all = vec![take(self, Fact::StateLost)];
        for (task, attempt) in self.engine.outstanding() {
            let files = self.engine.input(task).map(|(_, files)| files);
            if files.iter().flatten().any(|(file, _)| lost.contains(file)) {
                let failure = task::Failure {
                    kind: FailureKind::Unreadable,
                    message: "a file that it would read is lost".into(),
                };
                let fact = Fact::Ended {
                    task,
                    attempt,
                    usage: Usage::default(),
                    outcome: Outcome::Failed(failure),
                };
                all.push(take(self, fact));
            }
        }
        all
    }

    fn damaged_files(&self, dir: &Path) -> Result<Vec<FileRef>, CommandError> {
        let files = StateFiles::open(dir).map_err(|e| CommandError::of(&e))?;
        let live = self.engine.live_files();
        let damaged = files.damaged(&live).map_err(|e| CommandError::of(&e))?;
        Ok(damaged.into_iter().cloned().collect())
    }

    /// Moves the directories of tasks away that the journal does not know: later tasks get their
    /// numbers, and must not find their results.
    fn set_aside_unknown_tasks(&self, dir: &Path, kept: &Path) {
        let tasks = std::fs::read_dir(dir.join("tasks"))
            .into_iter()
            .flatten()
            .flatten();
        for task in tasks {
            let number = task
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u64>().ok());
            if number.is_some_and(|number| number > self.engine.last_task()) {
                let _ = std::fs::create_dir_all(kept.join("tasks"));
                let _ = std::fs::rename(task.path(), kept.join("tasks").join(task.file_name()));
            }
        }
    }
}
