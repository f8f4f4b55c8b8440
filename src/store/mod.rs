//! The database of a run: one writer, any number of readers, every fact committed before it is
//! acted on.

mod audit;
mod batches;
mod cache;
mod chain;
mod derived;
mod error;
mod export;
mod front;
mod methods;
mod monitor;
mod names;
mod origin;
mod properties;
mod read;
mod repair;
mod results;
mod seal;
mod search;
mod settings;
mod tasks;
mod timeline;
mod write;

pub(crate) use audit::audit;
pub use batches::BatchRow;
pub(crate) use cache::{Cache, CacheEntry, CacheError, CachedAnswer, KeyParts};
pub(crate) use error::LEAST_ROOM;
pub use error::StoreError;
pub use methods::MethodInfo;
pub use monitor::{EndedEvaluation, EndedSince, EndedTask, QueuedCandidate, RunningTask};
pub use origin::{CandidateOrigin, Screening};
pub use properties::PropertyInfo;
pub use read::{CandidateRow, FreeAtomRow, NamedCount, RunCounts, Summary};
pub(crate) use repair::repair;
pub use results::{FailedMolecule, MethodResult, MoleculeResult};
pub use search::SearchCounts;
pub use settings::StoredSettings;
pub use tasks::{EngineRow, FailedAttempt, FailureRow, StageRow, TaskRow};
pub use timeline::{AttemptSpan, Pause};
pub use write::{CacheLookup, Commit, SimulationRow, StartedAttempt};

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tokio::task::JoinHandle;

use chain::check_structure;
use seal::NOTE;

static MIGRATIONS: Migrator = sqlx_macros::migrate!("./migrations");

/// Name of the database file in a run directory.
pub const FILE: &str = "moldflow.db";
/// Name of its write-ahead log; empty or absent once all is in the database.
pub const LOG: &str = "moldflow.db-wal";

/// The database of a run.
pub struct Store {
    db: SqliteConnection,
    path: PathBuf,
    /// End of the journal; None if the store only reads.
    head: Option<JournalHead>,
    /// Files that must not be deleted or replaced while the run is at work.
    held: Vec<HeldFile>,
    /// Check of the structure of the file, which goes on beside the first reading of the journal.
    structure: Option<JoinHandle<Result<(), StoreError>>>,
}

/// End of a journal that is being written.
struct JournalHead {
    /// Checksum of the last fact.
    seal: seal::Seal,
    note: seal::Note,
}

/// A file with its identity at the time it was first seen.
struct HeldFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl HeldFile {
    fn new(path: PathBuf) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(&path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            path,
        })
    }

    /// Returns true if the path still leads to the file; if not, writes to it are lost.
    fn is_there(&self) -> io::Result<bool> {
        match fs::symlink_metadata(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
            Ok(found) => Ok((found.dev(), found.ino()) == (self.device, self.inode)),
        }
    }
}

/// Name and origin of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunInfo {
    /// Random name, first part of every token.
    pub name: String,
    /// Name of the campaign.
    pub campaign: String,
    /// Time of creation, milliseconds since the Unix epoch.
    pub created: i64,
    /// Version of the program that created it.
    pub version: String,
    /// Properties that are optimised, in the order of the campaign.
    pub objectives: Vec<ObjectiveInfo>,
}

impl RunInfo {
    /// Returns true if version 0.1 began the run: its journal has other facts and cannot be continued.
    pub fn is_of_first_version(&self) -> bool {
        self.version.starts_with("0.1.")
    }

    /// Returns the one objective of the run; none if it has several.
    pub fn only_objective(&self) -> Option<&ObjectiveInfo> {
        match self.objectives.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }
}

/// An objective of a run.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct ObjectiveInfo {
    /// Name of the property.
    pub property: String,
    /// Its name in tables and charts.
    pub label: String,
    /// Its unit; empty for a plain number.
    pub unit: String,
    /// True if high values are better.
    pub highest: bool,
}

impl ObjectiveInfo {
    /// The word for the better of two values: `lowest`, `highest`.
    pub fn superlative(&self) -> &'static str {
        match self.highest {
            true => "highest",
            false => "lowest",
        }
    }

    /// Heading of a column of its values: `oxidation potential / eV`.
    pub fn heading(&self) -> String {
        match self.unit.as_str() {
            "" => self.label.clone(),
            unit => format!("{} / {unit}", self.label),
        }
    }
}

impl Store {
    /// Opens the database in the run directory `dir`; creates it with `info` if there is none.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be opened, migrated or written, or is damaged.
    pub async fn create(dir: &Path, info: &RunInfo) -> Result<Self, StoreError> {
        let mut store = Self::connect(dir, |options| options.create_if_missing(true)).await?;
        store.insert_run(info).await?;
        Ok(store)
    }

    /// Opens the database of an existing run for writing, and migrates it to the present schema.
    /// [`Store::replay`] finds the damage that opening it does not.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be opened, migrated or written, or is damaged.
    pub async fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::connect(dir, |options| options).await
    }

    /// Opens the database of a run for reading, while an engine may be writing to it.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be opened, is of another version, or lost the end of its
    /// journal.
    pub async fn open_to_read(dir: &Path) -> Result<Self, StoreError> {
        // The note first: the database may be ahead of it, but not behind.
        let noted = seal::read(dir);
        let path = dir.join(FILE);
        let options = options(&path).read_only(true).immutable(is_archived(dir));
        let mut store = Self::opened(path, options).await?;
        store.refuse_other_versions().await?;
        store.check_end(noted).await?;
        Ok(store)
    }

    async fn opened(path: PathBuf, options: SqliteConnectOptions) -> Result<Self, StoreError> {
        let db = options.connect().await.map_err(|source| StoreError::Open {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            db,
            path,
            head: None,
            held: Vec::new(),
            structure: None,
        })
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
        let mut store = Self::opened(path, options).await?;
        migrate(&mut store.db, &store.path).await?;
        let last = store.seal_facts().await?;
        store.check_end(noted).await?;
        let note = seal::Note::open(dir).map_err(|e| store.could_not_note(e))?;
        store.head = Some(JournalHead { seal: last, note });
        store.structure = Some(tokio::spawn(check_structure(store.path.clone())));
        Ok(store)
    }

    /// Makes every later commit fail once the database or one of `files` is deleted or replaced.
    ///
    /// # Errors
    ///
    /// Fails if one of the files is missing now.
    pub fn hold(&mut self, files: impl IntoIterator<Item = PathBuf>) -> Result<(), StoreError> {
        // SQLite's log is there from the first transaction to the end.
        let log = self.path.with_file_name(format!("{FILE}-wal"));
        for path in [self.path.clone(), log].into_iter().chain(files) {
            let held = HeldFile::new(path.clone());
            self.held.push(held.map_err(|e| StoreError::Open {
                path,
                source: sqlx::Error::Io(e),
            })?);
        }
        Ok(())
    }

    /// Fails if a held file was deleted or replaced.
    fn check_held(&self) -> Result<(), StoreError> {
        for held in &self.held {
            let path = held.path.clone();
            match held.is_there() {
                Ok(true) => {}
                Ok(false) => return Err(StoreError::Gone { path }),
                Err(e) => {
                    let source = sqlx::Error::Io(e);
                    return Err(StoreError::Write { path, source });
                }
            }
        }
        Ok(())
    }

    /// Writes everything into the main file and closes the database.
    ///
    /// # Errors
    ///
    /// Fails if a held file is gone, the database cannot be written or its structure is damaged.
    pub async fn close(mut self) -> Result<(), StoreError> {
        self.check_held()?;
        self.end_check().await?;
        // Only the last connection that is closed does so by itself, and somebody may be reading. If
        // it fails the log stays beside the database.
        let _ = sqlx::query("PRAGMA busy_timeout = 2000; PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut self.db)
            .await;
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

/// Returns true if nobody writes the database in `dir`, and this process may not: SQLite could then not
/// make the files by which readers and writers agree.
fn is_archived(dir: &Path) -> bool {
    let log = fs::metadata(dir.join(LOG)).map_or(0, |log| log.len());
    log == 0 && access(dir, Access::WRITE_OK).is_err()
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(60))
        .foreign_keys(true)
        .disable_statement_logging()
}
