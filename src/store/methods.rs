//! Methods of a run, and the units of the quantities that they return.

use std::collections::BTreeMap;

use sqlx::Connection;

use super::{Store, StoreError};

/// A method of a run, as the last engine at work had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodInfo {
    /// Its name in the campaign.
    pub method: String,
    /// `simulate`, `train`, `generate` or `screen`.
    pub kind: String,
    /// Name of its engine.
    pub engine: String,
    /// Partition of its tasks.
    pub partition: String,
    /// Tasks that the partition runs at once; None if only an allocation tells.
    pub slots: Option<usize>,
    /// Cores of a task, on all of its nodes.
    pub cores: usize,
    /// Unit of each quantity that it returns; empty for a plain number.
    pub units: BTreeMap<String, String>,
}

impl Store {
    /// Keeps the methods of a run, in place of those of an earlier engine.
    ///
    /// # Errors
    ///
    /// The database cannot be written.
    pub async fn keep_methods(&mut self, methods: &[MethodInfo]) -> Result<(), StoreError> {
        let kept = async {
            let mut tx = self.db.begin().await?;
            for info in methods {
                sqlx::query(
                    "INSERT OR REPLACE INTO methods (method, kind, engine, partition, slots, cores) VALUES (?, ?, ?, ?, ?, ?)",
                )
                .bind(&info.method)
                .bind(&info.kind)
                .bind(&info.engine)
                .bind(&info.partition)
                .bind(info.slots.map(|slots| slots as i64))
                .bind(info.cores as i64)
                .execute(&mut *tx)
                .await?;
                for (quantity, unit) in &info.units {
                    sqlx::query(
                        "INSERT OR REPLACE INTO quantity_units (method, quantity, unit) VALUES (?, ?, ?)",
                    )
                    .bind(&info.method)
                    .bind(quantity)
                    .bind(unit)
                    .execute(&mut *tx)
                    .await?;
                }
            }
            tx.commit().await
        };
        let kept = kept.await;
        self.writing(kept)
    }

    /// Returns the atomic units of quantities by `method.quantity`, empty for a plain number. A run
    /// of an earlier version has none.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn quantity_units(&mut self) -> Result<BTreeMap<String, String>, StoreError> {
        let rows = sqlx::query_as("SELECT method || '.' || quantity, unit FROM quantity_units")
            .fetch_all(&mut self.db)
            .await;
        let rows: Vec<(String, String)> = self.reading(rows)?;
        Ok(rows.into_iter().collect())
    }
}
