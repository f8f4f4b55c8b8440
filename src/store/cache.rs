//! The cache across runs: answers of simulations, by all that they depend on. A file of its own,
//! which runs share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, FromRow, Row};

use crate::host::hash::{digest, hex};
use crate::task::TaskId;

/// Application id in SQLite's header of such a file: `MolF`.
const APPLICATION: i64 = 0x4d6f_6c46;
/// The form of the tables; a file of another form is left alone.
const VERSION: i64 = 1;
/// Longest wait for another run that writes.
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

/// All that an answer depends on, by name; `molecule` is one of them.
pub type KeyParts = BTreeMap<String, Value>;

/// The cache in a file.
pub struct Cache {
    db: SqliteConnection,
}

/// An answer to be stored, with its key and origin.
#[derive(Clone, Debug)]
pub struct CacheEntry {
    pub parts: KeyParts,
    /// JSON.
    pub answer: String,
    /// Random name of the run that it comes from.
    pub run: String,
    pub task: TaskId,
    /// Milliseconds since the Unix epoch.
    pub at: i64,
}

/// Key and origin of an answer in the cache.
#[derive(Clone, Debug, PartialEq)]
pub struct CachedAnswer {
    pub parts: KeyParts,
    pub run: String,
    pub at: i64,
}

/// Reason for which a cache cannot be used now; a run continues without it.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    #[error("could not use the cache {}", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error("{} is no cache of this version of moldflow", path.display())]
    Foreign { path: PathBuf },
    #[error("could not use the cache")]
    Use(#[from] sqlx::Error),
}

impl Cache {
    /// The cache in this file, made if there is none. What another program made is left as it is.
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

    /// An existing cache, for reading only.
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

    /// The answer kept under exactly these parts; none too if what is there has been damaged.
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

    /// Keeps answers; of two under the same parts the later one stays.
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

    /// Entries of a molecule from before `before`, milliseconds since the Unix epoch, newest
    /// first.
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

/// Makes the tables, unless another run was faster.
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

/// The parts as JSON, in the order of their names.
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
