//! Candidates by what the search found: the Pareto front, and all that is known of a molecule.

use super::read::{CandidateRow, candidate_rows};
use super::{ObjectiveInfo, Store, StoreError};

impl Store {
    /// The Pareto front, the best of the first objective first; empty with one objective.
    pub(super) async fn front(
        &mut self,
        objectives: &[ObjectiveInfo],
    ) -> Result<Vec<CandidateRow>, StoreError> {
        let [first, _, ..] = objectives else {
            return Ok(Vec::new());
        };
        let rows = sqlx::query_as(candidate_rows!(
            "WHERE c.on_front = 1 ORDER BY c.batch, c.rank"
        ))
        .fetch_all(&mut self.db)
        .await;
        let mut rows: Vec<CandidateRow> = self.reading(rows)?;
        let sign = if first.highest { -1.0 } else { 1.0 };
        let key = |row: &CandidateRow| sign * row.value(&first.property).unwrap_or(f64::NAN);
        rows.sort_by(|a, b| key(a).total_cmp(&key(b)));
        Ok(rows)
    }

    pub(super) async fn hypervolume(&mut self) -> Result<Option<f64>, StoreError> {
        // It never shrinks.
        let largest = sqlx::query_scalar("SELECT max(hypervolume) FROM proposals")
            .fetch_one(&mut self.db)
            .await;
        self.reading(largest)
    }

    /// Returns every candidate that is this molecule, in order of batch and rank.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn candidates_of(&mut self, smiles: &str) -> Result<Vec<CandidateRow>, StoreError> {
        let rows = sqlx::query_as(candidate_rows!(
            "WHERE c.smiles = ? ORDER BY c.batch, c.rank"
        ))
        .bind(smiles)
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }
}
