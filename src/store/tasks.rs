//! Reading: tasks, stages and failures.

use std::collections::BTreeMap;

use sqlx_macros::FromRow;

use super::{NamedCount, Store, StoreError};
use crate::task::TaskId;

/// A task with its state.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct TaskRow {
    /// Number of the task, from 1.
    pub task: i64,
    /// Name of its stage.
    pub stage: String,
    /// Name of its method; None in runs of 0.1.0.
    pub method: Option<String>,
    /// Canonical SMILES of its molecule or free atom; None for a task of the generator loop.
    pub smiles: Option<String>,
    /// Name of the molecule in the run's source, if it has one.
    pub name: Option<String>,
    /// Batch that it belongs to; None for a free atom.
    pub batch: Option<i64>,
    /// `submitted`, `running`, `succeeded`, `failed` or `cancelled`.
    pub state: String,
    /// Number of the last attempt, from 1.
    pub attempt: i64,
    /// True for a cache hit.
    pub cached: bool,
    /// Key of its lookup in the cache, JSON; None if it was not looked up.
    pub parts: Option<String>,
    /// Time of that lookup, milliseconds since the Unix epoch.
    pub looked_up: Option<i64>,
    /// Start of the last attempt, milliseconds since the Unix epoch; None if it is not known.
    pub started: Option<i64>,
    /// End of the task, milliseconds since the Unix epoch; None while it has none.
    pub finished: Option<i64>,
    /// Host of the last attempt; None if it left no result.
    pub host: Option<String>,
    /// Most memory that the last attempt held at once, KiB.
    pub peak_memory_kib: Option<i64>,
}

/// A failed attempt of a given task.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct FailedAttempt {
    /// Number of the attempt, from 1.
    pub attempt: i64,
    /// Kind of the failure.
    pub kind: String,
    /// Message of the failure, of several lines possibly.
    pub message: String,
    /// Start of its process, milliseconds since the Unix epoch; None if it is not known.
    pub started: Option<i64>,
    /// Its host; None if it left no result.
    pub host: Option<String>,
    /// End of the attempt, milliseconds since the Unix epoch.
    pub at: i64,
}

/// A failed attempt with its task.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct FailureRow {
    /// Number of the task, from 1.
    pub task: i64,
    /// Stage of the task.
    pub stage: String,
    /// Canonical SMILES of its molecule or free atom; None for a task of the generator loop.
    pub smiles: Option<String>,
    /// Name of the molecule in the run's source, if it has one.
    pub name: Option<String>,
    /// Number of the attempt, from 1.
    pub attempt: i64,
    /// Kind of the failure.
    pub kind: String,
    /// Message of the failure, of several lines possibly.
    pub message: String,
    /// End of the attempt, milliseconds since the Unix epoch.
    pub at: i64,
}

/// The tasks of a stage by one method.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct StageRow {
    /// Name of the stage.
    pub stage: String,
    /// None in runs of 0.1.0.
    pub method: Option<String>,
    /// Number of tasks.
    pub tasks: i64,
    /// Tasks that failed permanently.
    pub failed: i64,
    /// Cache hits.
    pub cached: i64,
    /// Mean duration of the last attempts of ended tasks, milliseconds; None if none ended.
    pub mean_ms: Option<f64>,
    /// Sum of these durations, milliseconds.
    pub busy_ms: Option<i64>,
    /// First submission of a task, milliseconds since the Unix epoch.
    pub first: i64,
    /// Last end of a task, milliseconds since the Unix epoch; None if none ended.
    pub last: Option<i64>,
}

/// Results of one version of a simulation engine.
#[derive(Clone, Debug, PartialEq, FromRow, serde::Serialize)]
pub struct EngineRow {
    /// Name of the engine.
    pub engine: String,
    /// Version of its program or libraries.
    pub version: String,
    /// Level of theory.
    pub level_of_theory: String,
    /// Number of results.
    pub results: i64,
}

impl Store {
    /// Returns the `n` last failed attempts, the last first.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
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

    /// Returns the number of attempts that followed a failed one.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn retries(&mut self) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar("SELECT coalesce(sum(attempt - 1), 0) FROM tasks")
            .fetch_one(&mut self.db)
            .await;
        self.reading(count)
    }

    /// The stages and methods that have tasks, in the order in which they first had one.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
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

    /// Returns the engines that gave results, the one with most results first.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn engines(&mut self) -> Result<Vec<EngineRow>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT engine, version, level_of_theory, count(*) AS results FROM calculations \
             GROUP BY engine, version, level_of_theory ORDER BY results DESC, engine, version, level_of_theory",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Returns the numbers of molecules that failed permanently, by the kind of their last failure,
    /// the highest first.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn failures_by_kind(&mut self) -> Result<Vec<NamedCount>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT t.failure AS name, count(*) AS count FROM proposals c JOIN tasks t ON t.task = c.task \
             WHERE c.status = 'failed' GROUP BY t.failure ORDER BY count(*) DESC, t.failure",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Returns the numbers of failed attempts of all tasks, by kind, the highest first.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn failed_attempts_by_kind(&mut self) -> Result<Vec<NamedCount>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT kind AS name, count(*) AS count FROM failures GROUP BY kind ORDER BY count(*) DESC, kind",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Returns the tasks of a molecule or free atom, given by its canonical SMILES.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
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

    /// Returns a task; None if there is none of this number.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
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

    /// Returns task and attempt of those that are submitted or running.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn live_attempts(&mut self) -> Result<Vec<(i64, i64)>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT task, attempt FROM tasks WHERE state IN ('submitted', 'running')",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Returns the running tasks with the start of their processes, milliseconds since the Unix
    /// epoch.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn running_since(&mut self) -> Result<BTreeMap<TaskId, i64>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT task, started FROM tasks WHERE state = 'running' AND started IS NOT NULL",
        )
        .fetch_all(&mut self.db)
        .await;
        let rows: Vec<(i64, i64)> = self.reading(rows)?;
        let ids = rows.into_iter();
        Ok(ids
            .map(|(task, at)| (TaskId(task.cast_unsigned()), at))
            .collect())
    }

    /// Returns the failed attempts of a task, in order.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn failed_attempts(&mut self, task: i64) -> Result<Vec<FailedAttempt>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT attempt, kind, message, started, host, at FROM failures WHERE task = ? ORDER BY attempt",
        )
        .bind(task)
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }
}
