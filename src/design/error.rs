//! Errors of the `ml` tasks.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};

use super::ranges::RangeFault;
use crate::chem::ChemError;
use crate::learn::dqn::DqnError;
use crate::learn::regression::FitError;
use crate::learn::saved::SavedError;
use crate::python::CallError;

/// Error of an `ml` task.
#[derive(Debug, thiserror::Error)]
pub enum DesignError {
    /// A file could not be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("could not write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// A saved model, memory or generator could not be decoded.
    #[error("{}", path.display())]
    Saved {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: SavedError,
    },
    /// A line of the file of candidates is not a molecule.
    #[error("{}, line {line}", path.display())]
    Candidate {
        /// The file.
        path: PathBuf,
        /// Line number, counted from 1.
        line: usize,
        /// Cause.
        source: ChemError,
    },
    /// An observation is not of a molecule.
    #[error("evaluated molecule {number}")]
    Observation {
        /// Its number, counted from 1.
        number: usize,
        /// Cause.
        source: ChemError,
    },
    /// A start molecule cannot be parsed.
    #[error("start molecule {number}")]
    Start {
        /// Its number, counted from 1.
        number: usize,
        /// Cause.
        source: ChemError,
    },
    /// The memory of a training is of another objective or another surrogate.
    #[error("the memory of the last training is of another objective or another surrogate")]
    OtherMemory,
    /// The generator proposes molecules of the source, and there is no file of them.
    #[error("there is no file with the molecules of the source")]
    NoPool,
    /// The surrogate could not be fitted.
    #[error("no model")]
    Fit(#[from] FitError),
    /// The agent failed.
    #[error("the agent could not continue")]
    Agent(#[from] DqnError<Infallible>),
    /// A model, memory or generator could not be created, encoded or decoded.
    #[error(transparent)]
    Encoded(#[from] SavedError),
    /// A function in Python failed, or returned what cannot be used.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Settings out of their ranges.
    #[error("settings: {}", list(.0))]
    Settings(Vec<RangeFault>),
}

impl DesignError {
    /// Error of reading a file.
    pub(super) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Read { path, source }
    }

    /// Error of writing a file.
    pub(super) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Write { path, source }
    }

    /// The same error, with the file whose content could not be decoded.
    pub(super) fn in_file(self, path: Option<&Path>) -> Self {
        match (self, path) {
            (Self::Encoded(source), Some(path)) => Self::Saved {
                path: path.to_owned(),
                source,
            },
            (error, _) => error,
        }
    }
}

impl From<DqnError<DesignError>> for DesignError {
    fn from(error: DqnError<DesignError>) -> Self {
        match error {
            DqnError::Environment(error) => error,
            DqnError::Diverged(loss, updates) => Self::Agent(DqnError::Diverged(loss, updates)),
        }
    }
}

fn list(faults: &[RangeFault]) -> String {
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    faults.join("; ")
}
