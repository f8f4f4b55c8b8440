//! States of jobs as schedulers report them, in terms that all schedulers share.

use std::time::Duration;

/// State of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It waits in the queue, or is held.
    Pending,
    /// It runs, or is suspended.
    Running,
    /// Its processes have ended, the scheduler still cleans up.
    Completing,
    /// It has ended.
    Ended(JobOutcome),
    /// A word that this program does not know: neither success nor failure.
    Unknown(String),
}

/// Terminal state reported by the scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    /// Its script exited with status zero.
    Completed,
    /// The scheduler's word.
    Failed(String),
    /// It was terminated because it used too much memory.
    OutOfMemory,
    /// It was terminated at its walltime.
    Walltime,
    /// It was cancelled.
    Cancelled,
    /// Its node failed, or was given to another job: the scheduler's word.
    NodeLost(String),
}

/// One entry of the scheduler's job listing (`squeue`, `qstat`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobStatus {
    /// Its id, which may be issued again after it was forgotten.
    pub id: String,
    /// The token of its attempt, or the name of a block.
    pub name: String,
    /// Its state.
    pub state: JobState,
    /// Time of submission in the scheduler's format, which sorts by time. An id may be issued
    /// again.
    pub submitted: String,
    /// Reason for which it is pending or ended, in the scheduler's words; not to be relied upon.
    pub reason: String,
    /// Time until its walltime ends; `None` where there is no end.
    pub left: Option<Duration>,
}

/// The scheduler's answer to a request for its jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobListing {
    /// The jobs, in the order of the scheduler.
    pub jobs: Vec<JobStatus>,
    /// True if all jobs that were to be listed are in `jobs`. If not, a missing job may be live.
    pub complete: bool,
}

impl From<Vec<JobStatus>> for JobListing {
    /// A complete listing.
    fn from(jobs: Vec<JobStatus>) -> Self {
        Self {
            jobs,
            complete: true,
        }
    }
}
