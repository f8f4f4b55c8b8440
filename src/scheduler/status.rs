//! What a scheduler reports of jobs, in terms that all schedulers share.

use std::time::Duration;

/// State of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    Pending,
    Running,
    /// Its processes have ended, the scheduler still cleans up.
    Completing,
    Ended(JobOutcome),
    /// A word that this program does not know: neither success nor failure.
    Unknown(String),
}

/// Terminal state reported by the scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    Completed,
    /// The scheduler's word.
    Failed(String),
    OutOfMemory,
    Walltime,
    Cancelled,
    /// Its node failed, or was given to another job: the scheduler's word.
    NodeLost(String),
}

/// One entry of the scheduler's job listing (`squeue`, `qstat`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobStatus {
    pub id: String,
    /// The token of its attempt, or the name of a block.
    pub name: String,
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
