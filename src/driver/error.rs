//! Errors of a driver.

use std::io;
use std::path::PathBuf;

use crate::store::StoreError;
use crate::task::{HostFault, IllegalEvent};

/// Reason for which a run could not be opened or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal holds a fact that the engine rejects.
    #[error("the journal holds a fact that cannot have happened (fact {seq})")]
    Journal {
        /// Number of the fact, from 1.
        seq: i64,
        /// Reason for which the engine rejects it.
        #[source]
        source: IllegalEvent,
    },
    /// The run stopped because of its host; `resume` continues it.
    #[error("{fault}, and the run in {} has stopped: {why}", path.display())]
    Host {
        /// Run directory.
        path: PathBuf,
        /// Fault of the host.
        fault: HostFault,
        /// Message of the operation that failed.
        why: String,
    },
    /// A saved file of the run is missing or damaged.
    #[error("{} is missing or damaged", path.display())]
    State {
        /// Path of the file.
        path: PathBuf,
    },
    /// A saved file of the run could not be read.
    #[error("could not read what the run in {} has saved", path.display())]
    Read {
        /// Run directory.
        path: PathBuf,
        /// Error of the system.
        #[source]
        source: io::Error,
    },
    /// A folder of the run could not be created.
    #[error("could not write below {}", path.display())]
    Files {
        /// Run directory.
        path: PathBuf,
        /// Error of the system.
        #[source]
        source: io::Error,
    },
}

/// Returns the messages of an error and its causes, separated by colons.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
