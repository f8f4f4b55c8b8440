//! Reading for those who watch a run: what has ended since their last look, and short lists.

use sqlx_macros::FromRow;

use super::{Store, StoreError};

/// A task that has ended, with the time that it took.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct EndedTask {
    /// Name of its method; None in runs of 0.1.0.
    pub method: Option<String>,
    /// Start of its last attempt, milliseconds since the Unix epoch.
    pub started: i64,
    /// Its end, milliseconds since the Unix epoch.
    pub finished: i64,
}

/// An evaluation of the objectives that has ended.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct EndedEvaluation {
    /// Batch of the candidate.
    pub batch: i64,
    /// Rank of the candidate in its batch, 0 is the best.
    pub rank: i64,
    /// True if it failed for good.
    pub failed: bool,
    /// Value of the only objective, in its unit; None with several objectives.
    pub objective: Option<f64>,
    /// True unless it violates a constraint.
    pub feasible: bool,
    /// Hypervolume of the front with this result.
    pub hypervolume: Option<f64>,
    /// End of its task, milliseconds since the Unix epoch; None for a result that was inherited.
    pub finished: Option<i64>,
}

/// A task that runs now.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct RunningTask {
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
    /// Start of the attempt, milliseconds since the Unix epoch.
    pub started: Option<i64>,
}

/// A candidate that waits in the queue.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct QueuedCandidate {
    /// Batch of the candidate.
    pub batch: i64,
    /// Rank of the candidate in its batch, 0 is the best.
    pub rank: i64,
    /// Canonical SMILES.
    pub smiles: String,
    /// Name in the run's source, if it has one.
    pub name: Option<String>,
    /// Predicted mean of the first objective, in its unit.
    pub mean: Option<f64>,
    /// Predicted standard deviation of the first objective, in its unit.
    pub std: Option<f64>,
}

/// Tasks whose ends were journalled after a fact, or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndedSince {
    /// All tasks: there is no earlier look, or more than tasks has changed since it.
    Everything,
    /// The tasks with these numbers, as a JSON list.
    Tasks(String),
}

/// Columns of [`EndedEvaluation`]. With several objectives an evaluation is complete when the front
/// has judged it, which `hypervolume` or a last calculation shows.
macro_rules! ended_evaluations {
    ($rest:literal) => {
        concat!(
            "SELECT c.batch, c.rank, c.status = 'failed' AS failed, c.objective, c.feasible IS NOT 0 AS feasible, c.hypervolume, t.finished \
             FROM candidates c LEFT JOIN tasks t ON t.task = c.task \
             WHERE c.status IN ('evaluated', 'failed') ",
            $rest,
            " ORDER BY t.finished, c.task, c.batch, c.rank"
        )
    };
}

impl Store {
    /// Ends the transaction of [`Store::hold_still`].
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn let_go(&mut self) -> Result<(), StoreError> {
        let ended = sqlx::query("COMMIT").execute(&mut self.db).await;
        self.reading(ended.map(drop))
    }

    /// Returns the tasks that ended after the fact `seq` of the journal. It reads the facts since then
    /// only.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn ended_since(&mut self, seq: i64) -> Result<EndedSince, StoreError> {
        if seq == 0 {
            return Ok(EndedSince::Everything);
        }
        let row = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE event ->> '$.fact' NOT IN ('ended', 'cached')), \
             json_group_array(event -> '$.task') FILTER (WHERE event -> '$.task' IS NOT NULL) FROM journal WHERE seq > ?",
        )
        .bind(seq)
        .fetch_one(&mut self.db)
        .await;
        let (others, tasks): (i64, String) = self.reading(row)?;
        Ok(match others {
            0 => EndedSince::Tasks(tasks),
            _ => EndedSince::Everything,
        })
    }

    /// Returns the tasks among `which` that were computed and have ended.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn ended_tasks(&mut self, which: &EndedSince) -> Result<Vec<EndedTask>, StoreError> {
        let rows = match which {
            EndedSince::Everything => {
                sqlx::query_as(
                    "SELECT method, started, finished FROM tasks \
                     WHERE state IN ('succeeded', 'failed') AND started IS NOT NULL AND finished IS NOT NULL AND cached = 0",
                )
                .fetch_all(&mut self.db)
                .await
            }
            EndedSince::Tasks(tasks) => {
                sqlx::query_as(
                    "SELECT method, started, finished FROM tasks WHERE task IN (SELECT value FROM json_each(?)) \
                     AND state IN ('succeeded', 'failed') AND started IS NOT NULL AND finished IS NOT NULL AND cached = 0",
                )
                .bind(tasks)
                .fetch_all(&mut self.db)
                .await
            }
        };
        self.reading(rows)
    }

    /// Returns the evaluations whose last task is among `which`, in the order in which they ended.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn ended_evaluations(
        &mut self,
        which: &EndedSince,
    ) -> Result<Vec<EndedEvaluation>, StoreError> {
        let rows = match which {
            EndedSince::Everything => {
                sqlx::query_as(ended_evaluations!(""))
                    .fetch_all(&mut self.db)
                    .await
            }
            EndedSince::Tasks(tasks) => {
                // Batches are small, and `candidates` is ordered by them.
                sqlx::query_as(ended_evaluations!(
                    "AND c.batch IN (SELECT batch FROM tasks WHERE task IN (SELECT value FROM json_each(?1))) \
                     AND c.task IN (SELECT value FROM json_each(?1))"
                ))
                .bind(tasks)
                .fetch_all(&mut self.db)
                .await
            }
        };
        self.reading(rows)
    }

    /// Returns the tasks that run now, the one that began first at the beginning.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn running_tasks(&mut self) -> Result<Vec<RunningTask>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT task, stage, method, smiles, \
             (SELECT n.name FROM names n WHERE n.smiles = tasks.smiles ORDER BY n.entry LIMIT 1) AS name, started \
             FROM tasks WHERE state = 'running' ORDER BY started, task",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Returns the first `n` candidates of the queue, in the order in which they are taken.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn queue(&mut self, n: u32) -> Result<Vec<QueuedCandidate>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT c.batch, c.rank, c.smiles, \
             (SELECT n.name FROM names n WHERE n.smiles = c.smiles ORDER BY n.entry LIMIT 1) AS name, p.mean, p.std \
             FROM candidates c LEFT JOIN predictions p ON p.batch = c.batch AND p.rank = c.rank \
             AND p.property = (SELECT property FROM objectives WHERE place = 1) \
             WHERE c.status = 'queued' ORDER BY c.batch DESC, c.rank LIMIT ?",
        )
        .bind(n)
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Returns the time of the last fact of the journal, milliseconds since the Unix epoch; None if
    /// there is none.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn last_event(&mut self) -> Result<Option<i64>, StoreError> {
        let at =
            sqlx::query_scalar("SELECT event ->> '$.at' FROM journal ORDER BY seq DESC LIMIT 1")
                .fetch_optional(&mut self.db)
                .await;
        self.reading(at)
    }
}
