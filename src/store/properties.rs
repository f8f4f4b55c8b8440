//! Properties of a run: their names in tables, and their units.

use sqlx::Connection;
use sqlx_macros::FromRow;

use super::{Store, StoreError};

/// A property of a run.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct PropertyInfo {
    /// Its name in the campaign.
    pub name: String,
    /// Its name in tables and charts.
    pub label: String,
    /// Its unit; empty for a plain number.
    pub unit: String,
}

impl Store {
    /// Keeps the properties of a run; what is there already stays.
    ///
    /// # Errors
    ///
    /// The database cannot be written.
    pub async fn keep_properties(&mut self, properties: &[PropertyInfo]) -> Result<(), StoreError> {
        let kept = async {
            let mut tx = self.db.begin().await?;
            for PropertyInfo { name, label, unit } in properties {
                let insert =
                    "INSERT OR IGNORE INTO properties (name, label, unit) VALUES (?, ?, ?)";
                let insert = sqlx::query(insert).bind(name).bind(label).bind(unit);
                insert.execute(&mut *tx).await?;
            }
            tx.commit().await
        };
        let kept = kept.await;
        self.writing(kept)
    }

    /// Returns the properties of the run, by name.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn properties(&mut self) -> Result<Vec<PropertyInfo>, StoreError> {
        let rows = sqlx::query_as("SELECT name, label, unit FROM properties ORDER BY name")
            .fetch_all(&mut self.db)
            .await;
        self.reading(rows)
    }
}
