//! Reading: when tasks ran, and when no engine was at work.

use sqlx_macros::FromRow;

use super::{Store, StoreError};

/// Time that an attempt held a slot. Times are in milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct AttemptSpan {
    /// Method of its task; None in runs of 0.1.0.
    pub method: Option<String>,
    /// True for a calculation of a molecule or free atom, false for a task of the generator loop.
    pub is_simulation: bool,
    /// Start of its process.
    pub started: i64,
    /// Its end; None while it runs.
    pub finished: Option<i64>,
}

/// Time in which no engine was at work on a run, milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct Pause {
    /// Last fact before it.
    pub from: i64,
    /// Time at which the next engine resumed the run.
    pub to: i64,
}

impl Store {
    /// Returns the times of all attempts that ran, those of failed ones included, by their start.
    /// Cache hits have none. The first attempts of runs of 0.1.0 are missing.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn attempt_spans(&mut self) -> Result<Vec<AttemptSpan>, StoreError> {
        // A clock may have been set back.
        let rows = sqlx::query_as(
            "SELECT method, smiles IS NOT NULL AS is_simulation, started, \
             max(finished, started) AS finished FROM tasks WHERE cached = 0 AND started IS NOT NULL \
             UNION ALL SELECT t.method, t.smiles IS NOT NULL, f.started, max(f.at, f.started) \
             FROM failures f JOIN tasks t ON t.task = f.task \
             WHERE f.attempt < t.attempt AND f.started IS NOT NULL ORDER BY started",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Returns the times between two engines, in order.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn pauses(&mut self) -> Result<Vec<Pause>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT b.event ->> '$.at' AS \"from\", r.event ->> '$.at' AS \"to\" FROM journal r \
             JOIN journal b ON b.seq = r.seq - 1 \
             WHERE instr(r.event, '\"resumed\"') > 0 AND r.event ->> '$.fact' = 'resumed' ORDER BY r.seq",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Returns the geometry of the last calculation of a candidate in the XYZ format, angstrom; None
    /// if there is none.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn geometry(&mut self, batch: i64, rank: i64) -> Result<Option<String>, StoreError> {
        let xyz = sqlx::query_scalar(
            "SELECT r.xyz FROM candidates c JOIN results r ON r.task = c.task \
             WHERE c.batch = ? AND c.rank = ? AND r.xyz <> ''",
        )
        .bind(batch)
        .bind(rank)
        .fetch_optional(&mut self.db)
        .await;
        self.reading(xyz)
    }
}
