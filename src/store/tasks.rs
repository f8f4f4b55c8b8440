//! Reading: what became of single tasks, and of what kinds their failures were.

use sqlx::FromRow;

use super::{Store, StoreError};
use crate::task::TaskId;

/// A task and what became of it.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct TaskRow {
    pub task: i64,
    pub stage: String,
    pub smiles: Option<String>,
    pub batch: Option<i64>,
    pub state: String,
    /// The last one.
    pub attempt: i64,
    /// Whether the answer is that of an earlier run.
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

impl Store {
    /// Molecules that failed for good, by the kind of their last failure, most first.
    pub async fn failures_by_kind(&mut self) -> Result<Vec<(String, i64)>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT t.failure, count(*) AS n FROM candidates c JOIN tasks t ON t.task = c.task \
             WHERE c.status = 'failed' GROUP BY t.failure ORDER BY n DESC, t.failure",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Failed attempts of all tasks, by kind, most first.
    pub async fn failed_attempts_by_kind(&mut self) -> Result<Vec<(String, i64)>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT kind, count(*) AS n FROM failures GROUP BY kind ORDER BY n DESC, kind",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// The tasks of a molecule, or of a free atom, canonical SMILES.
    pub async fn tasks_of(&mut self, smiles: &str) -> Result<Vec<TaskRow>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT t.*, l.parts, l.at AS looked_up FROM tasks t LEFT JOIN lookups l ON l.task = t.task \
             WHERE t.smiles = ? ORDER BY t.task",
        )
        .bind(smiles)
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    pub async fn task(&mut self, task: TaskId) -> Result<Option<TaskRow>, StoreError> {
        let row = sqlx::query_as(
            "SELECT t.*, l.parts, l.at AS looked_up FROM tasks t LEFT JOIN lookups l ON l.task = t.task \
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
