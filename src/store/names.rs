//! Names of molecules, as the source of a run gives them.

use std::collections::BTreeMap;

use sqlx::Connection;

use super::{Store, StoreError};

impl Store {
    /// Keeps names with the molecules that bear them, in the order of their source; what is there
    /// already stays.
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

    /// The first name of each molecule that has one, by its SMILES.
    pub async fn names(&mut self) -> Result<BTreeMap<String, String>, StoreError> {
        let rows = sqlx::query_as("SELECT smiles, name FROM names ORDER BY entry DESC")
            .fetch_all(&mut self.db)
            .await;
        let rows: Vec<(String, String)> = self.reading(rows)?;
        // Of several names the last that is taken in stays: the first of the source.
        Ok(rows.into_iter().collect())
    }

    /// The molecules that bear a name, in whatever case.
    pub async fn molecules_named(&mut self, name: &str) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query_scalar(
            "SELECT smiles FROM names WHERE name = ? COLLATE NOCASE GROUP BY smiles ORDER BY min(entry)",
        )
        .bind(name)
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }
}
