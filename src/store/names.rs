//! Names of molecules, as the source of a run gives them.

use std::collections::BTreeMap;

use sqlx::Connection;

use super::{Store, StoreError};

impl Store {
    /// Stores pairs of canonical SMILES and name, in the order of their source; those that are
    /// stored already stay.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be written.
    pub async fn keep_names(&mut self, names: &[(String, String)]) -> Result<(), StoreError> {
        let kept = async {
            let mut tx = self.db.begin().await?;
            for (smiles, name) in names {
                sqlx::query("INSERT OR IGNORE INTO names (smiles, name) VALUES (?, ?)")
                    .bind(smiles)
                    .bind(name)
                    .execute(&mut *tx)
                    .await?;
            }
            tx.commit().await
        };
        let kept = kept.await;
        self.writing(kept)
    }

    /// Returns the first name of each molecule that has one, by its canonical SMILES.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn names(&mut self) -> Result<BTreeMap<String, String>, StoreError> {
        let rows = sqlx::query_as("SELECT smiles, name FROM names ORDER BY entry DESC")
            .fetch_all(&mut self.db)
            .await;
        let rows: Vec<(String, String)> = self.reading(rows)?;
        // The last of several names stays in the map, and that is the first of the source.
        Ok(rows.into_iter().collect())
    }

    /// Returns the canonical SMILES of the molecules with this name; case does not matter.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn molecules_named(&mut self, name: &str) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query_scalar(
            "SELECT smiles FROM names WHERE name = ? COLLATE NOCASE GROUP BY smiles ORDER BY min(entry)",
        )
        .bind(name)
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Returns the names of a molecule, given by its canonical SMILES, in the order of the source.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn names_of(&mut self, smiles: &str) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query_scalar("SELECT name FROM names WHERE smiles = ? ORDER BY entry")
            .bind(smiles)
            .fetch_all(&mut self.db)
            .await;
        self.reading(rows)
    }
}
