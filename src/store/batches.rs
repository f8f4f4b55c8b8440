//! Batches of the generator loop, with the metrics of their stages.

use std::collections::BTreeMap;

use sqlx_macros::FromRow;

use super::{Store, StoreError};
use crate::task::Metrics;

/// A batch of the generator loop. A stage has metrics once its task has succeeded.
#[derive(Clone, Debug, PartialEq, FromRow, serde::Serialize)]
pub struct BatchRow {
    /// Number of the batch, from 1.
    pub batch: i64,
    /// Begin of its training, milliseconds since the Unix epoch.
    pub started: i64,
    /// Time at which its candidates were queued, milliseconds since the Unix epoch.
    pub finished: Option<i64>,
    /// Evaluated molecules that its model was fitted to.
    pub observations: i64,
    /// Candidates that were new, and queued.
    pub new_candidates: Option<i64>,
    /// Numbers that describe what the stages of the generator loop did, by stage.
    #[sqlx(skip)]
    pub metrics: BTreeMap<String, Metrics>,
}

/// A number of a stage of the generator loop.
#[derive(FromRow)]
struct MetricRow {
    batch: i64,
    stage: String,
    name: String,
    value: f64,
}

impl Store {
    /// Returns the batches, in order.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn batches(&mut self) -> Result<Vec<BatchRow>, StoreError> {
        let rows = sqlx::query_as("SELECT * FROM rounds ORDER BY batch");
        let rows = rows.fetch_all(&mut self.db).await;
        let mut batches: Vec<BatchRow> = self.reading(rows)?;
        let metrics = sqlx::query_as("SELECT * FROM metrics")
            .fetch_all(&mut self.db)
            .await;
        let metrics: Vec<MetricRow> = self.reading(metrics)?;
        let places: BTreeMap<i64, usize> = (batches.iter().enumerate())
            .map(|(place, row)| (row.batch, place))
            .collect();
        for metric in metrics {
            if let Some(place) = places.get(&metric.batch) {
                let stages = &mut batches[*place].metrics;
                let of_stage = stages.entry(metric.stage).or_default();
                of_stage.insert(metric.name, metric.value);
            }
        }
        Ok(batches)
    }
}
