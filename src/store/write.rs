//! Writing: facts with what they change, many in one transaction.

use sqlx::{Connection, SqliteConnection};

use super::seal::{self, Seal};
use super::{RunInfo, Store, StoreError};
use crate::task::{Attempt, Candidate, EndState, Event, Record, TaskId};

/// What is committed together.
#[derive(Debug, Default)]
pub struct Batch {
    /// Each fact with the records it led to.
    pub facts: Vec<(Event, Vec<Record>)>,
    pub simulations: Vec<Simulation>,
    /// Attempts that began to run, and when.
    pub started: Vec<(TaskId, Attempt, i64)>,
    /// What was looked for in the cache: the parts of the key as JSON, and when.
    pub lookups: Vec<(TaskId, String, i64)>,
}

/// What a simulation returned besides its energy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    pub task: TaskId,
    pub engine: String,
    pub version: String,
    pub level_of_theory: String,
    /// Geometry in the XYZ format, angstrom.
    pub xyz: String,
}

impl Simulation {
    /// Stands for one that is lost.
    pub(super) fn lost(task: i64) -> Self {
        Self {
            task: TaskId(task.cast_unsigned()),
            engine: String::new(),
            version: String::new(),
            level_of_theory: String::new(),
            xyz: String::new(),
        }
    }

    pub(super) fn seal(&self) -> Seal {
        let Self {
            task,
            engine,
            version,
            level_of_theory,
            xyz,
        } = self;
        let task = task.0.to_le_bytes();
        seal::digest(&[
            &task,
            engine.as_bytes(),
            version.as_bytes(),
            level_of_theory.as_bytes(),
            xyz.as_bytes(),
        ])
    }
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
            && self.simulations.is_empty()
            && self.started.is_empty()
            && self.lookups.is_empty()
    }
}

impl Store {
    pub(super) async fn insert_run(&mut self, info: &RunInfo) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT OR IGNORE INTO run (only, name, campaign, created, version) VALUES (1, ?, ?, ?, ?)",
        )
        .bind(&info.name)
        .bind(&info.campaign)
        .bind(info.created)
        .bind(&info.version)
        .execute(&mut self.db)
        .await;
        self.writing(insert.map(drop))
    }

    /// Commits all of `batch` or nothing of it; on success it is on the disk.
    pub async fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.check_held()?;
        let (before, note) = match self.head.take() {
            Some((before, note)) => (before, Some(note)),
            None => (seal::BEGINNING, None),
        };
        let answer = commit(&mut self.db, batch, before).await;
        let (seq, last) = match self.writing(answer) {
            Ok(end) => end,
            Err(error) => {
                self.head = note.map(|note| (before, note));
                return Err(error);
            }
        };
        let Some(note) = note else {
            return Ok(());
        };
        let noted = seq.map_or(Ok(()), |seq| note.write(seq, &last));
        self.head = Some((last, note));
        noted.map_err(|e| self.could_not_note(e))
    }
}

/// The number of the last fact, if there is one, and the checksum of the journal.
async fn commit(
    db: &mut SqliteConnection,
    batch: &Batch,
    mut last: Seal,
) -> Result<(Option<i64>, Seal), sqlx::Error> {
    let mut tx = db.begin_with("BEGIN IMMEDIATE").await?;
    let mut seq = None;
    for simulation in &batch.simulations {
        insert_result(&mut tx, simulation).await?;
    }
    for (task, attempt, at) in &batch.started {
        task_started(&mut tx, *task, *attempt, *at).await?;
    }
    for (task, parts, at) in &batch.lookups {
        looked_up(&mut tx, *task, parts, *at).await?;
    }
    for (event, records) in &batch.facts {
        let json = serde_json::to_string(event).map_err(|e| sqlx::Error::Encode(e.into()))?;
        seq = Some(append_to_journal(&mut tx, &json, &mut last).await?);
        for record in records {
            apply(&mut tx, record, event.at).await?;
        }
    }
    tx.commit().await?;
    Ok((seq, last))
}

/// The number of the fact; `last` is the checksum of all before it, and afterwards its own.
pub(super) async fn append_to_journal(
    db: &mut SqliteConnection,
    event: &str,
    last: &mut Seal,
) -> Result<i64, sqlx::Error> {
    *last = seal::next(last, event);
    sqlx::query("INSERT INTO journal (event, checksum) VALUES (?, ?)")
        .bind(event.to_owned())
        .bind(last.to_vec())
        .execute(db)
        .await
        .map(|done| done.last_insert_rowid())
}

pub(super) async fn insert_result(
    db: &mut SqliteConnection,
    s: &Simulation,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT OR REPLACE INTO results (task, engine, version, level_of_theory, xyz, checksum) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(id(s.task))
    .bind(&s.engine)
    .bind(&s.version)
    .bind(&s.level_of_theory)
    .bind(&s.xyz)
    .bind(s.seal().to_vec())
    .execute(db)
    .await
    .map(drop)
}

async fn task_started(
    db: &mut SqliteConnection,
    task: TaskId,
    attempt: Attempt,
    at: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE tasks SET state = 'running', started = ? WHERE task = ? AND attempt = ? AND state = 'submitted'")
        .bind(at)
        .bind(id(task))
        .bind(attempt)
        .execute(db)
        .await
        .map(drop)
}

async fn looked_up(
    db: &mut SqliteConnection,
    task: TaskId,
    parts: &str,
    at: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT OR REPLACE INTO lookups (task, at, parts) VALUES (?, ?, ?)")
        .bind(id(task))
        .bind(at)
        .bind(parts)
        .execute(db)
        .await
        .map(drop)
}

/// One record, in the tables derived from the journal. `at` is when its fact became known.
pub(super) async fn apply(
    db: &mut SqliteConnection,
    record: &Record,
    at: i64,
) -> Result<(), sqlx::Error> {
    let query = match record {
        Record::TaskCreated { task, stage, smiles, batch } => sqlx::query(
            "INSERT INTO tasks (task, stage, smiles, batch, state, attempt, submitted) VALUES (?, ?, ?, ?, 'submitted', 1, ?)",
        )
        .bind(id(*task))
        .bind(stage)
        .bind(smiles)
        .bind(batch)
        .bind(at),
        Record::Cached { task } => {
            sqlx::query("UPDATE tasks SET cached = 1 WHERE task = ?").bind(id(*task))
        }
        Record::AttemptFailed { task, attempt, failure } => sqlx::query(
            "INSERT INTO failures (task, attempt, kind, message, at) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(id(*task))
        .bind(attempt)
        .bind(failure.kind.word())
        .bind(&failure.message)
        .bind(at),
        Record::TaskAgain { task, attempt, failure } => sqlx::query(
            "UPDATE tasks SET state = 'submitted', attempt = ?, failure = ?, failure_message = ?, started = NULL WHERE task = ?",
        )
        .bind(attempt)
        .bind(failure.kind.word())
        .bind(&failure.message)
        .bind(id(*task)),
        Record::TaskEnded { task, state, failure, usage } => sqlx::query(
            "UPDATE tasks SET state = ?, failure = ?, failure_message = ?, started = coalesce(?, started), \
             peak_memory_kib = ?, finished = ? WHERE task = ?",
        )
        .bind(match state {
            EndState::Succeeded => "succeeded",
            EndState::Failed => "failed",
            EndState::Cancelled => "cancelled",
        })
        .bind(failure.as_ref().map(|f| f.kind.word()))
        .bind(failure.as_ref().map(|f| &f.message))
        .bind(usage.started)
        .bind(usage.peak_memory_kib.map(u64::cast_signed))
        .bind(at)
        .bind(id(*task)),
        Record::Reference { element, total_energy_hartree } => {
            sqlx::query("INSERT INTO atoms (element, total_energy_hartree) VALUES (?, ?)")
                .bind(element)
                .bind(total_energy_hartree)
        }
        Record::Queued(Candidate { smiles, batch, rank, prediction }) => sqlx::query(
            "INSERT INTO candidates (batch, rank, smiles, prediction_mean_hartree, prediction_std_hartree, status) VALUES (?, ?, ?, ?, ?, 'queued')",
        )
        .bind(batch)
        .bind(rank)
        .bind(smiles)
        .bind(prediction.map(|p| p.mean))
        .bind(prediction.map(|p| p.std)),
        Record::Evaluating { batch, rank, task } => {
            sqlx::query("UPDATE candidates SET status = 'evaluating', task = ? WHERE batch = ? AND rank = ?")
                .bind(id(*task))
                .bind(batch)
                .bind(rank)
        }
        Record::Evaluated { batch, rank, evaluation } => sqlx::query(
            "UPDATE candidates SET status = 'evaluated', total_energy_hartree = ?, atomization_energy_hartree = ?, \
             atoms = ?, objective_hartree = ? WHERE batch = ? AND rank = ?",
        )
        .bind(evaluation.total_energy_hartree)
        .bind(evaluation.atomization_energy_hartree)
        .bind(evaluation.atoms)
        .bind(evaluation.value)
        .bind(batch)
        .bind(rank),
        Record::Superseded { batch, rank } => with_status("superseded", *batch, *rank),
        Record::EvaluationFailed { batch, rank } => with_status("failed", *batch, *rank),
        Record::EvaluationCancelled { batch, rank } => with_status("cancelled", *batch, *rank),
        Record::BatchStarted { batch, observations } => {
            sqlx::query("INSERT INTO batches (batch, started, observations) VALUES (?, ?, ?)")
                .bind(batch)
                .bind(at)
                .bind(count(*observations))
        }
        Record::BatchTrained { batch, groups, rmse_hartree } => {
            sqlx::query("UPDATE batches SET groups = ?, rmse_hartree = ? WHERE batch = ?")
                .bind(count(*groups))
                .bind(rmse_hartree)
                .bind(batch)
        }
        Record::BatchGenerated { batch, candidates, epsilon, mean_reward, mean_loss } => sqlx::query(
            "UPDATE batches SET visited_molecules = ?, epsilon = ?, mean_reward = ?, mean_loss = ? WHERE batch = ?",
        )
        .bind(count(*candidates))
        .bind(epsilon)
        .bind(mean_reward)
        .bind(mean_loss)
        .bind(batch),
        Record::BatchFinished { batch, new_candidates } => {
            sqlx::query("UPDATE batches SET finished = ?, new_candidates = ? WHERE batch = ?")
                .bind(at)
                .bind(count(*new_candidates))
                .bind(batch)
        }
        Record::RunEnded { stopped_by } => sqlx::query("UPDATE run SET stopped_by = ?").bind(stopped_by.word()),
        Record::RunReopened => sqlx::query("UPDATE run SET stopped_by = NULL"),
    };
    query.execute(db).await.map(drop)
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

fn with_status(status: &'static str, batch: u32, rank: u32) -> Query<'static> {
    sqlx::query("UPDATE candidates SET status = ? WHERE batch = ? AND rank = ?")
        .bind(status)
        .bind(batch)
        .bind(rank)
}

/// SQLite's integers are signed.
fn id(task: TaskId) -> i64 {
    task.0.cast_signed()
}

fn count(n: usize) -> i64 {
    n as i64
}
