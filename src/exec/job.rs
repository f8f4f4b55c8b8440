//! Job of an attempt, and the reports about it.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::launch::now;
use crate::task::{HostFault, Limits, Shape, Token};

/// Attempt at a task, ready to be started.
#[derive(Clone, Debug)]
pub struct Job {
    /// Name of the attempt.
    pub token: Token,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment of the process besides the allow-list.
    pub env: Vec<(String, String)>,
    /// Directory of the attempt; made by the executor just before the start.
    pub dir: PathBuf,
    /// Files written into `dir`: name and content.
    pub files: Vec<(String, Vec<u8>)>,
    /// Files linked into `dir`: where they are and their name.
    pub links: Vec<(PathBuf, String)>,
    /// Name of the file in `dir` that holds the result.
    pub result: &'static str,
    /// Time limits of the attempt.
    pub limits: Limits,
    /// Shape of the MPI program that it starts; None for one process.
    pub shape: Option<Shape>,
    /// Program and arguments of a worker that runs it, where an executor keeps workers: one reads
    /// a line with the directory of a job in JSON, runs it, and answers with a line of its exit
    /// status. None for a job that has a process of its own in any case.
    pub worker: Option<Vec<String>>,
}

/// Report of an executor about a job.
#[derive(Clone, Debug)]
pub struct Report {
    /// Name of the attempt.
    pub token: Token,
    /// The change.
    pub event: JobEvent,
    /// Milliseconds since the Unix epoch.
    pub at: i64,
}

impl Report {
    /// Returns a report of this moment.
    pub fn now(token: Token, event: JobEvent) -> Self {
        let at = now();
        Self { token, event, at }
    }
}

/// Change of a job that is reported.
#[derive(Clone, Debug)]
pub enum JobEvent {
    /// It has begun to run.
    Started,
    /// It has ended.
    Ended {
        /// End that was observed.
        exit: Termination,
        /// Content of the result file, if there is one.
        result: Option<Vec<u8>>,
        /// Start, milliseconds since the Unix epoch, where it is known.
        started: Option<i64>,
        /// End of the process by the same clock, where it was not observed as it happened.
        ended: Option<i64>,
    },
}

/// End of an attempt, as its executor observed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Termination {
    /// It exited with this status.
    Code(i32),
    /// It was terminated by this signal.
    Signal(i32),
    /// It was terminated at its timeout.
    TimedOut,
    /// This program cancelled it.
    Cancelled,
    /// Its process could not be started, or its submission was rejected: the reason.
    LaunchFailed(String),
    /// A fault of the host kept it from starting.
    NotStarted(HostFault, String),
    /// A fault of the host keeps its files or its state from being read.
    Unread(HostFault, String),
    /// The scheduler ended it at its walltime.
    Walltime,
    /// The scheduler lost its node or gave it to another job: its state, or the names of the nodes.
    NodeLost(String),
    /// The scheduler ended it at the request of somebody else.
    CancelledByHand,
    /// The scheduler ended it for its use of memory.
    OutOfMemory,
    /// It left no files, and this is its final state as the scheduler names it, with the end of what its
    /// script printed.
    FinalState(String),
    /// It is gone, and its end was not observed.
    Unseen,
}

impl Termination {
    /// Returns true if a signal may have ended the attempt. A shell whose program was ended by
    /// SIGTERM or SIGKILL reports it by its exit status, if it outlives the program for a moment.
    pub fn may_be_a_signal(&self) -> bool {
        matches!(self, Self::Signal(_) | Self::Code(137 | 143))
    }

    /// Returns the termination of an attempt whose start failed with this error.
    pub fn of_start(error: &io::Error) -> Self {
        match HostFault::of(error) {
            Some(fault) => Self::NotStarted(fault, error.to_string()),
            None => Self::LaunchFailed(error.to_string()),
        }
    }
}

/// Result of the search for an attempt that an earlier engine journalled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// It never started.
    NotStarted,
    /// It runs, or ran: its end is reported like any other.
    Adopted,
}
