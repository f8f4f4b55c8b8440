//! Errors for which a driver returns before its run has ended.

use std::io;
use std::path::PathBuf;

use crate::store::StoreError;
use crate::task::{HostFault, IllegalEvent};

/// Reason why a run could not be opened or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the journal holds a fact that cannot have happened (fact {seq})")]
    Journal {
        seq: i64,
        #[source]
        source: IllegalEvent,
    },
    #[error("{fault}, and the run in {} has stopped: {why}", path.display())]
    Host {
        path: PathBuf,
        fault: HostFault,
        why: String,
    },
    #[error("{} is missing or damaged", path.display())]
    State { path: PathBuf },
    #[error("could not read what the run in {} has saved", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not write below {}", path.display())]
    Files {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Returns the text of an error with those of its causes.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
