//! Writing: facts with what they change, many in one transaction.

use sqlx::{Connection, SqliteConnection};

use super::derived::apply;
use super::seal::{self, Seal};
use super::settings::{self, StoredSettings};
use super::{RunInfo, Store, StoreError};
use crate::task::{Attempt, Event, Record, TaskId};

/// Facts and other data that are committed in one transaction.
#[derive(Debug, Default)]
pub struct Commit {
    /// Each fact with the records it led to.
    pub facts: Vec<(Event, Vec<Record>)>,
    /// Results of simulations that succeeded.
    pub simulations: Vec<SimulationRow>,
    /// Attempts that began to run.
    pub started: Vec<StartedAttempt>,
    /// Lookups in the cache, whether they hit or not.
    pub lookups: Vec<CacheLookup>,
    /// Settings that were changed, with the fact that they were.
    pub settings: Option<StoredSettings>,
}

/// Start of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartedAttempt {
    /// Task of the attempt.
    pub task: TaskId,
    /// Number of the attempt, from 1.
    pub attempt: Attempt,
    /// Start of its process, milliseconds since the Unix epoch.
    pub at: i64,
}

/// Lookup of a task's result in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheLookup {
    /// Task whose result was looked up.
    pub task: TaskId,
    /// Parts of its key, JSON.
    pub parts: String,
    /// Time of the lookup, milliseconds since the Unix epoch.
    pub at: i64,
}

/// Row of the table `results`: geometry and provenance of a simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulationRow {
    /// Task that computed it.
    pub task: TaskId,
    /// Name of the engine.
    pub engine: String,
    /// Version of the program or libraries that computed it.
    pub version: String,
    /// Level of theory, e.g. `GFN2-xTB//MMFF94`.
    pub level_of_theory: String,
    /// Geometry in the XYZ format, angstrom.
    pub xyz: String,
}

impl SimulationRow {
    /// Returns an empty row in place of one that is lost.
    pub(super) fn lost(task: i64) -> Self {
        Self {
            task: TaskId(task.cast_unsigned()),
            engine: String::new(),
            version: String::new(),
            level_of_theory: String::new(),
            xyz: String::new(),
        }
    }

    /// Returns the checksum of all columns.
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
    /// Returns true if there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
            && self.simulations.is_empty()
            && self.started.is_empty()
            && self.lookups.is_empty()
            && self.settings.is_none()
    }
}

impl Store {
    /// Inserts the only row of the table `run` and those of its objectives, unless they are there.
    pub(super) async fn insert_run(&mut self, info: &RunInfo) -> Result<(), StoreError> {
        let inserted = async {
            let mut tx = self.db.begin().await?;
            sqlx::query(
                "INSERT OR IGNORE INTO run (only, name, campaign, created, version) VALUES (1, ?, ?, ?, ?)",
            )
            .bind(&info.name)
            .bind(&info.campaign)
            .bind(info.created)
            .bind(&info.version)
            .execute(&mut *tx)
            .await?;
            for (place, objective) in (1i64..).zip(&info.objectives) {
                sqlx::query(
                    "INSERT OR IGNORE INTO objectives (place, property, highest) VALUES (?, ?, ?)",
                )
                .bind(place)
                .bind(&objective.property)
                .bind(objective.highest)
                .execute(&mut *tx)
                .await?;
                sqlx::query(
                    "INSERT OR IGNORE INTO properties (name, label, unit) VALUES (?, ?, ?)",
                )
                .bind(&objective.property)
                .bind(&objective.label)
                .bind(&objective.unit)
                .execute(&mut *tx)
                .await?;
            }
            tx.commit().await
        };
        let inserted = inserted.await;
        self.writing(inserted)
    }

    /// Writes all of `commit` or nothing of it; on success it is on the disk.
    ///
    /// # Errors
    ///
    /// Fails if a held file is gone or the database or its note cannot be written.
    pub async fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        self.check_held()?;
        let before = self.head.as_ref().map_or(seal::BEGINNING, |head| head.seal);
        let committed = write_commit(&mut self.db, commit, before).await;
        let (seq, last) = self.writing(committed)?;
        let Some(head) = &mut self.head else {
            return Ok(());
        };
        head.seal = last;
        let noted = seq.map_or(Ok(()), |seq| head.note.write(seq, &last));
        noted.map_err(|e| self.could_not_note(e))
    }
}

/// Returns the number of the last fact, if `commit` has one, and the checksum of the journal.
async fn write_commit(
    db: &mut SqliteConnection,
    commit: &Commit,
    mut last: Seal,
) -> Result<(Option<i64>, Seal), sqlx::Error> {
    let mut tx = db.begin_with("BEGIN IMMEDIATE").await?;
    let mut seq = None;
    for simulation in &commit.simulations {
        insert_result(&mut tx, simulation).await?;
    }
    for started in &commit.started {
        mark_running(&mut tx, started).await?;
    }
    for lookup in &commit.lookups {
        insert_lookup(&mut tx, lookup).await?;
    }
    if let Some(settings) = &commit.settings {
        settings::insert(&mut tx, settings).await?;
    }
    for (event, records) in &commit.facts {
        let json = serde_json::to_string(event).map_err(|e| sqlx::Error::Encode(e.into()))?;
        seq = Some(append_to_journal(&mut tx, &json, &mut last).await?);
        for record in records {
            apply(&mut tx, record, event.at).await?;
        }
    }
    tx.commit().await?;
    Ok((seq, last))
}

/// Appends a fact and returns its number. `last` is the checksum of all facts before it, and
/// afterwards its own.
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
    s: &SimulationRow,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT OR REPLACE INTO calculations (task, engine, version, level_of_theory, xyz, checksum) VALUES (?, ?, ?, ?, ?, ?)",
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

async fn mark_running(
    db: &mut SqliteConnection,
    started: &StartedAttempt,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE tasks SET state = 'running', started = ? WHERE task = ? AND attempt = ? AND state = 'submitted'")
        .bind(started.at)
        .bind(id(started.task))
        .bind(started.attempt)
        .execute(db)
        .await
        .map(drop)
}

async fn insert_lookup(db: &mut SqliteConnection, lookup: &CacheLookup) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT OR REPLACE INTO lookups (task, at, parts) VALUES (?, ?, ?)")
        .bind(id(lookup.task))
        .bind(lookup.at)
        .bind(&lookup.parts)
        .execute(db)
        .await
        .map(drop)
}

/// Number of a task as SQLite holds it: its integers are signed.
pub(super) fn id(task: TaskId) -> i64 {
    task.0.cast_signed()
}
