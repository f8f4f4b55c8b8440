//! Reading for exports: the columns that a run has, and its candidates a page at a time.

use super::read::candidate_rows;
use super::{CandidateRow, Store, StoreError};

/// Parts of a run that decide which columns its export has.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportShape {
    /// Properties that were predicted for candidates of batches, by name.
    pub predicted: Vec<String>,
    /// `method.quantity` of each quantity of a molecule, ascending.
    pub quantities: Vec<String>,
    /// True if constraints were judged.
    pub has_constraints: bool,
}

impl Store {
    /// Returns the parts of the run that decide which columns its export has.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn export_shape(&mut self) -> Result<ExportShape, StoreError> {
        let predicted = sqlx::query_scalar(
            "SELECT DISTINCT property FROM predictions WHERE batch > 0 ORDER BY property",
        )
        .fetch_all(&mut self.db)
        .await;
        let quantities = sqlx::query_scalar(
            "SELECT DISTINCT coalesce(t.method || '.', '') || q.name FROM quantities q JOIN tasks t ON t.task = q.task \
             ORDER BY 1",
        )
        .fetch_all(&mut self.db)
        .await;
        let has_constraints = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM proposals WHERE feasible IS NOT NULL)",
        )
        .fetch_one(&mut self.db)
        .await;
        Ok(ExportShape {
            predicted: self.reading(predicted)?,
            quantities: self.reading(quantities)?,
            has_constraints: self.reading(has_constraints)?,
        })
    }

    /// Returns the first `n` candidates after the one with this batch and rank, in their order.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn candidates_after(
        &mut self,
        (batch, rank): (i64, i64),
        n: u32,
    ) -> Result<Vec<CandidateRow>, StoreError> {
        let rows = sqlx::query_as(candidate_rows!(
            "WHERE (c.batch, c.rank) > (?, ?) ORDER BY c.batch, c.rank LIMIT ?"
        ))
        .bind(batch)
        .bind(rank)
        .bind(n)
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }
}
