//! Events and commands of the queue of jobs.

use crate::exec::Termination;
use crate::exec::job_wrapper::AttemptFiles;
use crate::scheduler::{JobListing, JobOutcome, JobStatus, Submission};
use crate::task::Token;

/// Fact about jobs.
#[derive(Clone, Debug)]
pub enum QueueEvent {
    /// Jobs to run, in this order.
    Submit(Vec<Token>),
    /// Jobs that an earlier engine may have submitted, with their ids where it wrote them.
    Adopt(Vec<(Token, Option<String>)>),
    /// Jobs to cancel, pending or running.
    Cancel(Vec<Token>),
    /// Jobs that have not started must not start.
    DropPending,
    /// Answer of the scheduler to a submission.
    Submitted(Token, Submission),
    /// A submit command of an earlier engine for this job is still running.
    SubmissionInProgress(Token),
    /// Jobs that the scheduler listed.
    Listed(JobListing),
    /// Status of the id that this job had; `None` if the scheduler does not know the id.
    Shown(Token, Option<JobStatus>),
    /// Files of a job that the scheduler has finished.
    FilesRead {
        /// Name of the attempt.
        token: Token,
        /// Terminal state that the scheduler reported; None if it has forgotten the job.
        outcome: Option<JobOutcome>,
        /// The files.
        files: AttemptFiles,
    },
}

/// Action on jobs.
#[derive(Clone, Debug, PartialEq)]
pub enum QueueCommand {
    /// Submit these jobs, in this order.
    Submit(Vec<Token>),
    /// Ask for jobs by their ids.
    Show(Vec<(Token, String)>),
    /// Write the id of a job into its directory, for a later engine.
    Note(Token, String),
    /// Read the files of a job with this terminal state; None if it is not known.
    ReadFiles(Token, Option<JobOutcome>),
    /// Cancel these jobs.
    Cancel(Vec<Token>),
    /// Cancel those that have not started.
    CancelPending(Vec<Token>),
    /// Report the start of a job.
    Started(Token),
    /// Report the end of a job.
    Ended(Token, Termination, AttemptFiles),
}
