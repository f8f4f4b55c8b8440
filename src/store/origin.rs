//! Reading: the origin of a candidate, and the screenings that passed a molecule over.

use sqlx_macros::FromRow;

use super::{Store, StoreError};

/// Origin of a candidate, and what its batch was.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct CandidateOrigin {
    /// The `generate` stage that proposed it; None for a molecule of the source, and in runs of 0.1.0.
    pub generator: Option<String>,
    /// Molecules that it was made of, canonical SMILES separated by a space; None where the
    /// generator names none.
    pub parents: Option<String>,
    /// Number of candidates of its batch.
    pub batch_size: i64,
    /// The best candidate of its batch by rank, canonical SMILES.
    pub first_of_batch: String,
    /// Results that the model of its batch was fitted to; None for a molecule of the source.
    pub observations: Option<i64>,
    /// Results that came after that and before its calculation was submitted; None if it was not.
    pub newer_results: Option<i64>,
}

/// A screening that ranked a molecule.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct Screening {
    /// Batch of the screening.
    pub batch: i64,
    /// Place of the molecule among those that the screening returned, from 1.
    pub place: i64,
    /// Number of molecules that it returned.
    pub ranked: i64,
    /// Predicted cost, in the unit of the first objective.
    pub mean: f64,
    /// Standard deviation of that.
    pub std: f64,
    /// Number of candidates of the batch.
    pub chosen: i64,
}

impl Store {
    /// Returns the origin of a candidate; None if there is none at this place.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn origin(
        &mut self,
        batch: i64,
        rank: i64,
    ) -> Result<Option<CandidateOrigin>, StoreError> {
        let row = sqlx::query_as(
            "SELECT c.generator, c.parents, \
             (SELECT count(*) FROM proposals o WHERE o.batch = c.batch) AS batch_size, \
             (SELECT o.smiles FROM proposals o WHERE o.batch = c.batch ORDER BY o.rank LIMIT 1) AS first_of_batch, \
             b.observations, iif(t.task IS NULL OR b.batch IS NULL, NULL, \
             (SELECT count(*) FROM proposals o JOIN tasks u ON u.task = o.task \
             WHERE o.status = 'evaluated' AND u.finished > b.started AND u.finished <= t.submitted)) AS newer_results \
             FROM proposals c LEFT JOIN rounds b ON b.batch = c.batch LEFT JOIN tasks t ON t.task = c.task \
             WHERE c.batch = ? AND c.rank = ?",
        )
        .bind(batch)
        .bind(rank)
        .fetch_optional(&mut self.db)
        .await;
        self.reading(row)
    }

    /// Returns the screenings that ranked a molecule, given by its canonical SMILES, in their order.
    /// A screening returns somewhat more molecules than are chosen, not all that were proposed.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn screenings(&mut self, smiles: &str) -> Result<Vec<Screening>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT t.batch, e.key + 1 AS place, json_array_length(j.event, '$.outcome.ranked') AS ranked, \
             e.value ->> '$.mean' AS mean, e.value ->> '$.std' AS std, \
             (SELECT count(*) FROM proposals c WHERE c.batch = t.batch) AS chosen \
             FROM journal j, json_each(j.event, '$.outcome.ranked') e JOIN tasks t ON t.task = j.event ->> '$.task' \
             WHERE j.event ->> '$.outcome.outcome' = 'screened' AND e.value ->> '$.smiles' = ? \
             AND t.batch IS NOT NULL AND e.value ->> '$.mean' IS NOT NULL ORDER BY j.seq",
        )
        .bind(smiles)
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }
}
