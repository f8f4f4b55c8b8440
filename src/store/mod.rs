//! The database of a run: one writer, any number of readers, every fact committed before it is
//! acted on.

mod audit;
mod cache;
mod chain;
mod derived;
mod names;
mod properties;
mod read;
mod repair;
mod seal;
mod settings;
mod tasks;
mod write;

pub use audit::audit;
pub use cache::{Cache, CacheEntry, CacheError, CachedAnswer, KeyParts};
pub use properties::PropertyInfo;
pub use read::{BatchRow, CandidateRow, Counts, FreeAtomRow, NamedCount, Summary};
pub use repair::{RepairReport, repair};
pub use seal::NOTE;
pub use settings::StoredSettings;
pub use tasks::{EngineRow, FailedAttempt, FailureRow, StageRow, TaskRow};
pub use write::{Commit, Simulation};

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};
use rustix::io::Errno;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use std::time::Duration;

use crate::task::HostFault;

/// With less room than this, in bytes, a disk counts as full.
pub const LEAST_ROOM: u64 = 256 << 10;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Name of the database file in a run directory.
pub const FILE: &str = "moldflow.db";

/// The database of a run.
pub struct Store {
    db: SqliteConnection,
    path: PathBuf,
    /// Checksum of the last fact, and the note of it; of a store that writes.
    head: Option<(seal::Seal, seal::Note)>,
    /// Files that must stay what they were when the run began to work.
    held: Vec<HeldFile>,
}

/// A file by its name and what it was when it was opened.
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

    /// Returns true if the name still leads to the file: otherwise writes to it are lost.
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
    /// Random name, the first part of every token.
    pub name: String,
    /// Name of the campaign.
    pub campaign: String,
    /// Milliseconds since the Unix epoch.
    pub created: i64,
    /// Version of the program.
    pub version: String,
    /// What the run optimises.
    pub objective: ObjectiveInfo,
}

/// The objective of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Heading of a column of its values: `oxidation potential / eV`.
    pub fn heading(&self) -> String {
        match self.unit.as_str() {
            "" => self.label.clone(),
            unit => format!("{} / {unit}", self.label),
        }
    }
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
    #[error("{} was deleted or replaced while the run was at work", path.display())]
    Gone { path: PathBuf },
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
            | Self::Gone { path }
            | Self::Older { path }
            | Self::Newer { path } => path,
        }
    }

    /// Returns true if the database, or a part of it, is damaged.
    pub fn is_damage(&self) -> bool {
        // SQLITE_CORRUPT, SQLITE_NOTADB.
        matches!(self, Self::Damaged { .. } | Self::Journal { .. })
            || matches!(self.sqlite_code(), Some((11 | 26, _)))
    }

    /// Fault of the host, if that is the cause. SQLite reports what it was doing, not what the
    /// system answered: the rest is asked of the file system.
    pub fn host_fault(&self) -> Option<HostFault> {
        let dir = self.path().parent()?;
        let has_room = || statvfs(dir).is_ok_and(|s| s.f_bavail * s.f_frsize >= LEAST_ROOM);
        let is_read_only = || access(dir, Access::WRITE_OK) == Err(Errno::ROFS);
        match self.sqlite_code() {
            // SQLITE_FULL, SQLITE_NOMEM.
            Some((13, _)) => Some(HostFault::DiskFull),
            Some((7, _)) => Some(HostFault::NoMemory),
            // SQLITE_IOERR: a full disk too, where the file is one beside the database.
            Some((10, _)) if has_room() => Some(HostFault::InputOutput),
            Some((10, _)) => Some(HostFault::DiskFull),
            // SQLITE_READONLY, SQLITE_CANTOPEN.
            Some((8 | 14, _)) if is_read_only() => Some(HostFault::ReadOnly),
            Some((14, _)) => match OpenOptions::new().read(true).write(true).open(self.path()) {
                Err(e) => HostFault::of(&e),
                Ok(_) if access(dir, Access::WRITE_OK).is_err() => None,
                // Nothing else keeps a file that is there from being opened.
                Ok(_) if has_room() => Some(HostFault::NoDescriptors),
                Ok(_) => Some(HostFault::DiskFull),
            },
            _ => HostFault::of(self),
        }
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
            held: Vec::new(),
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
            held: Vec::new(),
        };
        store.check_structure().await?;
        migrate(&mut store.db, &store.path).await?;
        let last = store.seal_facts().await?;
        store.check_end(noted).await?;
        let note = seal::Note::open(dir).map_err(|e| store.could_not_note(e))?;
        store.head = Some((last, note));
        Ok(store)
    }

    /// Has every commit fail from now on once the database, or one of these files of the run, is
    /// deleted or replaced.
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

    /// An error once a file that is held is another, or none.
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
    pub async fn close(self) -> Result<(), StoreError> {
        self.check_held()?;
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
