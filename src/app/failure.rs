//! Why a command failed, and the way out.

use std::io;
use std::path::Path;

use crate::config::fault::{Fault, Faults};
use crate::driver::DriverError;
use crate::report::ReportError;
use crate::store::StoreError;
use crate::task::HostFault;

/// Why a command could not do what it was asked: exit status 1, or one that names a fault of the host.
pub struct Failure {
    pub faults: Faults,
    /// The fault of the host behind it: then everything can resume once the host is well.
    pub host: Option<HostFault>,
}

impl Failure {
    /// A failure that is in no file.
    pub fn new(message: impl Into<String>) -> Self {
        Fault::new(message).into()
    }

    /// The same with a way out.
    pub fn with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Fault::new(message).hint(Some(hint.into())).into()
    }

    /// A failure of the host in the run in `dir`, which can be resumed.
    pub fn of_host(fault: HostFault, dir: &Path, error: &dyn std::error::Error) -> Self {
        let hint = format!(
            "{}, then `moldflow resume {}` continues: what was computed is kept",
            fault.remedy(),
            dir.display()
        );
        Self {
            host: Some(fault),
            ..Self::with_hint(causes(error), hint)
        }
    }

    /// What could not be done and why, which may be a fault of the host. Before there is a run that could be resumed.
    pub fn io(what: &str, error: &io::Error) -> Self {
        let message = format!("{what}: {error}");
        match HostFault::of(error) {
            Some(fault) => Self {
                host: Some(fault),
                ..Self::with_hint(message, format!("{}, and try again", fault.remedy()))
            },
            None => Self::new(message),
        }
    }

    /// A failure with its causes, of which one may be a fault of the host.
    pub fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        match HostFault::of(error) {
            Some(fault) => Self::of_host(fault, Path::new("RUN_DIR"), error),
            None => Self::new(causes(error)),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let dir = error.path().parent().unwrap_or(Path::new("RUN_DIR"));
        let hint = match &error {
            _ if let Some(fault) = error.host_fault() => return Self::of_host(fault, dir, &error),
            StoreError::Gone { .. } => {
                "what was committed before is lost with it; a copy of the run directory can be resumed".to_owned()
            }
            StoreError::Older { .. } => {
                format!(
                    "`moldflow resume {}` brings it to the present schema",
                    dir.display()
                )
            }
            StoreError::Newer { .. } => {
                "use the version of moldflow that made the run, or a later one".to_owned()
            }
            _ if error.is_damage() => format!(
                "`moldflow check --repair {}` rebuilds it from its journal, and keeps the damaged files",
                dir.display()
            ),
            _ => return Self::new(causes(&error)),
        };
        Self::with_hint(causes(&error), hint)
    }
}

impl From<DriverError> for Failure {
    fn from(error: DriverError) -> Self {
        match error {
            DriverError::Store(error) => error.into(),
            DriverError::Host {
                ref path, fault, ..
            } => Self::of_host(fault, path, &error),
            DriverError::State { .. } => {
                let hint = "`moldflow check --repair RUN_DIR` goes on without it: the next batch begins with a new agent";
                Self::with_hint(causes(&error), hint)
            }
            DriverError::Files { .. } | DriverError::Read { .. } | DriverError::Journal { .. } => {
                Self::of(&error)
            }
        }
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Store(error) => error.into(),
            ReportError::Write { .. } | ReportError::Template(_) => Self::of(&error),
        }
    }
}

/// An error and its causes in one line.
pub fn causes(error: &dyn std::error::Error) -> String {
    let below = std::iter::successors(error.source(), |e| e.source());
    below.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self { faults, host: None }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Faults::from(fault).into()
    }
}
