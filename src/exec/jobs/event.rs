//! Events and commands of the queue of jobs.

use crate::exec::Termination;
use crate::exec::job_wrapper::AttemptFiles;
use crate::scheduler::{JobListing, JobOutcome, JobStatus, Submission};
use crate::task::Token;

/// Event that the queue reacts to.
#[derive(Clone, Debug)]
pub enum QueueEvent {
    /// Jobs to run, in this order.
    Submit(Vec<Token>),
    /// Jobs that an earlier engine may have submitted, with their ids where it wrote them.
    Adopt(Vec<(Token, Option<String>)>),
    Cancel(Vec<Token>),
    /// Jobs that have not started must not start.
    DropPending,
    Submitted(Token, Submission),
    /// A submit command of an earlier engine for this job is still running.
    SubmissionInProgress(Token),
    Listed(JobListing),
    /// Status of the id that this job had; `None` if the scheduler does not know the id.
    Shown(Token, Option<JobStatus>),
    /// Files of a job that the scheduler has finished.
    FilesRead {
        token: Token,
        outcome: Option<JobOutcome>,
        files: AttemptFiles,
    },
}

/// Command that the queue gives.
#[derive(Clone, Debug, PartialEq)]
pub enum QueueCommand {
    Submit(Vec<Token>),
    /// Asks for jobs by their ids.
    Show(Vec<(Token, String)>),
    /// Writes the id of a job into its directory, for a later engine.
    Note(Token, String),
    ReadFiles(Token, Option<JobOutcome>),
    Cancel(Vec<Token>),
    /// Cancels those that have not started.
    CancelPending(Vec<Token>),
    Started(Token),
    Ended(Token, Termination, AttemptFiles),
}
