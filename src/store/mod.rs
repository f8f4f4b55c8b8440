//! The database of a run: one writer, any number of readers, every fact committed before it is acted on.

mod cache;
mod read;
mod tasks;
mod write;

pub use cache::{Cache, CacheError, Entry, Kept, Parts};
pub use read::{AtomRow, BatchRow, CandidateRow, Counts, Summary};
pub use tasks::{FailedAttempt, TaskRow};
pub use write::{Batch, Simulation};

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use std::time::Duration;

/// Name of the database file in a run directory.
pub const FILE: &str = "moldflow.db";

/// The database of a run.
pub struct Store {
    db: SqliteConnection,
    path: PathBuf,
}

/// What a run is called and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunInfo {
    /// Random name, the first part of every token.
    pub name: String,
    /// Name of the campaign.
    pub campaign: String,
    /// Milliseconds since the Unix epoch.
    pub created: i64,
    /// Version of the program.
    pub version: String,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("could not open the database {}", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error("could not bring the database {} to the present schema", path.display())]
    Migrate {
        path: PathBuf,
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    #[error("the database {} could not be written", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error("the database {} could not be read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error("fact {seq} of the journal of {} cannot be understood", path.display())]
    Journal {
        path: PathBuf,
        seq: i64,
        #[source]
        source: serde_json::Error,
    },
}

impl Store {
    /// The database of a run, made and named after `info` if there is none.
    pub async fn create(dir: &Path, info: &RunInfo) -> Result<Self, StoreError> {
        let mut store = Self::connect(dir, |options| options.create_if_missing(true)).await?;
        store.insert_run(info).await?;
        Ok(store)
    }

    /// Opens the database of an existing run for writing.
    pub async fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::connect(dir, |options| options).await
    }

    /// Opens the database of a run for reading, while an engine may be writing to it.
    pub async fn open_to_read(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        let options = options(&path).read_only(true);
        let db = options.connect().await.map_err(|source| StoreError::Open {
            path: path.clone(),
            source,
        })?;
        Ok(Self { db, path })
    }

    async fn connect(
        dir: &Path,
        adapt: impl FnOnce(SqliteConnectOptions) -> SqliteConnectOptions,
    ) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        let options = adapt(
            options(&path)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full),
        );
        let mut db = options.connect().await.map_err(|source| StoreError::Open {
            path: path.clone(),
            source,
        })?;
        let migrated = sqlx::migrate!().run(&mut db).await;
        migrated.map_err(|source| StoreError::Migrate {
            path: path.clone(),
            source,
        })?;
        Ok(Self { db, path })
    }

    /// Writes everything into the main file and closes the database.
    pub async fn close(self) -> Result<(), StoreError> {
        self.db.close().await.map_err(|source| StoreError::Write {
            path: self.path,
            source,
        })
    }

    fn reading<T>(&self, answer: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        answer.map_err(|source| StoreError::Read {
            path: self.path.clone(),
            source,
        })
    }

    fn writing<T>(&self, answer: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        answer.map_err(|source| StoreError::Write {
            path: self.path.clone(),
            source,
        })
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(60))
        .foreign_keys(true)
        .disable_statement_logging()
}
