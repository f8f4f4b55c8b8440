//! Comparison of a database with what its journal gives.

use std::path::Path;

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

use super::chain::Chain;
use super::derived::apply;
use super::seal::Seal;
use super::settings::{self, StoredSettings};
use super::write::{append_to_journal, insert_result};
use super::{FILE, SimulationRow, StoreError};
use crate::task::{Event, Record, TaskId};

/// Facts that are applied in one transaction.
const CHUNK: usize = 1000;

/// Tables that follow from the journal, with the columns that do not: a start is no fact, only its
/// attempt's end is.
const DERIVED: [(&str, &[&str]); 9] = [
    ("tasks", &["state", "started"]),
    ("failures", &[]),
    ("free_atoms", &[]),
    ("quantities", &[]),
    ("property_values", &[]),
    ("proposals", &[]),
    ("predictions", &[]),
    ("rounds", &[]),
    ("metrics", &[]),
];

/// Returns the number of facts, and a sentence for each table of the database of `dir` that differs
/// from what its journal gives. `records` returns the records of a fact. Structure and end of the
/// journal are checked when a [`Store`](super::Store) is opened.
///
/// # Errors
///
/// Fails if the database cannot be read or its journal is damaged.
pub async fn audit(
    dir: &Path,
    records: impl FnMut(i64, &Event) -> Vec<Record>,
) -> Result<(i64, Vec<String>), StoreError> {
    let path = dir.join(FILE);
    // By its name: a connection that is opened as one in memory attaches files as such, too.
    let memory = SqliteConnectOptions::new().filename(":memory:");
    let mut derived = DerivedDatabase::beside(&path, memory).await?;
    let (facts, damage) = derived.replay(records).await?;
    if let Some(damage) = damage {
        return Err(damage);
    }
    let mut faults = derived.differences().await?;
    let lost = derived.copy_results().await?;
    if lost > 0 {
        faults.push(format!(
            "{lost} rows of the table `calculations` are not as they were written"
        ));
    }
    Ok((facts, faults))
}

/// A database derived from the journal of another one, which is attached as `disk`.
pub(super) struct DerivedDatabase {
    /// The derived database.
    pub db: SqliteConnection,
    /// Position in the journal of `disk`.
    pub chain: Chain,
}

impl DerivedDatabase {
    /// Opens an empty database with `options` and attaches the database file `path`.
    pub async fn beside(path: &Path, options: SqliteConnectOptions) -> Result<Self, StoreError> {
        let open = |source| StoreError::Open {
            path: path.to_owned(),
            source,
        };
        let mut db = options.connect().await.map_err(open)?;
        super::migrate(&mut db, path).await?;
        // A damaged definition of a derived table must not keep the other tables from being read.
        let tolerant = sqlx::query("PRAGMA writable_schema = ON")
            .execute(&mut db)
            .await;
        tolerant.map_err(open)?;
        let text = path.to_string_lossy().into_owned();
        let attached = sqlx::query("ATTACH DATABASE ? AS disk")
            .bind(text)
            .execute(&mut db)
            .await;
        attached.map_err(open)?;
        let chain = Chain::new(path);
        Ok(Self { db, chain })
    }

    fn reading<T>(&self, answer: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        answer.map_err(|source| StoreError::Read {
            path: self.chain.path.clone(),
            source,
        })
    }

    /// Applies the journal up to where it is damaged; returns the number of facts, and the damage.
    pub async fn replay(
        &mut self,
        mut records: impl FnMut(i64, &Event) -> Vec<Record>,
    ) -> Result<(i64, Option<StoreError>), StoreError> {
        loop {
            let before = self.chain.seq;
            let mut facts = Vec::new();
            let mut damage = None;
            let mut seal = self.chain.seal;
            {
                let mut rows = sqlx::query(
                    "SELECT seq, event, checksum FROM disk.journal WHERE seq > ? ORDER BY seq LIMIT ?",
                )
                .bind(before)
                .bind(CHUNK as i64)
                .fetch(&mut self.db);
                while damage.is_none() {
                    match rows.try_next().await {
                        Ok(None) => break,
                        Ok(Some(row)) => match self.chain.follow(&row) {
                            Ok((seq, event)) => {
                                let text: String = row.get(1);
                                facts.push((text, records(seq, &event), event.at));
                            }
                            Err(error) => damage = Some(error),
                        },
                        Err(source) => {
                            let path = self.chain.path.clone();
                            damage = Some(StoreError::Read { path, source });
                        }
                    }
                }
            }
            let is_last = facts.len() < CHUNK;
            let taken_in = take_in(&mut self.db, facts, &mut seal).await;
            self.reading(taken_in)?;
            if is_last {
                return Ok((self.chain.seq, damage));
            }
        }
    }

    /// Copies the tables that cannot be derived, except `calculations`.
    pub async fn copy_run(&mut self, settings: &[StoredSettings]) -> Result<(), StoreError> {
        let columns = "INSERT INTO main.run SELECT * FROM disk.run";
        let older = "INSERT INTO main.run (only, name, campaign, created, version) \
                     SELECT only, name, campaign, created, version FROM disk.run";
        let copied = match sqlx::query(columns).execute(&mut self.db).await {
            Err(_) => sqlx::query(older).execute(&mut self.db).await,
            copied => copied,
        };
        self.reading(copied)?;
        // The campaign has them as well.
        let _ = sqlx::query(
            "INSERT OR IGNORE INTO main.properties SELECT name, label, unit FROM disk.properties",
        )
        .execute(&mut self.db)
        .await;
        let _ = sqlx::query(
            "INSERT OR IGNORE INTO main.objectives SELECT place, property, highest FROM disk.objectives",
        )
        .execute(&mut self.db)
        .await;
        let _ = sqlx::query("INSERT OR IGNORE INTO main.methods SELECT method, kind, engine, partition, slots, cores FROM disk.methods")
            .execute(&mut self.db)
            .await;
        let _ = sqlx::query("INSERT OR IGNORE INTO main.quantity_units SELECT method, quantity, unit FROM disk.quantity_units")
            .execute(&mut self.db)
            .await;
        // A database of an earlier version has none, and names are not worth a failed repair.
        let _ = sqlx::query("INSERT INTO main.names SELECT entry, smiles, name FROM disk.names")
            .execute(&mut self.db)
            .await;
        // If the database has none, or damaged ones, those in the run directory are accepted.
        for settings in settings {
            let copied = settings::insert(&mut self.db, settings).await;
            self.reading(copied)?;
        }
        Ok(())
    }

    /// Copies the results of succeeded tasks; returns the number of damaged ones.
    pub async fn copy_results(&mut self) -> Result<usize, StoreError> {
        let tasks: Vec<i64> = {
            let tasks =
                sqlx::query_scalar("SELECT task FROM main.tasks WHERE state = 'succeeded' ")
                    .fetch_all(&mut self.db)
                    .await;
            self.reading(tasks)?
        };
        let mut lost = 0;
        for task in tasks {
            let query = sqlx::query("SELECT * FROM disk.calculations WHERE task = ?").bind(task);
            let mut row = query.fetch_optional(&mut self.db).await;
            if row.is_err() {
                // Its name before migration 11.
                let query = sqlx::query("SELECT * FROM disk.results WHERE task = ?").bind(task);
                row = query.fetch_optional(&mut self.db).await;
            }
            let found = match row {
                Ok(None) => continue,
                Ok(Some(row)) => result(task, &row),
                Err(_) => None,
            };
            let simulation = found.unwrap_or_else(|| {
                lost += 1;
                SimulationRow::lost(task)
            });
            let copied = insert_result(&mut self.db, &simulation).await;
            self.reading(copied)?;
        }
        Ok(lost)
    }

    /// Returns a sentence for each derived table in which `disk` has other rows.
    async fn differences(&mut self) -> Result<Vec<String>, StoreError> {
        let mut faults = Vec::new();
        for (table, not_derived) in DERIVED {
            let columns = sqlx::query_scalar("SELECT name FROM pragma_table_info(?)")
                .bind(table)
                .fetch_all(&mut self.db)
                .await;
            let mut columns: Vec<String> = self.reading(columns)?;
            columns.retain(|column| !not_derived.contains(&column.as_str()));
            let columns = columns.join(", ");
            for (one, other) in [("main", "disk"), ("disk", "main")] {
                let sql = format!(
                    "SELECT count(*) FROM (SELECT {columns} FROM {one}.{table} EXCEPT SELECT {columns} FROM {other}.{table})"
                );
                let rows = sqlx::query_scalar(AssertSqlSafe(sql))
                    .fetch_one(&mut self.db)
                    .await;
                let rows: i64 = self.reading(rows)?;
                if rows > 0 {
                    faults.push(format!(
                        "{rows} rows of the table `{table}` are not what the journal gives"
                    ));
                    break;
                }
            }
        }
        Ok(faults)
    }
}

async fn take_in(
    db: &mut SqliteConnection,
    facts: Vec<(String, Vec<Record>, i64)>,
    seal: &mut Seal,
) -> Result<(), sqlx::Error> {
    let mut tx = db.begin().await?;
    for (text, records, at) in facts {
        append_to_journal(&mut tx, &text, seal).await?;
        for record in &records {
            apply(&mut tx, record, at).await?;
        }
    }
    tx.commit().await
}

/// Reads a row of `calculations`; None if it does not match its checksum. Old rows have no checksum.
fn result(task: i64, row: &SqliteRow) -> Option<SimulationRow> {
    let simulation = SimulationRow {
        task: TaskId(task.cast_unsigned()),
        engine: row.try_get("engine").ok()?,
        version: row.try_get("version").ok()?,
        // `level` before migration 6.
        level_of_theory: row
            .try_get("level_of_theory")
            .or_else(|_| row.try_get("level"))
            .ok()?,
        xyz: row.try_get("xyz").ok()?,
    };
    let checksum: Option<Vec<u8>> = row.try_get("checksum").ok()?;
    checksum
        .is_none_or(|checksum| checksum == simulation.seal())
        .then_some(simulation)
}
