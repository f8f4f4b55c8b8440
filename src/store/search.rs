//! Reading: what a search found, in numbers for the verdict on a run.

use sqlx_macros::FromRow;

use super::{Store, StoreError};

/// Numbers of computed molecules, by where they came from.
#[derive(Clone, Debug, Default, PartialEq, FromRow)]
pub struct SearchCounts {
    /// Molecules that have a value of every objective.
    pub computed: i64,
    /// Those of them that meet the constraints; all where the campaign has none.
    pub feasible: i64,
    /// Computed molecules that the generator loop proposed.
    pub proposed: i64,
    /// Feasible ones of these that are better than `best_of_source`; zero with several objectives.
    pub proposed_better: i64,
    /// Best feasible value among the molecules of the source; None without one, and with several
    /// objectives.
    pub best_of_source: Option<f64>,
    /// Stage that proposed the best molecule; None for one of the source, where no stage is known,
    /// and with several objectives.
    pub generator: Option<String>,
    /// Molecules of the Pareto front that the generator loop proposed; zero with one objective.
    pub proposed_on_front: i64,
}

impl Store {
    /// Returns the numbers of computed molecules. `highest`: high values of the only objective are
    /// better.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn search_counts(&mut self, highest: bool) -> Result<SearchCounts, StoreError> {
        let sign = if highest { -1.0 } else { 1.0 };
        let counts = sqlx::query_as(
            "WITH c AS (SELECT batch, rank, generator, on_front, feasible IS NOT 0 AS feasible, ?1 * objective AS cost \
             FROM candidates WHERE status = 'evaluated'), \
             s AS (SELECT min(cost) AS cost FROM c WHERE batch = 0 AND feasible) \
             SELECT count(c.batch) AS computed, count(*) FILTER (WHERE feasible) AS feasible, \
             count(*) FILTER (WHERE batch > 0) AS proposed, \
             count(*) FILTER (WHERE batch > 0 AND feasible AND c.cost < s.cost) AS proposed_better, \
             ?1 * s.cost AS best_of_source, \
             (SELECT generator FROM c WHERE cost IS NOT NULL AND feasible ORDER BY cost, batch, rank LIMIT 1) AS generator, \
             count(*) FILTER (WHERE batch > 0 AND on_front = 1) AS proposed_on_front FROM s LEFT JOIN c",
        )
        .bind(sign)
        .fetch_one(&mut self.db)
        .await;
        self.reading(counts)
    }
}
