//! The database of a run: one writer, any number of readers, every fact committed before it is acted on.

mod audit;
mod cache;
mod names;
mod read;
mod seal;
mod settings;
mod tasks;
mod write;

pub use audit::{Repaired, audit, repair};
pub use cache::{Cache, CacheError, Entry, Kept, Parts};
pub use read::{AtomRow, BatchRow, CandidateRow, Counts, Summary};
pub use seal::NOTE;
pub use settings::Settings;
pub use tasks::{EngineRow, FailedAttempt, FailureRow, StageRow, TaskRow};
pub use write::{Batch, Simulation};

use std::io;
use std::path::{Path, PathBuf};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use std::time::Duration;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Name of the database file in a run directory.
pub const FILE: &str = "moldflow.db";

/// The database of a run.
pub struct Store {
    db: SqliteConnection,
    path: PathBuf,
    /// Checksum of the last fact, and the note of it; of a store that writes.
    head: Option<(seal::Seal, seal::Note)>,
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
    #[error("the database {} is damaged: {what}", path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("the database {} is of an earlier version of moldflow", path.display())]
    Older { path: PathBuf },
    #[error("the database {} is of a later version of moldflow", path.display())]
    Newer { path: PathBuf },
    #[error("fact {seq} of the journal of {} cannot be understood", path.display())]
    Journal {
        path: PathBuf,
        seq: i64,
        #[source]
        source: serde_json::Error,
    },
}

impl StoreError {
    /// The file that it is about.
    pub fn path(&self) -> &Path {
        match self {
            Self::Open { path, .. }
            | Self::Migrate { path, .. }
            | Self::Write { path, .. }
            | Self::Read { path, .. }
            | Self::Journal { path, .. }
            | Self::Damaged { path, .. }
            | Self::Older { path }
            | Self::Newer { path } => path,
        }
    }

    /// Whether the database, or a part of it, is not as it was written.
    pub fn is_damage(&self) -> bool {
        // SQLITE_CORRUPT, SQLITE_NOTADB.
        matches!(self, Self::Damaged { .. } | Self::Journal { .. })
            || matches!(self.sqlite_code(), Some((11 | 26, _)))
    }

    /// Whether there is no room for it on the disk.
    pub fn is_full(&self) -> bool {
        let io = match self {
            Self::Open { source, .. } | Self::Write { source, .. } => match source {
                sqlx::Error::Io(e) => Some(e.kind()),
                _ => None,
            },
            _ => None,
        };
        // SQLITE_FULL; SQLITE_IOERR_SHMSIZE and SQLITE_IOERR_WRITE, of the files beside the database.
        io.is_some_and(|kind| {
            matches!(
                kind,
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            )
        }) || matches!(self.sqlite_code(), Some((13, _) | (_, 4874 | 778)))
    }

    /// SQLite's primary and extended code.
    fn sqlite_code(&self) -> Option<(i32, i32)> {
        let source = match self {
            Self::Open { source, .. } | Self::Write { source, .. } | Self::Read { source, .. } => {
                source
            }
            Self::Migrate {
                source: MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _),
                ..
            } => source,
            _ => return None,
        };
        let code: i32 = source.as_database_error()?.code()?.parse().ok()?;
        Some((code & 0xff, code))
    }
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
        // The note first: the database may be ahead of it, but not behind.
        let noted = seal::read(dir);
        let path = dir.join(FILE);
        let options = options(&path).read_only(true);
        let db = options.connect().await.map_err(|source| StoreError::Open {
            path: path.clone(),
            source,
        })?;
        let mut store = Self {
            db,
            path,
            head: None,
        };
        store.refuse_other_versions().await?;
        store.check_end(noted).await?;
        Ok(store)
    }

    async fn connect(
        dir: &Path,
        adapt: impl FnOnce(SqliteConnectOptions) -> SqliteConnectOptions,
    ) -> Result<Self, StoreError> {
        let noted = seal::read(dir);
        let path = dir.join(FILE);
        let options = adapt(
            options(&path)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full),
        );
        let db = options.connect().await.map_err(|source| StoreError::Open {
            path: path.clone(),
            source,
        })?;
        let mut store = Self {
            db,
            path,
            head: None,
        };
        store.check_structure().await?;
        migrate(&mut store.db, &store.path).await?;
        let last = store.seal_facts().await?;
        store.check_end(noted).await?;
        let note = seal::Note::open(dir).map_err(|e| store.could_not_note(e))?;
        store.head = Some((last, note));
        Ok(store)
    }

    /// Writes everything into the main file and closes the database.
    pub async fn close(self) -> Result<(), StoreError> {
        self.db.close().await.map_err(|source| StoreError::Write {
            path: self.path,
            source,
        })
    }

    fn damaged(&self, what: impl Into<String>) -> StoreError {
        StoreError::Damaged {
            path: self.path.clone(),
            what: what.into(),
        }
    }

    fn could_not_note(&self, e: io::Error) -> StoreError {
        StoreError::Write {
            path: self.path.with_file_name(NOTE),
            source: sqlx::Error::Io(e),
        }
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

/// Brings a database to the present schema.
async fn migrate(db: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let path = path.to_owned();
    MIGRATIONS.run(db).await.map_err(|source| match source {
        MigrateError::VersionMissing(_) => StoreError::Newer { path },
        source => StoreError::Migrate { path, source },
    })
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(60))
        .foreign_keys(true)
        .disable_statement_logging()
}
