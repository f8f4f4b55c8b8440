//! Cache of results across runs: answers of simulations, by all that they depend on, in a database
//! file that runs share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row};
use sqlx_macros::FromRow;

use crate::host::hash::{digest, hex};
use crate::task::TaskId;

/// Application id in SQLite's header of a cache: `MolF`.
const APPLICATION: i64 = 0x4d6f_6c46;
/// Version of the tables; a file of another version is not used.
const VERSION: i64 = 1;
/// Longest wait for another run that is writing.
const PATIENCE: Duration = Duration::from_secs(5);

const TABLE: &str = "CREATE TABLE IF NOT EXISTS entries (
    key       TEXT PRIMARY KEY, -- SHA-256 of `parts`
    molecule  TEXT NOT NULL, -- canonical SMILES
    parts     TEXT NOT NULL, -- JSON
    answer    TEXT NOT NULL, -- JSON
    digest    TEXT NOT NULL, -- SHA-256 of `parts` and `answer`
    run       TEXT NOT NULL,
    task      INTEGER NOT NULL,
    at        INTEGER NOT NULL -- milliseconds since the Unix epoch
) STRICT;
CREATE INDEX IF NOT EXISTS entries_of_molecule ON entries (molecule);";

/// Everything that an answer depends on, by name; `molecule` is one of the names.
pub type KeyParts = BTreeMap<String, Value>;

/// An open cache file.
pub struct Cache {
    db: SqliteConnection,
}

/// An answer to be stored, with its key and origin.
#[derive(Clone, Debug)]
pub struct CacheEntry {
    /// Key of the answer.
    pub parts: KeyParts,
    /// The answer, JSON.
    pub answer: String,
    /// Random name of the run that it comes from.
    pub run: String,
    /// Task of that run.
    pub task: TaskId,
    /// End of the task, milliseconds since the Unix epoch.
    pub at: i64,
}

/// Key and origin of an answer in the cache.
#[derive(Clone, Debug, PartialEq)]
pub struct CachedAnswer {
    /// Key of the answer.
    pub parts: KeyParts,
    /// Random name of the run that it comes from.
    pub run: String,
    /// End of the task that computed it, milliseconds since the Unix epoch.
    pub at: i64,
}

/// Reason for which a cache cannot be used; a run continues without it.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The file could not be opened.
    #[error("could not use the cache {}", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    /// The file is no cache, or one of another version.
    #[error("{} is no cache of this version of moldflow", path.display())]
    Foreign { path: PathBuf },
    /// The file could not be read or written.
    #[error("could not use the cache")]
    Use(#[from] sqlx::Error),
}

impl Cache {
    /// Opens the cache in this file; creates it if there is none. A file of another program is not
    /// changed.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be opened or is not a cache of this version.
    pub async fn open(path: &Path) -> Result<Self, CacheError> {
        let failed = |source| CacheError::Open {
            path: path.to_owned(),
            source,
        };
        // SQLite's own journal, no write-ahead log: the file may lie on a file system that several
        // hosts share.
        let options = options(path)
            .create_if_missing(true)
            .synchronous(SqliteSynchronous::Normal);
        let mut db = options.connect().await.map_err(failed)?;
        if tables(&mut db).await.map_err(failed)? == 0 {
            create(&mut db).await.map_err(failed)?;
        }
        let mut cache = Self { db };
        cache.refuse_foreign(path).await?;
        Ok(cache)
    }

    /// Opens an existing cache for reading.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be opened or is not a cache of this version.
    pub async fn open_to_read(path: &Path) -> Result<Self, CacheError> {
        let opened = options(path).read_only(true).connect().await;
        let mut cache = Self {
            db: opened.map_err(|source| CacheError::Open {
                path: path.to_owned(),
                source,
            })?,
        };
        cache.refuse_foreign(path).await?;
        Ok(cache)
    }

    async fn refuse_foreign(&mut self, path: &Path) -> Result<(), CacheError> {
        let application = pragma(&mut self.db, "PRAGMA application_id").await;
        let version = pragma(&mut self.db, "PRAGMA user_version").await;
        match (application, version) {
            (Ok(APPLICATION), Ok(VERSION)) => Ok(()),
            (Ok(_), Ok(_)) => Err(CacheError::Foreign {
                path: path.to_owned(),
            }),
            (Err(source), _) | (_, Err(source)) => Err(CacheError::Open {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Returns the answer with exactly these key parts, JSON; None if there is none or it is
    /// damaged.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read.
    pub async fn find(&mut self, parts: &KeyParts) -> Result<Option<String>, CacheError> {
        let text = text(parts);
        let row = sqlx::query("SELECT parts, answer, digest FROM entries WHERE key = ?")
            .bind(hash(&[&text]))
            .fetch_optional(&mut self.db)
            .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let (kept, answer, digest): (String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let whole = kept == text && digest == hash(&[&kept, &answer]);
        Ok(whole.then_some(answer))
    }

    /// Stores answers; an answer replaces an earlier one with the same key.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written, or another run writes for too long.
    pub async fn keep(&mut self, entries: &[CacheEntry]) -> Result<(), CacheError> {
        let mut tx = self.db.begin_with("BEGIN IMMEDIATE").await?;
        for entry in entries {
            let parts = text(&entry.parts);
            let molecule = entry.parts.get("molecule").and_then(Value::as_str);
            sqlx::query(
                "INSERT OR REPLACE INTO entries (key, molecule, parts, answer, digest, run, task, at) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(hash(&[&parts]))
            .bind(molecule.unwrap_or_default())
            .bind(&parts)
            .bind(&entry.answer)
            .bind(hash(&[&parts, &entry.answer]))
            .bind(&entry.run)
            .bind(entry.task.0.cast_signed())
            .bind(entry.at)
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Returns the answers for a canonical SMILES from before `before`, milliseconds since the Unix
    /// epoch: newest first, 1000 at most.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read.
    pub async fn of_molecule(
        &mut self,
        molecule: &str,
        before: i64,
    ) -> Result<Vec<CachedAnswer>, CacheError> {
        #[derive(FromRow)]
        struct EntryRow {
            parts: String,
            run: String,
            at: i64,
        }
        let found: Vec<EntryRow> = sqlx::query_as(
            "SELECT parts, run, at FROM entries WHERE molecule = ? AND at < ? ORDER BY at DESC LIMIT 1000",
        )
        .bind(molecule)
        .bind(before)
        .fetch_all(&mut self.db)
        .await?;
        let kept = found.into_iter().filter_map(|EntryRow { parts, run, at }| {
            let parts = serde_json::from_str(&parts).ok()?;
            Some(CachedAnswer { parts, run, at })
        });
        Ok(kept.collect())
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(PATIENCE)
        .disable_statement_logging()
}

/// Creates the tables, unless another run was faster.
async fn create(db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut tx = db.begin_with("BEGIN IMMEDIATE").await?;
    if tables(&mut tx).await? == 0 {
        let header =
            format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};");
        let header = sqlx::AssertSqlSafe(header);
        sqlx::raw_sql(header).execute(&mut *tx).await?;
        sqlx::raw_sql(TABLE).execute(&mut *tx).await?;
    }
    tx.commit().await
}

async fn tables(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(db)
        .await
}

async fn pragma(db: &mut SqliteConnection, question: &'static str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(question).fetch_one(db).await
}

/// Returns the parts as JSON, in the order of their names.
fn text(parts: &KeyParts) -> String {
    serde_json::to_string(parts).unwrap_or_default()
}

fn hash(texts: &[&str]) -> String {
    let lengths: Vec<_> = texts.iter().map(|text| text.len().to_be_bytes()).collect();
    let parts = lengths.iter().zip(texts);
    hex(&digest(
        parts.flat_map(|(length, text)| [&length[..], text.as_bytes()]),
    ))
}
