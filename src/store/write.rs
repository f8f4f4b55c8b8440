//! Writing: facts with what they change, many in one transaction.

use sqlx::{Connection, SqliteConnection};

use super::derived::apply;
use super::seal::{self, Seal};
use super::{RunInfo, Store, StoreError};
use crate::task::{Attempt, Event, Record, TaskId};

/// Facts and other data that are committed in one transaction.
#[derive(Debug, Default)]
pub struct Commit {
    /// Each fact with the records it led to.
    pub facts: Vec<(Event, Vec<Record>)>,
    pub simulations: Vec<Simulation>,
    /// Attempts that began to run, and when.
    pub started: Vec<(TaskId, Attempt, i64)>,
    /// Lookups in the cache: the parts of the key as JSON, and the time.
    pub lookups: Vec<(TaskId, String, i64)>,
}

/// Result of a simulation besides its energy.
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

impl Commit {
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
            "INSERT OR IGNORE INTO run (only, name, campaign, created, version, objective, objective_label, \
             objective_unit, objective_highest) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&info.name)
        .bind(&info.campaign)
        .bind(info.created)
        .bind(&info.version)
        .bind(&info.objective.property)
        .bind(&info.objective.label)
        .bind(&info.objective.unit)
        .bind(info.objective.highest)
        .execute(&mut self.db)
        .await;
        self.writing(insert.map(drop))
    }

    /// Commits all of `batch` or nothing of it; on success it is on the disk.
    pub async fn commit(&mut self, batch: &Commit) -> Result<(), StoreError> {
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
    batch: &Commit,
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

/// SQLite's integers are signed.
pub(super) fn id(task: TaskId) -> i64 {
    task.0.cast_signed()
}
