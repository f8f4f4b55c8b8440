//! Errors of the `ml` tasks.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};

use super::ranges::RangeFault;
use crate::chem::ChemError;
use crate::learn::dqn::DqnError;
use crate::learn::saved::SavedError;
use crate::learn::surrogate::FitError;

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
    /// A saved model, agent or statistics could not be decoded.
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
    /// Statistics of another objective or another model, in the named file.
    #[error("the statistics in {} are of another objective or another model", .0.display())]
    OtherStatistics(PathBuf),
    /// The surrogate could not be fitted.
    #[error("no model")]
    Fit(#[from] FitError),
    /// The agent failed.
    #[error("the agent could not continue")]
    Agent(#[from] DqnError<Infallible>),
    /// The agent, model or statistics could not be created or encoded.
    #[error("the agent could not be made")]
    Network(#[from] SavedError),
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

    /// Error of decoding a file.
    pub(super) fn saved(path: &Path) -> impl FnOnce(SavedError) -> Self {
        let path = path.to_owned();
        |source| Self::Saved { path, source }
    }
}

fn list(faults: &[RangeFault]) -> String {
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    faults.join("; ")
}
