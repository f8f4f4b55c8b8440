//! Reading: all results of a method, and the molecules that it failed for.

use sqlx_macros::FromRow;

use super::{Store, StoreError};

/// A result of a method.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct MethodResult {
    /// Task that computed it.
    pub task: i64,
    /// Canonical SMILES of a molecule, `[C]` for a free atom.
    pub smiles: String,
    /// End of the task, milliseconds since the Unix epoch.
    pub finished: i64,
    /// Name of the engine.
    pub engine: String,
    /// Version of the program or libraries.
    pub version: String,
    /// Level of theory.
    pub level_of_theory: String,
    /// Geometry in the XYZ format, angstrom.
    pub xyz: String,
    /// Quantities by name, in atomic units: a JSON object.
    pub quantities: String,
}

/// A result of a molecule.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct MoleculeResult {
    /// Method that computed it; None in runs of 0.1.0.
    pub method: Option<String>,
    /// Name of the engine.
    pub engine: String,
    /// Version of the program or libraries.
    pub version: String,
    /// Level of theory.
    pub level_of_theory: String,
    /// Geometry in the XYZ format, angstrom; empty if there is none.
    pub xyz: String,
    /// Quantities by name, in atomic units: a JSON object.
    pub quantities: String,
}

/// A molecule that failed for good.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct FailedMolecule {
    /// Canonical SMILES.
    pub smiles: String,
    /// Method whose task failed.
    pub method: String,
    /// Kind of the failure.
    pub kind: String,
}

impl Store {
    /// Returns the results of a method, those of free atoms included, in the order of their tasks.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn results_of(&mut self, method: &str) -> Result<Vec<MethodResult>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT t.task, t.smiles, coalesce(t.finished, 0) AS finished, r.engine, r.version, r.level_of_theory, r.xyz, \
             CASE WHEN t.batch IS NULL \
             THEN (SELECT json_group_object(f.name, json(printf('%!.17g', f.value))) FROM free_atoms f \
             WHERE f.method = t.method AND '[' || f.element || ']' = t.smiles) \
             ELSE (SELECT json_group_object(q.name, json(printf('%!.17g', q.value))) FROM quantities q WHERE q.task = t.task) \
             END AS quantities \
             FROM tasks t JOIN calculations r ON r.task = t.task \
             WHERE t.method = ? AND t.state = 'succeeded' AND t.smiles IS NOT NULL ORDER BY t.task",
        )
        .bind(method)
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Returns the results of a molecule, in the order of their tasks.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn results_for(&mut self, smiles: &str) -> Result<Vec<MoleculeResult>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT t.method, r.engine, r.version, r.level_of_theory, r.xyz, \
             (SELECT json_group_object(q.name, json(printf('%!.17g', q.value))) FROM quantities q WHERE q.task = t.task) AS quantities \
             FROM tasks t JOIN calculations r ON r.task = t.task \
             WHERE t.smiles = ? AND t.state = 'succeeded' ORDER BY t.task",
        )
        .bind(smiles)
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Returns how long the last attempts of the tasks of a method took that succeeded for molecules
    /// or in the generator loop, milliseconds.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn durations(&mut self, method: &str) -> Result<Vec<i64>, StoreError> {
        let rows = sqlx::query_scalar(
            "SELECT finished - started FROM tasks WHERE method = ? AND state = 'succeeded' \
             AND batch IS NOT NULL AND started IS NOT NULL AND finished >= started",
        )
        .bind(method)
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Returns the time that the attempts of each method took, failed ones included, milliseconds.
    /// Attempts that were cancelled do not count.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn time_by_method(&mut self) -> Result<Vec<(String, i64)>, StoreError> {
        let last = sqlx::query_as(
            "SELECT method, sum(max(finished - started, 0)) FROM tasks \
             WHERE method IS NOT NULL AND state IN ('succeeded', 'failed') AND started IS NOT NULL GROUP BY method",
        )
        .fetch_all(&mut self.db)
        .await;
        let mut times: Vec<(String, i64)> = self.reading(last)?;
        let retried = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM failures f JOIN tasks t ON t.task = f.task WHERE f.attempt < t.attempt)",
        )
        .fetch_one(&mut self.db)
        .await;
        let retried: bool = self.reading(retried)?;
        if retried {
            times.extend(self.time_of_retried_attempts().await?);
        }
        Ok(times)
    }

    /// Only the journal has the times of attempts that were followed by another.
    async fn time_of_retried_attempts(&mut self) -> Result<Vec<(String, i64)>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT t.method, \
             sum(max(coalesce(j.event ->> '$.usage.ended', j.event ->> '$.at') - (j.event ->> '$.usage.started'), 0)) \
             FROM journal j JOIN tasks t ON t.task = j.event ->> '$.task' \
             WHERE j.event LIKE '%\"outcome\":\"failed\"%' AND t.method IS NOT NULL \
             AND j.event ->> '$.attempt' < t.attempt AND j.event ->> '$.usage.started' IS NOT NULL GROUP BY t.method",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Returns the molecules that failed for good, with the task that failed, in the order of their
    /// batches. Those that lacked a free atom are not among them.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn failed_molecules(&mut self) -> Result<Vec<FailedMolecule>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT c.smiles, coalesce(t.method, '') AS method, coalesce(t.failure, '') AS kind \
             FROM proposals c JOIN tasks t ON t.task = c.task \
             WHERE c.status = 'failed' AND t.batch IS NOT NULL ORDER BY c.batch, c.rank",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Returns the molecules that have been computed, those that failed included, in the order of
    /// their batches.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn computed_molecules(&mut self) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query_scalar(
            "SELECT smiles FROM proposals WHERE status IN ('evaluated', 'failed', 'evaluating', 'cancelled') \
             ORDER BY batch, rank",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }
}
