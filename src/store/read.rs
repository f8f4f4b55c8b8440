//! Reading: the journal for the engine, rows for reports. Each query is one statement.

use std::collections::BTreeMap;
use std::thread;

use futures_util::TryStreamExt;
use sqlx::Row;
use sqlx_macros::FromRow;
use tokio::sync::mpsc;

use super::chain::Chain;
use super::{FailureRow, ObjectiveInfo, RunInfo, Store, StoreError};
use crate::task::{Event, Prediction};

/// Rows of the journal that one thread hands to another at a time.
const CHUNK: usize = 1024;

/// Numbers of evaluations, batches and candidates of a run.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct RunCounts {
    /// Molecules that were evaluated or failed permanently.
    pub evaluations: i64,
    /// Molecules that failed permanently.
    pub failures: i64,
    /// Cache hits, free atoms included.
    pub cached: i64,
    /// Batches that brought new candidates.
    pub batches: i64,
    /// Candidates in the queue.
    pub queued: i64,
    /// Newest batch with a candidate in the queue; None if the queue is empty.
    pub newest_batch: Option<i64>,
    /// Evaluations that are submitted and have not ended.
    pub in_flight: i64,
}

/// Number of tasks, molecules or attempts of one kind, state or stage.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct NamedCount {
    /// Kind, state or stage.
    pub name: String,
    /// Number of them.
    pub count: i64,
}

/// A run as a whole, for `status` and the final report.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Name and origin of the run.
    pub run: RunInfo,
    /// Word of the reason for its end; None until the run has ended.
    pub stopped_by: Option<String>,
    /// Numbers of evaluations, batches and candidates.
    pub counts: RunCounts,
    /// Molecules that failed permanently, by the kind of their last failure.
    pub failures_by_kind: Vec<NamedCount>,
    /// Failed attempts of all tasks, those that were retried included, by kind.
    pub failed_attempts_by_kind: Vec<NamedCount>,
    /// The best feasible molecule; None until there is one, and with several objectives.
    pub best: Option<CandidateRow>,
    /// Pareto front of several objectives, in the order of the first one; empty with one objective.
    pub front: Vec<CandidateRow>,
    /// Hypervolume of the front, in the product of the units; None while there is no reference
    /// point.
    pub hypervolume: Option<f64>,
}

/// A proposed molecule with its evaluation. Times are in milliseconds since the Unix epoch.
///
/// Energies are None until it is evaluated, the columns of its task until it is submitted.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct CandidateRow {
    /// Batch, 0 for the initial molecules.
    pub batch: i64,
    /// Place in the batch, 0 is the best.
    pub rank: i64,
    /// Canonical SMILES.
    pub smiles: String,
    /// Name in the run's source, if it has one.
    pub name: Option<String>,
    /// Predictions by property, each `[mean, standard deviation]` in its unit: a JSON object.
    pub predictions: String,
    /// `queued`, `evaluating`, `evaluated`, `failed`, `superseded` or `cancelled`.
    pub status: String,
    /// Value of the objective, in its unit; None with several objectives.
    pub objective: Option<f64>,
    /// True if it meets the constraints; None unless the campaign has some.
    pub feasible: Option<bool>,
    /// True on the Pareto front of several objectives.
    pub on_front: bool,
    /// Hypervolume of the front with the result of this candidate.
    pub hypervolume: Option<f64>,
    /// Values of the computed properties by their names, each in its unit: a JSON object.
    pub properties: String,
    /// Quantities of all calculations by `method.quantity`, in atomic units: a JSON object.
    pub quantities: String,
    /// Kind of the last failure.
    pub failure: Option<String>,
    /// Message of that failure.
    pub failure_message: Option<String>,
    /// Attempts that were made, 0 for a cache hit.
    pub attempts: Option<i64>,
    /// True for a cache hit.
    pub cached: Option<bool>,
    /// Submission of its task.
    pub submitted: Option<i64>,
    /// Start of the last attempt.
    pub started: Option<i64>,
    /// End of its task.
    pub finished: Option<i64>,
    /// Most memory that the last attempt held at once, KiB.
    pub peak_memory_kib: Option<i64>,
    /// Level of theory of its energy.
    pub level_of_theory: Option<String>,
    /// Engine that computed its energy.
    pub engine: Option<String>,
    /// Version of that engine.
    pub engine_version: Option<String>,
}

impl CandidateRow {
    /// Returns the prediction of a property at the time of its batch; None for a molecule of the
    /// source.
    pub fn prediction(&self, property: &str) -> Option<Prediction> {
        let [mean, std] = *self.all_predictions().get(property)?;
        Some(Prediction { mean, std })
    }

    /// Returns mean and standard deviation of each predicted property.
    pub fn all_predictions(&self) -> BTreeMap<String, [f64; 2]> {
        serde_json::from_str(&self.predictions).unwrap_or_default()
    }

    /// Returns the value of a property, in its unit.
    pub fn value(&self, property: &str) -> Option<f64> {
        let values: BTreeMap<String, f64> = serde_json::from_str(&self.properties).ok()?;
        values.get(property).copied()
    }
}

/// A quantity of a free atom.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct FreeAtomRow {
    /// Empty in runs of 0.1.0.
    pub method: String,
    /// Symbol of the element.
    pub element: String,
    /// Name of the quantity.
    pub name: String,
    /// In atomic units.
    pub value: f64,
}

/// `proposals` joined with `tasks` and `calculations`. SQLite writes 15 digits of a number into JSON
/// unless told otherwise.
macro_rules! candidate_rows {
    ($rest:literal) => {
        concat!(
            "SELECT c.batch, c.rank, c.smiles, \
             (SELECT n.name FROM names n WHERE n.smiles = c.smiles ORDER BY n.entry LIMIT 1) AS name, c.status, c.objective, c.feasible, c.on_front, c.hypervolume, \
             iif(c.batch = 0, '{}', (SELECT json_group_object(p.property, json_array(json(printf('%!.17g', p.mean)), json(printf('%!.17g', p.std)))) \
             FROM predictions p WHERE p.batch = c.batch AND p.rank = c.rank)) AS predictions, \
             (SELECT json_group_object(p.property, json(printf('%!.17g', p.value))) FROM property_values p WHERE p.batch = c.batch AND p.rank = c.rank) AS properties, \
             (SELECT json_group_object(coalesce(m.method || '.', '') || q.name, json(printf('%!.17g', q.value))) FROM tasks m JOIN quantities q ON q.task = m.task \
             WHERE m.smiles = c.smiles) AS quantities, t.failure, t.failure_message, \
             iif(t.cached, 0, t.attempt) AS attempts, t.cached, t.submitted, t.started, \
             t.finished, t.peak_memory_kib, r.level_of_theory, r.engine, r.version AS engine_version \
             FROM proposals c LEFT JOIN tasks t ON t.task = c.task LEFT JOIN calculations r ON r.task = c.task ",
            $rest
        )
    };
}

pub(super) use candidate_rows;

impl Store {
    /// Passes every fact of the journal with its number to `take`, in order.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read or its structure is damaged, or at the first fact that
    /// does not match its checksum.
    pub async fn replay(&mut self, take: impl FnMut(i64, Event)) -> Result<(), StoreError> {
        let read = self.read_journal(take).await;
        // Damage to the structure explains what else is wrong.
        self.end_check().await.and(read)
    }

    /// Reads the journal in three steps side by side: SQLite's thread fetches rows, another one reads
    /// facts from them, this one passes them on.
    async fn read_journal(&mut self, mut take: impl FnMut(i64, Event)) -> Result<(), StoreError> {
        let path = self.path.clone();
        let failed = |source| StoreError::Read {
            path: path.clone(),
            source,
        };
        let rows = sqlx::query("SELECT seq, event, checksum FROM journal ORDER BY seq")
            .fetch(&mut self.db);
        let mut chunks = rows.try_chunks(CHUNK);
        let (to_read, fetched) = mpsc::channel(2);
        let (to_pass, mut facts) = mpsc::channel(2);
        let chain = Chain::new(&path);
        thread::Builder::new()
            .spawn(move || chain.follow_all(fetched, to_pass))
            .map_err(|error| failed(sqlx::Error::Io(error)))?;
        let fetch = async move {
            while let Some(rows) = chunks.try_next().await.map_err(|error| error.1)? {
                // Nobody receives them after a damaged fact.
                if to_read.send(rows).await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        let pass = async {
            while let Some(read) = facts.recv().await {
                read?.into_iter().for_each(|(seq, event)| take(seq, event));
            }
            Ok(())
        };
        let (fetched, passed) = tokio::join!(fetch, pass);
        passed.and(fetched.map_err(failed))
    }

    /// Begins a transaction: everything read from now on is of one moment, while an engine writes.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn hold_still(&mut self) -> Result<(), StoreError> {
        let begun = sqlx::query("BEGIN").execute(&mut self.db).await;
        self.reading(begun.map(drop))
    }

    /// Returns the number of facts in the journal.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn facts(&mut self) -> Result<i64, StoreError> {
        let last = sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM journal")
            .fetch_one(&mut self.db)
            .await;
        self.reading(last)
    }

    /// Returns name and origin of the run.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn run_info(&mut self) -> Result<RunInfo, StoreError> {
        Ok(self.run().await?.0)
    }

    async fn run(&mut self) -> Result<(RunInfo, Option<String>), StoreError> {
        let row = sqlx::query("SELECT name, campaign, created, version, stopped_by FROM run")
            .fetch_one(&mut self.db)
            .await;
        let row = self.reading(row)?;
        let objectives = sqlx::query_as(
            "SELECT o.property, p.label, p.unit, o.highest FROM objectives o JOIN properties p ON p.name = o.property ORDER BY o.place",
        )
        .fetch_all(&mut self.db)
        .await;
        let objectives: Vec<ObjectiveInfo> = self.reading(objectives)?;
        let info = || -> Result<_, sqlx::Error> {
            let info = RunInfo {
                name: row.try_get(0)?,
                campaign: row.try_get(1)?,
                created: row.try_get(2)?,
                version: row.try_get(3)?,
                objectives,
            };
            Ok((info, row.try_get(4)?))
        };
        self.reading(info())
    }

    /// Returns the run as a whole.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn summary(&mut self) -> Result<Summary, StoreError> {
        let (run, stopped_by) = self.run().await?;
        let best = match run.only_objective().map(|objective| objective.highest) {
            Some(highest) => self.best(1, highest).await?.pop(),
            None => None,
        };
        Ok(Summary {
            front: self.front(&run.objectives).await?,
            hypervolume: match run.only_objective() {
                Some(_) => None,
                None => self.hypervolume().await?,
            },
            run,
            stopped_by,
            counts: self.counts().await?,
            failures_by_kind: self.failures_by_kind().await?,
            failed_attempts_by_kind: self.failed_attempts_by_kind().await?,
            best,
        })
    }

    async fn counts(&mut self) -> Result<RunCounts, StoreError> {
        let counts = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE status IN ('evaluated', 'failed')) AS evaluations, \
             count(*) FILTER (WHERE status = 'failed') AS failures, \
             (SELECT count(*) FROM tasks WHERE cached = 1) AS cached, \
             (SELECT count(*) FROM rounds WHERE new_candidates > 0) AS batches, \
             count(*) FILTER (WHERE status = 'queued') AS queued, \
             max(batch) FILTER (WHERE status = 'queued') AS newest_batch, \
             count(*) FILTER (WHERE status = 'evaluating') AS in_flight FROM proposals",
        )
        .fetch_one(&mut self.db)
        .await;
        self.reading(counts)
    }

    /// Tasks that run now, by method.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn running_by_method(&mut self) -> Result<Vec<NamedCount>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT coalesce(method, stage) AS name, count(*) AS count FROM tasks WHERE state = 'running' GROUP BY 1",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Returns the numbers of tasks by state.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn tasks_by_state(&mut self) -> Result<Vec<NamedCount>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT state AS name, count(*) AS count FROM tasks GROUP BY state ORDER BY state",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }

    /// Returns the last failure of the task that failed last; None if no task failed.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn last_failure(&mut self) -> Result<Option<FailureRow>, StoreError> {
        let row = sqlx::query_as(
            "SELECT task, stage, smiles, \
             (SELECT n.name FROM names n WHERE n.smiles = tasks.smiles ORDER BY n.entry LIMIT 1) AS name, \
             attempt, failure AS kind, failure_message AS message, finished AS at FROM tasks \
             WHERE state = 'failed' ORDER BY finished DESC, task DESC LIMIT 1",
        )
        .fetch_optional(&mut self.db)
        .await;
        self.reading(row)
    }

    /// The `n` best feasible molecules; `highest` if high values of the objective are better.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn best(&mut self, n: u32, highest: bool) -> Result<Vec<CandidateRow>, StoreError> {
        let query = match highest {
            false => candidate_rows!(
                "WHERE c.objective IS NOT NULL AND c.feasible IS NOT 0 ORDER BY c.objective, c.batch, c.rank LIMIT ?"
            ),
            true => candidate_rows!(
                "WHERE c.objective IS NOT NULL AND c.feasible IS NOT 0 ORDER BY c.objective DESC, c.batch, c.rank LIMIT ?"
            ),
        };
        let rows = sqlx::query_as(query).bind(n).fetch_all(&mut self.db).await;
        self.reading(rows)
    }

    /// Returns every candidate, in order of batch and rank.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn candidates(&mut self) -> Result<Vec<CandidateRow>, StoreError> {
        let rows = sqlx::query_as(candidate_rows!("ORDER BY c.batch, c.rank"))
            .fetch_all(&mut self.db)
            .await;
        self.reading(rows)
    }

    /// The free atoms, by method, element and quantity.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn free_atoms(&mut self) -> Result<Vec<FreeAtomRow>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT method, element, name, value FROM free_atoms ORDER BY method, element, name",
        )
        .fetch_all(&mut self.db)
        .await;
        self.reading(rows)
    }
}
