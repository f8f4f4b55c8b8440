//! Errors of the database of a run, and the faults of the host behind them.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};
use rustix::io::Errno;
use sqlx::migrate::MigrateError;

use crate::task::HostFault;

/// Free space below which a disk counts as full, bytes.
pub(crate) const LEAST_ROOM: u64 = 256 << 10;

/// Reason for which the database of a run could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database or another file could not be opened.
    #[error("could not open the database {}", path.display())]
    Open {
        /// Path of the database or file.
        path: PathBuf,
        /// Error of SQLite or the system.
        #[source]
        source: sqlx::Error,
    },
    /// A migration failed.
    #[error("could not bring the database {} to the present schema", path.display())]
    Migrate {
        /// Path of the database.
        path: PathBuf,
        /// Error of the migration.
        #[source]
        source: MigrateError,
    },
    /// The database or its note could not be written.
    #[error("the database {} could not be written", path.display())]
    Write {
        /// Path of the database or file.
        path: PathBuf,
        /// Error of SQLite or the system.
        #[source]
        source: sqlx::Error,
    },
    /// The database or its note could not be read.
    #[error("the database {} could not be read", path.display())]
    Read {
        /// Path of the database or file.
        path: PathBuf,
        /// Error of SQLite or the system.
        #[source]
        source: sqlx::Error,
    },
    /// Structure or content of the database is damaged.
    #[error("the database {} is damaged: {what}", path.display())]
    Damaged {
        /// Path of the database.
        path: PathBuf,
        /// Description of the damage.
        what: String,
    },
    /// A held file was deleted or replaced.
    #[error("{} was deleted or replaced while the run was at work", path.display())]
    Gone {
        /// Path of the file.
        path: PathBuf,
    },
    /// The schema is older than that of this program, and the database is only read.
    #[error("the database {} is of an earlier version of moldflow", path.display())]
    Older {
        /// Path of the database.
        path: PathBuf,
    },
    /// The schema is newer than that of this program.
    #[error("the database {} is of a later version of moldflow", path.display())]
    Newer {
        /// Path of the database.
        path: PathBuf,
    },
    /// A fact of the journal is no JSON that this program knows.
    #[error("fact {seq} of the journal of {} cannot be understood", path.display())]
    Journal {
        /// Path of the database.
        path: PathBuf,
        /// Number of the fact, from 1.
        seq: i64,
        /// Error of the parser.
        #[source]
        source: serde_json::Error,
    },
}

impl StoreError {
    /// Returns the path of the database or file that the error is about.
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
        // SQLITE_CORRUPT, SQLITE_NOTADB; a text that is no UTF-8, which SQLite does not notice.
        matches!(self, Self::Damaged { .. } | Self::Journal { .. })
            || matches!(self.sqlite_code(), Some((11 | 26, _)))
            || matches!(
                self,
                Self::Read {
                    source: sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_),
                    ..
                }
            )
    }

    /// Returns the fault of the host, if that is the cause. SQLite reports the operation, not the
    /// error of the system: the file system is asked for the rest.
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

    /// Returns SQLite's primary and extended error code.
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
