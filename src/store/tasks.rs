//! Reading: what became of single tasks, and of what kinds their failures were.

use sqlx::FromRow;

use super::{NamedCount, Store, StoreError};
use crate::task::TaskId;

/// A task and what became of it.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct TaskRow {
    pub task: i64,
    pub stage: String,
    pub smiles: Option<String>,
    /// Name of the molecule in the run's source.
    pub name: Option<String>,
    pub batch: Option<i64>,
    pub state: String,
    /// The last one.
    pub attempt: i64,
    /// True for a cache hit.
    pub cached: bool,
    /// Key by which it was looked for in the cache, JSON, and when.
    pub parts: Option<String>,
    pub looked_up: Option<i64>,
}

/// A failed attempt.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct FailedAttempt {
    pub attempt: i64,
    pub kind: String,
    pub message: String,
    pub at: i64,
}

/// A failed attempt, and of what task.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct FailureRow {
    pub task: i64,
    pub stage: String,
    pub smiles: Option<String>,
    /// Name of the molecule in the run's source.
    pub name: Option<String>,
    pub attempt: i64,
    pub kind: String,
    pub message: String,
    pub at: i64,
}

/// The tasks of a stage by one method.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct StageRow {
    pub stage: String,
    /// None in runs of 0.1.0.
    pub method: Option<String>,
    pub tasks: i64,
    /// Failed for good.
    pub failed: i64,
    /// Answers of earlier runs.
    pub cached: i64,
    /// From start to end of the last attempts of tasks that have ended, milliseconds: mean and sum.
    pub mean_ms: Option<f64>,
    pub busy_ms: Option<i64>,
    /// When the first was submitted and the last ended.
    pub first: i64,
    pub last: Option<i64>,
}

/// An engine of simulation, and how many results it gave.
#[derive(Clone, Debug, PartialEq, FromRow, serde::Serialize)]
pub struct EngineRow {
    pub engine: String,
    pub version: String,
    pub level_of_theory: String,
    pub results: i64,
}

impl Store {
    /// The `n` last failed attempts, the last first.
    pub async fn last_failed_attempts(&mut self, n: u32) -> Result<Vec<FailureRow>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT f.task, t.stage, t.smiles, \
             (SELECT n.name FROM names n WHERE n.smiles = t.smiles ORDER BY n.entry LIMIT 1) AS name, f.attempt, f.kind, f.message, f.at \
             FROM failures f JOIN tasks t ON t.task = f.task \
             ORDER BY f.at DESC, f.task DESC, f.attempt DESC LIMIT ?",
        )
        .bind(n)
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Attempts that followed a failed one.
    pub async fn retries(&mut self) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar("SELECT coalesce(sum(attempt - 1), 0) FROM tasks")
            .fetch_one(&mut self.db)
            .await;
        self.reading(count)
    }

    /// The stages and methods that have tasks, in the order in which they first had one.
    pub async fn stages(&mut self) -> Result<Vec<StageRow>, StoreError> {
        // A clock may have been set back.
        let rows = sqlx::query_as(
            "SELECT stage, method, count(*) AS tasks, count(*) FILTER (WHERE state = 'failed') AS failed, sum(cached) AS cached, \
             avg(max(finished - started, 0)) FILTER (WHERE cached = 0) AS mean_ms, \
             sum(max(finished - started, 0)) FILTER (WHERE cached = 0) AS busy_ms, \
             min(submitted) AS first, max(finished) AS last FROM tasks GROUP BY stage, method ORDER BY min(task)",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// The engines that gave results, most first.
    pub async fn engines(&mut self) -> Result<Vec<EngineRow>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT engine, version, level_of_theory, count(*) AS results FROM results \
             GROUP BY engine, version, level_of_theory ORDER BY results DESC, engine, version, level_of_theory",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Molecules that failed for good, by the kind of their last failure, most first.
    pub async fn failures_by_kind(&mut self) -> Result<Vec<NamedCount>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT t.failure AS name, count(*) AS count FROM candidates c JOIN tasks t ON t.task = c.task \
             WHERE c.status = 'failed' GROUP BY t.failure ORDER BY count(*) DESC, t.failure",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Failed attempts of all tasks, by kind, most first.
    pub async fn failed_attempts_by_kind(&mut self) -> Result<Vec<NamedCount>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT kind AS name, count(*) AS count FROM failures GROUP BY kind ORDER BY count(*) DESC, kind",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// The tasks of a molecule, or of a free atom, canonical SMILES.
    pub async fn tasks_of(&mut self, smiles: &str) -> Result<Vec<TaskRow>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT t.*, (SELECT n.name FROM names n WHERE n.smiles = t.smiles ORDER BY n.entry LIMIT 1) AS name, \
             l.parts, l.at AS looked_up FROM tasks t LEFT JOIN lookups l ON l.task = t.task \
             WHERE t.smiles = ? ORDER BY t.task",
        )
        .bind(smiles)
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    pub async fn task(&mut self, task: TaskId) -> Result<Option<TaskRow>, StoreError> {
        let row = sqlx::query_as(
            "SELECT t.*, (SELECT n.name FROM names n WHERE n.smiles = t.smiles ORDER BY n.entry LIMIT 1) AS name, \
             l.parts, l.at AS looked_up FROM tasks t LEFT JOIN lookups l ON l.task = t.task \
             WHERE t.task = ?",
        )
        .bind(task.0.cast_signed())
        .fetch_optional(&mut self.db)
        .await;
        self.reading(row)
    }

    /// The failed attempts of a task, in order.
    pub async fn failed_attempts(&mut self, task: i64) -> Result<Vec<FailedAttempt>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT attempt, kind, message, at FROM failures WHERE task = ? ORDER BY attempt",
        )
        .bind(task)
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }
}
