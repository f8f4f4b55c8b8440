//! Tasks: their identity, their states, and the events that move them.

mod event;
mod failure;
mod host;
mod launch;
mod limits;
mod record;
mod retries;
mod state;

pub use event::{Event, Fact, Outcome, RankedCandidate, Usage};
pub use failure::{Failure, FailureKind};
pub use host::{HostFault, explained};
pub use launch::{Launch, Shape, VISIBLE_GPUS};
pub use limits::{Limits, RUNNER_MARGIN, STEP_MARGIN, block_time};
pub use record::{Candidate, Record, StoppedBy};
pub use retries::Retries;
pub use state::{EndState, IllegalEvent, TaskState};

pub use crate::learn::regression::Prediction;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Numbers that describe what a task of the generator loop did, by name: losses, numbers of
/// features, rates of exploration.
pub type Metrics = BTreeMap<String, f64>;

/// The number of a task within its run, counted from 1 in order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub u64);

/// The number of a try at a task, counted from 1.
pub type Attempt = u32;

/// The name of one attempt, known before it starts and carried by its process: by it an attempt is
/// found again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// Random name of the run, hexadecimal.
    pub run: String,
    /// The task.
    pub task: TaskId,
    /// Number of the attempt at it.
    pub attempt: Attempt,
}

/// A file named by its content: what moves between tasks without passing through the database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileRef {
    /// Lower-case hexadecimal SHA-256 of the content.
    pub sha256: String,
    /// Size in bytes.
    pub bytes: u64,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.run, self.task, self.attempt)
    }
}

impl FromStr for Token {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().ok_or(());
        Ok(Self {
            run: next()?.to_owned(),
            task: TaskId(next()?.parse().map_err(drop)?),
            attempt: next()?.parse().map_err(drop)?,
        })
    }
}
