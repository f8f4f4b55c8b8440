//! What a batch system says of a job, in our words.

use std::time::Duration;

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    Running,
    /// Its processes have ended, the batch system still cleans up.
    Completing,
    Ended(Fate),
    /// A word that this program does not know: neither success nor failure.
    Unknown(String),
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Completed,
    /// The batch system's word.
    Failed(String),
    OutOfMemory,
    Walltime,
    Cancelled,
    /// Its node failed, or was given to another: the batch system's word.
    NodeLost(String),
}

/// What a batch system says of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: String,
    /// The token of its attempt, or the name of a block.
    pub name: String,
    pub state: State,
    /// When it was submitted, in the batch system's words, which sort by time. An id may be issued again.
    pub submitted: String,
    /// Why it waits, or ended, in the batch system's words; not to be relied upon.
    pub reason: String,
    /// Until its walltime ends; None where there is no end.
    pub left: Option<Duration>,
}

/// What a batch system says when it is asked for its jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub jobs: Vec<Listed>,
    /// Whether all jobs that were to be listed are among `jobs`. If not, a job that is not there may live.
    pub complete: bool,
}

impl From<Vec<Listed>> for Listing {
    /// A complete list.
    fn from(jobs: Vec<Listed>) -> Self {
        Self {
            jobs,
            complete: true,
        }
    }
}
