//! What can go wrong in the `ml` tasks.

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
    #[error("could not read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("could not write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{}", path.display())]
    Saved { path: PathBuf, source: SavedError },
    #[error("{}, line {line}", path.display())]
    Candidate {
        path: PathBuf,
        line: usize,
        source: ChemError,
    },
    #[error("evaluated molecule {number}")]
    Observation { number: usize, source: ChemError },
    #[error("start molecule {number}")]
    Start { number: usize, source: ChemError },
    #[error("the statistics in {} are of another objective or another model", .0.display())]
    OtherStatistics(PathBuf),
    #[error("no model")]
    Fit(#[from] FitError),
    #[error("the agent could not go on")]
    Agent(#[from] DqnError<Infallible>),
    #[error("the agent could not be made")]
    Network(#[from] SavedError),
    #[error("settings: {}", list(.0))]
    Settings(Vec<RangeFault>),
}

impl DesignError {
    /// Names the file that a reading failed on.
    pub fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Read { path, source }
    }

    /// Names the file that a writing failed on.
    pub fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Write { path, source }
    }

    /// Names the file whose content is wrong.
    pub fn saved(path: &Path) -> impl FnOnce(SavedError) -> Self {
        let path = path.to_owned();
        |source| Self::Saved { path, source }
    }
}

fn list(faults: &[RangeFault]) -> String {
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    faults.join("; ")
}
