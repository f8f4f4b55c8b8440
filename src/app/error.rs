//! Error of a command: diagnostics for the user, their topic, and the host fault that caused them, if
//! any.

use std::io;
use std::path::Path;

use crate::config::diagnostic::{Diagnostic, Diagnostics};
use crate::driver::DriverError;
use crate::report::ReportError;
use crate::store::StoreError;
use crate::task::HostFault;

/// Topic of an error, if it is another one than that of its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Batch job whose nodes partitions share.
    Allocation,
    /// Cache of results.
    Cache,
    /// Damaged files of a run.
    Damage,
    /// Fault of the host.
    HostFault,
    /// Results of an earlier run.
    Inheritance,
    /// Functions of the user in Python.
    Python,
    /// Host behind SSH.
    RemoteHost,
    /// Run directory and its files.
    RunDirectory,
    /// Molecules that can be drawn.
    SearchSpace,
    /// Settings of a run, which may change or not.
    Settings,
    /// Site profile and its scheduler.
    Site,
    /// Run of another version.
    Version,
}

#[cfg(test)]
impl Topic {
    /// All topics.
    pub const ALL: [Self; 12] = [
        Self::Allocation,
        Self::Cache,
        Self::Damage,
        Self::HostFault,
        Self::Inheritance,
        Self::Python,
        Self::RemoteHost,
        Self::RunDirectory,
        Self::SearchSpace,
        Self::Settings,
        Self::Site,
        Self::Version,
    ];
}

/// Error of a command.
pub struct CommandError {
    diagnostics: Diagnostics,
    topic: Option<Topic>,
    /// Fault of the host behind it: once the host is well, everything can be resumed.
    host_fault: Option<HostFault>,
}

impl CommandError {
    /// Returns an error that has no place in a file.
    pub fn new(message: impl Into<String>) -> Self {
        Diagnostic::new(message).into()
    }

    /// Returns an error that has no place in a file, with a hint.
    pub fn with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Diagnostic::new(message).hint(hint).into()
    }

    /// Sets the topic.
    pub fn about(self, topic: Topic) -> Self {
        Self {
            topic: Some(topic),
            ..self
        }
    }

    /// Returns a fault of the host in the run in `dir`, which can be resumed.
    pub fn of_host(fault: HostFault, dir: &Path, error: &dyn std::error::Error) -> Self {
        let hint = format!(
            "{}, then `moldflow resume {}` continues; finished results are kept",
            fault.remedy(),
            dir.display()
        );
        Self {
            host_fault: Some(fault),
            ..Self::with_hint(causes(error), hint).about(Topic::HostFault)
        }
    }

    /// Returns an I/O error, which may be a fault of the host, where there is no run that could be
    /// resumed. `what` completes the sentence: "could not open ...".
    pub fn io(what: &str, error: &io::Error) -> Self {
        let message = format!("{what}: {error}");
        match HostFault::of(error) {
            Some(fault) => Self {
                host_fault: Some(fault),
                ..Self::with_hint(message, format!("{}, and try again", fault.remedy()))
                    .about(Topic::HostFault)
            },
            None => Self::new(message),
        }
    }

    /// Returns an error with its causes, of which one may be a fault of the host.
    pub fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        match HostFault::of(error) {
            Some(fault) => Self::of_host(fault, Path::new("RUN_DIR"), error),
            None => Self::new(causes(error)),
        }
    }

    /// Messages with their places and hints; never empty.
    pub fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// Topic; None if it is that of the command.
    pub fn topic(&self) -> Option<Topic> {
        self.topic
    }

    /// Fault of the host behind the error.
    pub fn host_fault(&self) -> Option<HostFault> {
        self.host_fault
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        let dir = error.path().parent().unwrap_or(Path::new("RUN_DIR"));
        let topic = match &error {
            StoreError::Older { .. } | StoreError::Newer { .. } => Topic::Version,
            StoreError::Gone { .. } => Topic::Damage,
            _ if error.is_damage() => Topic::Damage,
            _ => Topic::RunDirectory,
        };
        let hint = match &error {
            _ if let Some(fault) = error.host_fault() => return Self::of_host(fault, dir, &error),
            StoreError::Gone { .. } => {
                "what was committed before is lost with it; a copy of the run directory can be \
                 resumed"
                    .to_owned()
            }
            StoreError::Older { .. } => {
                format!(
                    "`moldflow resume {}` updates it to the current schema",
                    dir.display()
                )
            }
            StoreError::Newer { .. } => {
                "use the version of moldflow that made the run, or a later one".to_owned()
            }
            _ if error.is_damage() => format!(
                "`moldflow check --repair {}` rebuilds it from its journal, and keeps the damaged \
                 files",
                dir.display()
            ),
            _ => return Self::new(causes(&error)).about(topic),
        };
        Self::with_hint(causes(&error), hint).about(topic)
    }
}

impl From<DriverError> for CommandError {
    fn from(error: DriverError) -> Self {
        match error {
            DriverError::Store(error) => error.into(),
            DriverError::Host {
                ref path, fault, ..
            } => Self::of_host(fault, path, &error),
            DriverError::State { .. } => {
                let hint = "`moldflow check --repair RUN_DIR` continues without it: the next \
                    batch starts with a new agent";
                Self::with_hint(causes(&error), hint).about(Topic::Damage)
            }
            DriverError::Files { .. } | DriverError::Read { .. } | DriverError::Journal { .. } => {
                Self::of(&error)
            }
        }
    }
}

impl From<ReportError> for CommandError {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Store(error) => error.into(),
            ReportError::Write { .. } | ReportError::Template(_) => Self::of(&error),
        }
    }
}

/// Returns an error and its causes in one line.
pub fn causes(error: &dyn std::error::Error) -> String {
    let below = std::iter::successors(error.source(), |e| e.source());
    below.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl From<Diagnostics> for CommandError {
    fn from(diagnostics: Diagnostics) -> Self {
        Self {
            diagnostics,
            topic: None,
            host_fault: None,
        }
    }
}

impl From<Diagnostic> for CommandError {
    fn from(diagnostic: Diagnostic) -> Self {
        Diagnostics::from(diagnostic).into()
    }
}
